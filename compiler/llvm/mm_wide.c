// Panels that are stored narrower than they are multiplied. Few rows: the micro-kernel widens in registers and reads each panel once (mm_tile.c). More
// rows: a block of MM_KC k is widened to scratch, which stays in L2 while all rows go by, so that its cost is shared among them. Either way an output is
// the same chain of fused multiply-adds.
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

// k in [k0, k0 + depth) of `panels` panels to dst[panels][MM_KC][16].
static void widen(Cg *g, const MmOperand *B, LLVMValueRef panels, LLVMValueRef k0, LLVMValueRef depth, LLVMValueRef dst) {
  CgLoop p = cg_loop(g, cg_i64(g, 0), panels, 1);
  LLVMValueRef from = cg_at(g, cg_dtype(g, B->dt), B->p, cg_mul(g, p.i, B->panel)), to = cg_at(g, g->f32, dst, cg_mul(g, p.i, cg_i64(g, MM_KC * PANEL)));
  int n = B->dt == DT_BF16 ? 2 : 1;                        // of an odd depth the last is followed by what nobody reads
  CgLoop l = cg_loop(g, cg_i64(g, 0), depth, n);
  LLVMValueRef v[2];
  mm_panel_rows(g, B->dt, from, cg_add(g, k0, l.i), n, v);
  for (int i = 0; i < n; i++) cg_store16(g, v[i], cg_at(g, g->f32, to, cg_mul(g, cg_add(g, l.i, cg_i64(g, i)), cg_i64(g, PANEL))));
  cg_loop_end(g, &l);
  cg_loop_end(g, &p);
}

void cg_mm_stored(Cg *g, const MmCall *c, int64_t cols, int64_t scratch) {
  if (c->B.dt == DT_F32) {
    cg_mm(g, c);
    return;
  }
  cg_need_scratch(g, scratch + cols * MM_KC * 4);
  LLVMValueRef dst = cg_scratch(g, scratch), zero = cg_i64(g, 0);
  CgIf few = cg_if(g, cg_lt(g, c->M, cg_i64(g, mm_most_rows(g->isa, c->B.dt) + 1)));
  cg_mm(g, c);
  cg_else(g, &few);
  CgLoop l = cg_loop(g, zero, c->K, MM_KC);
  LLVMValueRef depth = cg_min(g, cg_i64(g, MM_KC), cg_sub(g, c->K, l.i)), later = LLVMBuildZExt(g->b, cg_lt(g, zero, l.i), g->i64, "");
  widen(g, &c->B, cg_ceildiv(g, c->N, PANEL), l.i, depth, dst);
  MmCall part = *c;
  part.A.p = cg_at(g, g->f32, c->A.p, c->A.k ? cg_mul(g, l.i, c->A.k) : l.i);
  part.B = mm_packed(DT_F32, dst, cg_i64(g, MM_KC * PANEL));
  part.K = depth;
  part.acc = c->acc ? LLVMBuildOr(g->b, c->acc, later, "") : later;
  part.next = NULL;
  cg_mm(g, &part);
  cg_loop_end(g, &l);
  cg_endif(g, &few);
}
