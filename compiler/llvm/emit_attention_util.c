// What the forward and the backward attention emitters share: reading masks, lanes of an interval, rows of vectors.
#include "llvm/emit_attention.h"

int64_t attn_round16(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

int64_t attn_chunk(Cg *g) {
  int64_t tile = g->isa->mm.rows;
  return (24 + tile - 1) / tile * tile;
}

int64_t attn_region(AttnScratch *s, int64_t floats) {
  int64_t at = s->used;
  s->used += attn_round16(floats) * 4;
  return at;
}

LLVMValueRef attn_floats(Cg *g, int64_t offset, LLVMValueRef index) { return cg_at(g, g->f32, cg_scratch(g, offset), index); }

static LLVMValueRef field(Cg *g, LLVMTypeRef t, LLVMValueRef p, int64_t offset) {
  return cg_load(g, t, cg_at(g, g->i8, p, cg_i64(g, offset)));
}

LLVMValueRef attn_field_i32(Cg *g, LLVMValueRef p, int64_t offset) {
  return LLVMBuildSExt(g->b, field(g, g->i32, p, offset), g->i64, "");
}
LLVMValueRef attn_field_i64(Cg *g, LLVMValueRef p, int64_t offset) { return field(g, g->i64, p, offset); }
LLVMValueRef attn_field_ptr(Cg *g, LLVMValueRef p, int64_t offset) { return field(g, g->ptr, p, offset); }

LLVMValueRef attn_index_i32(Cg *g, LLVMValueRef p, LLVMValueRef i) {
  return LLVMBuildSExt(g->b, cg_load(g, g->i32, cg_at(g, g->i32, p, i)), g->i64, "");
}

LLVMValueRef attn_floor(Cg *g, LLVMValueRef a, int64_t multiple) {
  return cg_mul(g, cg_udiv(g, a, cg_i64(g, multiple)), cg_i64(g, multiple));
}
LLVMValueRef attn_ceil(Cg *g, LLVMValueRef a, int64_t multiple) {
  return cg_mul(g, cg_ceildiv(g, a, multiple), cg_i64(g, multiple));
}

void attn_span(Cg *g, LLVMValueRef lo, LLVMValueRef hi, LLVMValueRef first, LLVMValueRef count, LLVMValueRef *min,
               LLVMValueRef *max) {
  LLVMValueRef most = cg_i64(g, INT32_MAX), least = cg_i64(g, 0);
  LLVMValueRef vmin = cg_var(g, g->i64, most), vmax = cg_var(g, g->i64, least);
  CgLoop l = cg_loop(g, first, cg_add(g, first, count), 1);
  LLVMValueRef a = attn_index_i32(g, lo, l.i), b = attn_index_i32(g, hi, l.i), some = cg_lt(g, a, b);
  cg_set(g, vmin, cg_min(g, cg_get(g, g->i64, vmin), cg_select(g, some, a, most)));
  cg_set(g, vmax, cg_max(g, cg_get(g, g->i64, vmax), cg_select(g, some, b, least)));
  cg_loop_end(g, &l);
  *min = cg_get(g, g->i64, vmin);
  *max = cg_get(g, g->i64, vmax);
}

void attn_inner(Cg *g, LLVMValueRef lo, LLVMValueRef hi, LLVMValueRef first, LLVMValueRef count, LLVMValueRef *max_lo, LLVMValueRef *min_hi) {
  LLVMValueRef from = cg_var(g, g->i64, cg_i64(g, 0)), to = cg_var(g, g->i64, cg_i64(g, INT32_MAX));
  CgLoop l = cg_loop(g, first, cg_add(g, first, count), 1);
  cg_set(g, from, cg_max(g, cg_get(g, g->i64, from), attn_index_i32(g, lo, l.i)));
  cg_set(g, to, cg_min(g, cg_get(g, g->i64, to), attn_index_i32(g, hi, l.i)));
  cg_loop_end(g, &l);
  *max_lo = cg_get(g, g->i64, from), *min_hi = cg_get(g, g->i64, to);
}

AttnRow attn_row(Cg *g, LLVMValueRef lo, LLVMValueRef hi, LLVMValueRef row, LLVMValueRef block) {
  LLVMValueRef a = attn_index_i32(g, lo, row), b = attn_index_i32(g, hi, row);
  LLVMValueRef width = cg_max(g, cg_sub(g, b, a), cg_i64(g, 0));
  return (AttnRow){LLVMBuildTrunc(g->b, cg_sub(g, a, block), g->i32, ""), LLVMBuildTrunc(g->b, width, g->i32, "")};
}

static LLVMValueRef splat_i32(Cg *g, LLVMValueRef x) {
  LLVMValueRef one = LLVMBuildInsertElement(g->b, LLVMGetPoison(g->v16i32), x, cg_i32(g, 0), "");
  return LLVMBuildShuffleVector(g->b, one, LLVMGetPoison(g->v16i32), LLVMConstNull(g->v16i32), "");
}

// col + lane - lo, unsigned, is below width exactly inside [lo, lo + width).
LLVMValueRef attn_visible(Cg *g, AttnRow r, LLVMValueRef col) {
  LLVMValueRef lane[LANES];
  for (int i = 0; i < LANES; i++) lane[i] = cg_i32(g, i);
  LLVMValueRef start = LLVMBuildSub(g->b, LLVMBuildTrunc(g->b, col, g->i32, ""), r.lo, "");
  LLVMValueRef at = LLVMBuildAdd(g->b, splat_i32(g, start), LLVMConstVector(lane, LANES), "");
  return LLVMBuildICmp(g->b, LLVMIntULT, at, splat_i32(g, r.width), "");
}

// ---- rows of a constant number of floats

void attn_each16(Cg *g, int64_t n, AttnEach *f, void *user) {
  int64_t whole = n / LANES * LANES;
  if (whole == LANES) {
    f(g, user, cg_i64(g, 0), NULL);
  } else if (whole) {
    CgLoop l = cg_loop(g, cg_i64(g, 0), cg_i64(g, whole), LANES);
    f(g, user, l.i, NULL);
    cg_loop_end(g, &l);
  }
  if (whole < n) f(g, user, cg_i64(g, whole), cg_mask16(g, cg_i64(g, n - whole)));
}

LLVMValueRef attn_load(Cg *g, LLVMValueRef p, LLVMValueRef at, LLVMValueRef mask) {
  p = cg_at(g, g->f32, p, at);
  return mask ? cg_load16_mask(g, p, mask) : cg_load16(g, p);
}

void attn_store(Cg *g, LLVMValueRef v, LLVMValueRef p, LLVMValueRef at, LLVMValueRef mask) {
  p = cg_at(g, g->f32, p, at);
  if (mask) cg_store16_mask(g, v, p, mask);
  else cg_store16(g, v, p);
}

static void zero_vector(Cg *g, void *user, LLVMValueRef at, LLVMValueRef mask) {
  attn_store(g, cg_splatc(g, 0), user, at, mask);
}

void attn_zero(Cg *g, LLVMValueRef p, LLVMValueRef stride, LLVMValueRef rows, int64_t n) {
  CgLoop l = cg_loop(g, cg_i64(g, 0), rows, 1);
  attn_each16(g, n, zero_vector, cg_at(g, g->f32, p, cg_mul(g, l.i, stride)));
  cg_loop_end(g, &l);
}
