// Packing: a matrix as stored, w[N, K] row-major (or w[K, N]), to panels [ceil(N / 16)][K][16] f32. One task a panel; each lane is one
// row (column) of w.
#include <stdlib.h>

#include "llvm/cg.h"

static LLVMValueRef load_f32(Cg *g, Dtype dt, LLVMValueRef w, LLVMValueRef at) {
  switch (dt) {
    case DT_F32: return cg_load(g, g->f32, cg_at(g, g->f32, w, at));
    case DT_F16: {
      LLVMTypeRef half = LLVMHalfTypeInContext(g->ctx);
      return LLVMBuildFPExt(g->b, cg_load(g, half, cg_at(g, half, w, at)), g->f32, "");
    }
    case DT_BF16: {
      LLVMValueRef v = LLVMBuildZExt(g->b, cg_load(g, g->i16, cg_at(g, g->i16, w, at)), g->i32, "");
      return LLVMBuildBitCast(g->b, LLVMBuildShl(g->b, v, cg_i32(g, 16), ""), g->f32, "");
    }
    default: abort();
  }
}

LLVMValueRef tasks_PACK(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)g, (void)k, (void)ptr;
  return rows;
}

void emit_PACK(Cg *g, const Kernel *k) {
  int64_t N = k->dim[0], K = k->dim[1];
  Dtype dt = k->arg[0].dt;
  LLVMValueRef zero = cg_i64(g, 0), w = cg_arg_ptr(g, 0), n0 = cg_mul(g, cg_task(g), cg_i64(g, PANEL));
  LLVMValueRef panel = cg_at(g, g->f32, cg_arg_ptr(g, 1), cg_mul(g, n0, cg_i64(g, K)));
  LLVMValueRef lanes = cg_min(g, cg_i64(g, PANEL), cg_sub(g, cg_i64(g, N), n0));
  bool turned = k->dim[2];                                  // the inner loop runs along what lies together
  CgLoop one = cg_loop(g, zero, turned ? cg_i64(g, K) : lanes, 1);
  CgLoop two = cg_loop(g, zero, turned ? lanes : cg_i64(g, K), 1);
  LLVMValueRef n = turned ? two.i : one.i, c = turned ? one.i : two.i, row = cg_add(g, n0, n);
  LLVMValueRef at = turned ? cg_add(g, cg_mul(g, c, cg_i64(g, N)), row) : cg_add(g, cg_mul(g, row, cg_i64(g, K)), c);
  cg_store(g, load_f32(g, dt, w, at), cg_at(g, g->f32, panel, cg_add(g, cg_mul(g, c, cg_i64(g, PANEL)), n)));
  cg_loop_end(g, &two);
  cg_loop_end(g, &one);
  CgLoop pad = cg_loop(g, lanes, cg_i64(g, PANEL), 1);
  CgLoop z = cg_loop(g, zero, cg_i64(g, K), 1);
  cg_store(g, cg_f32(g, 0), cg_at(g, g->f32, panel, cg_add(g, cg_mul(g, z.i, cg_i64(g, PANEL)), pad.i)));
  cg_loop_end(g, &z);
  cg_loop_end(g, &pad);
}
