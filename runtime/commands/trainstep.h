// One optimizer step of a training, in memory alone.
#ifndef CALM_RUNTIME_COMMANDS_TRAINSTEP_H
#define CALM_RUNTIME_COMMANDS_TRAINSTEP_H
#include "runtime/commands/trainer.h"

// Whether the program has anything to train.
bool train_possible(const Engine *en, RtError *e);
// Steps between looks at the held-out loss; INT64_MAX: only at the end.
int64_t train_look_every(const TrainSettings *s);
// Gradients of the mean loss over n rows, summed over as many ragged steps (t->steps) as they need; and that loss.
bool train_gradients(Trainer *t, const DataRow *const *row, int64_t n, double *loss, RtError *e);
// Moves the parameters, but where the gradient's norm is not finite. Returns that norm, before clipping.
double train_update(Trainer *t, double lr);
#endif
