// See dryrun.h. Operations are the compiler's count of what the kernels do for the rows at hand (program.def, Flops), of all of them or of a sample; the rate is
// that at which this very program did those of its first rows just now.
#include "runtime/commands/dryrun.h"

#include <math.h>
#include <stdio.h>

#include "runtime/commands/course.h"
#include "runtime/commands/trainopen.h"
#include "runtime/commands/trainstep.h"
#include "runtime/core/core.h"

// ---- operations

// Of an entry, over an epoch of the data by its rows that were looked at.
static double pass_flops(const Trainer *t, int entry, const DataFile *file, const Data *look) {
  enum { COUNTED = 2048 };
  Step *s = step_new(t->en->nstream);
  double *times = rt_alloc((size_t)file->nparts, sizeof *times), flops = 0, counted = 0, tokens = 0;
  for (int k = 0; k < file->nparts; k++) {
    DataPartCount of = data_count_part(file, look, k);
    if (of.looked) times[k] = (double)file->part[k].taken / (double)of.looked;
  }
  int64_t every = look->n / COUNTED + 1;
  for (int64_t i = 0; i < look->n; i++) {
    const DataRow *r = &look->row[i];
    double w = times[data_part(file, r->row) - file->part];
    if (row_tokens(r) == 0) continue;
    tokens += w * (double)r->n;
    if (i % every) continue;
    step_reset(s);
    if (!row_add(s, r, 0)) continue;
    flops += w * engine_flops(t->en, entry, s), counted += w * (double)r->n;
  }
  step_free(s);
  rt_free(times);
  return counted > 0 ? flops * tokens / counted : 0;
}

// The part of a pass's operations that every pass after the first is spared, where a frozen cache keeps at most so many bytes of its rows.
static double spared(const FrozenRun *z, const FrozenWorth *w, int64_t limit) {
  if (z->place == CACHE_off || w->bytes <= 0) return 0;
  double kept = (double)limit / w->bytes;
  return w->share * (kept < 1 ? kept : 1);
}

// Passes' operations where all but the first are spared a part of them.
static double passes_flops(double pass, double passes, double part) { return pass * (passes - (passes > 1 ? passes - 1 : 0) * part); }

// ---- the rate

typedef struct Rate {
  double flops;                // a second
  double update;               // seconds
  int64_t rows;
  double seconds;              // it was measured for
} Rate;

// Rows of the look for one ragged step, or the first alone.
static int64_t some_rows(const Trainer *t, const Data *look, const DataRow **row) {
  int64_t n = 0, tokens = 0;
  for (int64_t i = 0; i < look->n; i++) {
    int64_t more = row_tokens(&look->row[i]);
    if (!more) continue;
    if (n && tokens + more > t->steps.cap) break;
    row[n++] = &look->row[i], tokens += more;
  }
  return n;
}

static bool measure(Trainer *t, Rate *rate, RtError *e) {
  enum { MOST = 16 };
  const double enough = 1;     // second
  const Data *look = t->look;
  const DataRow **row = rt_alloc((size_t)look->n + 1, sizeof *row);
  double loss, flops = 0;
  int64_t n = some_rows(t, look, row);
  bool ok = train_gradients(t, row, n, &loss, e);              // memory is touched and threads are awake then
  Step *s = step_new(t->en->nstream);
  for (int64_t i = 0; i < n; i++) {
    step_reset(s);
    if (row_add(s, row[i], 0)) flops += engine_flops(t->en, t->steps.entry, s);
  }
  step_free(s);
  double start = rt_now(), now = start;
  int times = 0;
  for (; ok && times < MOST && now - start < enough; times++) ok = train_gradients(t, row, n, &loss, e), now = rt_now();
  *rate = (Rate){.flops = flops * times / (now - start), .rows = n, .seconds = now - start};
  if (ok) train_update(t, 0), start = rt_now(), train_update(t, 0), engine_prepare(t->en), rate->update = rt_now() - start;
  rt_free(row);
  return ok;
}

// ---- what is said

