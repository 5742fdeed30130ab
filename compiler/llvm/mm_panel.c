// How a panel of each dtype is read: f16 through the processor's conversion, bf16 as pairs, of which each half is an f32 by one operation.
#include "llvm/mm.h"

// Two bf16 of a column: the even k below.
static void halves(Cg *g, LLVMValueRef pair, LLVMValueRef *even, LLVMValueRef *odd) {
  LLVMValueRef high[LANES], sixteen[LANES];
  for (int i = 0; i < LANES; i++) high[i] = cg_i32(g, (int32_t)0xffff0000), sixteen[i] = cg_i32(g, 16);
  *even = LLVMBuildBitCast(g->b, LLVMBuildShl(g->b, pair, LLVMConstVector(sixteen, LANES), ""), g->v16f32, "");
  *odd = LLVMBuildBitCast(g->b, LLVMBuildAnd(g->b, pair, LLVMConstVector(high, LANES), ""), g->v16f32, "");
}

void mm_panel_rows(Cg *g, Dtype dt, LLVMValueRef panel, LLVMValueRef k, int n, LLVMValueRef *v) {
  LLVMTypeRef elem = cg_dtype(g, dt);
  LLVMValueRef first = cg_at(g, elem, panel, cg_mul(g, k, cg_i64(g, PANEL)));
  for (int i = 0; i < n; i++) {
    LLVMValueRef at = cg_at(g, elem, first, cg_i64(g, (int64_t)i * PANEL)), odd;
    if (dt != DT_BF16) v[i] = cg_load16_f32(g, dt, at, NULL);
    else halves(g, cg_load(g, g->v16i32, at), &v[i], i + 1 < n ? &v[i + 1] : &odd), i++;
  }
}
