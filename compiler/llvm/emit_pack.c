// Packing: a matrix as stored, w[N, K] row-major (or w[K, N]), to panels (plan.h) of the width it is stored in. One task a panel; each
// lane is one row (column) of w. Rows go through registers in blocks of 16 x 16 words, of one f32 or two numbers of 16 bits that follow each
// other along k: loading a large model is as fast as reading it. As int8 a group of rows is turned into the scratch, as f32, and rounded from there.
// Shapes are arguments: one function for each pair of dtypes serves all matrices of a program.

#include <stdio.h>

#include "llvm/int8.h"
#include "llvm/mm.h"
#include "llvm/object.h"
#include "runtime/abi/abi.h"

_Static_assert(1 + KARG(PACK, packed) == RT_PACK_TO, "rt_abi.h: the word of a packing call");

LLVMValueRef tasks_PACK(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)g, (void)k, (void)ptr;
  return rows;
}

enum { P_N = 3, P_K, P_PANEL, P_COUNT };   // behind a kernel's own parameters: extents of the matrix, and elements from panel to panel
// In the scratch behind a group of int8's: the last block of a panel where it is a part, as it is read and as it becomes.
enum { BLOCK = 2 * LANES * PANEL * 4, STAGED = INT8_GROUP * PANEL * 4, TURNED = STAGED + BLOCK, SCRATCH = TURNED + BLOCK };

typedef struct Pack {
  LLVMValueRef N, K, row;      // row: numbers from a row of w[N, K] to the next
  bool turned;
  Dtype dt, to;                // as stored, of the panels
  LLVMValueRef w, panel, n0, lanes;   // first row of the panel, and how many of 16 there are
} Pack;

static LLVMValueRef stored_at(Cg *g, const Pack *p, LLVMValueRef at) { return cg_at(g, cg_dtype(g, p->dt), p->w, at); }
static LLVMValueRef row_of_panel(Cg *g, const Pack *p, LLVMValueRef k) { return cg_at(g, cg_dtype(g, p->to), p->panel, cg_mul(g, k, cg_i64(g, PANEL))); }

static LLVMValueRef load_f32(Cg *g, const Pack *p, LLVMValueRef at, LLVMValueRef mask) { return cg_load16_f32(g, p->dt, stored_at(g, p, at), mask); }

// ---- numbers of 16 bits

static LLVMTypeRef shorts(Cg *g, unsigned n) { return LLVMVectorType(g->i16, n); }

// Numbers along k as 16 words of two, rounded where they are wider than the panel.
static LLVMValueRef words(Cg *g, const Pack *p, LLVMValueRef from) {
  if (p->dt != p->to) {
    LLVMValueRef half[2], join[2 * LANES];
    for (int i = 0; i < 2; i++) half[i] = mm_rounded(g, cg_load16_f32(g, p->dt, cg_at(g, cg_dtype(g, p->dt), from, cg_i64(g, (int64_t)i * LANES)), NULL));
    for (int i = 0; i < 2 * LANES; i++) join[i] = cg_i32(g, i);
    return LLVMBuildBitCast(g->b, LLVMBuildShuffleVector(g->b, half[0], half[1], LLVMConstVector(join, 2 * LANES), ""), g->v16i32, "");
  }
  LLVMValueRef v = LLVMBuildLoad2(g->b, g->v16i32, from, "");
  LLVMSetAlignment(v, 2);
  return v;
}

// A word of 16 rows: rows k and k + 1 of the panel, or k alone, at `to`.
static void store_word(Cg *g, const Pack *p, LLVMValueRef word, LLVMValueRef to, bool both) {
  if (p->to == DT_BF16) {
    cg_store(g, word, to);
    return;
  }
  for (int i = 0; i < 1 + both; i++) {
    LLVMValueRef half = LLVMBuildTrunc(g->b, i ? LLVMBuildLShr(g->b, word, cg_words(g, LANES, 16), "") : word, shorts(g, LANES), "");
    cg_store(g, half, cg_at(g, g->i16, to, cg_i64(g, (int64_t)i * PANEL)));
  }
}