static void say_rows(const char *what, const char *path, const Data *d) {
  double times = (double)d->of / (double)(d->looked ? d->looked : 1);
  if (data_whole(d))
    printf("%-8s  %lld row%s of %lld token%s, %lld labelled, in %s\n", what, (long long)d->of, plural(d->of), (long long)d->tokens, plural(d->tokens), (long long)d->labelled, path);
  else
    printf("%-8s  %lld rows of about %.3g tokens, %.3g labelled, in %s (by a sample of %lld)\n", what, (long long)d->of, (double)d->tokens * times,
           (double)d->labelled * times, path, (long long)d->looked);
}

static void say(const Trainer *t, const Rate *rate) {
  const TrainSettings *s = &t->set;
  const Engine *en = t->en;
  char *step = course_step(s);
  Course c = course_of(s, t->data, t->look, t->st.seed, step);
  CourseCount n = course_count(&c);
  char *course = course_words(&c);
  const FrozenRun *z = &t->frozen;
  double part = spared(z, &z->worth, z->limit), part_held = spared(z, &z->worth_held, z->limit_held), looks = 0;
  double train = passes_flops(pass_flops(t, t->steps.entry, t->data, t->look), c.tokens ? n.tokens / (double)c.tokens : n.passes, part);
  int64_t every = train_look_every(s), nlooks = s->steps / every + 1 + (s->steps % every != 0);
  if (t->held) looks = passes_flops(pass_flops(t, en->entry[ENTRY_LOSS], t->held, t->look_held), (double)nlooks, part_held);
  double seconds = (train + looks) / rate->flops + (double)s->steps * rate->update;
  say_rows("rows", data_path(t->data), t->look);
  if (t->held) say_rows("held out", data_path(t->held), t->look_held);
  course_files(&c, stdout, "          ");
  printf("course    %s%s\n", course, s->patience > 0 && t->held ? " at most (patience)" : "");
  printf(n.about ? "tokens    about %.4g, %.4g of them labelled\n" : "tokens    %.0f, %.0f of them labelled\n", n.tokens, n.labelled);
  printf("TFLOP     %.4g", (train + looks) / 1e12);
  if (t->held) printf(": %.4g of training, %.4g of %lld look%s at held-out data", train / 1e12, looks / 1e12, (long long)nlooks, plural(nlooks));
  if (part > 0 && n.passes > 1) printf("; the frozen cache spares later passes %.0f %%", 100 * part);
  if (part_held > 0) printf("%s later looks %.0f %%", part > 0 && n.passes > 1 ? "," : "; the frozen cache spares", 100 * part_held);
  printf("\nhours     %.3g (%.0f:%02d:%02d) at %.1f Gflop/s, measured now on %lld row%s for %.1f s (%s, %s, %d thread%s)\n", seconds / 3600, floor(seconds / 3600),
         (int)fmod(seconds / 60, 60), (int)fmod(seconds, 60), rate->flops / 1e9, (long long)rate->rows,
         plural(rate->rows), rate->seconds, en->isa->name, t->app.precision_words, pool_threads(en->pool), plural(pool_threads(en->pool)));
  printf("memory    about %.0f MB", (double)(t->budget.peak + frozen_resident(&t->frozen)) / 1e6);
  if (frozen_resident(&t->frozen)) printf(", %.0f of them the frozen cache", (double)frozen_resident(&t->frozen) / 1e6);
  if (t->app.limits.available) printf("; %.0f MB are free", (double)t->app.limits.available / 1e6);
  putchar('\n');
  rt_free(course), rt_free(step);
}

bool dry_run(Trainer *t, const Options *o, RtError *e) {
  Rate rate;
  if (!train_possible(t->en, e) || !train_open_start(t, o, e) || !train_see_data(t, e) || !train_check_memory(t, o, e)) return false;
  if (!engine_load(t->en, t->app.models->dir, true, e) || !train_take_start(t, o, e) || !train_open_steps(t, false, e)) return false;
  engine_prepare(t->en);
  if (!measure(t, &rate, e)) return false;
  say(t, &rate);
  return true;
}
