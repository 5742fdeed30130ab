// See int8.h; runtime/abi/int8.c is the same one by one.
#include "llvm/int8.h"

LLVMValueRef int8_magnitude(Cg *g, LLVMValueRef v) {
  return LLVMBuildAnd(g->b, LLVMBuildBitCast(g->b, v, g->v16i32, ""), cg_words(g, LANES, 0x7fffffff), "");
}

LLVMValueRef int8_larger(Cg *g, LLVMValueRef a, LLVMValueRef b) { return cg_select(g, LLVMBuildICmp(g->b, LLVMIntUGT, a, b, ""), a, b); }

LLVMValueRef int8_scales(Cg *g, LLVMValueRef most) {
  LLVMValueRef s = cg_fdiv(g, LLVMBuildBitCast(g->b, most, g->v16f32, ""), cg_splatc(g, INT8_MOST)), nan = cg_words(g, LANES, 0x7fc00000);
  LLVMValueRef bits = LLVMBuildBitCast(g->b, s, g->v16i32, ""), large = cg_words(g, LANES, 0x71800000);         // 2^100
  bits = LLVMBuildAnd(g->b, LLVMBuildAdd(g->b, bits, cg_words(g, LANES, 0xffff), ""), cg_words(g, LANES, 0xffff0000), "");      // up to the next bf16
  return LLVMBuildBitCast(g->b, cg_select(g, LLVMBuildICmp(g->b, LLVMIntULT, most, large, ""), bits, nan), g->v16f32, "");
}

LLVMValueRef int8_whole(Cg *g, LLVMValueRef v, LLVMValueRef scales) {
  LLVMValueRef q = cg_fdiv(g, v, scales);
  q = cg_intrinsic(g, "llvm.rint", &g->v16f32, 1, &q, 1);
  LLVMValueRef size = cg_intrinsic(g, "llvm.fabs", &g->v16f32, 1, &q, 1);
  return cg_select(g, LLVMBuildFCmp(g->b, LLVMRealOLE, size, cg_splatc(g, INT8_MOST), ""), q, cg_splatc(g, 0));
}
