// Where everything lies that is not a weight: caches, and one arena that all entries share, each laid out as the plan says
// (compiler/plan/plan.h): after the static region, for every row symbol, bytes_per_row times the rows of the step, an
// activation at offset times them.
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
  en->caches.slot_rows = rt_alloc((size_t)en->nstream, sizeof *en->caches.slot_rows);
}

void arena_close(Engine *en) {
  Arena *a = &en->arena;
  region_free(&a->room), region_free(&en->caches.room);
  rt_free(a->lie), rt_free(a->start), rt_free(a->tokens), rt_free(a->rows), rt_free(en->caches.slot_rows);
}

static size_t cache_rows(const Engine *en, int sym) {
  return (size_t)(en->caches.slots * en->caches.slot_rows[en->stream_of[en->prog->sym[sym].model]]);
}

size_t buffers_lay_out(Engine *en, unsigned kinds, char *base) {
  size_t at = 0;
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (!(kinds >> b->kind & 1)) continue;
    size_t rows = b->kind == BUF_CACHE ? cache_rows(en, b->sym) : 1;
    if (base) en->buf[i] = base + at;
    at += round_up((size_t)b->elems * rows * (size_t)dtype_size(b->dt), RT_BUF_ALIGN);
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
    int64_t most = known[k] + slot_rows * FOLLOW_TIMES + FOLLOW_MORE;
    en->caches.slot_rows[k] = most < en->stream_context[k] ? most : en->stream_context[k];
  }
}

// Rows of a symbol in a step with `tokens` tokens of its stream, rounded as the plan asks.
static size_t rows_of(const Engine *en, int sym, int64_t tokens, int64_t rows) {
  SymKind kind = en->prog->sym[sym].kind;
  int64_t n = kind == SYM_TOKENS ? tokens : kind == SYM_ROWS ? rows : kind == SYM_CACHE ? (int64_t)cache_rows(en, sym) : en->prog->theta / RT_FLAT_WIDTH;
  return round_up((size_t)n, RT_ROW_ROUND);
}

// Bytes of the arena that the largest step of an entry needs.
static size_t largest(const Engine *en, int entry) {
  const ProgEntry *pe = &en->prog->entry[entry];
  size_t at = round_up((size_t)pe->static_bytes, RT_BUF_ALIGN);
  for (int s = 0; s < en->prog->nsym; s++) at += (size_t)pe->row_bytes.v[s] * rows_of(en, s, en->arena.tokens[entry], en->arena.rows[entry]);
  return at;
}

int64_t engine_step_bytes(const Engine *en, const StepLoad *l) {
  if (l->entry < 0) return 0;
  const ProgEntry *pe = &en->prog->entry[l->entry];
  size_t at = round_up((size_t)pe->static_bytes, RT_BUF_ALIGN);
  for (int s = 0; s < en->prog->nsym; s++) {
    int model = en->prog->sym[s].model;
    at += (size_t)pe->row_bytes.v[s] * rows_of(en, s, l->tokens[model < 0 ? 0 : en->stream_of[model]], l->rows);
  }
  return (int64_t)at;
}

bool engine_place(Engine *en, RtError *e) {
  size_t most = 0, cache = buffers_lay_out(en, K_CACHE, NULL);
  for (int i = 0; i < en->prog->nentry; i++) {
    size_t need = largest(en, i);
    if (need > most) most = need;
  }
  if (most > en->arena.room.bytes) {
    region_free(&en->arena.room);
    if (!region_new(&en->arena.room, most, "a step", RT_ABOUT_STEP, e)) return false;
  }
  if (cache > en->caches.room.bytes) {
    region_free(&en->caches.room);
    if (!region_new(&en->caches.room, cache, "the caches", RT_ABOUT_CACHES, e)) return false;
    // Streams that follow rarely use what is kept for them.
    if (cache && en->nstream > 1) madvise(en->caches.room.data, en->caches.room.bytes, MADV_NOHUGEPAGE);
  }
  buffers_lay_out(en, K_CACHE, en->caches.room.data);
  memset(en->arena.lie, 0, (size_t)(en->prog->nentry * (en->prog->nsym + 1)) * sizeof *en->arena.lie);
  return true;
}

void arena_arrange(Engine *en, int entry) {
  const Prog *p = en->prog;
  const ProgEntry *pe = &p->entry[entry];
  int64_t *lie = en->arena.lie + entry * (p->nsym + 1);
  if (lie[p->nsym] && !memcmp(lie, en->sym, (size_t)p->nsym * sizeof *lie)) return;
  size_t at = round_up((size_t)pe->static_bytes, RT_BUF_ALIGN);
  for (int s = 0; s < p->nsym; s++) {
    en->arena.start[s] = at;
    at += (size_t)pe->row_bytes.v[s] * round_up((size_t)en->sym[s], RT_ROW_ROUND);
    lie[s] = en->sym[s];
  }
  lie[p->nsym] = 1;
  for (int i = 0; i < p->nbuf; i++) {
    const ProgBuf *b = &p->buf[i];
    if (b->kind != BUF_ACT || b->act.entry != entry) continue;
    size_t from = b->sym < 0 ? 0 : en->arena.start[b->sym];
    en->buf[i] = (char *)en->arena.room.data + from + (size_t)b->act.offset * (b->sym < 0 ? 1 : round_up((size_t)en->sym[b->sym], RT_ROW_ROUND));
  }
}
