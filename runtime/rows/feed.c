// See feed.h.
#include "runtime/rows/feed.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/core/core.h"
#include "runtime/rows/read.h"
#include "runtime/rows/rowstep.h"

// Whose limit it was, how many rows it met, and what became of them. of: the rows that were looked at, where they are not all.
static void tell_limit(const Streams *ss, int k, const char *path, const char *of, const DataLimit *l) {
  const char *whose = streams_narrow(ss, k);
  long long context = (long long)ss->s[k].context;
  if (l->out)
    rt_note("%s: %s%lld row%s longer than %s's context of %lld token%s and left out (too_long = skip)", path, of, (long long)l->out, l->out == 1 ? " is" : "s are", whose,
            context, plural(context));
  if (l->cut)
    rt_note("%s: %s%lld row%s longer than %s's context of %lld token%s: %s cut from the left (too_long = truncate)", path, of, (long long)l->cut,
            l->cut == 1 ? " is" : "s are", whose, context, plural(context), l->cut == 1 ? "its prompt was" : "their prompts were");
  if (l->split)
    rt_note("%s: %s%lld row%s cut into %lld windows of at most %lld token%s (%s's context is %lld)", path, of, (long long)l->split, plural(l->split),
            (long long)l->windows, (long long)l->widest, plural(l->widest), whose, context);
}

DataOptions feed_options(const Models *m) {
  return (DataOptions){.tok = m->tok, .ends = &m->ends, .streams = &m->streams, .vocab = m->vocab, .context = m->context, .only_text = m->only_text, .alone = m->alone, .too_long = m->too_long, .train_all = m->train_all, .date = m->date};
}

static void tell_data(const Streams *ss, const char *path, const Data *d) {
  char of[128] = "";
  if (!data_whole(d)) snprintf(of, sizeof of, "of a sample of %lld rows (of %lld) ", (long long)d->looked, (long long)d->of);
  if (d->rewritten)
    rt_note("%s: %sa chat template rewrites earlier turns: %lld conversation%s became %lld rows, one for each answer", path, of, (long long)d->rewritten,
            plural(d->rewritten), (long long)d->turns);
  if (d->given)
    rt_warn("%s: %sof %lld row%s with texts of augments' own, %lld hold%s what is to be completed: the anchor sees it from its first token on", path, of, (long long)d->own,
            plural(d->own), (long long)d->given, d->given == 1 ? "s" : "");
  for (int k = 0; k < ss->n; k++) tell_limit(ss, k, path, of, &d->limit[k]);
}

void feed_tell(const Models *m, const char *path, const Data *d) { tell_data(&m->streams, path, d); }

Data *feed_look(const Models *m, DataFile *f, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  DataOptions o = feed_options(m);
  Data *d = data_sample(f, &o, FEED_WHOLE, FEED_SAMPLE, e);
  if (!d) return NULL;
  feed_tell(m, data_path(f), d);
  if (data_whole(d)) data_hold(f, d);
  return d;
}

void feed_looked(const DataFile *f, Data *look) {
  if (look && f->held != look) data_free(look);
}

Data *feed_whole(const Models *m, const DataFile *f, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  DataOptions o = feed_options(m);
  Data *d = data_sample(f, &o, INT64_MAX, 0, e);
  if (d) feed_tell(m, data_path(f), d);
  return d;
}

int64_t feed_longest(const Data *d) {
  int64_t most = 0;
  for (int64_t i = 0; i < d->n; i++) {
    int64_t n = row_most_tokens(&d->row[i], row_tokens(&d->row[i]));
    if (n > most) most = n;
  }
  return most;
}

int64_t feed_longest_of_all(const Data *d) { return data_whole(d) ? feed_longest(d) : 0; }

static int64_t takes(const FeedSteps *f, const DataRow *r) { return f->whole ? r->n : row_tokens(r); }

bool feed_room(FeedSteps *f, int64_t longest, RtError *e) {
  f->room = f->cap > longest ? f->cap : longest;
  engine_cap(f->en, f->entry, f->room, f->room);
  if (f->frozen) frozen_cap(f->frozen, f->room, f->room);
  return engine_place(f->en, e);
}

static int64_t bytes_of(const FeedSteps *f, int entry) {
  int64_t *tokens = rt_alloc((size_t)f->step->nstream, sizeof *tokens);
  for (int k = 0; k < f->step->nstream; k++) tokens[k] = f->step->stream[k].ntok;
  int64_t bytes = engine_step_bytes(f->en, &(StepLoad){entry, tokens, f->step->nrow});
  rt_free(tokens);
  return bytes;
}

// A step of more than the cap is a row of its own, for which nobody has counted: what it goes through, and whether that may be.
static bool choose_entry(FeedSteps *f, int64_t tokens, const DataRow *row, RtError *e) {
  int64_t most = f->en->arena.most, bytes = tokens > f->cap && most ? bytes_of(f, f->entry) : 0;
  int lean = f->lean ? f->en->entry[ENTRY_LEAN] : -1;
  f->ran = f->entry;
  if (bytes <= most) return true;
  if (lean >= 0) bytes = bytes_of(f, f->ran = lean);
  return bytes <= most || rt_fail_about(e, RT_ABOUT_BUDGET, "%s:%lld: a row of %lld tokens needs %.0f MB for its step, and %.0f MB of the memory that is allowed are left for one",
                                        f->file ? data_path_of(f->file, row->row) : f->path, (long long)row->line, (long long)tokens, (double)bytes / 1e6, (double)most / 1e6);
}

