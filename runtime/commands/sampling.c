// See sampling.h. A file without do_sample is greedy, as in transformers; one with it and without top_k has transformers' own.
#include "runtime/commands/sampling.h"

#include <math.h>
#include <stdio.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

static double first_of(double flag, double file, double otherwise) { return !isnan(flag) ? flag : !isnan(file) ? file : otherwise; }

Sampling sampling_of(const Models *m, const Options *o) {
  const HfGeneration *g = &m->how;
  double own = g->do_sample ? first_of(NAN, g->temperature, 1) : 0;
  int64_t top_k = g->top_k >= 0 ? g->top_k : g->do_sample ? HF_TOP_K : 0;
  return (Sampling){.temperature = first_of(o->temperature, NAN, own), .top_k = opt_int(o->top_k, top_k), .top_p = first_of(o->top_p, g->top_p, 1),
                    .min_p = first_of(o->min_p, g->min_p, 0), .repetition = first_of(o->repetition_penalty, g->repetition_penalty, 1),
                    .seed = (uint64_t)o->seed};
}

void sampling_tell(const Models *m, const Options *o) {
  Sampling s = sampling_of(m, o);
  bool draws = s.temperature > 0;
  const struct { const char *key; double value, idle; bool flag, drawn; int row; } VALUE[] = {
      {"temperature", s.temperature, 0, !isnan(o->temperature), true, FLAG_temperature},
      {"top_k", (double)s.top_k, 0, o->top_k != OPT_UNSET, true, FLAG_top_k},
      {"top_p", s.top_p, 1, !isnan(o->top_p), true, FLAG_top_p},
      {"min_p", s.min_p, 0, !isnan(o->min_p), true, FLAG_min_p},
      {"repetition_penalty", s.repetition, 1, !isnan(o->repetition_penalty), false, FLAG_repetition_penalty},
  };
  char said[256] = "";
  size_t n = 0;
  for (size_t i = 0; i < sizeof VALUE / sizeof *VALUE; i++) {
    bool used = draws || !VALUE[i].drawn;
    if (!used && VALUE[i].row != FLAG_temperature) options_idle(o, VALUE[i].row, "at temperature 0 the likeliest token is always taken (see --temperature)");
    if (used && !VALUE[i].flag && VALUE[i].value != VALUE[i].idle)
      n += (size_t)snprintf(said + n, sizeof said - n, "%s%s %g", n ? ", " : "", VALUE[i].key, VALUE[i].value);
  }
  if (n) rt_note("as generation_config.json says: %s", said);
  char *ignored = hfgeneration_ignored(m->generation);
  if (ignored) rt_warn("generation_config.json: %s: calm does not generate so, and goes on without", ignored);
  rt_free(ignored);
}
