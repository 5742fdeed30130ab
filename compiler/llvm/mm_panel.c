// How a panel of each dtype is read: f16 through the processor's conversion, bf16 as pairs, of which each half is an f32 by one operation, int8 as whole
// numbers times their group's scale, which is exact. And how pairs are made: f32 rounded as the processor rounds.
// Scaling what was summed over a group of int8 would save an operation a number, but not backwards: there the sum runs over rows, each with scales of its
// own. So both ways multiply the same numbers, in the same chains as if the file had held these.
#include "llvm/int8.h"
#include "llvm/mm.h"

static int lanes_of(LLVMValueRef v) { return (int)LLVMGetVectorSize(LLVMTypeOf(v)); }
static LLVMTypeRef words_like(Cg *g, LLVMValueRef v) { return LLVMVectorType(g->i32, (unsigned)lanes_of(v)); }

// Two bf16 of a column: the even k below.
void mm_halves(Cg *g, LLVMValueRef words, LLVMValueRef *even, LLVMValueRef *odd) {
  int lanes = lanes_of(words);
  LLVMTypeRef f = LLVMVectorType(g->f32, (unsigned)lanes);
  *even = LLVMBuildBitCast(g->b, LLVMBuildShl(g->b, words, cg_words(g, lanes, 16), ""), f, "");
  *odd = LLVMBuildBitCast(g->b, LLVMBuildAnd(g->b, words, cg_words(g, lanes, 0xffff0000), ""), f, "");
}

LLVMValueRef mm_group(Cg *g, LLVMValueRef panel, LLVMValueRef i) { return cg_at(g, g->i8, panel, cg_mul(g, i, cg_i64(g, panel_elems(DT_I8, INT8_GROUP)))); }

// A byte of words as f32, without a conversion: u stands in the last bits of 2^23 + u, or, where it lies 8 bits higher, of 2^15 + u; one fused step takes
// that times the scale, less (2^23 + INT8_ZERO) times the scale, which 24 bits can say of a scale of 8. Only the result is rounded, and needs none.
LLVMValueRef mm_group_row(Cg *g, LLVMValueRef word, int i, const Int8Scales *s) {
  bool high = i % 2;
  LLVMValueRef u = i < 2 ? word : LLVMBuildLShr(g->b, word, cg_words(g, LANES, 16), "");
  u = LLVMBuildAnd(g->b, u, cg_words(g, LANES, high ? 0xff00 : 0xff), "");
  u = LLVMBuildOr(g->b, u, cg_words(g, LANES, high ? 0x47000000 : 0x4b000000), "");
  return cg_fma(g, LLVMBuildBitCast(g->b, u, g->v16f32, ""), s->scale, high ? s->zero_high : s->zero);
}

Int8Scales mm_group_scales(Cg *g, LLVMValueRef group) {
  LLVMValueRef s = cg_load16_f32(g, DT_BF16, group, NULL);
  return (Int8Scales){s, cg_fmul(g, s, cg_splatc(g, -0x1p23 - INT8_ZERO)), cg_fmul(g, s, cg_splatc(g, -0x1p15 - INT8_ZERO))};
}

void mm_group_rows(Cg *g, LLVMValueRef group, const Int8Scales *s, LLVMValueRef within, int n, LLVMValueRef *v) {
  LLVMValueRef at = cg_at(g, g->i8, group, cg_mul(g, cg_add(g, within, cg_i64(g, INT8_SCALE_BYTES)), cg_i64(g, PANEL))), word = NULL;
  for (int i = 0; i < n; i++) {
    if (i % INT8_QUAD == 0) word = cg_load(g, g->v16i32, cg_at(g, g->i8, at, cg_i64(g, (int64_t)i * PANEL)));
    v[i] = mm_group_row(g, word, i % INT8_QUAD, s);
  }
}