// For the step that is about to run: one that holds a row longer than any before, alone.
static bool have_room(FeedSteps *f, const DataRow *row, RtError *e) {
  int64_t most = 0;
  for (int k = 0; k < f->step->nstream; k++)
    if (f->step->stream[k].ntok > most) most = f->step->stream[k].ntok;
  if (!choose_entry(f, most, row, e)) return false;
  if (f->ran == f->entry) return most <= f->room || feed_room(f, most, e);
  engine_cap(f->en, f->ran, most, most);
  return engine_place(f->en, e);
}

static void add_whole(Step *s, const DataRow *r) {
  step_add(s, r->ids, r->n, 0, 0);
  follow_step(r->follow, s);
  step_want_all(s);
}

bool feed_steps(FeedSteps *f, const DataRow *const *row, int64_t n, float gscale, void (*each)(void *user, int64_t first, int64_t rows), void *user,
                RtError *e) {
  for (int64_t i = 0, first = 0; i < n; first = i) {
    const DataRow *last = NULL;
    step_reset(f->step);
    for (; i < n && row_fits(f->step, row[i], takes(f, row[i]), f->cap); i++) {
      if (takes(f, row[i])) last = row[i];
      if (f->whole) add_whole(f->step, row[i]);
      else row_add(f->step, row[i], gscale);
    }
    if (f->step->nseq == 0) continue;
    if (rt_stopped(e) || !have_room(f, last, e)) return false;
    if (f->frozen && f->ran == f->entry) frozen_run(f->frozen, f->step);
    else engine_run(f->en, f->ran, f->step);
    if (each) each(user, first, i - first);
  }
  return true;
}

typedef struct Sum {
  const FeedSteps *f;
  const DataRow *const *row;
  const FeedEach *each;
  double nll;
  int64_t labelled, told;      // rows that `each` was told of
} Sum;

// Tells of rows up to `to`, of which those that take part in a step are its sequences from the first on.
static void tell(Sum *sum, int64_t to, const float *nll) {
  const Step *s = sum->f->step;
  for (int64_t seq = 0; sum->told < to; sum->told++) {
    double own = 0;
    if (nll && takes(sum->f, sum->row[sum->told])) {
      const StepSeq *q = &s->seq[seq++];
      for (int64_t r = q->r0; r < q->r0 + q->nr; r++) own += nll[r];
    }
    sum->each->tell(sum->each->user, sum->row[sum->told], own);
  }
}

static void add_nll(void *user, int64_t first, int64_t rows) {
  Sum *sum = user;
  const float *nll = engine_output(sum->f->en, sum->f->ran, OUTPUT_NLL);
  for (int64_t r = 0; r < sum->f->step->nrow; r++) sum->nll += nll[r];
  sum->labelled += sum->f->step->nrow;
  if (sum->each) tell(sum, first + rows, nll);
}

bool feed_nll(FeedSteps *f, const DataRow *const *row, int64_t n, float gscale, double *nll, int64_t *labelled, const FeedEach *each, RtError *e) {
  Sum sum = {.f = f, .row = row, .each = each, .nll = *nll};
  bool ok = feed_steps(f, row, n, gscale, add_nll, &sum, e);
  if (ok && each) tell(&sum, n, NULL);
  *nll = sum.nll;
  if (labelled) *labelled += sum.labelled;
  return ok;
}

const DataRow **data_rows(const Data *d) {
  const DataRow **row = rt_alloc((size_t)d->n, sizeof *row);
  for (int64_t i = 0; i < d->n; i++) row[i] = &d->row[i];
  return row;
}

static bool loss_of_rows(Engine *en, Step *s, const DataFile *file, const FeedPlan *plan, const DataOptions *o, int64_t cap, Frozen *frozen, const FeedEach *each, FeedLoss *out, RtError *e) {
  enum { STEPS = 8 };          // a batch is some steps: few of them are not full
  FeedSteps f = {.en = en, .step = s, .entry = frozen ? frozen_entry(frozen) : en->entry[ENTRY_LOSS], .frozen = frozen, .cap = cap, .file = file};
  FeedRule rule = {.want = size_product(cap, STEPS), .most = INT64_MAX, .words = "a look at them"};
  *out = (FeedLoss){0};
  if (!feed_room(&f, 0, e)) return false;
  Ahead *a = ahead_start(file, o, plan, &rule, pool_threads(en->pool) > 1);
  const FeedBatch *b;
  bool ok = true;
  while (ok && (ok = (b = ahead_next(a, e)) != NULL) && b->n) {
    ok = feed_nll(&f, b->each, b->n, 0, &out->nll, &out->labelled, each, e);
    out->rows += b->n, out->tokens += b->tokens;
  }
  const Data *counts = ok ? ahead_counts(a) : NULL;
  if (counts) tell_data(o->streams, data_path(file), counts);     // of all rows now
  ahead_end(a);
  return ok;
}

bool feed_loss(Engine *en, Step *s, const DataFile *f, const DataOptions *o, int64_t cap, Frozen *frozen, const FeedEach *each, FeedLoss *out, RtError *e) {
  return loss_of_rows(en, s, f, &(FeedPlan){.once = true}, o, cap, frozen, each, out, e);
}

bool feed_loss_of(Engine *en, Step *s, const DataFile *f, int part, const DataOptions *o, int64_t cap, Frozen *frozen, const FeedEach *each, FeedLoss *out, RtError *e) {
  const DataPart *p = &f->part[part];
  return loss_of_rows(en, s, f, &(FeedPlan){.once = true, .from = {.position = p->first}, .to = p->first + p->lines.n}, o, cap, frozen, each, out, e);
}
