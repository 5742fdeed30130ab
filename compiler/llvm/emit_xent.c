// Softmax cross-entropy over a vocabulary head, forward: a block of rows walks through the vocabulary in chunks, so that [R, V] never
// stands in memory. Maximum and sum are carried along a row in chunk order (online softmax; Milakov & Gimelshein, arXiv 1805.02867).
#include "llvm/emit_xent.h"
#include "llvm/mm.h"

#include <float.h>
#include <math.h>

// The three loss kernels begin with the same arguments and extents.
#define SAME(a, b) (KARG(a, h) == KARG(b, h) && KARG(a, packed) == KARG(b, packed) && KARG(a, labels) == KARG(b, labels))
_Static_assert(SAME(XENT, XENT_GRAD) && SAME(XENT, XENT_DW), "kernels.def: the losses");

// Where things lie in the scratch, in floats.
enum { AT_MAX = 0, AT_LOG = XENT_ROWS, AT_LABEL = 2 * XENT_ROWS, AT_SCALE = 3 * XENT_ROWS, AT_SUM = 4 * XENT_ROWS, AT_TOP = (4 + LANES) * XENT_ROWS };
static int64_t chunks(const Kernel *k, bool kept) { return kept ? (k->XENT.V + XENT_CHUNK - 1) / XENT_CHUNK : 1; }

static int64_t tile_end(const Kernel *k, bool kept) { return (AT_TOP + chunks(k, kept) * XENT_ROWS * (1 + XENT_CHUNK)) * 4; }
int64_t xent_scratch(const Kernel *k, bool kept) {
  return tile_end(k, kept) + (k->arg[KARG(XENT, packed)].dt == DT_I8 ? mm_int8_scratch(XENT_CHUNK) : 0);
}
_Static_assert(XENT_ROWS * 4 % 64 == 0, "regions begin at cache lines");

Xent xent_begin(Cg *g, const Kernel *k, bool kept) {
  Xent x = {.g = g, .D = k->XENT.D, .V = k->XENT.V, .dt = cg_panel(g, k, KARG(XENT, packed)), .cap = k->softcap, .kept = kept};
  x.h = cg_arg_ptr(g, KARG(XENT, h));
  x.w = cg_arg_ptr(g, KARG(XENT, packed));
  x.labels = cg_arg_ptr(g, KARG(XENT, labels));
  if (k->XENT.biased) x.bias = cg_arg_ptr(g, loss_bias_arg(k->cls));
  x.max = cg_scratch(g, AT_MAX * 4), x.log = cg_scratch(g, AT_LOG * 4), x.label = cg_scratch(g, AT_LABEL * 4), x.scale = cg_scratch(g, AT_SCALE * 4);
  x.sum = cg_scratch(g, AT_SUM * 4), x.top = cg_scratch(g, AT_TOP * 4);
  x.tile = cg_scratch(g, (AT_TOP + chunks(k, kept) * XENT_ROWS) * 4);
  if (x.dt == DT_I8) x.wide = cg_scratch(g, tile_end(k, kept));
  return x;
}

LLVMValueRef xent_tile(Xent *x, LLVMValueRef c0) { return x->kept ? cg_at(x->g, x->g->f32, x->tile, cg_mul(x->g, c0, cg_i64(x->g, XENT_ROWS))) : x->tile; }

LLVMValueRef xent_top(Xent *x, LLVMValueRef c0, LLVMValueRef r) {
  Cg *g = x->g;
  return cg_at(g, g->f32, x->top, cg_add(g, cg_mul(g, cg_udiv(g, c0, cg_i64(g, XENT_CHUNK)), cg_i64(g, XENT_ROWS)), r));
}

LLVMValueRef xent_row(Xent *x, LLVMValueRef tile, LLVMValueRef r) { return cg_at(x->g, x->g->f32, tile, cg_mul(x->g, r, cg_i64(x->g, XENT_CHUNK))); }

// An even number of blocks, so that two threads end together; few rows do not pay for two walks.
static LLVMValueRef blocks_of(Cg *g, LLVMValueRef rows) {
  LLVMValueRef blocks = cg_ceildiv(g, rows, XENT_ROWS), even = cg_add(g, blocks, cg_urem(g, blocks, cg_i64(g, 2)));
  return cg_select(g, cg_lt(g, rows, cg_i64(g, XENT_SHARED)), blocks, even);
}

