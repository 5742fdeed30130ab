// See plan_runner.h.
#include "tests/unit/plan_runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/machine/pool.h"

enum { GUARD = 64, GUARD_BYTE = 0x5a, NAN_BYTE = 0xff };

static const float GRAD_START = 0.5f;      // gradients are added to what is there

typedef struct Block {         // memory between two guards
  char *all;
  int64_t bytes;
  struct Block *next;
} Block;

struct PlanRunner {
  const Plan *p;
  const NativeObject *o;
  RtKernel *const *kernel;
  RtPool *pool;
  Block *block;
  void **buf;                  // by buffer id
  int64_t *sym, *cap;          // by plan symbol
  float *theta, *grad;
};

// ---- memory

static char *block_new(PlanRunner *r, int64_t bytes) {
  Block *b = calloc(1, sizeof *b);
  assert_non_null(b);
  *b = (Block){.bytes = bytes, .next = r->block};
  b->all = aligned_alloc(GUARD, (size_t)(2 * GUARD + (bytes + GUARD - 1) / GUARD * GUARD));
  assert_non_null(b->all);
  memset(b->all, GUARD_BYTE, (size_t)(2 * GUARD + (bytes + GUARD - 1) / GUARD * GUARD));
  memset(b->all + GUARD, NAN_BYTE, (size_t)bytes);
  r->block = b;
  return b->all + GUARD;
}

static void check_guards(const PlanRunner *r) {
  for (const Block *b = r->block; b; b = b->next) {
    for (int i = 0; i < GUARD; i++) {
      if (b->all[i] != GUARD_BYTE) fail_msg("a write %d bytes in front of a buffer", GUARD - i);
      if (b->all[GUARD + b->bytes + i] != GUARD_BYTE) fail_msg("a write %d bytes behind a buffer", i);
    }
  }
}

// ---- numbers as stored

static void put(void *p, Dtype dt, int64_t i, double v) {
  float f = (float)v;
  uint32_t bits, exponent;
  memcpy(&bits, &f, sizeof bits);
  exponent = bits >> 23 & 255;
  switch (dt) {
    case DT_F32: ((float *)p)[i] = f; break;
    case DT_I32: ((int32_t *)p)[i] = (int32_t)v; break;
    case DT_BF16: ((uint16_t *)p)[i] = (uint16_t)(bits >> 16); break;
    case DT_F16:                                            // kits draw numbers that it holds exactly, none subnormal
      exponent = exponent ? exponent - 112 : 0;
      ((uint16_t *)p)[i] = (uint16_t)((bits >> 16 & 0x8000) | exponent << 10 | (bits >> 13 & 1023));
      break;
    default: fail_msg("no numbers of this kind");
  }
}

static double get(const void *p, Dtype dt, int64_t i) {
  return dt == DT_I32 ? ((const int32_t *)p)[i] : ((const float *)p)[i];
}

// ---- sources

static int find_sym(const Graph *g, const char *name) {
  for (int i = 0; i < g->nsym; i++) {
    if (!strcmp(g->sym[i].name, name)) return i;
  }
  return -1;
}

static int64_t extent(const PlanRunner *r, const Kit *k, int plan_sym) {
  int s = plan_sym < 0 ? -1 : find_sym(k->g, r->p->sym[plan_sym].name);
  return plan_sym < 0 ? 1 : s < 0 ? 0 : k->sym[s];
}

static bool is_tensor(const PBuf *b) { return b->kind == BUF_WEIGHT || b->kind == BUF_PARAM; }
static bool is_step(const PBuf *b) { return b->kind == BUF_INPUT || b->kind == BUF_CACHE; }

// Of a tensor's values those of the part that a buffer is, which may be one tensor of a series, "….*".
static const double *values(const Kit *k, const PBuf *b, int64_t *n) {
  const double *v = kit_values(k, b->name, n);
  const char *number = strrchr(b->name, '.');
  if (v && b->kind == BUF_WEIGHT && b->stored.parts) return *n /= b->stored.parts, v + *n * b->stored.part;
  if (v || b->kind != BUF_WEIGHT || !number) return v;
  v = kit_values(k, arena_printf(k->arena, "%.*s.*", (int)(number - b->name), b->name), n);
  *n = b->elems;
  return v ? v + *n * atoi(number + 1) : NULL;
}

static void bind(PlanRunner *r, const Kit *k, bool which(const PBuf *b)) {
  for (int i = 0; i < r->p->nbuf; i++) {
    const PBuf *b = &r->p->buf[i];
    int64_t n;
    const double *v = which(b) ? values(k, b, &n) : NULL;
    if (!v) continue;
    assert_int_equal(n, extent(r, k, b->sym) * b->elems);
    if (is_step(b)) r->buf[i] = block_new(r, n * dtype_size(b->dt));
    for (int64_t e = 0; e < n; e++) put(r->buf[i], b->dt, e, v[e]);
  }
}

void runner_bind(PlanRunner *r, const Kit *k) { bind(r, k, is_tensor); }