// w[K, N]: rows k and k + 1 (or k alone) of this panel's columns, as words.
static LLVMValueRef two_rows(Cg *g, const Pack *p, LLVMValueRef k, bool both, LLVMValueRef mask) {
  LLVMValueRef word = NULL;
  if (p->dt != p->to) {
    LLVMValueRef v[2] = {0};
    for (int i = 0; i < 1 + both; i++) v[i] = load_f32(g, p, cg_add(g, cg_mul(g, cg_add(g, k, cg_i64(g, i)), p->N), p->n0), mask);
    return mm_words(g, v[0], v[1]);
  }
  for (int i = 0; i < 1 + both; i++) {
    LLVMValueRef at = stored_at(g, p, cg_add(g, cg_mul(g, cg_add(g, k, cg_i64(g, i)), p->N), p->n0));
    LLVMValueRef v = mask ? cg_load_mask(g, shorts(g, LANES), at, mask) : cg_load(g, shorts(g, LANES), at);
    v = LLVMBuildZExt(g->b, v, g->v16i32, "");
    word = i ? LLVMBuildOr(g->b, word, LLVMBuildShl(g->b, v, cg_words(g, LANES, 16), ""), "") : v;
  }
  return word;
}

// ---- both

static bool narrow(const Pack *p) { return p->to != DT_F32; }

static int step_of(const Pack *p) { return narrow(p) ? 2 * LANES : LANES; }
static LLVMValueRef down_to(Cg *g, LLVMValueRef n, int64_t step) { return cg_sub(g, n, cg_urem(g, n, cg_i64(g, step))); }

// w[K, N]: the numbers of a k lie together already.
static void columns(Cg *g, const Pack *p, LLVMValueRef mask) {
  int64_t step = narrow(p) ? 2 : 1;
  LLVMValueRef whole = down_to(g, p->K, step);
  CgLoop l = cg_loop(g, cg_i64(g, 0), whole, step);
  if (narrow(p)) store_word(g, p, two_rows(g, p, l.i, true, mask), row_of_panel(g, p, l.i), true);
  else cg_store16(g, load_f32(g, p, cg_add(g, cg_mul(g, l.i, p->N), p->n0), mask), row_of_panel(g, p, l.i));
  cg_loop_end(g, &l);
  if (!narrow(p)) return;
  CgIf odd = cg_if(g, cg_lt(g, whole, p->K));
  store_word(g, p, two_rows(g, p, whole, false, mask), row_of_panel(g, p, whole), false);
  cg_endif(g, &odd);
}

// A block of w[N, K]: step_of numbers of each of 16 rows, `stride` apart from `from` on, turned, to `to`.
typedef struct Square {
  LLVMValueRef from, stride, to;
} Square;

// Missing rows read the last one and become 0.
static void turn(Cg *g, const Pack *p, const Square *b, LLVMValueRef rows) {
  LLVMValueRef v[PANEL], last = cg_sub(g, p->lanes, cg_i64(g, 1));
  LLVMTypeRef elem = cg_dtype(g, p->dt);
  for (int i = 0; i < PANEL; i++) {
    LLVMValueRef from = cg_at(g, elem, b->from, cg_mul(g, cg_min(g, cg_i64(g, i), last), b->stride));
    v[i] = narrow(p) ? LLVMBuildBitCast(g->b, words(g, p, from), g->v16f32, "") : cg_load16_f32(g, p->dt, from, NULL);
  }
  mm_transpose(g, v, PANEL);
  int step = narrow(p) ? 2 : 1;
  for (int i = 0; i < step_of(p); i += step) {
    LLVMValueRef of_k = cg_select(g, rows, v[i / step], cg_splatc(g, 0)), at = cg_at(g, cg_dtype(g, p->to), b->to, cg_i64(g, (int64_t)i * PANEL));
    if (narrow(p)) store_word(g, p, LLVMBuildBitCast(g->b, of_k, g->v16i32, ""), at, true);
    else cg_store16(g, of_k, at);
  }
}