XentRows xent_rows(Cg *g) {
  LLVMValueRef rows = cg_rows(g), blocks = blocks_of(g, rows), t = cg_task(g);
  LLVMValueRef r0 = cg_udiv(g, cg_mul(g, t, rows), blocks), r1 = cg_udiv(g, cg_mul(g, cg_add(g, t, cg_i64(g, 1)), rows), blocks);
  return (XentRows){r0, cg_sub(g, r1, r0)};
}

LLVMValueRef xent_label(Xent *x, LLVMValueRef row) {
  Cg *g = x->g;
  return LLVMBuildSExt(g->b, cg_load(g, g->i32, cg_at(g, g->i32, x->labels, row)), g->i64, "");
}

void xent_each16(Xent *x, LLVMValueRef row_ptr, LLVMValueRef width, XentLanes *f, void *user) {
  Cg *g = x->g;
  LLVMValueRef lanes = cg_i64(g, LANES), full = cg_mul(g, cg_udiv(g, width, lanes), lanes);
  CgLoop l = cg_loop(g, cg_i64(g, 0), full, LANES);
  f(x, user, cg_at(g, g->f32, row_ptr, l.i), NULL);
  cg_loop_end(g, &l);
  CgIf tail = cg_if(g, cg_lt(g, full, width));
  f(x, user, cg_at(g, g->f32, row_ptr, full), cg_mask16(g, cg_sub(g, width, full)));
  cg_endif(g, &tail);
}

static LLVMValueRef load_logits(Cg *g, LLVMValueRef p, LLVMValueRef mask) {
  if (!mask) return cg_load16(g, p);
  return cg_select(g, mask, cg_load16_mask(g, p, mask), cg_splatc(g, -INFINITY));
}

static void store_lanes(Cg *g, LLVMValueRef v, LLVMValueRef p, LLVMValueRef mask) {
  if (mask) cg_store16_mask(g, v, p, mask);
  else cg_store16(g, v, p);
}

static void cap_lanes(Xent *x, void *user, LLVMValueRef p, LLVMValueRef mask) {
  (void)user;
  Cg *g = x->g;
  LLVMValueRef v = mask ? cg_load16_mask(g, p, mask) : cg_load16(g, p);
  v = cg_fmul(g, cg_vtanh(g, cg_fdiv(g, v, cg_splatc(g, x->cap))), cg_splatc(g, x->cap));
  store_lanes(g, v, p, mask);
}

typedef struct Add {
  LLVMValueRef to, from;
} Add;

static void add_lanes(Xent *x, void *user, LLVMValueRef p, LLVMValueRef mask) {
  Cg *g = x->g;
  const Add *a = user;
  LLVMValueRef from = cg_at(g, g->f32, a->from, LLVMBuildPtrDiff2(g->b, g->f32, p, a->to, ""));
  LLVMValueRef v = mask ? cg_load16_mask(g, p, mask) : cg_load16(g, p);
  store_lanes(g, cg_fadd(g, v, mask ? cg_load16_mask(g, from, mask) : cg_load16(g, from)), p, mask);
}

void xent_add(Xent *x, LLVMValueRef to, LLVMValueRef from, LLVMValueRef width) { xent_each16(x, to, width, add_lanes, &(Add){to, from}); }

LLVMValueRef xent_head(Xent *x, LLVMValueRef c) {
  Cg *g = x->g;
  LLVMValueRef panel = cg_mul(g, cg_udiv(g, c, cg_i64(g, PANEL)), cg_i64(g, panel_elems(x->dt, x->D)));
  return cg_at(g, cg_dtype(g, x->dt), x->w, panel);
}

