// Code generation helpers: integers, floats. See cg.h; memory and a kernel's parameters are in cg_mem.c, control flow in cg_flow.c.
#include "llvm/cg.h"

#include <string.h>

LLVMValueRef cg_i64(Cg *g, int64_t v) { return LLVMConstInt(g->i64, (unsigned long long)v, true); }
LLVMValueRef cg_i32(Cg *g, int32_t v) { return LLVMConstInt(g->i32, (unsigned long long)(int64_t)v, true); }

LLVMValueRef cg_words(Cg *g, int lanes, uint32_t v) {
  LLVMValueRef lane[2 * LANES];
  for (int i = 0; i < lanes; i++) lane[i] = cg_i32(g, (int32_t)v);
  return LLVMConstVector(lane, (unsigned)lanes);
}

LLVMValueRef cg_add(Cg *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildAdd(g->b, a, b, ""); }
LLVMValueRef cg_sub(Cg *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildSub(g->b, a, b, ""); }
LLVMValueRef cg_mul(Cg *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildMul(g->b, a, b, ""); }
LLVMValueRef cg_udiv(Cg *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildUDiv(g->b, a, b, ""); }
LLVMValueRef cg_urem(Cg *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildURem(g->b, a, b, ""); }

LLVMValueRef cg_ceildiv(Cg *g, LLVMValueRef a, int64_t b) {
  return b == 1 ? a : cg_udiv(g, cg_add(g, a, cg_i64(g, b - 1)), cg_i64(g, b));
}

LLVMValueRef cg_lt(Cg *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildICmp(g->b, LLVMIntSLT, a, b, ""); }
LLVMValueRef cg_select(Cg *g, LLVMValueRef c, LLVMValueRef a, LLVMValueRef b) {
  return LLVMBuildSelect(g->b, c, a, b, "");
}

LLVMValueRef cg_min(Cg *g, LLVMValueRef a, LLVMValueRef b) { return cg_select(g, cg_lt(g, a, b), a, b); }
LLVMValueRef cg_max(Cg *g, LLVMValueRef a, LLVMValueRef b) { return cg_select(g, cg_lt(g, a, b), b, a); }

LLVMValueRef cg_f32(Cg *g, double v) { return LLVMConstReal(g->f32, (float)v); }

LLVMValueRef cg_splat(Cg *g, LLVMValueRef scalar) {
  LLVMValueRef one = LLVMBuildInsertElement(g->b, LLVMGetPoison(g->v16f32), scalar, cg_i32(g, 0), "");
  return LLVMBuildShuffleVector(g->b, one, LLVMGetPoison(g->v16f32), LLVMConstNull(LLVMVectorType(g->i32, LANES)), "");
}

LLVMValueRef cg_splatc(Cg *g, double v) {
  LLVMValueRef lane[LANES];
  for (int i = 0; i < LANES; i++) lane[i] = cg_f32(g, v);
  return LLVMConstVector(lane, LANES);
}

LLVMValueRef cg_fadd(Cg *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFAdd(g->b, a, b, ""); }
LLVMValueRef cg_fsub(Cg *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFSub(g->b, a, b, ""); }
LLVMValueRef cg_fmul(Cg *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFMul(g->b, a, b, ""); }
LLVMValueRef cg_fdiv(Cg *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFDiv(g->b, a, b, ""); }
LLVMValueRef cg_fneg(Cg *g, LLVMValueRef a) { return LLVMBuildFNeg(g->b, a, ""); }

LLVMValueRef cg_fmax(Cg *g, LLVMValueRef a, LLVMValueRef b) {
  return cg_select(g, LLVMBuildFCmp(g->b, LLVMRealOGT, a, b, ""), a, b);
}

LLVMValueRef cg_fma(Cg *g, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
  LLVMTypeRef t = LLVMTypeOf(a);
  LLVMValueRef args[3] = {a, b, c};
  return cg_intrinsic(g, "llvm.fma", &t, 1, args, 3);
}

LLVMValueRef cg_sqrt(Cg *g, LLVMValueRef a) {
  LLVMTypeRef t = LLVMTypeOf(a);
  return cg_intrinsic(g, "llvm.sqrt", &t, 1, &a, 1);
}

// Halves a vector of n lanes and joins the halves with `join` until one lane is left.
static LLVMValueRef tree(Cg *g, LLVMValueRef v, LLVMValueRef (*join)(Cg *, LLVMValueRef, LLVMValueRef)) {
  for (unsigned n = LANES; n > 1; n /= 2) {
    LLVMValueRef low[LANES], high[LANES];
    for (unsigned i = 0; i < n / 2; i++) {
      low[i] = cg_i32(g, (int32_t)i);
      high[i] = cg_i32(g, (int32_t)(i + n / 2));
    }
    LLVMValueRef poison = LLVMGetPoison(LLVMTypeOf(v));
    LLVMValueRef a = LLVMBuildShuffleVector(g->b, v, poison, LLVMConstVector(low, n / 2), "");
    LLVMValueRef b = LLVMBuildShuffleVector(g->b, v, poison, LLVMConstVector(high, n / 2), "");
    v = join(g, a, b);
  }
  return LLVMBuildExtractElement(g->b, v, cg_i32(g, 0), "");
}

LLVMValueRef cg_sum16(Cg *g, LLVMValueRef v) { return tree(g, v, cg_fadd); }
LLVMValueRef cg_max16(Cg *g, LLVMValueRef v) { return tree(g, v, cg_fmax); }

LLVMValueRef cg_call(Cg *g, LLVMTypeRef fnty, LLVMValueRef f, LLVMValueRef *args, int n) {
  return LLVMBuildCall2(g->b, fnty, f, args, (unsigned)n, "");
}

LLVMValueRef cg_intrinsic(Cg *g, const char *name, LLVMTypeRef *overload, int nov, LLVMValueRef *args, int n) {
  unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
  LLVMValueRef f = LLVMGetIntrinsicDeclaration(g->mod, id, overload, (size_t)nov);
  return cg_call(g, LLVMIntrinsicGetType(g->ctx, id, overload, (size_t)nov), f, args, n);
}
