// The frozen cache. See engine.h.
#include "runtime/engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/engine/parts.h"

typedef struct Given {         // an activation that the frozen part gives and the live one is given
  int from, to;                // buffers
  int stream;                  // whose tokens it has a row for; -1: the wanted rows
  int64_t bytes;               // a row
  void *held;
  char *room;                  // in it, where a line of the caches begins
  int64_t cap;                 // rows that have room
} Given;

typedef struct Kept {          // a row's
  uint8_t key[RECORD_KEY];
  int64_t bytes;               // 0: an empty place of the table
  union {
    char *data;
    int64_t place;             // in the file; -1: what is there is damaged
  };
} Kept;

struct Frozen {
  Engine *en;
  const ProgSplit *of;
  Given *given;
  int ngiven;
  Step *step;                  // of the rows that are computed
  int64_t *missing, nmissing, capmissing;   // sequences of the step at hand
  uint8_t (*key)[RECORD_KEY];  // of them
  char *scratch;               // a row's, on its way from or to the file
  int64_t capscratch;
  Kept *table;                 // open addressing, at most half full
  int64_t size;
  Records *file;               // NULL: in memory
  char *path;
  int64_t limit;
  bool full, told_bad;
  FrozenCount count;
};

// ---- what is given

static int64_t rows_of(const Given *g, const Step *s, int64_t seq, int64_t *first) {
  *first = g->stream < 0 ? s->seq[seq].r0 : s->stream[g->stream].part[seq].t0;
  return g->stream < 0 ? s->seq[seq].nr : s->stream[g->stream].part[seq].n;
}

static Given given(const Engine *en, const ProgSplit *of, int to) {
  const Prog *p = en->prog;
  const ProgBuf *b = &p->buf[to];
  const ProgSym *sym = &p->sym[b->sym];
  const ProgOutput *o = prog_output(p, en->entry[of->frozen], of->gives, b->given.model, b->given.layer);
  return (Given){.from = o->buf, .to = to, .stream = sym->kind == SYM_ROWS ? -1 : en->stream_of[sym->model], .bytes = engine_buf_bytes(en, b)};
}

bool frozen_can(const Engine *en, EntryKind whole) { return en->entry[prog_split_of(whole)->live] >= 0; }

static bool is_given(const ProgSplit *of, const ProgBuf *b) { return b->kind == BUF_INPUT && b->given.what == of->given; }

int64_t frozen_bytes(const Engine *en, EntryKind whole, const int64_t *tokens, int64_t rows) {
  const ProgSplit *of = prog_split_of(whole);
  int64_t n = 0;
  for (int i = 0; i < en->prog->nbuf; i++) {
    if (!is_given(of, &en->prog->buf[i])) continue;
    Given g = given(en, of, i);
    n = size_sum(n, size_product(g.bytes, g.stream < 0 ? rows : tokens[g.stream]));
  }
  return n;
}

static int64_t row_bytes(const Frozen *z, const Step *s, int64_t seq) {
  int64_t n = 0, first;
  for (int k = 0; k < z->ngiven; k++) n += z->given[k].bytes * rows_of(&z->given[k], s, seq, &first);
  return n;
}

// ---- keys

_Static_assert((int)RECORD_KEY == (int)SHA256_BYTES, "a row's key");

static void key_of(const Step *s, int64_t seq, uint8_t key[RECORD_KEY]) {
  Sha256 h;
  const StepPart *anchor = &s->stream[0].part[seq];
  sha256_init(&h);
  for (int k = 0; k < s->nstream; k++) {
    const StepStream *t = &s->stream[k];
    const StepPart *part = &t->part[seq];
    sha256_add(&h, &part->n, sizeof part->n);
    sha256_add(&h, t->ids + part->t0, (size_t)part->n * sizeof *t->ids);
    if (k) sha256_add(&h, t->seen + anchor->t0, (size_t)anchor->n * sizeof *t->seen);
  }
  for (int64_t r = s->seq[seq].r0; r < s->seq[seq].r0 + s->seq[seq].nr; r++) {
    int64_t at = s->rows[r] - anchor->t0;
    sha256_add(&h, &at, sizeof at);
  }
  sha256_end(&h, key);
}

// ---- the table

static Kept *place_of(const Frozen *z, const uint8_t key[RECORD_KEY]) {
  uint64_t at;
  memcpy(&at, key, sizeof at);
  for (;; at++) {
    Kept *k = &z->table[at & (uint64_t)(z->size - 1)];
    if (!k->bytes || !memcmp(k->key, key, RECORD_KEY)) return k;
  }
}