void xent_logits(Xent *x, LLVMValueRef at, LLVMValueRef r0, LLVMValueRef n, LLVMValueRef c0, LLVMValueRef width) {
  Cg *g = x->g;
  LLVMValueRef A = cg_at(g, g->f32, x->h, cg_mul(g, r0, cg_i64(g, x->D)));
  LLVMValueRef B = xent_head(x, c0);
  LLVMValueRef stride = cg_i64(g, XENT_CHUNK), zero = cg_i64(g, 0);
  LLVMValueRef next = xent_head(x, cg_add(g, c0, cg_i64(g, XENT_CHUNK))), bps = cg_i64(g, panel_elems(x->dt, x->D));
  MmCall product = {.A = mm_rows(DT_F32, A, cg_i64(g, x->D)), .B = mm_packed(x->dt, B, bps), .C = mm_rows(DT_F32, at, stride), .pairs = cg_in_pairs(g, x->dt),
                    .M = n, .N = width, .K = cg_i64(g, x->D), .next = next, .next_panel = bps};
  if (x->dt == DT_I8) mm_int8(g, &product, x->wide);
  else cg_mm(g, &product);
  if (!x->bias && x->cap == 0) return;
  CgLoop r = cg_loop(g, zero, n, 1);
  LLVMValueRef row = xent_row(x, at, r.i);
  if (x->bias) xent_add(x, row, cg_at(g, g->f32, x->bias, c0), width);
  if (x->cap != 0) xent_each16(x, row, width, cap_lanes, NULL);
  cg_loop_end(g, &r);
}

typedef struct Fold {
  LLVMValueRef var, max;       // <16 x float> variable; maximum to subtract
  bool leave;                  // exponentials in place of logits
} Fold;

static void max_lanes(Xent *x, void *user, LLVMValueRef p, LLVMValueRef mask) {
  Cg *g = x->g;
  Fold *f = user;
  cg_set(g, f->var, cg_fmax(g, load_logits(g, p, mask), cg_get(g, g->v16f32, f->var)));
}

static void sum_lanes(Xent *x, void *user, LLVMValueRef p, LLVMValueRef mask) {
  Cg *g = x->g;
  Fold *f = user;
  LLVMValueRef e = cg_vexp(g, cg_fsub(g, load_logits(g, p, mask), f->max));       // -inf gives exactly 0
  cg_set(g, f->var, cg_fadd(g, cg_get(g, g->v16f32, f->var), e));
  if (f->leave) store_lanes(g, e, p, mask);
}

static LLVMValueRef number(Xent *x, LLVMValueRef array, LLVMValueRef r) { return cg_at(x->g, x->g->f32, array, r); }
static LLVMValueRef lanes_of(Xent *x, LLVMValueRef r) { return number(x, x->sum, cg_mul(x->g, r, cg_i64(x->g, LANES))); }

// A row meets a chunk: the chunk's maximum (to scale, for now), and its label's logit, should it be there.
static void top_of_row(Xent *x, LLVMValueRef row, LLVMValueRef r0, LLVMValueRef r, LLVMValueRef c0, LLVMValueRef width) {
  Cg *g = x->g;
  Fold top = {.var = cg_var(g, g->v16f32, cg_splatc(g, -INFINITY))};
  xent_each16(x, row, width, max_lanes, &top);
  cg_store(g, cg_max16(g, cg_get(g, g->v16f32, top.var)), number(x, x->scale, r));
  LLVMValueRef label = cg_sub(g, xent_label(x, cg_add(g, r0, r)), c0);
  CgIf mine = cg_if(g, LLVMBuildICmp(g->b, LLVMIntULT, label, width, ""));
  cg_store(g, cg_load(g, g->f32, cg_at(g, g->f32, row, label)), number(x, x->label, r));
  cg_endif(g, &mine);
}

// 16 rows: the running maximum, and what their sums are multiplied by.
static void raise(Xent *x, LLVMValueRef r, LLVMValueRef c0) {
  Cg *g = x->g;
  LLVMValueRef old = cg_load16(g, number(x, x->max, r)), now = cg_fmax(g, cg_load16(g, number(x, x->scale, r)), old);
  cg_store16(g, now, number(x, x->max, r));
  cg_store16(g, cg_vexp(g, cg_fsub(g, old, now)), number(x, x->scale, r));
  if (x->kept) cg_store16(g, now, xent_top(x, c0, r));
}