// What the entry's calls may write, is written; all other values of the kit are as they were.
static void check_sources(const PlanRunner *r, int entry, const Kit *k) {
  const PlanEntry *e = &r->p->entry[entry];
  bool *written = calloc((size_t)r->p->nbuf + 1, sizeof *written);
  for (int c = 0; c < e->ncall; c++) {
    const Kernel *kernel = &r->p->kernel[e->call[c].kernel];
    for (int a = 0; a < kernel->narg; a++) written[e->call[c].buf[a]] |= kernel->arg[a].written;
  }
  for (int i = 0; i < r->p->nbuf; i++) {
    const PBuf *b = &r->p->buf[i];
    int64_t n;
    const double *v = (is_tensor(b) || is_step(b)) && !written[i] ? values(k, b, &n) : NULL;
    for (int64_t x = 0; v && x < n; x++) {
      char want[8], *has = (char *)r->buf[i] + x * dtype_size(b->dt);
      put(want, b->dt, 0, v[x]);
      if (memcmp(want, has, (size_t)dtype_size(b->dt))) fail_msg("%s[%lld] was written to", b->name, (long long)x);
    }
  }
  free(written);
}

// Nothing but the gradients that the entry gives was added to.
static void check_gradients(const PlanRunner *r, int entry) {
  const PlanEntry *e = &r->p->entry[entry];
  bool *given = calloc((size_t)r->p->theta + 1, sizeof *given);
  for (int c = 0; c < e->ncall; c++) {
    for (int a = 0; a < r->p->kernel[e->call[c].kernel].narg; a++) {
      const PBuf *b = &r->p->buf[e->call[c].buf[a]];
      if (b->kind == BUF_GRAD) memset(given + b->slice.offset, true, (size_t)b->elems * sizeof *given);
    }
  }
  for (int64_t i = 0; i < r->p->theta; i++) {
    if (!given[i] && r->grad[i] != GRAD_START) fail_msg("gradient %lld was written to", (long long)i);
  }
  free(given);
}

// ---- masks: one sequence, all its keys

// The kit's intervals of a plan's mask; of the rows taken when its queries are labelled rows.
static EvalMask intervals(const PlanRunner *r, const Kit *k, const PBuf *b) {
  const Plan *p = r->p;
  int key = find_sym(k->g, p->sym[b->mask.key].name);
  bool rows = p->sym[b->mask.query].kind == SYM_ROWS;
  for (int i = 0; i < k->nmask; i++) {
    const int64_t *m = k->mask[i].key;
    if (m[1] != key || m[2] != b->mask.window || m[3] != b->mask.model) continue;
    if (!rows && m[0] != find_sym(k->g, p->sym[b->mask.query].name)) continue;
    if (!rows) return k->mask[i].m;
    int64_t n;
    const double *row = kit_values(k, "rows", &n);
    assert_non_null(row);
    int32_t *lo = ARENA_ARRAY(k->arena, int32_t, n + 1), *hi = ARENA_ARRAY(k->arena, int32_t, n + 1);
    for (int64_t t = 0; t < n; t++) lo[t] = k->mask[i].m.lo[(int)row[t]], hi[t] = k->mask[i].m.hi[(int)row[t]];
    return (EvalMask){lo, hi};
  }
  return (EvalMask){0};
}

static RtMask *make_mask(const Kit *k, EvalMask m, int64_t queries, int64_t keys) {
  int64_t most = rt_qblock(1), n = (queries + most - 1) / most;
  RtQBlock *blk = ARENA_ARRAY(k->arena, RtQBlock, n + 1);
  RtSeq *seq = ARENA_NEW(k->arena, RtSeq);
  RtMask *mask = ARENA_NEW(k->arena, RtMask);
  for (int64_t i = 0; i < n; i++) {
    int64_t q0 = i * most, nq = queries - q0 < most ? queries - q0 : most;
    blk[i] = (RtQBlock){(int32_t)q0, (int32_t)nq, 0, 0};
    for (int64_t t = q0; t < q0 + nq; t++) {
      if (m.lo[t] < m.hi[t] && m.hi[t] > blk[i].kmax) blk[i].kmax = m.hi[t];
    }
  }
  *seq = (RtSeq){0, (int32_t)queries, 0, (int32_t)keys};
  *mask = (RtMask){m.lo, m.hi, n, blk, 1, seq, 1};
  return mask;
}

static void bind_masks(PlanRunner *r, const Kit *k) {
  for (int i = 0; i < r->p->nbuf; i++) {
    const PBuf *b = &r->p->buf[i];
    if (b->kind != BUF_MASK) continue;
    EvalMask m = intervals(r, k, b);
    if (m.lo) r->buf[i] = make_mask(k, m, extent(r, k, b->mask.query), extent(r, k, b->mask.key));
  }
}

// ---- runs

// Panels of experts, one behind the other (plan/buffers.c).
static void panels_of_stack(PlanRunner *r, int first, Precision precision) {
  const PBuf *b = &r->p->buf[first];
  int64_t each = (prog_buf_bytes(b, precision) + RT_BUF_ALIGN - 1) / RT_BUF_ALIGN * RT_BUF_ALIGN;
  char *all = block_new(r, each * b->packed.stack);
  for (int e = 0; e < b->packed.stack; e++) r->buf[first + e] = all + e * each;
}

