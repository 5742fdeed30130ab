// See course.h.
#include "runtime/commands/course.h"

#include <math.h>
#include <stdio.h>

#include "runtime/core/core.h"

Course course_of(const TrainSettings *s, const Feeder *f) {
  Course c = {.want = s->batch.n * s->accumulate, .by_rows = s->batch.rows, .most = INT64_MAX, .rows = f->n};
  for (int64_t i = 0; i < f->n; i++) c.tokens += f->data->row[f->row[i]].n;
  if (s->batch.unsaid) c.most = c.rows;
  return c;
}

typedef struct Counted {
  double epoch, passes;        // steps of the first pass; passes of all steps
  bool about;
} Counted;

// All steps, and one pass at least, unless these are too many.
static Counted count(const Course *c, const TrainSettings *s, const Feeder *of) {
  enum { LOOK = 1 << 22 };
  Feeder f;
  Counted out = {0};
  int64_t taken = 0, of_steps = 0, step = 0;
  bool endless = false;        // one step is too many
  feeder_start(&f, of->data, of->seed, of->shuffle, 0, 0);
  for (; (step < s->steps || !out.epoch) && taken < LOOK && !endless; step++) {
    int64_t before = taken, tokens = 0;
    for (; !endless && course_takes(c, taken - before, tokens, feeder_peek(&f)); endless = ++taken - before >= LOOK) tokens += feeder_next(&f)->n;
    if (!out.epoch && taken >= c->rows) out.epoch = (double)step + (double)(c->rows - before) / (double)(taken - before);
    if (step < s->steps) of_steps = taken;
  }
  feeder_end(&f);
  out.about = endless || step < s->steps || !out.epoch;
  if (endless) out.epoch = (double)(c->by_rows ? c->rows : c->tokens) / (double)c->want;
  else if (!out.epoch) out.epoch = (double)step * (double)c->rows / (double)taken;
  out.passes = endless ? (double)s->steps / out.epoch : (double)of_steps / (double)c->rows;
  if (!endless && step < s->steps) out.passes *= (double)s->steps / (double)step;
  return out;
}

// As many digits as are of use.
static const char *amount(double x, char text[32]) {
  snprintf(text, 32, x == floor(x) || x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.2g", x);
  return text;
}

char *course_words(const Course *c, const TrainSettings *s, const Feeder *f) {
  Counted n = count(c, s, f);
  char epoch[32], passes[32], times[32], batches[32] = "", batch[64];
  const char *about = n.about ? "about " : "";
  if (s->accumulate > 1) snprintf(batches, sizeof batches, "%lld x ", (long long)s->accumulate);
  bool pass = s->batch.unsaid && c->tokens <= c->want;
  if (pass) snprintf(batch, sizeof batch, "all %lld row%s", (long long)c->rows, plural(c->rows));
  else snprintf(batch, sizeof batch, "%s%lld %s%s", batches, (long long)s->batch.n, s->batch.rows ? "row" : "token", plural(s->batch.n));
  if (!s->batch.unsaid && n.epoch < 1)
    rt_warn("a step of %s reads the data's %lld row%s (%lld token%s) %s times; --batch %lldrows is one pass", batch, (long long)c->rows, plural(c->rows),
            (long long)c->tokens, plural(c->tokens), amount(1 / n.epoch, times), (long long)c->rows);
  return rt_format("batch %s, %s%s step%s an epoch, %lld step%s: %s%s pass%s", batch, about, amount(n.epoch, epoch), n.epoch == 1 ? "" : "s",
                   (long long)s->steps, plural(s->steps), about, amount(n.passes, passes), n.passes == 1 ? "" : "es");
}
