// eval --compare: what each model of a composition does alone with the same data, beside the composition. The program has each as a program of its own
// (calmc build --compare), which reads the text in its own tokens and its files as they are.
#ifndef CALM_RUNTIME_COMPARE_H
#define CALM_RUNTIME_COMPARE_H
#include "runtime/commands/evaljob.h"

#define COMPOSITION "composition"

typedef struct Compare {
  const Options *o;
  const Prog *p;               // the composition
  bool *other;                 // by model of it: it has another tokenizer than the anchor; owned
  Precision *precision;        // what the composition computed in, by model; owned, as `other`
  int64_t date;                // what its chat template takes for today
} Compare;

// Before anything is computed: whether the program has its models, and the data can be read again.
bool compare_asked(const Compare *c, const EvalJob *job, int n, RtError *e);
// What the composition was opened with.
void compare_opened(Compare *c, const App *a);
// One of its models that reads text only, as it has another tokenizer than the anchor; NULL: there is none.
const char *compare_only_text(const Compare *c);
// Evaluates each model alone, one after another, and says all of it: a table, and in all[i] of job i member "alone". r: the composition's results.
bool compare_take(Compare *c, const EvalJob *job, const EvalResult *r, int n, json_t *all, RtError *e);
#endif
