// Memory of a program: weights mapped from the models' files, matrices packed once, one flat vector each for
// parameters, gradients and moments, caches, and one arena that all entries share, each laid out as the plan says
// (compiler/plan/plan.h): after the static region, for every row symbol, bytes_per_row times the rows of the step, an
// activation at offset times them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/core/alloc.h"
#include "runtime/core/words.h"
#include "runtime/engine/engine.h"

enum { ALIGN = 64, ROW_ROUND = 16, HUGE_FROM = 4 << 20 };
static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

static void region_end(void *object) {
  const Region *r = object;
  if (r->data) munmap(r->data, r->bytes);
}

bool region_new(Region *r, size_t bytes, const char *what, RtAbout about, RtError *e) {
  *r = (Region){0};
  if (!bytes) return true;
  Region *held = rt_object(sizeof *held, region_end);
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    rt_end(held);
    return rt_fail_about(e, about, "out of memory: %s needs %.1f MB", what, (double)bytes / 1e6);
  }
  if (bytes >= HUGE_FROM) madvise(p, bytes, MADV_HUGEPAGE);
  *held = (Region){.data = p, .bytes = bytes};
  *r = (Region){p, bytes, held};
  return true;
}

void region_free(Region *r) {
  rt_end(r->held);
  *r = (Region){0};
}

// ---- weights

// "base.model.norm.weight" is tensor "model.norm.weight" of model "base".
static const StTensor *find_weight(const Engine *en, const char *const *dir, const ProgBuf *b, RtError *e) {
  for (int i = 0; i < en->prog->nmodel; i++) {
    size_t n = strlen(en->prog->model[i].name);
    if (strncmp(b->name, en->prog->model[i].name, n) || b->name[n] != '.' || !en->weights[i]) continue;
    const StTensor *t = st_find(en->weights[i], b->name + n + 1);
    if (!t) {
      rt_fail(e, "model %s: %s has no tensor %s", en->prog->model[i].name, dir[i], b->name + n + 1);
      return NULL;
    }
    static const struct { StDtype st; const char *name; } SAME[] = {{ST_F32, "f32"}, {ST_F16, "f16"}, {ST_BF16, "bf16"},
        {ST_I32, "i32"}};
    bool dtype = false;
    for (size_t k = 0; k < sizeof SAME / sizeof SAME[0]; k++) dtype |= SAME[k].st == t->dtype &&
        !strcmp(SAME[k].name, b->dtype);
    if (dtype && t->elems == b->elems) return t;
    rt_fail(e, "model %s: %s: tensor %s has %lld element%s of %s; the program was compiled for %lld of %s",
            en->prog->model[i].name, dir[i],
            t->name, (long long)t->elems, plural(t->elems), t->dtype_name, (long long)b->elems, b->dtype);
    return NULL;
  }
  rt_fail(e, "weight %s belongs to no model of this program", b->name);
  return NULL;
}

static bool map_weights(Engine *en, const char *const *dir, RtError *e) {
  for (int i = 0; i < en->prog->nmodel; i++) {
    if (!dir[i]) continue;
    RtError why;
    en->weights[i] = st_open_dir(dir[i], false, &why);
    if (!en->weights[i]) return rt_fail_about(e, RT_ABOUT_MODEL_DIR, "model %s: %.800s", en->prog->model[i].name, why.text);
  }
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind != PB_WEIGHT) continue;
    const StTensor *t = find_weight(en, dir, b, e);
    if (!t) return false;
    en->buf[i] = (void *)(uintptr_t)t->data;
  }
  return true;
}

// ---- static buffers

static size_t cache_rows(const Engine *en, int sym) {
  return (size_t)(en->slots * en->slot_rows[en->stream_of[en->prog->sym[sym].model]]);
}

// Sizes (and, with base, places) the buffers of the given kinds one behind the other.
static size_t lay_out(Engine *en, unsigned kinds, char *base) {
  size_t at = 0;
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (!(kinds >> b->kind & 1)) continue;
    size_t rows = b->kind == PB_CACHE ? cache_rows(en, b->sym) : 1;
    if (base) en->buf[i] = base + at;
    at += round_up((size_t)b->elems * rows * (size_t)b->dtype_size, ALIGN);
  }
  return at;
}

static void fill_consts(Engine *en) {
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind != PB_CONST) continue;
    size_t n = json_array_size(b->data);
    for (size_t k = 0; k < n && k < (size_t)b->elems;
         k++) ((float *)en->buf[i])[k] = (float)json_number_value(json_array_get(b->data, k));
  }
}

// Parameters and gradients are slices of the flat vectors; the optimizer's inputs are the vectors themselves.
static void bind_flat(Engine *en) {
  const struct { const char *name; float *at; } whole[] = {{"theta", en->theta}, {"grad", en->grad}, {"m", en->m},
                                                           {"v", en->v}};
  for (int i = 0; i < en->prog->nbuf; i++) {
    const ProgBuf *b = &en->prog->buf[i];
    if (b->kind == PB_PARAM) en->buf[i] = en->theta + b->offset;
    if (b->kind == PB_GRAD && en->grad) en->buf[i] = en->grad + b->offset;
    for (size_t k = 0; b->kind == PB_INPUT && k < 4; k++)
      if (!strcmp(b->name, whole[k].name)) en->buf[i] = whole[k].at;
  }
}

enum { K_STATIC = 1u << PB_PACKED | 1u << PB_LIVE, K_CONSTS = 1u << PB_CONST, K_CACHE = 1u << PB_CACHE };

