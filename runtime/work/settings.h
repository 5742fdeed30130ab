// What a training run does: the program's `train` block, over defaults, under flags. The same JSON form is kept in
// theta.json, so that --resume goes on with what the run was started with.
#ifndef CALM_RUNTIME_SETTINGS_H
#define CALM_RUNTIME_SETTINGS_H
#include <jansson.h>

#include "runtime/commands/options.h"
#include "runtime/core/rt_error.h"

typedef struct TrainSettings {
  const char *data, *validate;
  int64_t steps, batch, accumulate, warmup, seed, eval_every, save_every, tokens_cap;
  bool batch_rows;             // batch counts rows, not tokens
  bool cosine, shuffle;
  double clip, lr, beta1, beta2, eps, weight_decay, floor;
} TrainSettings;

void settings_default(TrainSettings *s);
// Takes over what a settings object says; `what` names it in errors. Strings are borrowed from o.
bool settings_json(TrainSettings *s, const json_t *o, const char *what, RtError *e);
bool settings_flags(TrainSettings *s, const Options *o, RtError *e);
bool settings_check(const TrainSettings *s, RtError *e);
json_t *settings_to_json(const TrainSettings *s);
// Learning rate of step `done` (0 = the first): a straight warm-up, then constant, or half a cosine down to floor * lr
// at the last step.
double settings_lr(const TrainSettings *s, int64_t done);
#endif
