// The command line of a compiled program. Exit status: 0 fine, 1 the user's input, 2 usage; a bug of calm aborts.
#ifndef CALM_RUNTIME_COMMANDS_H
#define CALM_RUNTIME_COMMANDS_H
#include "runtime/abi/abi.h"

int cli_main(const RtProgram *rt, int argc, char **argv);
#endif
