// Setting up a training: what it starts with, what it may take of memory, and its data.
#ifndef CALM_RUNTIME_COMMANDS_TRAINOPEN_H
#define CALM_RUNTIME_COMMANDS_TRAINOPEN_H
#include "runtime/commands/trainer.h"

// What it starts with, and what it does, before any weight is read.
bool train_open_start(Trainer *t, const Options *o, RtError *e);
// Opens its data and looks at them, which is at all of a small file; until train_seen_data.
bool train_see_data(Trainer *t, RtError *e);
void train_seen_data(Trainer *t);
// Chooses what is computed at a time and kept, and refuses what cannot be.
bool train_check_memory(Trainer *t, const Options *o, RtError *e);
// With the weights loaded: the parameters it starts with, or goes on with.
bool train_take_start(Trainer *t, const Options *o, RtError *e);
// Makes room for its steps, by what the look at the data says; with the frozen cache where there is to be one.
bool train_open_steps(Trainer *t, bool cached, RtError *e);
// Binds the run to its data, makes room for its steps, and says the first line.
bool train_open_data(Trainer *t, const Options *o, RtError *e);
#endif
