// Packing: a matrix as stored, w[N, K] row-major (or w[K, N]), to panels (plan.h) of the width it is stored in. One task a panel; each
// lane is one row (column) of w. Rows go through registers in blocks of 16 x 16 words, of one f32 or two numbers of 16 bits that follow each
// other along k: loading a large model is as fast as reading it. As int8 a group of rows is turned into the scratch, as f32, and rounded from there.

#include "llvm/int8.h"
#include "llvm/mm.h"
#include "runtime/abi/abi.h"

_Static_assert(1 + KARG(PACK, packed) == RT_PACK_TO, "rt_abi.h: the word of a packing call");

LLVMValueRef tasks_PACK(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)g, (void)k, (void)ptr;
  return rows;
}

typedef struct Pack {
  int64_t N, K, row;           // row: numbers from a row of w[N, K] to the next
  bool turned;
  Dtype dt, to;                // as stored, of the panels
  LLVMValueRef w, panel, n0, lanes;   // first row of the panel, and how many of 16 there are
} Pack;

static LLVMValueRef stored_at(Cg *g, const Pack *p, LLVMValueRef at) { return cg_at(g, cg_dtype(g, p->dt), p->w, at); }
static LLVMValueRef row_of_panel(Cg *g, const Pack *p, LLVMValueRef k) { return cg_at(g, cg_dtype(g, p->to), p->panel, cg_mul(g, k, cg_i64(g, PANEL))); }

static LLVMValueRef load_f32(Cg *g, const Pack *p, LLVMValueRef at, LLVMValueRef mask) { return cg_load16_f32(g, p->dt, stored_at(g, p, at), mask); }

// ---- numbers of 16 bits

static LLVMTypeRef shorts(Cg *g, unsigned n) { return LLVMVectorType(g->i16, n); }

// `count` numbers along k as 16 words of two, rounded where they are wider than the panel; those behind are 0 and not touched.
static LLVMValueRef words(Cg *g, const Pack *p, LLVMValueRef at, int count) {
  if (p->dt != p->to) {
    LLVMValueRef half[2], join[2 * LANES];
    for (int i = 0; i < 2; i++) {
      int here = count - i * LANES;
      LLVMValueRef from = stored_at(g, p, cg_add(g, at, cg_i64(g, (int64_t)i * LANES)));
      LLVMValueRef v = here <= 0 ? cg_splatc(g, 0) : cg_load16_f32(g, p->dt, from, here < LANES ? cg_mask16(g, cg_i64(g, here)) : NULL);
      half[i] = mm_rounded(g, v);
    }
    for (int i = 0; i < 2 * LANES; i++) join[i] = cg_i32(g, i);
    return LLVMBuildBitCast(g->b, LLVMBuildShuffleVector(g->b, half[0], half[1], LLVMConstVector(join, 2 * LANES), ""), g->v16i32, "");
  }
  LLVMValueRef from = stored_at(g, p, at);
  if (count < 2 * LANES) return LLVMBuildBitCast(g->b, cg_load_mask(g, shorts(g, 2 * LANES), from, cg_mask(g, 2 * LANES, cg_i64(g, count))), g->v16i32, "");
  LLVMValueRef v = LLVMBuildLoad2(g->b, g->v16i32, from, "");
  LLVMSetAlignment(v, 2);
  return v;
}

// A word of 16 rows: rows k and k + 1 of the panel, or k alone.
static void store_word(Cg *g, const Pack *p, LLVMValueRef word, LLVMValueRef k, bool both) {
  if (p->to == DT_BF16) {
    cg_store(g, word, row_of_panel(g, p, k));
    return;
  }
  for (int i = 0; i < 1 + both; i++) {
    LLVMValueRef half = LLVMBuildTrunc(g->b, i ? LLVMBuildLShr(g->b, word, cg_words(g, LANES, 16), "") : word, shorts(g, LANES), "");
    cg_store(g, half, row_of_panel(g, p, cg_add(g, k, cg_i64(g, i))));
  }
}

