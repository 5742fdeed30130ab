// Gemm epilogues: an elementwise program over a tile that is still in cache. What a call leaves goes past the caches where it is too much for them: a line
// need not be read before it is written, and the panels of the next tasks stay in L2.
#include "llvm/emit_row.h"

#include <stdlib.h>

#include "dsl/base/alloc.h"

enum {
  LINE = 64,                   // bytes of a cache line
  FAR = 4 << 20,               // bytes
  AHEAD = 2,                   // rows
};

// What is read of the rows to come, pieces too short for a processor to foresee.
static void fetch_ahead(RowEmit *e, const RowPos *pos) {
  Cg *g = e->g;
  LLVMValueRef row = cg_add(g, pos->row, cg_i64(g, AHEAD));
  for (int i = 0; i < e->p->n; i++) {
    const RowVal *v = &e->p->v[i];
    if (v->src != RV_LOAD || rowval_elems(v) == 1 || !e->k->arg[v->arg].per_row) continue;
    const KArg *a = &e->k->arg[v->arg];
    cg_fetch(g, cg_at(g, cg_dtype(g, a->dt), cg_arg_ptr(g, v->arg), cg_add(g, cg_mul(g, row, cg_i64(g, a->elems)), pos->inner)), 3);
  }
}

static void chunk(RowEmit *e, RowPos *pos, LLVMValueRef col, LLVMValueRef mask) {
  pos->inner = col;
  pos->mask = mask;
  if (!mask) fetch_ahead(e, pos);
  for (int i = 0; i < e->p->n; i++) e->cur[i] = NULL;
  for (int i = 0; i < e->p->n; i++) {
    if (e->p->v[i].store >= 0) row_value(e, i, pos);
  }
  for (int i = 0; i < e->p->n; i++) {                       // after all loads: an argument may be updated in place
    if (e->p->v[i].store >= 0) row_store(e, i, e->cur[i], pos);
  }
}

// Whether what the call leaves is more than FAR and in whole lines. NULL: never.
static LLVMValueRef far_away(const RowEmit *e) {
  Cg *g = e->g;
  LLVMValueRef bits = cg_i64(g, 0);
  int64_t bytes = 0;
  for (int i = 0; i < e->p->n; i++) {
    int arg = e->p->v[i].store;
    if (arg < 0) continue;
    if (rowval_elems(&e->p->v[i]) % LANES || e->k->arg[arg].dt != DT_F32) return NULL;
    bytes += rowval_elems(&e->p->v[i]) * 4;
    bits = LLVMBuildOr(g->b, bits, cg_arg_word(g, 1 + arg), "");
  }
  LLVMValueRef lines = cg_lt(g, cg_urem(g, bits, cg_i64(g, LINE)), cg_i64(g, 1));
  return LLVMBuildAnd(g->b, lines, cg_lt(g, cg_i64(g, FAR), cg_mul(g, cg_rows(g), cg_i64(g, bytes))), "");
}

static void over_tile(RowEmit *e, LLVMValueRef row0, LLVMValueRef nrows, LLVMValueRef col0, LLVMValueRef ncols) {
  Cg *g = e->g;
  CgLoop r = cg_loop(g, row0, cg_add(g, row0, nrows), 1);
  RowPos pos = {.row = r.i, .flat = true};
  LLVMValueRef full = cg_mul(g, cg_udiv(g, ncols, cg_i64(g, LANES)), cg_i64(g, LANES));
  CgLoop c = cg_loop(g, cg_i64(g, 0), full, LANES);
  chunk(e, &pos, cg_add(g, col0, c.i), NULL);
  cg_loop_end(g, &c);
  CgIf tail = cg_if(g, cg_lt(g, full, ncols));
  chunk(e, &pos, cg_add(g, col0, full), cg_mask16(g, cg_sub(g, ncols, full)));
  cg_endif(g, &tail);
  cg_loop_end(g, &r);
}

void emit_epilogue(Cg *g, const Kernel *k, const RowProg *p, LLVMValueRef *acc_tile, LLVMValueRef acc_stride,
                   LLVMValueRef row0, LLVMValueRef nrows, LLVMValueRef col0, LLVMValueRef ncols) {
  size_t n = (size_t)p->n + 1;
  int *loop = need_alloc(n, sizeof *loop);
  RowEmit e = {.g = g, .k = k, .p = p, .loop = loop, .acc = acc_tile, .acc_stride = acc_stride,
               .acc_row = row0, .acc_col = col0};
  e.keep = need_alloc(n, sizeof *e.keep);
  e.cur = need_alloc(n, sizeof *e.cur);
  LLVMValueRef far = far_away(&e);
  if (far) {
    CgIf away = cg_if(g, far);
    e.past = true;
    over_tile(&e, row0, nrows, col0, ncols);
    cg_fence(g);
    cg_else(g, &away);
    e.past = false;
    over_tile(&e, row0, nrows, col0, ncols);
    cg_endif(g, &away);
  } else {
    over_tile(&e, row0, nrows, col0, ncols);
  }
  free(loop);
  free(e.keep);
  free(e.cur);
}
