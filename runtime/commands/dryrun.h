// train --dry-run: what a training would take, said without starting it.
#ifndef CALM_RUNTIME_COMMANDS_DRYRUN_H
#define CALM_RUNTIME_COMMANDS_DRYRUN_H
#include "runtime/commands/trainer.h"

// Opens all that the training would, runs some of its first rows in memory for the rate, and prints rows, tokens, operations, time and memory on standard
// output. Writes no file but what the user's cache directory keeps of data. False where the training could not begin.
bool dry_run(Trainer *t, const Options *o, RtError *e);
#endif