// The last numbers of the rows, fewer than a block has, to b->from, zeros behind them: nothing behind a row may be read.
static void stage(Cg *g, const Pack *p, const Square *b, LLVMValueRef k) {
  LLVMTypeRef elem = cg_dtype(g, p->dt);
  CgLoop i = cg_loop(g, cg_i64(g, 0), p->lanes, 1), j = cg_loop(g, cg_i64(g, 0), b->stride, 1);
  LLVMValueRef at = cg_add(g, k, j.i), here = cg_lt(g, at, p->K), row = cg_mul(g, cg_add(g, p->n0, i.i), p->row);
  LLVMValueRef v = cg_load(g, elem, stored_at(g, p, cg_add(g, row, cg_min(g, at, cg_sub(g, p->K, cg_i64(g, 1))))));
  cg_store(g, cg_select(g, here, v, LLVMConstNull(elem)), cg_at(g, elem, b->from, cg_add(g, cg_mul(g, i.i, b->stride), j.i)));
  cg_loop_end(g, &j);
  cg_loop_end(g, &i);
}

// What it became, from b->to to where it belongs: nothing may be written behind the panel.
static void unstage(Cg *g, const Pack *p, const Square *b, LLVMValueRef k) {
  LLVMTypeRef elem = cg_dtype(g, p->to), row = LLVMVectorType(elem, PANEL);
  LLVMValueRef left = cg_sub(g, p->K, k), to = row_of_panel(g, p, k);
  CgLoop l = cg_loop(g, cg_i64(g, 0), p->to == DT_BF16 ? cg_mul(g, cg_ceildiv(g, left, 2), cg_i64(g, 2)) : left, 1);
  LLVMValueRef at = cg_mul(g, l.i, cg_i64(g, PANEL));
  cg_store(g, cg_load(g, row, cg_at(g, elem, b->to, at)), cg_at(g, elem, to, at));
  cg_loop_end(g, &l);
}

static void block(Cg *g, const Pack *p, LLVMValueRef k, LLVMValueRef rows) {
  LLVMValueRef step = cg_i64(g, step_of(p)), part = cg_lt(g, cg_sub(g, p->K, k), step);
  const Square beside = {cg_scratch(g, STAGED), step, cg_scratch(g, TURNED)};
  CgIf before = cg_if(g, part);
  stage(g, p, &beside, k);
  cg_endif(g, &before);
  Square b = {cg_select(g, part, beside.from, stored_at(g, p, cg_add(g, cg_mul(g, p->n0, p->row), k))), cg_select(g, part, step, p->row),
              cg_select(g, part, beside.to, row_of_panel(g, p, k))};
  turn(g, p, &b, rows);
  CgIf after = cg_if(g, part);
  unstage(g, p, &beside, k);
  cg_endif(g, &after);
}

// The panel of p, all of its K.
static void panel(Cg *g, const Pack *p) {
  LLVMValueRef rows = cg_mask16(g, p->lanes);
  if (p->turned) {
    CgIf full = cg_if(g, cg_lt(g, cg_i64(g, PANEL - 1), p->lanes));
    columns(g, p, NULL);
    cg_else(g, &full);
    columns(g, p, rows);
    cg_endif(g, &full);
    return;
  }
  CgLoop l = cg_loop(g, cg_i64(g, 0), p->K, step_of(p));
  block(g, p, l.i, rows);
  cg_loop_end(g, &l);
}

// ---- int8

