// See feed.h.
#include "runtime/rows/feed.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/core/core.h"
#include "runtime/rows/rowstep.h"

// Whose limit it was, how many rows it met, and what they lost.
static void tell_limit(const Streams *ss, int k, const char *path, const DataLimit *l) {
  const char *whose = streams_narrow(ss, k);
  long long context = (long long)ss->s[k].context;
  if (l->cut) {
    bool one = l->cut == 1, all = l->lost == l->cut;
    char lost[80] = "";
    if (l->lost && (one || all)) snprintf(lost, sizeof lost, "; %s lost every labelled token", one ? "it" : "all");
    else if (l->lost) snprintf(lost, sizeof lost, "; %lld of them lost every labelled token", (long long)l->lost);
    rt_warn("%s: %lld row%s longer than %s's context of %lld token%s and %s cut%s", path, (long long)l->cut, one ? " is" : "s are", whose, context,
            plural(context), one ? "was" : "were", lost);
  }
  if (l->split)
    rt_note("%s: %lld row%s cut into %lld windows of at most %lld token%s (%s's context is %lld)", path, (long long)l->split, plural(l->split),
            (long long)l->windows, (long long)l->widest, plural(l->widest), whose, context);
}

Data *feed_open(const Models *m, const char *path, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  DataOptions o = {.tok = m->tok, .ends = &m->ends, .streams = &m->streams, .vocab = m->vocab, .context = m->context};
  Data *d = data_read(path, &o, e);
  for (int k = 0; d && k < m->streams.n; k++) tell_limit(&m->streams, k, path, &d->limit[k]);
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

static int64_t takes(const FeedSteps *f, const DataRow *r) { return f->whole ? r->n : row_tokens(r); }

bool feed_room(FeedSteps *f, const Data *d, RtError *e) {
  for (int64_t i = 0; i < d->n; i++) {
    int64_t n = row_most_tokens(&d->row[i], takes(f, &d->row[i]));
    if (n > f->cap) f->cap = n;
  }
  engine_cap(f->en, f->entry, f->cap, f->cap);
  return engine_place(f->en, e);
}

static void add_whole(Step *s, const DataRow *r) {
  step_add(s, r->ids, r->n, 0, 0);
  follow_step(r->follow, s);
  step_want_all(s);
}

void feed_steps(FeedSteps *f, const DataRow *const *row, int64_t n, float gscale, void (*each)(void *user, int64_t first, int64_t rows),
                void *user) {
  for (int64_t i = 0, first = 0; i < n; first = i) {
    step_reset(f->step);
    for (; i < n && row_fits(f->step, row[i], takes(f, row[i]), f->cap); i++) {
      if (f->whole) add_whole(f->step, row[i]);
      else row_add(f->step, row[i], gscale);
    }
    if (f->step->nseq == 0) continue;
    if (rt_stopped(NULL)) return;
    engine_run(f->en, f->entry, f->step);
    if (each) each(user, first, i - first);
  }
}

typedef struct Sum {
  const FeedSteps *f;
  double nll;
  int64_t labelled;
} Sum;

static void add_nll(void *user, int64_t first, int64_t rows) {
  Sum *sum = user;
  (void)first, (void)rows;
  const float *nll = engine_output(sum->f->en, sum->f->entry, OUTPUT_NLL);
  for (int64_t r = 0; r < sum->f->step->nrow; r++) sum->nll += nll[r];
  sum->labelled += sum->f->step->nrow;
}

double feed_nll(FeedSteps *f, const DataRow *const *row, int64_t n, float gscale, int64_t *labelled) {
  Sum sum = {.f = f};
  feed_steps(f, row, n, gscale, add_nll, &sum);
  if (labelled) *labelled += sum.labelled;
  return sum.nll;
}

const DataRow **data_rows(const Data *d) {
  const DataRow **row = rt_alloc((size_t)d->n, sizeof *row);
  for (int64_t i = 0; i < d->n; i++) row[i] = &d->row[i];
  return row;
}

bool feed_loss(Engine *en, Step *s, const Data *d, int64_t cap, FeedLoss *out, RtError *e) {
  FeedSteps f = {.en = en, .step = s, .entry = en->entry[ENTRY_LOSS], .cap = cap};
  *out = (FeedLoss){.tokens = d->tokens};
  if (!feed_room(&f, d, e)) return false;
  const DataRow **row = data_rows(d);
  out->nll = feed_nll(&f, row, d->n, 0, &out->labelled);
  rt_free(row);
  return !rt_stopped(e);
}

// Fisher-Yates from the file's order.
static void shuffle(Feeder *f) {
  char purpose[48];
  snprintf(purpose, sizeof purpose, "order of epoch %lld", (long long)f->epoch);
  uint64_t key = rng_key(f->seed, purpose);
  for (int64_t i = 0; i < f->n; i++) f->order[i] = f->row[i];
  for (int64_t i = f->n - 1; f->shuffle && i > 0; i--) {
    int64_t k = (int64_t)(rng_unit(key, (uint64_t)i) * (double)(i + 1)), t = f->order[i];
    f->order[i] = f->order[k];
    f->order[k] = t;
  }
}

void feeder_start(Feeder *f, const Data *d, uint64_t seed, bool shuffled, int64_t epoch, int64_t position) {
  *f = (Feeder){.data = d, .seed = seed, .shuffle = shuffled, .epoch = epoch, .position = position};
  f->row = rt_alloc((size_t)d->n, sizeof *f->row);
  f->order = rt_alloc((size_t)d->n, sizeof *f->order);
  for (int64_t i = 0; i < d->n; i++)
    if (row_tokens(&d->row[i]) > 0) f->row[f->n++] = i;
  shuffle(f);
}

const DataRow *feeder_peek(Feeder *f) {
  if (f->position >= f->n) {
    f->epoch++;
    f->position = 0;
    shuffle(f);
  }
  return &f->data->row[f->order[f->position]];
}

const DataRow *feeder_next(Feeder *f) {
  const DataRow *r = feeder_peek(f);
  f->position++;
  return r;
}

void feeder_end(Feeder *f) { rt_free(f->row), rt_free(f->order); }
