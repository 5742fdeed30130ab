// See feeder.h.
#include "runtime/rows/feeder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/rows/read.h"
#include "runtime/rows/rowstep.h"

// ---- the order of an epoch

void order_start(Order *o, const DataFile *file, uint64_t seed, bool shuffle) {
  *o = (Order){.file = file, .n = data_count(file), .seed = seed, .epoch = -1, .shuffle = shuffle};
  if (shuffle || data_mixed(file)) o->row = rt_alloc((size_t)o->n, sizeof *o->row);
}

// Fisher-Yates.
static void permute(int64_t *row, int64_t n, uint64_t seed, const char *purpose) {
  uint64_t key = rng_key(seed, purpose);
  for (int64_t i = n - 1; i > 0; i--) {
    int64_t k = (int64_t)(rng_unit(key, (uint64_t)i) * (double)(i + 1)), t = row[i];
    row[i] = row[k];
    row[k] = t;
  }
}

// One time through a part.
static void draw_part(const Order *o, int part, uint64_t time, int64_t *row) {
  char purpose[80];
  const DataPart *p = &o->file->part[part];
  for (int64_t i = 0; i < p->lines.n; i++) row[i] = p->first + i;
  snprintf(purpose, sizeof purpose, "order of file %d, time %llu", part, (unsigned long long)time);
  if (o->shuffle) permute(row, p->lines.n, o->seed, purpose);
}

// The rows of a part that are an epoch's: taken is the same in each, so those before are known by its number.
static void take_part(const Order *o, int part, int64_t epoch, int64_t *out) {
  const DataPart *p = &o->file->part[part];
  int64_t *all = rt_alloc((size_t)p->lines.n, sizeof *all);
  uint64_t before = (uint64_t)epoch * (uint64_t)p->taken, n = (uint64_t)p->lines.n, time = before / n;
  int64_t at = (int64_t)(before % n);
  for (int64_t had = 0; had < p->taken; time++, at = 0) {
    draw_part(o, part, time, all);
    while (at < p->lines.n && had < p->taken) out[had++] = all[at++];
  }
  rt_free(all);
}

// Place by place the file that is furthest behind its share.
static void interleave(const Order *o, const int64_t *taken, int64_t *out) {
  const DataFile *f = o->file;
  int64_t *given = rt_alloc((size_t)f->nparts, sizeof *given), *first = rt_alloc((size_t)f->nparts, sizeof *first);
  for (int k = 1; k < f->nparts; k++) first[k] = first[k - 1] + f->part[k - 1].taken;
  for (int64_t i = 0; i < o->n; i++) {
    int next = -1;
    double most = -INFINITY;
    for (int k = 0; k < f->nparts; k++) {
      double behind = (double)f->part[k].taken / (double)o->n * (double)(i + 1) - (double)given[k];
      if (given[k] < f->part[k].taken && behind > most) most = behind, next = k;
    }
    out[i] = taken[first[next] + given[next]++];
  }
  rt_free(given), rt_free(first);
}

static void draw_mix(Order *o, int64_t epoch, const char *purpose) {
  const DataFile *f = o->file;
  int64_t *taken = rt_alloc((size_t)o->n, sizeof *taken), at = 0;
  for (int k = 0; k < f->nparts; at += f->part[k++].taken) take_part(o, k, epoch, taken + at);
  if (o->shuffle) {
    memcpy(o->row, taken, (size_t)o->n * sizeof *taken);
    permute(o->row, o->n, o->seed, purpose);
  } else {
    interleave(o, taken, o->row);
  }
  rt_free(taken);
}

void order_draw(Order *o, int64_t epoch) {
  char purpose[48];
  if (!o->row || epoch == o->epoch) return;
  snprintf(purpose, sizeof purpose, "order of epoch %lld", (long long)epoch);
  if (data_mixed(o->file)) {
    draw_mix(o, epoch, purpose);
  } else {
    for (int64_t i = 0; i < o->n; i++) o->row[i] = i;
    permute(o->row, o->n, o->seed, purpose);
  }
  o->epoch = epoch;
}

void order_end(Order *o) { rt_free(o->row); }

// ---- row by row