PlanRunner *runner_new(const Plan *p, const NativeObject *o, const char *isa, Precision precision, int threads) {
  PlanRunner *r = calloc(1, sizeof *r);
  assert_non_null(r);
  r->p = p;
  r->o = o;
  r->kernel = native_kernels(o, isa, precision);
  r->pool = pool_new(threads, (size_t)o->scratch_bytes);
  r->buf = calloc((size_t)p->nbuf + 1, sizeof *r->buf);
  r->sym = calloc((size_t)p->nsym + 1, sizeof *r->sym);
  r->cap = calloc((size_t)p->nsym + 1, sizeof *r->cap);
  r->theta = (float *)block_new(r, p->theta * 4);
  r->grad = (float *)block_new(r, p->theta * 4);
  for (int i = 0; i < p->nbuf; i++) {
    const PBuf *b = &p->buf[i];
    if (b->kind == BUF_GRAD) r->buf[i] = r->grad + b->slice.offset;
    if (b->kind == BUF_PACKED && b->packed.stack) panels_of_stack(r, i, precision);
    if ((b->kind == BUF_PACKED && !r->buf[i]) || b->kind == BUF_LIVE) r->buf[i] = block_new(r, b->elems * 4);
    if (b->kind == BUF_PARAM) r->buf[i] = r->theta + b->slice.offset;
    if (b->kind == BUF_WEIGHT) r->buf[i] = block_new(r, b->elems * dtype_size(b->dt));    // NaN until it is bound
    if (b->kind != BUF_CONST) continue;
    r->buf[i] = block_new(r, b->elems * 4);
    for (int64_t k = 0; k < b->elems; k++) put(r->buf[i], DT_F32, k, b->literals.data.v[k]);
  }
  return r;
}

static int64_t region(const PlanRunner *r, int entry, int sym) {
  const PlanEntry *e = &r->p->entry[entry];
  int64_t at = (e->static_bytes + 63) / 64 * 64;
  for (int s = 0; s < sym; s++) at += e->row_bytes[s] * r->cap[s];
  return at;
}

static void run(PlanRunner *r, int entry) {
  const Plan *p = r->p;
  char *arena = block_new(r, region(r, entry, p->nsym));
  for (int i = 0; i < p->nbuf; i++) {
    const PBuf *b = &p->buf[i];
    if (b->kind != BUF_ACT || b->act.entry != entry) continue;
    r->buf[i] = arena + (b->sym < 0 ? b->act.offset : region(r, entry, b->sym) + b->act.offset * r->cap[b->sym]);
  }
  int64_t *all_alike = calloc((size_t)p->nmodel + 1, sizeof *all_alike);
  RtCtx ctx = {.buf = r->buf, .sym = r->sym, .kernel = &r->kernel, .precision = all_alike, .nkernel = p->nkernel, .pool = r->pool};
  r->o->entry[entry](&ctx);
  free(all_alike);
  check_guards(r);
}

void runner_pack(PlanRunner *r) {
  for (int i = 0; i < r->p->nentry; i++) {
    if (!strcmp(r->p->entry[i].name, "init") || !strcmp(r->p->entry[i].name, "prepare")) run(r, i);
  }
}

void runner_run(PlanRunner *r, int entry, const Kit *k) {
  for (int s = 0; s < r->p->nsym; s++) {
    r->sym[s] = extent(r, k, s);
    r->cap[s] = (r->sym[s] + RT_ROW_ROUND - 1) / RT_ROW_ROUND * RT_ROW_ROUND;
  }
  for (int64_t i = 0; i < r->p->theta; i++) r->grad[i] = GRAD_START;
  bind(r, k, is_step);
  bind_masks(r, k);
  run(r, entry);
  check_sources(r, entry, k);
  check_gradients(r, entry);
}

void runner_output(const PlanRunner *r, int entry, const char *name, double *out, int64_t n) {
  const Plan *p = r->p;
  const PlanEntry *e = &p->entry[entry];
  int buf = -1;
  for (int i = 0; i < e->nout; i++) {
    if (!strcmp(e->out[i].name, name)) buf = e->out[i].buf;
  }
  for (int i = 0; i < p->nbuf && buf < 0 && !strncmp(name, "grad.", 5); i++) {
    if (p->buf[i].kind == BUF_GRAD && !strcmp(p->buf[i].name, name + 5)) buf = i;
  }
  if (buf < 0) fail_msg("entry %s has no output \"%s\"", e->name, name);
  assert_int_equal(n, (p->buf[buf].sym < 0 ? 1 : r->sym[p->buf[buf].sym]) * p->buf[buf].elems);
  double start = p->buf[buf].kind == BUF_GRAD ? GRAD_START : 0;
  for (int64_t i = 0; i < n; i++) out[i] = get(r->buf[buf], p->buf[buf].dt, i) - start;
}

void runner_free(PlanRunner *r) {
  while (r->block) {
    Block *b = r->block;
    r->block = b->next;
    free(b->all);
    free(b);
  }
  pool_free(r->pool);
  free(r->buf), free(r->sym), free(r->cap);
  free(r);
}