static void sum_of_row(Xent *x, LLVMValueRef row, LLVMValueRef r, LLVMValueRef width) {
  Cg *g = x->g;
  Fold sum = {.var = cg_var(g, g->v16f32, cg_splatc(g, 0)), .max = cg_splat(g, cg_load(g, g->f32, number(x, x->max, r))), .leave = x->kept && x->cap == 0};
  xent_each16(x, row, width, sum_lanes, &sum);
  LLVMValueRef before = cg_load16(g, lanes_of(x, r)), scale = cg_splat(g, cg_load(g, g->f32, number(x, x->scale, r)));
  cg_store16(g, cg_fadd(g, cg_fmul(g, before, scale), cg_get(g, g->v16f32, sum.var)), lanes_of(x, r));
}

static void one_chunk(Xent *x, LLVMValueRef r0, LLVMValueRef n, LLVMValueRef c0) {
  Cg *g = x->g;
  LLVMValueRef zero = cg_i64(g, 0), width = cg_min(g, cg_i64(g, XENT_CHUNK), cg_sub(g, cg_i64(g, x->V), c0)), at = xent_tile(x, c0);
  xent_logits(x, at, r0, n, c0, width);
  CgLoop r = cg_loop(g, zero, n, 1);
  top_of_row(x, xent_row(x, at, r.i), r0, r.i, c0, width);
  cg_loop_end(g, &r);
  r = cg_loop(g, zero, n, LANES);
  raise(x, r.i, c0);
  cg_loop_end(g, &r);
  r = cg_loop(g, zero, n, 1);
  sum_of_row(x, xent_row(x, at, r.i), r.i, width);
  cg_loop_end(g, &r);
}

void xent_pass(Xent *x, LLVMValueRef r0, LLVMValueRef n) {
  Cg *g = x->g;
  LLVMValueRef zero = cg_i64(g, 0);
  CgLoop r = cg_loop(g, zero, n, 1);
  cg_store16(g, cg_splatc(g, 0), lanes_of(x, r.i));
  cg_loop_end(g, &r);
  r = cg_loop(g, zero, n, LANES);
  cg_store16(g, cg_splatc(g, -FLT_MAX), number(x, x->max, r.i));   // finite: logits that overflowed to -inf count 0
  cg_loop_end(g, &r);
  CgLoop c = cg_loop(g, zero, cg_i64(g, x->V), XENT_CHUNK);
  one_chunk(x, r0, n, c.i);
  cg_loop_end(g, &c);
  r = cg_loop(g, zero, n, 1);
  cg_store(g, cg_sum16(g, cg_load16(g, lanes_of(x, r.i))), number(x, x->log, r.i));
  cg_loop_end(g, &r);
  r = cg_loop(g, zero, n, LANES);
  cg_store16(g, cg_vlog(g, cg_load16(g, number(x, x->log, r.i))), number(x, x->log, r.i));
  cg_loop_end(g, &r);
}

XentSum xent_sum(Xent *x, LLVMValueRef r) {
  Cg *g = x->g;
  return (XentSum){cg_load(g, g->f32, number(x, x->max, r)), cg_load(g, g->f32, number(x, x->log, r))};
}

void xent_store_nll(Xent *x, LLVMValueRef nll, LLVMValueRef r0, LLVMValueRef n) {
  Cg *g = x->g;
  CgLoop r = cg_loop(g, cg_i64(g, 0), n, 1);
  XentSum s = xent_sum(x, r.i);
  LLVMValueRef below = cg_fsub(g, s.base, cg_load(g, g->f32, number(x, x->label, r.i)));
  cg_store(g, cg_fadd(g, below, s.log), cg_at(g, g->f32, nll, cg_add(g, r0, r.i)));
  cg_loop_end(g, &r);
}

LLVMValueRef tasks_XENT(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)k, (void)ptr;
  return blocks_of(g, rows);
}

void emit_XENT(Cg *g, const Kernel *k) {
  Xent x = xent_begin(g, k, false);
  cg_need_scratch(g, xent_scratch(k, false));
  XentRows b = xent_rows(g);
  xent_pass(&x, b.r0, b.n);
  xent_store_nll(&x, cg_arg_ptr(g, KARG(XENT, nll)), b.r0, b.n);
}
