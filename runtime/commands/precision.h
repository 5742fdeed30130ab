// Which precision a run computes in, and why: what somebody asked for, else what its frozen weights are stored in.
#ifndef CALM_RUNTIME_PRECISION_OF_RUN_H
#define CALM_RUNTIME_PRECISION_OF_RUN_H
#include "runtime/commands/command.h"

// Who asks for one, and for which.
typedef struct PrecisionAsk {
  int word;                    // of the setting: PRECISION_AUTO, PRECISION_SAID + p
  const char *by;              // a clause that says why, "--precision says so"; auto finds its own
} PrecisionAsk;

// The row of the program's kernels; why: a clause for behind the precision's name. path: CALM_ISA, or NULL. -1 and an error where the program has none, or
// has weights that the precision does not take.
// auto is bf16 where that rounds no stored number and an instruction multiplies it: some frozen matrix is stored in bf16 and none in f32 or f16.
int precision_choose(const RtProgram *rt, const Prog *p, const char *path, const PrecisionAsk *ask, char why[PRECISION_WHY], RtError *e);

// By flag, else the train block: the row to open the engine with, or -1.
int precision_open(App *a, const Options *o, RtError *e);
// The same once it is known what trained the parameters that are used (c): without a flag it is theirs. spec: the train block has changed since, and comes before.
bool precision_of(App *a, const Options *o, const Checkpoint *c, bool spec, RtError *e);
static inline const char *precision_of_app(const App *a) { return precision_name((Precision)a->en->isa->precision); }
#endif