// w[K, N]: rows k and k + 1 (or k alone) of this panel's columns, as words.
static LLVMValueRef two_rows(Cg *g, const Pack *p, LLVMValueRef k, bool both, LLVMValueRef mask) {
  LLVMValueRef word = NULL;
  if (p->dt != p->to) {
    LLVMValueRef v[2] = {0};
    for (int i = 0; i < 1 + both; i++) v[i] = load_f32(g, p, cg_add(g, cg_mul(g, cg_add(g, k, cg_i64(g, i)), cg_i64(g, p->N)), p->n0), mask);
    return mm_words(g, v[0], v[1]);
  }
  for (int i = 0; i < 1 + both; i++) {
    LLVMValueRef at = stored_at(g, p, cg_add(g, cg_mul(g, cg_add(g, k, cg_i64(g, i)), cg_i64(g, p->N)), p->n0));
    LLVMValueRef v = mask ? cg_load_mask(g, shorts(g, LANES), at, mask) : cg_load(g, shorts(g, LANES), at);
    v = LLVMBuildZExt(g->b, v, g->v16i32, "");
    word = i ? LLVMBuildOr(g->b, word, LLVMBuildShl(g->b, v, cg_words(g, LANES, 16), ""), "") : v;
  }
  return word;
}

// ---- both

static bool narrow(const Pack *p) { return p->to != DT_F32; }

// w[K, N]: the numbers of a k lie together already.
static void columns(Cg *g, const Pack *p, LLVMValueRef mask) {
  int64_t step = narrow(p) ? 2 : 1, whole = p->K / step * step;
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_i64(g, whole), step);
  if (narrow(p)) store_word(g, p, two_rows(g, p, l.i, true, mask), l.i, true);
  else cg_store16(g, load_f32(g, p, cg_add(g, cg_mul(g, l.i, cg_i64(g, p->N)), p->n0), mask), row_of_panel(g, p, l.i));
  cg_loop_end(g, &l);
  if (whole < p->K) store_word(g, p, two_rows(g, p, cg_i64(g, whole), false, mask), cg_i64(g, whole), false);
}

// w[N, K]: numbers k … k + count - 1 of each row, turned. Missing rows read the last one and become 0.
static void block(Cg *g, const Pack *p, LLVMValueRef k, int count, LLVMValueRef rows) {
  LLVMValueRef v[PANEL], last = cg_sub(g, p->lanes, cg_i64(g, 1)), mask = !narrow(p) && count < LANES ? cg_mask16(g, cg_i64(g, count)) : NULL;
  for (int i = 0; i < PANEL; i++) {
    LLVMValueRef at = cg_add(g, cg_mul(g, cg_add(g, p->n0, cg_min(g, cg_i64(g, i), last)), cg_i64(g, p->row)), k);
    v[i] = narrow(p) ? LLVMBuildBitCast(g->b, words(g, p, at, count), g->v16f32, "") : load_f32(g, p, at, mask);
  }
  mm_transpose(g, v, PANEL);
  int step = narrow(p) ? 2 : 1;
  for (int i = 0; i < count; i += step) {
    LLVMValueRef of_k = cg_select(g, rows, v[i / step], cg_splatc(g, 0)), at = cg_add(g, k, cg_i64(g, i));
    if (narrow(p)) store_word(g, p, LLVMBuildBitCast(g->b, of_k, g->v16i32, ""), at, i + 1 < count);
    else cg_store16(g, of_k, row_of_panel(g, p, at));
  }
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
  int step = narrow(p) ? 2 * LANES : LANES;
  int64_t whole = p->K / step * step;
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_i64(g, whole), step);
  block(g, p, l.i, step, rows);
  cg_loop_end(g, &l);
  if (whole < p->K) block(g, p, cg_i64(g, whole), (int)(p->K - whole), rows);
}

// ---- int8