static void grow(Frozen *z) {
  if (z->table && z->count.rows * 2 < z->size) return;
  Kept *old = z->table;
  int64_t n = z->size;
  z->size = n ? n * 2 : 64;
  z->table = rt_alloc((size_t)z->size, sizeof *z->table);
  for (int64_t i = 0; i < n; i++)
    if (old[i].bytes) *place_of(z, old[i].key) = old[i];
  rt_free(old);
}

static void seen(void *user, const uint8_t key[RECORD_KEY], int64_t place, int64_t bytes) {
  Frozen *z = user;
  if (!bytes) return;
  grow(z);
  Kept *k = place_of(z, key);
  if (!k->bytes) z->count.rows++;
  memcpy(k->key, key, RECORD_KEY);
  k->bytes = bytes, k->place = place;
}

// ---- keeping

static char *scratch(Frozen *z, int64_t bytes) {
  if (bytes > z->capscratch) z->scratch = rt_realloc(z->scratch, (size_t)(z->capscratch = bytes), 1);
  return z->scratch;
}

static void full(Frozen *z, const char *why) {
  z->full = true;
  rt_note("the frozen cache is full at %.1f MB (%s): it keeps %lld row%s, and others are computed in every epoch", (double)z->count.bytes / 1e6, why,
          (long long)z->count.rows, plural(z->count.rows));
}

static void put_in_file(Frozen *z, Kept *k, const char *data) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  k->place = records_add(z->file, k->key, data, k->bytes);
  if (k->place >= 0) {
    z->count.bytes = records_bytes(z->file);
    return;
  }
  char *why = rt_format("cannot write %s: %s", z->path, file_why(errno));
  full(z, why);
  rt_free(why);
}

// What `frozen` gave of sequence `from` of z->step.
static void gather(const Frozen *z, int64_t from, char *out) {
  int64_t first;
  for (int k = 0; k < z->ngiven; k++) {
    const Given *g = &z->given[k];
    size_t n = (size_t)(rows_of(g, z->step, from, &first) * g->bytes);
    if (n) memcpy(out, (const char *)z->en->buf[g->from] + first * g->bytes, n);
    out += n;
  }
}

static void keep(Frozen *z, const uint8_t key[RECORD_KEY], const char *data, int64_t bytes) {
  if (z->full || !bytes) return;
  if (bytes + (int64_t)sizeof(Kept) > z->limit - z->count.bytes) {
    full(z, "its limit, or what memory leaves");
    return;
  }
  grow(z);
  Kept *k = place_of(z, key);
  if (k->bytes && (!z->file || k->place >= 0)) return;       // a row that is in this step twice
  if (!k->bytes) z->count.rows++;
  memcpy(k->key, key, RECORD_KEY);
  k->bytes = bytes;
  if (z->file) {
    put_in_file(z, k, data);
    return;
  }
  k->data = rt_alloc((size_t)bytes, 1);
  memcpy(k->data, data, (size_t)bytes);
  z->count.bytes += bytes + (int64_t)sizeof *k;
}

// ---- a step

static void scatter(Frozen *z, const Step *s, int64_t seq, const char *data) {
  int64_t first;
  for (int k = 0; k < z->ngiven; k++) {
    Given *g = &z->given[k];
    size_t n = (size_t)(rows_of(g, s, seq, &first) * g->bytes);
    if (n) memcpy(g->room + first * g->bytes, data, n);
    data += n;
  }
}

// A row that was kept, unless it is not what was written.
static bool fetch(Frozen *z, const Step *s, int64_t seq, const uint8_t key[RECORD_KEY]) {
  Kept *k = z->table ? place_of(z, key) : NULL;
  if (!k || k->bytes != row_bytes(z, s, seq) || (z->file && k->place < 0)) return false;
  const char *data = z->file ? scratch(z, k->bytes) : k->data;
  if (z->file && !records_read(z->file, k->place, z->scratch, k->bytes)) {
    if (!z->told_bad) rt_warn("%s: a record is damaged; what it held is computed again", z->path);
    z->told_bad = true;
    k->place = -1;
    return false;
  }
  scatter(z, s, seq, data);
  return true;
}

static void room_for(Given *g, int64_t rows) {
  if (rows <= g->cap) return;
  rt_free(g->held);
  g->cap = rows;
  g->held = rt_alloc((size_t)size_sum(size_product(rows, g->bytes), RT_BUF_ALIGN), 1);
  g->room = (char *)g->held + (RT_BUF_ALIGN - (uintptr_t)g->held % RT_BUF_ALIGN) % RT_BUF_ALIGN;
}

static void room(Frozen *z, const Step *s) {
  for (int k = 0; k < z->ngiven; k++) {
    Given *g = &z->given[k];
    room_for(g, (g->stream < 0 ? s->nrow : s->stream[g->stream].ntok) + RT_ROW_ROUND);
    z->en->buf[g->to] = g->room;
  }
  if (s->nseq > z->capmissing) {
    z->capmissing = s->nseq * 2;
    z->missing = rt_realloc(z->missing, (size_t)z->capmissing, sizeof *z->missing);
    z->key = rt_realloc(z->key, (size_t)z->capmissing, sizeof *z->key);
  }
}

