// What a training keeps: last/, best/ and the log, and the looks at held-out data that say which parameters are best.
#ifndef CALM_RUNTIME_COMMANDS_TRAINKEEP_H
#define CALM_RUNTIME_COMMANDS_TRAINKEEP_H
#include "runtime/commands/trainer.h"

// Writes last/, and puts best/ in its place where there is a better one.
bool train_save(Trainer *t, RtError *e);
// Before the first line of the log: a training that fails in its first step leaves nothing, and what it was to replace.
bool train_begin_log(Trainer *t, RtError *e);
// What held-out file k is called in the log and in lines of progress.
const char *train_held_name(const DataFile *held, int k);
// Held-out loss, of several files the mean of theirs, which are in each (NaN without held-out data). Parameters that are the best so far are on disk then, beside best/, whose place they take with the next
// train_save: a training that goes on from last/ never finds a best/ of a step that it has still to do.
bool train_look(Trainer *t, double *held, RtError *e);
#endif