// A group of `count` rows from k0 on, to `at`.
static void group(Cg *g, const Pack *p, LLVMValueRef k0, LLVMValueRef count, LLVMValueRef at) {
  LLVMTypeRef halves = LLVMVectorType(g->i16, LANES);
  Pack wide = *p;
  wide.to = DT_F32, wide.panel = cg_scratch(g, 0), wide.K = count;
  wide.w = stored_at(g, p, p->turned ? cg_mul(g, k0, p->N) : k0);
  panel(g, &wide);
  LLVMValueRef most = cg_var(g, g->v16i32, LLVMConstNull(g->v16i32));
  CgLoop l = cg_loop(g, cg_i64(g, 0), count, 1);
  cg_set(g, most, int8_larger(g, int8_magnitude(g, cg_load16(g, row_of_panel(g, &wide, l.i))), cg_get(g, g->v16i32, most)));
  cg_loop_end(g, &l);
  LLVMValueRef scales = int8_scales(g, cg_get(g, g->v16i32, most)), high = LLVMBuildLShr(g->b, LLVMBuildBitCast(g->b, scales, g->v16i32, ""), cg_words(g, LANES, 16), "");
  cg_store(g, LLVMBuildTrunc(g->b, high, halves, ""), at);
  l = cg_loop(g, cg_i64(g, 0), count, INT8_QUAD);
  LLVMValueRef word = LLVMConstNull(g->v16i32);
  for (int i = 0; i < INT8_QUAD; i++) {            // behind the last row: 0
    LLVMValueRef k = cg_add(g, l.i, cg_i64(g, i)), here = cg_lt(g, k, count), zero = cg_splatc(g, 0);
    LLVMValueRef v = cg_select(g, here, cg_load16(g, row_of_panel(g, &wide, cg_min(g, k, cg_sub(g, count, cg_i64(g, 1))))), zero);
    LLVMValueRef q = cg_fadd(g, int8_whole(g, v, scales), cg_splatc(g, INT8_ZERO));
    q = LLVMBuildFPToSI(g->b, cg_select(g, here, q, cg_splatc(g, INT8_ZERO)), g->v16i32, "");
    word = LLVMBuildOr(g->b, word, LLVMBuildShl(g->b, q, cg_words(g, LANES, 8 * (uint32_t)i), ""), "");
  }
  cg_store(g, word, cg_at(g, g->i8, at, cg_mul(g, cg_add(g, l.i, cg_i64(g, INT8_SCALE_BYTES)), cg_i64(g, PANEL))));
  cg_loop_end(g, &l);
}

static void groups(Cg *g, const Pack *p) {
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_ceildiv(g, p->K, INT8_GROUP), 1);
  LLVMValueRef k = cg_mul(g, l.i, cg_i64(g, INT8_GROUP));
  group(g, p, k, cg_min(g, cg_i64(g, INT8_GROUP), cg_sub(g, p->K, k)), cg_at(g, g->i8, p->panel, cg_mul(g, l.i, cg_i64(g, panel_elems(DT_I8, INT8_GROUP)))));
  cg_loop_end(g, &l);
}

// ---- the function, and the kernels that call it

static void body(Cg *g, Dtype dt, Dtype to, bool turned) {
  Pack p = {.N = LLVMGetParam(g->fn, P_N), .K = LLVMGetParam(g->fn, P_K), .turned = turned, .dt = dt, .to = to, .w = cg_arg_ptr(g, KARG(PACK, w))};
  p.row = p.K;
  p.n0 = cg_mul(g, cg_task(g), cg_i64(g, PANEL));
  p.panel = cg_at(g, cg_dtype(g, to), cg_arg_ptr(g, KARG(PACK, packed)), cg_mul(g, cg_task(g), LLVMGetParam(g->fn, P_PANEL)));
  p.lanes = cg_min(g, cg_i64(g, PANEL), cg_sub(g, p.N, p.n0));
  if (to == DT_I8) groups(g, &p);
  else panel(g, &p);
}

void emit_PACK(Cg *g, const Kernel *k) {
  Dtype dt = k->arg[KARG(PACK, w)].dt, to = cg_panel(g, k, KARG(PACK, packed));
  LLVMTypeRef t[P_COUNT] = {g->i64, g->ptr, g->ptr, g->i64, g->i64, g->i64}, type = LLVMFunctionType(g->void_t, t, P_COUNT, false);
  LLVMValueRef arg[P_COUNT] = {LLVMGetParam(g->fn, 0), LLVMGetParam(g->fn, 1), LLVMGetParam(g->fn, 2), cg_i64(g, k->PACK.N), cg_i64(g, k->PACK.K),
                               cg_i64(g, panel_elems(to, k->PACK.K))};
  char name[64];
  CgShared s;
  cg_need_scratch(g, SCRATCH);
  snprintf(name, sizeof name, "pack_%s_%s_%s%s", g->isa->name, dtype_name(dt), dtype_name(to), k->PACK.turned ? "_turned" : "");
  if (cg_shared(g, &s, name, type)) body(g, dt, to, k->PACK.turned), cg_shared_end(g, &s);
  cg_call(g, type, s.fn, arg, P_COUNT);
}