void feeder_start(Feeder *f, const DataFile *file, const DataOptions *o, const FeedPlan *plan) {
  *f = (Feeder){.file = file, .o = o, .once = plan->once, .at = plan->from, .to = plan->to ? plan->to : data_count(file)};
  for (int k = 0; k < file->nparts; k++) {
    const DataPart *p = &file->part[k];
    int64_t round = size_product((p->lines.n - 1) / p->taken + 1, f->to);
    if (round > f->round) f->round = round;
  }
  order_start(&f->order, file, plan->seed, plan->shuffle);
  f->read = data_new(o);
}

void feeder_end(Feeder *f) {
  order_end(&f->order);
  data_free(f->read);
  *f = (Feeder){0};
}

static void next_row(Feeder *f) {
  f->at.position++, f->at.window = 0;
  f->there = false;
}

static bool read_row(Feeder *f, int64_t at, RtError *e) {
  const DataFile *file = f->file;
  if (file->held) {
    f->window = file->held->row + file->first[at], f->nwindow = file->first[at + 1] - file->first[at];
    return true;
  }
  data_clear(f->read);
  if (!data_add(f->read, file, at, f->o, e)) return false;
  f->window = f->read->row, f->nwindow = f->read->n;
  return true;
}

// False where there is none, which is an error only where *ok says so.
static bool have_row(Feeder *f, bool *ok, RtError *e) {
  if (f->at.position >= f->to) {
    if (f->once) return false;
    f->at = (FeedPlace){.epoch = f->at.epoch + 1};
    f->there = false;
  }
  if (f->there) return true;
  if (f->idle > f->round) return *ok = rt_fail(e, "%s: no row has a labelled token", data_path(f->file));
  order_draw(&f->order, f->at.epoch);
  int64_t at = order_row(&f->order, f->at.position);
  if (!read_row(f, at, e)) return *ok = false;
  f->idle++;
  if (f->at.window && f->at.window >= f->nwindow)
    return *ok = rt_fail(e, "%s:%lld: expected window %lld of this row, where the run stood, found %lld window%s", data_path_of(f->file, at),
                         (long long)data_line_of(f->file, at), (long long)f->at.window + 1, (long long)f->nwindow, plural(f->nwindow));
  return f->there = true;
}

bool feeder_peek(Feeder *f, const DataRow **next, RtError *e) {
  bool ok = true;
  for (*next = NULL; have_row(f, &ok, e); next_row(f))
    for (; f->at.window < f->nwindow; f->at.window++) {
      const DataRow *r = &f->window[f->at.window];
      if (!f->once && row_tokens(r) == 0) continue;
      f->idle = 0;
      *next = r;
      return true;
    }
  return ok;
}

DataRow feeder_take(Feeder *f) {
  DataRow *r = &f->window[f->at.window], taken = *r;
  if (!r->held) *r = (DataRow){0};
  if (++f->at.window == f->nwindow) next_row(f);
  return taken;
}

// ---- batches

enum { MOST_ROWS = 1 << 24 };  // of one

static void add(FeedBatch *b, DataRow r) {
  if (b->n == b->cap) b->row = rt_realloc(b->row, (size_t)(b->cap = b->cap * 2 + 64), sizeof *b->row);
  b->row[b->n++] = r;
  b->tokens += r.n;
}

bool feeder_batch(Feeder *f, const FeedRule *rule, FeedBatch *b, RtError *e) {
  const DataRow *next;
  bool ok;
  b->after = f->at;
  while ((ok = feeder_peek(f, &next, e)) && next && rule_takes(rule, b->n, b->tokens, next)) {
    if (rt_stopped(e)) return false;
    if (b->n == MOST_ROWS) return rt_fail(e, "%s takes more than %d rows of %s; expected fewer", rule->words, MOST_ROWS, data_path(f->file));
    add(b, feeder_take(f));
    b->after = f->at;
  }
  rt_free(b->each);
  b->each = rt_alloc((size_t)b->n, sizeof *b->each);
  for (int64_t i = 0; i < b->n; i++) b->each[i] = &b->row[i];
  return ok;
}

void batch_clear(FeedBatch *b) {
  for (int64_t i = 0; i < b->n; i++) data_row_free(&b->row[i]);
  b->n = b->tokens = 0;
}

void batch_free(FeedBatch *b) {
  batch_clear(b);
  rt_free(b->row), rt_free(b->each);
  *b = (FeedBatch){0};
}
