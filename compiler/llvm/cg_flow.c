// Code generation helpers: variables, loops and branches.
#include "llvm/cg.h"

static LLVMBasicBlockRef block(Cg *g) { return LLVMAppendBasicBlockInContext(g->ctx, g->fn, ""); }

LLVMValueRef cg_var(Cg *g, LLVMTypeRef t, LLVMValueRef init) {
  LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b), entry = LLVMGetEntryBasicBlock(g->fn);
  LLVMValueRef first = LLVMGetFirstInstruction(entry);
  if (first) LLVMPositionBuilderBefore(g->b, first);
  else LLVMPositionBuilderAtEnd(g->b, entry);
  LLVMValueRef var = LLVMBuildAlloca(g->b, t, "");
  LLVMPositionBuilderAtEnd(g->b, here);
  if (init) cg_set(g, var, init);
  return var;
}

LLVMValueRef cg_get(Cg *g, LLVMTypeRef t, LLVMValueRef var) { return LLVMBuildLoad2(g->b, t, var, ""); }
void cg_set(Cg *g, LLVMValueRef var, LLVMValueRef v) { LLVMBuildStore(g->b, v, var); }

CgLoop cg_loop(Cg *g, LLVMValueRef lo, LLVMValueRef hi, int64_t step) {
  CgLoop l = {.head = block(g), .body = block(g), .exit = block(g), .step = cg_i64(g, step)};
  l.var = cg_var(g, g->i64, lo);
  LLVMBuildBr(g->b, l.head);
  LLVMPositionBuilderAtEnd(g->b, l.head);
  l.i = cg_get(g, g->i64, l.var);
  LLVMBuildCondBr(g->b, cg_lt(g, l.i, hi), l.body, l.exit);
  LLVMPositionBuilderAtEnd(g->b, l.body);
  return l;
}

void cg_loop_end(Cg *g, CgLoop *l) {
  cg_set(g, l->var, cg_add(g, l->i, l->step));
  LLVMBuildBr(g->b, l->head);
  LLVMPositionBuilderAtEnd(g->b, l->exit);
}

CgIf cg_if(Cg *g, LLVMValueRef cond) {
  CgIf i = {.otherwise = block(g), .exit = block(g)};
  LLVMBasicBlockRef then = block(g);
  LLVMBuildCondBr(g->b, cond, then, i.otherwise);
  LLVMPositionBuilderAtEnd(g->b, then);
  return i;
}

void cg_else(Cg *g, CgIf *i) {
  LLVMBuildBr(g->b, i->exit);
  LLVMPositionBuilderAtEnd(g->b, i->otherwise);
  i->has_else = true;
}

void cg_endif(Cg *g, CgIf *i) {
  LLVMBuildBr(g->b, i->exit);
  if (!i->has_else) {
    LLVMPositionBuilderAtEnd(g->b, i->otherwise);
    LLVMBuildBr(g->b, i->exit);
  }
  LLVMPositionBuilderAtEnd(g->b, i->exit);
}

void cg_columns(Cg *g, LLVMValueRef lo, LLVMValueRef hi, CgLanes *f, void *user) {
  LLVMValueRef lanes = cg_i64(g, LANES);
  LLVMValueRef full = cg_add(g, lo, cg_mul(g, cg_udiv(g, cg_sub(g, hi, lo), lanes), lanes));
  CgLoop l = cg_loop(g, lo, full, LANES);
  f(g, user, l.i, NULL);
  cg_loop_end(g, &l);
  CgIf tail = cg_if(g, cg_lt(g, full, hi));
  f(g, user, full, cg_mask16(g, cg_sub(g, hi, full)));
  cg_endif(g, &tail);
}

static void zero_lanes(Cg *g, void *user, LLVMValueRef col, LLVMValueRef mask) {
  cg_store_lanes(g, cg_splatc(g, 0), cg_at(g, g->f32, (LLVMValueRef)user, col), mask);
}
void cg_zero_columns(Cg *g, LLVMValueRef lo, LLVMValueRef hi, LLVMValueRef row) { cg_columns(g, lo, hi, zero_lanes, row); }