void mm_panel_rows(Cg *g, Dtype dt, LLVMValueRef panel, LLVMValueRef k, int n, LLVMValueRef *v) {
  LLVMTypeRef elem = cg_dtype(g, dt);
  if (dt == DT_I8) {
    LLVMValueRef size = cg_i64(g, INT8_GROUP), group = mm_group(g, panel, cg_udiv(g, k, size));
    Int8Scales scales = mm_group_scales(g, group);
    mm_group_rows(g, group, &scales, cg_urem(g, k, size), n, v);
    return;
  }
  LLVMValueRef first = cg_at(g, elem, panel, cg_mul(g, k, cg_i64(g, PANEL)));
  for (int i = 0; i < n; i++) {
    LLVMValueRef at = cg_at(g, elem, first, cg_i64(g, (int64_t)i * PANEL)), odd;
    if (dt != DT_BF16) v[i] = cg_load16_f32(g, dt, at, NULL);
    else mm_halves(g, cg_load(g, g->v16i32, at), &v[i], i + 1 < n ? &v[i + 1] : &odd), i++;
  }
}

// To the nearest bf16, ties to even, in the upper half of each word; what VCVTNEPS2BF16 gives (Intel's manual): subnormals are 0, a NaN stays one.
static LLVMValueRef rounded_by_integers(Cg *g, LLVMValueRef v) {
  int lanes = lanes_of(v);
  LLVMValueRef u = LLVMBuildBitCast(g->b, v, words_like(g, v), ""), size = LLVMBuildAnd(g->b, u, cg_words(g, lanes, 0x7fffffff), "");
  LLVMValueRef last = LLVMBuildAnd(g->b, LLVMBuildLShr(g->b, u, cg_words(g, lanes, 16), ""), cg_words(g, lanes, 1), "");
  LLVMValueRef near = LLVMBuildAdd(g->b, LLVMBuildAdd(g->b, u, cg_words(g, lanes, 0x7fff), ""), last, "");
  LLVMValueRef nan = LLVMBuildICmp(g->b, LLVMIntUGT, size, cg_words(g, lanes, 0x7f800000), "");
  LLVMValueRef small = LLVMBuildICmp(g->b, LLVMIntULT, size, cg_words(g, lanes, 0x00800000), "");
  near = cg_select(g, nan, LLVMBuildOr(g->b, u, cg_words(g, lanes, 0x00400000), ""), near);
  return cg_select(g, small, LLVMBuildAnd(g->b, u, cg_words(g, lanes, 0x80000000), ""), near);
}

static LLVMTypeRef shorts(Cg *g, LLVMValueRef v) { return LLVMVectorType(g->i16, LLVMGetVectorSize(LLVMTypeOf(v))); }

LLVMValueRef mm_rounded(Cg *g, LLVMValueRef v) {
  if (cg_has_pairs(g->isa, g->precision) && LLVMGetVectorSize(LLVMTypeOf(v)) == LANES)
    return LLVMBuildBitCast(g->b, cg_intrinsic(g, "llvm.x86.avx512bf16.cvtneps2bf16.512", NULL, 0, &v, 1), shorts(g, v), "");
  LLVMValueRef u = rounded_by_integers(g, v);
  return LLVMBuildTrunc(g->b, LLVMBuildLShr(g->b, u, cg_words(g, lanes_of(u), 16), ""), shorts(g, v), "");
}

LLVMValueRef mm_behind(Cg *g, LLVMValueRef a, LLVMValueRef b) {
  int n = lanes_of(a);
  LLVMValueRef both[2] = {b, a}, at[2 * LANES];
  if (cg_has_pairs(g->isa, g->precision) && n == LANES)
    return LLVMBuildBitCast(g->b, cg_intrinsic(g, "llvm.x86.avx512bf16.cvtne2ps2bf16.512", NULL, 0, both, 2), LLVMVectorType(g->i16, 2 * LANES), "");
  for (int i = 0; i < 2 * n; i++) at[i] = cg_i32(g, i);
  return LLVMBuildShuffleVector(g->b, mm_rounded(g, a), mm_rounded(g, b), LLVMConstVector(at, (unsigned)(2 * n)), "");
}