// Sequence seq of a step, and what of it is wanted, as one of z->step.
static void add(Frozen *z, const Step *s, int64_t seq) {
  const StepPart *a = &s->stream[0].part[seq];
  step_add(z->step, s->stream[0].ids + a->t0, a->n, 0, 0);
  for (int k = 1; k < s->nstream; k++) step_follow(z->step, k, s->stream[k].ids + s->stream[k].part[seq].t0, s->stream[k].seen + a->t0);
  for (int64_t r = s->seq[seq].r0; r < s->seq[seq].r0 + s->seq[seq].nr; r++) step_want(z->step, s->rows[r] - a->t0, s->labels[r], s->gscale[r]);
}

static void compute_missing(Frozen *z, const Step *s) {
  engine_run(z->en, z->en->entry[z->of->frozen], z->step);
  for (int64_t i = 0; i < z->nmissing; i++) {
    int64_t bytes = row_bytes(z, z->step, i);
    char *data = scratch(z, bytes);
    gather(z, i, data);
    scatter(z, s, z->missing[i], data);
    keep(z, z->key[i], data, bytes);
  }
}

void frozen_run(Frozen *z, Step *s) {
  RT_IN_PHASE(RT_PHASE_READ);
  room(z, s);
  step_reset(z->step);
  z->nmissing = 0;
  for (int64_t i = 0; i < s->nseq; i++) {
    uint8_t *key = z->key[z->nmissing];
    key_of(s, i, key);
    if (fetch(z, s, i, key)) continue;
    z->missing[z->nmissing++] = i;
    add(z, s, i);
  }
  z->count.found += s->nseq - z->nmissing, z->count.computed += z->nmissing;
  if (z->nmissing) compute_missing(z, s);
  engine_run(z->en, z->en->entry[z->of->live], s);
}

// ---- opening

void frozen_cap(const Frozen *z, int64_t tokens, int64_t rows) {
  engine_cap(z->en, z->en->entry[z->of->frozen], tokens, rows);
  engine_cap(z->en, z->en->entry[z->of->live], tokens, rows);
}

static bool open_file(Frozen *z, const char *path, const char of[SHA256_HEX], RtError *e) {
  Sha256 h;
  char whole[SHA256_HEX];
  bool anew;
  sha256_init(&h);             // kernels and what is kept of a token
  sha256_add(&h, of, SHA256_HEX);
  sha256_add(&h, entry_name(z->of->whole), strlen(entry_name(z->of->whole)) + 1);
  sha256_add(&h, z->en->isa->name, strlen(z->en->isa->name) + 1);
  sha256_add(&h, z->en->precision, (1 + (size_t)z->en->prog->nmodel) * sizeof *z->en->precision);
  for (int k = 0; k < z->ngiven; k++) sha256_add(&h, &z->given[k].bytes, sizeof z->given[k].bytes);
  sha256_hex(&h, whole);
  z->path = rt_strdup(path);
  if (!(z->file = records_open(path, whole, seen, z, &anew, e))) return false;
  if (anew) rt_note("%s: made by another program, of other weights, or for other kernels: it begins anew", path);
  z->count.bytes = records_bytes(z->file);
  return true;
}

int frozen_entry(const Frozen *z) { return z->en->entry[z->of->live]; }

Frozen *frozen_open(Engine *en, EntryKind whole, int64_t limit, const char *path, const char of[SHA256_HEX], RtError *e) {
  Frozen *z = rt_alloc(1, sizeof *z);
  *z = (Frozen){.en = en, .of = prog_split_of(whole), .limit = limit, .step = step_new(en->nstream)};
  z->given = rt_alloc((size_t)en->prog->nbuf, sizeof *z->given);
  for (int i = 0; i < en->prog->nbuf; i++)
    if (is_given(z->of, &en->prog->buf[i])) z->given[z->ngiven++] = given(en, z->of, i);
  if (!path || open_file(z, path, of, e)) return z;
  frozen_close(z);
  return NULL;
}

void frozen_close(Frozen *z) {
  if (!z) return;
  for (int64_t i = 0; !z->file && i < z->size; i++)
    if (z->table[i].bytes) rt_free(z->table[i].data);
  for (int k = 0; k < z->ngiven; k++) rt_free(z->given[k].held);
  if (z->file) records_close(z->file);
  step_free(z->step);
  rt_free(z->given), rt_free(z->missing), rt_free(z->key), rt_free(z->scratch), rt_free(z->table), rt_free(z->path);
  rt_free(z);
}

FrozenCount frozen_count(const Frozen *z) { return z->count; }
