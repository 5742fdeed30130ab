// See feed.h.
#include "runtime/rows/feed.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/core/alloc.h"
#include "runtime/core/call.h"
#include "runtime/core/rng.h"
#include "runtime/core/words.h"
#include "runtime/rows/rowstep.h"

Data *feed_open(const Models *m, const char *path, RtError *e) {
  DataOptions o = {.tok = m->tok, .ends = &m->ends,
                   .streams = &m->streams, .vocab = m->vocab, .context = m->context};
  int64_t cut = 0;
  Data *d = data_read(path, &o, &cut, e);
  if (d && cut)
    rt_warn("%s: %lld row%s longer than the context of %lld token%s%s and %s cut", path, (long long)cut, cut == 1 ? " was" : "s were",
            (long long)m->context, plural(m->context), m->streams.n > 1 ? ", or an augment's," : "", cut == 1 ? "was" : "were");
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

bool feed_loss(Engine *en, Step *s, const Data *d, int64_t cap, FeedLoss *out, RtError *e) {
  *out = (FeedLoss){.tokens = d->tokens};
  if (feed_longest(d) > cap) cap = feed_longest(d);
  engine_cap(en, en->e_loss, cap, cap);
  if (!engine_place(en, e)) return false;
  for (int64_t i = 0; i < d->n;) {
    step_reset(s);
    while (i < d->n && row_fits(s, &d->row[i], row_tokens(&d->row[i]), cap)) out->labelled += row_add(s, &d->row[i++], 0);
    if (s->nseq == 0) continue;
    engine_run(en, en->e_loss, s);
    const float *nll = engine_output(en, en->e_loss, "nll");
    for (int64_t r = 0; r < s->nrow; r++) out->nll += nll[r];
  }
  return true;
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
