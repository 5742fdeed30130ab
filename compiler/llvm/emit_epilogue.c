// Gemm epilogues: an elementwise program over a tile that is still in cache.
#include "llvm/emit_row.h"

#include <stdlib.h>

#include "dsl/base/alloc.h"

static void chunk(RowEmit *e, RowPos *pos, LLVMValueRef col, LLVMValueRef mask) {
  pos->inner = col;
  pos->mask = mask;
  for (int i = 0; i < e->p->n; i++) e->cur[i] = NULL;
  for (int i = 0; i < e->p->n; i++) {
    if (e->p->v[i].store >= 0) row_value(e, i, pos);
  }
  for (int i = 0; i < e->p->n; i++) {                       // after all loads: an argument may be updated in place
    if (e->p->v[i].store >= 0) row_store(e, i, e->cur[i], pos);
  }
}

void emit_epilogue(Cg *g, const Kernel *k, const RowProg *p, LLVMValueRef *acc_tile, LLVMValueRef acc_stride,
                   LLVMValueRef row0, LLVMValueRef nrows, LLVMValueRef col0, LLVMValueRef ncols) {
  size_t n = (size_t)p->n + 1;
  int *loop = need_alloc(n, sizeof *loop);
  RowEmit e = {.g = g, .k = k, .p = p, .loop = loop, .acc = acc_tile, .acc_stride = acc_stride,
               .acc_row = row0, .acc_col = col0};
  e.keep = need_alloc(n, sizeof *e.keep);
  e.cur = need_alloc(n, sizeof *e.cur);
  CgLoop r = cg_loop(g, row0, cg_add(g, row0, nrows), 1);
  RowPos pos = {.row = r.i, .flat = true};
  LLVMValueRef full = cg_mul(g, cg_udiv(g, ncols, cg_i64(g, LANES)), cg_i64(g, LANES));
  CgLoop c = cg_loop(g, cg_i64(g, 0), full, LANES);
  chunk(&e, &pos, cg_add(g, col0, c.i), NULL);
  cg_loop_end(g, &c);
  CgIf tail = cg_if(g, cg_lt(g, full, ncols));
  chunk(&e, &pos, cg_add(g, col0, full), cg_mask16(g, cg_sub(g, ncols, full)));
  cg_endif(g, &tail);
  cg_loop_end(g, &r);
  free(loop);
  free(e.keep);
  free(e.cur);
}
