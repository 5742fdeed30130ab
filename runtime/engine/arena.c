// Where everything lies that is not a weight: caches, and one arena that all entries share, each laid out as the plan says
// (compiler/plan/plan.h): after the static region, for every row symbol, bytes_per_row times the rows of the step, an
// activation at offset times them.
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/core/core.h"
#include "runtime/engine/parts.h"

enum { K_CACHE = 1u << BUF_CACHE };

void arena_open(Engine *en) {
  const Prog *p = en->prog;
  en->arena.lie = rt_alloc((size_t)(p->nentry * (p->nsym + 1)), sizeof *en->arena.lie);
  en->arena.start = rt_alloc((size_t)p->nsym + 1, sizeof *en->arena.start);
  en->arena.tokens = rt_alloc((size_t)p->nentry, sizeof *en->arena.tokens);
  en->arena.rows = rt_alloc((size_t)p->nentry, sizeof *en->arena.rows);
}

void arena_close(Engine *en) {
  Arena *a = &en->arena;
  region_free(&a->room), region_free(&en->caches.room);
  rt_free(a->lie), rt_free(a->start), rt_free(a->tokens), rt_free(a->rows), rt_free(en->caches.slot_rows);
}

static int64_t cache_rows(const Engine *en, int sym) {
  return size_product(en->caches.slots, en->caches.slot_rows[en->stream_of[en->prog->sym[sym].model]]);
}

int64_t buffers_lay_out(Engine *en, unsigned kinds, char *base) {
  int64_t at = 0;
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (!(kinds >> b->kind & 1)) continue;
    int64_t rows = b->kind == BUF_CACHE ? cache_rows(en, b->sym) : 1;
    if (base) en->buf[i] = base + at;
    at = size_sum(at, size_round(size_product(engine_buf_bytes(en, b), rows), RT_BUF_ALIGN));
  }
  return at;
}

// ---- caps

void engine_cap(Engine *en, int entry, int64_t tokens, int64_t rows) {
  if (entry < 0) return;
  if (tokens > en->arena.tokens[entry]) en->arena.tokens[entry] = tokens;
  if (rows > en->arena.rows[entry]) en->arena.rows[entry] = rows;
}

// Room for the tokens that another tokenizer makes of text to come: rarely more than this for one of the anchor's. Pages that no token
// reaches cost nothing.
enum { FOLLOW_TIMES = 8, FOLLOW_MORE = 64 };

void engine_caches(Engine *en, int64_t slots, int64_t slot_rows, const int64_t *known) {
  en->caches.slots = slots;
  en->caches.slot_rows[0] = slot_rows;
  for (int k = 1; k < en->nstream; k++) {
    int64_t most = size_sum(known[k], size_sum(size_product(slot_rows, FOLLOW_TIMES), FOLLOW_MORE));
    en->caches.slot_rows[k] = most < en->stream_context[k] ? most : en->stream_context[k];
  }
}

// Rows of a symbol in a step with `tokens` tokens of its stream, rounded as the plan asks.
static int64_t rows_of(const Engine *en, int sym, int64_t tokens, int64_t rows) {
  SymKind kind = en->prog->sym[sym].kind;
  int64_t n = kind == SYM_TOKENS ? tokens : kind == SYM_ROWS ? rows : kind == SYM_CACHE ? cache_rows(en, sym) : en->prog->theta / RT_FLAT_WIDTH;
  return size_round(n, RT_ROW_ROUND);
}

// Bytes of the arena that the largest step of an entry needs.
static int64_t largest(const Engine *en, int entry) {
  const ProgEntry *pe = &en->prog->entry[entry];
  int64_t at = size_round(pe->static_bytes, RT_BUF_ALIGN);
  for (int s = 0; s < en->prog->nsym; s++)
    at = size_sum(at, size_product(pe->row_bytes.v[s], rows_of(en, s, en->arena.tokens[entry], en->arena.rows[entry])));
  return at;
}

