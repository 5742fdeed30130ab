// main of every compiled program; everything else is runtime/commands/cli.c.
#include "runtime/commands/cli.h"

int main(int argc, char **argv) { return cli_main(argc, argv); }
