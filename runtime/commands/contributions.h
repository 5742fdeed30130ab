// eval --contributions: what the loss becomes with each connection left out, a pass over the data for each.
#ifndef CALM_RUNTIME_CONTRIBUTIONS_H
#define CALM_RUNTIME_CONTRIBUTIONS_H
#include "runtime/commands/command.h"

typedef struct Contributions {
  double *loss;                // per connection of the program, in nats a labelled token
  double all;                  // with all of them left out
} Contributions;

// Whether it can be said where a loss is (not) computed.
bool contributions_asked(const Options *o, bool want_loss, RtError *e);
// By entry loss, with the gains that are set for the others (gains.h), which are left as they were. cap: see feed_loss.
bool contributions_take(App *a, Step *s, const DataFile *f, const DataOptions *o, int64_t cap, Contributions *out, RtError *e);
void contributions_free(Contributions *c);
// loss: with all of them.
void contributions_print(const Contributions *c, const Prog *p, double loss);
void contributions_json(const Contributions *c, const Prog *p, double loss, json_t *into);
#endif
