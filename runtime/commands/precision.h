// Which precision each model of a run computes in, and why: what somebody asked for, else what its frozen weights are stored in.
#ifndef CALM_RUNTIME_PRECISION_OF_RUN_H
#define CALM_RUNTIME_PRECISION_OF_RUN_H
#include "runtime/commands/command.h"

// Who asks for one, and for which.
typedef struct PrecisionAsk {
  int word;                    // of the setting, for all models: PRECISION_AUTO, PRECISION_SAID + p
  const Precision *of;         // for each model, in place of the word; NULL
  const char *by;              // a clause that says why, "--precision says so"; auto finds its own
  const OptList *each;         // "NAME=PRECISION": of one model, in place of all of that; NULL
} PrecisionAsk;
typedef struct PrecisionChoice {
  int isa;                     // the row of the program's kernels to open the engine with
  Precision *of;               // by model, in which path that is
  char *why;                   // a clause for behind what they are
} PrecisionChoice;

// path: CALM_ISA, or NULL. False and an error where the program has no such kernels, or a model has weights that its precision does not take; to be dropped in any case.
// auto decides for every model: bf16 where that rounds no stored number and an instruction multiplies it: some frozen matrix of its is stored in bf16 and none in f32 or f16.
bool precision_choose(const RtProgram *rt, const Prog *p, const char *path, const PrecisionAsk *ask, PrecisionChoice *c, RtError *e);
void precision_drop(PrecisionChoice *c);

// By flag, else what trained --params, else a pack file, else the train block.
bool precision_open(App *a, const Options *o, PrecisionChoice *c, RtError *e);
// The engine computes so from now on, and the app can say so. c is dropped.
void precision_use(App *a, PrecisionChoice *c);
// The same once it is known what trained the parameters that are used (c): without a flag it is theirs. spec: the train block has changed since, and comes before.
bool precision_of(App *a, const Options *o, const Checkpoint *c, bool spec, RtError *e);
#endif
