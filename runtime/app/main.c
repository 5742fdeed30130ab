// main of every compiled program; everything else is runtime/cli.c.
#include "runtime/cli.h"

int main(int argc, char **argv) { return cli_main(argc, argv); }