int64_t engine_step_bytes(const Engine *en, const StepLoad *l) {
  if (l->entry < 0) return 0;
  const ProgEntry *pe = &en->prog->entry[l->entry];
  int64_t at = size_round(pe->static_bytes, RT_BUF_ALIGN);
  for (int s = 0; s < en->prog->nsym; s++) {
    int model = en->prog->sym[s].model;
    at = size_sum(at, size_product(pe->row_bytes.v[s], rows_of(en, s, l->tokens[model < 0 ? 0 : en->stream_of[model]], l->rows)));
  }
  return at;
}

// Room in place of what there was, where that is too small. what: who needs it, as errors say.
static bool make_room(Region *r, int64_t bytes, const char *what, RtAbout about, RtError *e) {
  if (bytes == INT64_MAX) return rt_fail_about(e, about, "%s needs more memory than can be addressed", what);
  if ((size_t)bytes <= r->bytes) return true;
  region_free(r);
  return region_new(r, (size_t)bytes, what, about, e);
}

bool engine_place(Engine *en, RtError *e) {
  RT_IN_PHASE(RT_PHASE_OPEN);
  int64_t most = 0, cache = buffers_lay_out(en, K_CACHE, NULL), tokens = 0;
  for (int i = 0; i < en->prog->nentry; i++) {
    int64_t need = largest(en, i);
    if (need > most) most = need, tokens = en->arena.tokens[i];
  }
  char step[64], caches[96];
  snprintf(step, sizeof step, "a step of %lld token%s", (long long)tokens, plural(tokens));
  snprintf(caches, sizeof caches, "the caches of %lld sequence%s of %lld tokens", (long long)en->caches.slots, plural(en->caches.slots),
           (long long)en->caches.slot_rows[0]);
  if (!make_room(&en->arena.room, most, step, RT_ABOUT_STEP, e)) return false;
  const void *before = en->caches.room.data;
  if (!make_room(&en->caches.room, cache, caches, RT_ABOUT_CACHES, e)) return false;
  // Streams that follow rarely use what is kept for them, nor do shorter ones of many sequences; huge pages would be touched by all.
  if (en->caches.room.data != before && (en->nstream > 1 || en->caches.slots > 1)) madvise(en->caches.room.data, en->caches.room.bytes, MADV_NOHUGEPAGE);
  buffers_lay_out(en, K_CACHE, en->caches.room.data);
  memset(en->arena.lie, 0, (size_t)(en->prog->nentry * (en->prog->nsym + 1)) * sizeof *en->arena.lie);
  return true;
}

void arena_arrange(Engine *en, int entry) {
  const Prog *p = en->prog;
  const ProgEntry *pe = &p->entry[entry];
  int64_t *lie = en->arena.lie + entry * (p->nsym + 1);
  if (lie[p->nsym] && !memcmp(lie, en->sym, (size_t)p->nsym * sizeof *lie)) return;
  size_t at = (size_t)size_round(pe->static_bytes, RT_BUF_ALIGN);            // a step within the caps, whose sizes fit
  for (int s = 0; s < p->nsym; s++) {
    en->arena.start[s] = at;
    at += (size_t)pe->row_bytes.v[s] * (size_t)size_round(en->sym[s], RT_ROW_ROUND);
    lie[s] = en->sym[s];
  }
  lie[p->nsym] = 1;
  for (int i = 0; i < p->nbuf; i++) {
    const ProgBuf *b = &p->buf[i];
    if (b->kind != BUF_ACT || b->act.entry != entry) continue;
    size_t from = b->sym < 0 ? 0 : en->arena.start[b->sym];
    en->buf[i] = (char *)en->arena.room.data + from + (size_t)b->act.offset * (b->sym < 0 ? 1 : (size_t)size_round(en->sym[b->sym], RT_ROW_ROUND));
  }
}