LLVMValueRef mm_words(Cg *g, LLVMValueRef even, LLVMValueRef odd) {
  LLVMTypeRef t = words_like(g, even);
  if (odd && cg_has_pairs(g->isa, g->precision) && LLVMGetVectorSize(t) == LANES) {       // both by one instruction, behind each other
    LLVMValueRef at[2 * LANES], v = mm_behind(g, even, odd);
    for (int i = 0; i < 2 * LANES; i++) at[i] = cg_i32(g, i / 2 + i % 2 * LANES);
    v = LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(at, 2 * LANES), "");
    return LLVMBuildBitCast(g->b, v, g->v16i32, "");
  }
  LLVMValueRef low = LLVMBuildZExt(g->b, mm_rounded(g, even), t, "");
  if (!odd) return low;
  LLVMValueRef high = LLVMBuildZExt(g->b, mm_rounded(g, odd), t, "");
  return LLVMBuildOr(g->b, low, LLVMBuildShl(g->b, high, cg_words(g, lanes_of(even), 16), ""), "");
}

LLVMValueRef mm_pairs(Cg *g, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b) {
  if (cg_has_pairs(g->isa, g->precision)) {
    LLVMTypeRef bf = LLVMVectorType(LLVMBFloatTypeInContext(g->ctx), 2 * LANES);
    LLVMValueRef arg[3] = {acc, LLVMBuildBitCast(g->b, a, bf, ""), LLVMBuildBitCast(g->b, b, bf, "")};
    return cg_intrinsic(g, "llvm.x86.avx512bf16.dpbf16ps.512", NULL, 0, arg, 3);
  }
  LLVMValueRef a0, a1, b0, b1;
  mm_halves(g, a, &a0, &a1), mm_halves(g, b, &b0, &b1);
  return cg_fma(g, a0, b0, cg_fma(g, a1, b1, acc));
}

// Of each 64 bits the middle shorts are exchanged: from two rows of a panel for columns k and k + 1, to two columns for rows n and n + 1.
static LLVMValueRef pairs_across(Cg *g, LLVMValueRef words) {
  LLVMTypeRef halves = LLVMVectorType(g->i16, 2 * LANES);
  LLVMValueRef at[2 * LANES];
  for (int i = 0; i < 2 * LANES; i++) at[i] = cg_i32(g, i / 4 * 4 + (i % 4 == 1 ? 2 : i % 4 == 2 ? 1 : i % 4));
  LLVMValueRef v = LLVMBuildBitCast(g->b, words, halves, "");
  v = LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(halves), LLVMConstVector(at, 2 * LANES), "");
  return LLVMBuildBitCast(g->b, v, LLVMVectorType(g->f64, LANES / 2), "");
}

static void turn_words(Cg *g, LLVMValueRef rows, int count, LLVMValueRef v[PANEL]) {
  for (int i = 0; i < PANEL / 2; i++) {
    LLVMValueRef at = cg_at(g, g->i16, rows, cg_i64(g, (int64_t)i * 2 * PANEL));
    v[i] = 2 * i < count ? pairs_across(g, cg_load(g, g->v16i32, at)) : LLVMConstNull(LLVMVectorType(g->f64, LANES / 2));
  }
  mm_transpose(g, v, PANEL / 2);
  for (int i = 0; i < PANEL / 2; i++) v[i] = LLVMBuildBitCast(g->b, v[i], g->v16i32, "");
}

int mm_turn(Cg *g, Dtype dt, bool pairs, LLVMValueRef panel, LLVMValueRef k, int count, LLVMValueRef v[PANEL]) {
  if (pairs && dt == DT_BF16) {
    turn_words(g, cg_at(g, g->i16, panel, cg_mul(g, k, cg_i64(g, PANEL))), count, v);
    return PANEL / 2;
  }
  for (int i = count; i < PANEL; i++) v[i] = cg_splatc(g, 0);
  mm_panel_rows(g, dt, panel, k, count, v);
  mm_transpose(g, v, PANEL);
  for (int i = 0; pairs && i < PANEL / 2; i++) v[i] = mm_words(g, v[2 * i], v[2 * i + 1]);
  return pairs ? PANEL / 2 : PANEL;
}
