// --scale and --ablate: how much what connections add counts in a run.
#ifndef CALM_RUNTIME_GAINS_H
#define CALM_RUNTIME_GAINS_H
#include "runtime/commands/command.h"

// Sets the engine's (engine_gain) and says which are not 1. A model's name means every connection that reads it; a connection's own goes before it.
// False: no such name, no number, a name twice (RT_ABOUT_USAGE).
bool gains_set(App *a, const Options *o, RtError *e);
// {"code.8->base.4": 0.5}: those that are not 1; NULL: none.
json_t *gains_json(const App *a);
#endif
