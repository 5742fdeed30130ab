// --scale and --ablate: how much what connections add counts in a run.
#ifndef CALM_RUNTIME_GAINS_H
#define CALM_RUNTIME_GAINS_H
#include "runtime/commands/command.h"

typedef struct Gain Gain;
typedef struct Gains {         // what the flags say
  Gain *all;
  int n;
  float *by;                   // by connection; NULL where there is no flag
  bool *silent;                // by model: the anchor reads nothing of it, through whatever connections, and no --hidden asks for it; likewise
} Gains;
// A model's name means every connection that reads it; a connection's own goes before it. False: no such name, no number, a name twice (RT_ABOUT_USAGE).
// gains_free in any case.
bool gains_read(Gains *g, const Prog *p, const Options *o, RtError *e);
void gains_free(Gains *g);
// Sets the engine's (engine_gain) and says which are not 1.
void gains_set(App *a, const Gains *g);
// {"code.8->base.4": 0.5}: those that are not 1; NULL: none.
json_t *gains_json(const App *a);
#endif