// A group of `count` rows from k0 on, to `at`.
static void group(Cg *g, const Pack *p, LLVMValueRef k0, int64_t count, LLVMValueRef at) {
  LLVMTypeRef halves = LLVMVectorType(g->i16, LANES);
  Pack wide = *p;
  wide.to = DT_F32, wide.panel = cg_scratch(g, 0), wide.K = count;
  wide.w = stored_at(g, p, cg_mul(g, k0, cg_i64(g, p->turned ? p->N : 1)));
  panel(g, &wide);
  LLVMValueRef most = cg_var(g, g->v16i32, LLVMConstNull(g->v16i32)), end = cg_i64(g, count);
  CgLoop l = cg_loop(g, cg_i64(g, 0), end, 1);
  cg_set(g, most, int8_larger(g, int8_magnitude(g, cg_load16(g, row_of_panel(g, &wide, l.i))), cg_get(g, g->v16i32, most)));
  cg_loop_end(g, &l);
  LLVMValueRef scales = int8_scales(g, cg_get(g, g->v16i32, most)), high = LLVMBuildLShr(g->b, LLVMBuildBitCast(g->b, scales, g->v16i32, ""), cg_words(g, LANES, 16), "");
  cg_store(g, LLVMBuildTrunc(g->b, high, halves, ""), at);
  l = cg_loop(g, cg_i64(g, 0), cg_i64(g, (count + INT8_QUAD - 1) / INT8_QUAD * INT8_QUAD), INT8_QUAD);
  LLVMValueRef word = LLVMConstNull(g->v16i32);
  for (int i = 0; i < INT8_QUAD; i++) {            // behind the last row: 0
    LLVMValueRef k = cg_add(g, l.i, cg_i64(g, i)), here = cg_lt(g, k, end), zero = cg_splatc(g, 0);
    LLVMValueRef v = cg_select(g, here, cg_load16(g, row_of_panel(g, &wide, cg_min(g, k, cg_i64(g, count - 1)))), zero);
    LLVMValueRef q = cg_fadd(g, int8_whole(g, v, scales), cg_splatc(g, INT8_ZERO));
    q = LLVMBuildFPToSI(g->b, cg_select(g, here, q, cg_splatc(g, INT8_ZERO)), g->v16i32, "");
    word = LLVMBuildOr(g->b, word, LLVMBuildShl(g->b, q, cg_words(g, LANES, 8 * (uint32_t)i), ""), "");
  }
  cg_store(g, word, cg_at(g, g->i8, at, cg_mul(g, cg_add(g, l.i, cg_i64(g, INT8_SCALE_BYTES)), cg_i64(g, PANEL))));
  cg_loop_end(g, &l);
}

static void groups(Cg *g, const Pack *p) {
  int64_t whole = p->K / INT8_GROUP, rest = p->K % INT8_GROUP, bytes = panel_elems(DT_I8, INT8_GROUP);
  cg_need_scratch(g, INT8_GROUP * PANEL * 4);
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_i64(g, whole), 1);
  group(g, p, cg_mul(g, l.i, cg_i64(g, INT8_GROUP)), INT8_GROUP, cg_at(g, g->i8, p->panel, cg_mul(g, l.i, cg_i64(g, bytes))));
  cg_loop_end(g, &l);
  if (rest) group(g, p, cg_i64(g, whole * INT8_GROUP), rest, cg_at(g, g->i8, p->panel, cg_i64(g, whole * bytes)));
}

void emit_PACK(Cg *g, const Kernel *k) {
  Pack p = {.N = k->PACK.N, .K = k->PACK.K, .row = k->PACK.K, .turned = k->PACK.turned, .dt = k->arg[KARG(PACK, w)].dt, .to = cg_panel(g, k, KARG(PACK, packed)),
            .w = cg_arg_ptr(g, KARG(PACK, w))};
  p.n0 = cg_mul(g, cg_task(g), cg_i64(g, PANEL));
  p.panel = cg_at(g, cg_dtype(g, p.to), cg_arg_ptr(g, KARG(PACK, packed)), cg_mul(g, cg_task(g), cg_i64(g, panel_elems(p.to, p.K))));
  p.lanes = cg_min(g, cg_i64(g, PANEL), cg_sub(g, cg_i64(g, p.N), p.n0));
  if (p.to == DT_I8) groups(g, &p);
  else panel(g, &p);
}