bool engine_load(Engine *en, const char *const *dir, bool training, RtError *e) {
  int64_t n = en->prog->theta;
  size_t flat = (size_t)n * sizeof(float) * (training ? 4 : 1);
  if (training && !(en->blas = blas_open(en->isa->name, pool_threads(en->pool), e))) return false;
  pool_set_blas(en->pool, en->blas);
  if (!map_weights(en, dir, e) || !region_new(&en->flat, flat, "the parameters", RT_ABOUT_NOTHING, e)) return false;
  en->theta = en->flat.data;
  if (training) en->grad = en->theta + n, en->m = en->theta + 2 * n, en->v = en->theta + 3 * n;
  if (!region_new(&en->packed, lay_out(en, K_STATIC, NULL), "packing the weights", RT_ABOUT_NOTHING, e)) return false;
  if (!region_new(&en->consts, lay_out(en, K_CONSTS, NULL), "constants", RT_ABOUT_NOTHING, e)) return false;
  lay_out(en, K_STATIC, en->packed.data);
  lay_out(en, K_CONSTS, en->consts.data);
  fill_consts(en);
  bind_flat(en);
  if (!engine_place(en, e)) return false;
  engine_pack(en);
  return true;
}

void engine_prepare(Engine *en) { engine_run(en, en->e_prepare, NULL); }

// ---- caps

void engine_cap(Engine *en, int entry, int64_t tokens, int64_t rows) {
  if (entry < 0) return;
  if (tokens > en->tokens[entry]) en->tokens[entry] = tokens;
  if (rows > en->rows[entry]) en->rows[entry] = rows;
}

// Room for the tokens that another tokenizer makes of text to come: rarely more than this for one of the anchor's. Pages that no token
// reaches cost nothing.
enum { FOLLOW_TIMES = 8, FOLLOW_MORE = 64 };

void engine_caches(Engine *en, int64_t slots, int64_t slot_rows, const int64_t *known) {
  en->slots = slots;
  en->slot_rows[0] = slot_rows;
  for (int k = 1; k < en->nstream; k++) {
    int64_t most = known[k] + slot_rows * FOLLOW_TIMES + FOLLOW_MORE;
    en->slot_rows[k] = most < en->stream_context[k] ? most : en->stream_context[k];
  }
}

// Most rows a symbol can have in a step of the entry, rounded as the plan asks.
static size_t cap_of(const Engine *en, int entry, int sym) {
  const char *kind = en->prog->sym[sym].kind;
  int64_t n = !strcmp(kind, "tokens") ? en->tokens[entry] : !strcmp(kind, "rows") ? en->rows[entry]
            : !strcmp(kind, "cache") ? (int64_t)cache_rows(en, sym) : en->prog->theta / 1024;
  return round_up((size_t)n, ROW_ROUND);
}

// Bytes of the arena that the largest step of an entry needs.
static size_t largest(const Engine *en, int entry) {
  const ProgEntry *pe = &en->prog->entry[entry];
  size_t at = round_up((size_t)pe->static_bytes, ALIGN);
  for (int s = 0; s < en->prog->nsym; s++) at += (size_t)pe->per_row[s] * cap_of(en, entry, s);
  return at;
}

int64_t engine_step_bytes(Engine *en, int entry, int64_t tokens) {
  int64_t before[2] = {en->tokens[entry], en->rows[entry]};
  en->tokens[entry] = en->rows[entry] = tokens;
  int64_t bytes = (int64_t)largest(en, entry);
  en->tokens[entry] = before[0], en->rows[entry] = before[1];
  return bytes;
}

bool engine_place(Engine *en, RtError *e) {
  size_t most = 0, cache = lay_out(en, K_CACHE, NULL);
  for (int i = 0; i < en->prog->nentry; i++) {
    size_t need = largest(en, i);
    if (need > most) most = need;
  }
  if (most > en->arena.bytes) {
    region_free(&en->arena);
    if (!region_new(&en->arena, most, "a step", RT_ABOUT_STEP, e)) return false;
  }
  if (cache > en->cache.bytes) {
    region_free(&en->cache);
    if (!region_new(&en->cache, cache, "the caches", RT_ABOUT_CACHES, e)) return false;
    // Streams that follow rarely use what is kept for them.
    if (cache && en->nstream > 1) madvise(en->cache.data, en->cache.bytes, MADV_NOHUGEPAGE);
  }
  lay_out(en, K_CACHE, en->cache.data);
  memset(en->arranged, 0, (size_t)(en->prog->nentry * (en->prog->nsym + 1)) * sizeof *en->arranged);
  return true;
}

void engine_arrange(Engine *en, int entry) {
  const Prog *p = en->prog;
  const ProgEntry *pe = &p->entry[entry];
  int64_t *lie = en->arranged + entry * (p->nsym + 1);
  if (lie[p->nsym] && !memcmp(lie, en->sym, (size_t)p->nsym * sizeof *lie)) return;
  size_t at = round_up((size_t)pe->static_bytes, ALIGN);
  for (int s = 0; s < p->nsym; s++) {
    en->start[s] = at;
    at += (size_t)pe->per_row[s] * round_up((size_t)en->sym[s], ROW_ROUND);
    lie[s] = en->sym[s];
  }
  lie[p->nsym] = 1;
  for (int i = 0; i < p->nbuf; i++) {
    const ProgBuf *b = &p->buf[i];
    if (b->kind != PB_ACT || b->entry != entry) continue;
    size_t from = b->sym < 0 ? 0 : en->start[b->sym];
    en->buf[i] = (char *)en->arena.data + from + (size_t)b->offset * (b->sym < 0 ? 1 : round_up((size_t)en->sym[b->sym], ROW_ROUND));
  }
}
