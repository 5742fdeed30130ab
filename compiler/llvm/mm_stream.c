// Products of few rows, which take as long as their panels take to be read: the rows are copied once, and panels go by in runs as long as they are, each line
// once and prefetched, several panels side by side, so that enough lines are under way; of widened ones a tile ahead. Of an output it is the same chain over k in the same order, so
// its bits are those that it has among many rows.
#include "llvm/mm.h"

#include <stdio.h>

#include "llvm/object.h"

static int most_few(const Isa *isa, const MmKernel *kernel) {
  int most = mm_most_rows(isa, kernel);
  return most < MM_FEW ? most : MM_FEW;
}

// Packed panels and rows as they are; of f32 only whole panels, since others may not be readable.
LLVMValueRef mm_is_few(Cg *g, const MmKernel *kernel, LLVMValueRef *arg) {
  LLVMValueRef is = cg_lt(g, arg[MM_M], cg_i64(g, most_few(g->isa, kernel) + 1));
  is = LLVMBuildAnd(g->b, is, LLVMBuildICmp(g->b, LLVMIntEQ, arg[MM_A_K], cg_i64(g, 1), ""), "");
  if (kernel->B != DT_F32) return is;
  is = LLVMBuildAnd(g->b, is, LLVMBuildICmp(g->b, LLVMIntEQ, arg[MM_B_K], cg_i64(g, PANEL), ""), "");
  return LLVMBuildAnd(g->b, is, LLVMBuildICmp(g->b, LLVMIntEQ, cg_urem(g, arg[MM_N], cg_i64(g, PANEL)), cg_i64(g, 0), ""), "");
}

static LLVMValueRef few_rows(Cg *g, const Isa *isa, const MmKernel *kernel, int m) {
  char name[64];
  snprintf(name, sizeof name, "mm_rows_%s%s_%d_few", isa->name, kernel->suffix, m);
  LLVMValueRef fn = cg_function(g, name, mm_rows_type(g), isa, false);
  mm_rows_body(g, m, true, true, kernel);
  LLVMBuildRetVoid(g->b);
  return fn;
}

static LLVMValueRef ceil_div(Cg *g, LLVMValueRef a, LLVMValueRef b) { return cg_udiv(g, cg_add(g, a, cg_sub(g, b, cg_i64(g, 1))), b); }

LLVMValueRef mm_emit_few(Cg *g, const Isa *isa, const MmKernel *kernel) {
  if (mm_most_rows(isa, kernel) == 0) return NULL;
  LLVMValueRef rows[MM_FEW + 1] = {NULL}, arg[MM_COUNT], null = LLVMConstNull(g->ptr), zero = cg_i64(g, 0);
  int most = most_few(isa, kernel), word = kernel->pairs ? 2 : 1;
  for (int m = 1; m <= most; m++) rows[m] = few_rows(g, isa, kernel, m);
  char name[64];
  snprintf(name, sizeof name, "mm_few_%s%s", isa->name, kernel->suffix);
  LLVMValueRef fn = cg_function(g, name, mm_type(g), isa, false);
  for (unsigned i = 0; i < MM_COUNT; i++) arg[i] = LLVMGetParam(g->fn, i);
  LLVMValueRef copy = mm_stack(g, (int64_t)most * MM_FEW_STRIDE + LANES);
  // passes of nearly equal length, a multiple of 16 words, or of a group, but for the last, for which the rows stay in L1
  int64_t numbers = kernel->B == DT_I8 ? INT8_GROUP : (int64_t)LANES * word;
  LLVMValueRef longest = cg_min(g, cg_i64(g, (int64_t)MM_FEW_KC * word), cg_udiv(g, cg_i64(g, (int64_t)MM_FEW_WORDS * word), arg[MM_M]));
  LLVMValueRef passes = cg_max(g, ceil_div(g, arg[MM_K], longest), cg_i64(g, 1)), unit = cg_i64(g, numbers);
  LLVMValueRef len = cg_mul(g, ceil_div(g, ceil_div(g, arg[MM_K], passes), unit), unit);
  CgLoop l = cg_loop(g, zero, passes, 1);
  LLVMValueRef k0 = cg_mul(g, l.i, len), k = cg_min(g, len, cg_sub(g, arg[MM_K], k0));
  CgIf some = cg_if(g, cg_lt(g, zero, k));
  CgLoop row = cg_loop(g, zero, arg[MM_M], 1);
  LLVMValueRef from = cg_at(g, g->f32, arg[MM_A], cg_add(g, cg_mul(g, row.i, arg[MM_A_ROW]), k0));
  mm_copy_a(g, kernel->pairs, cg_at(g, g->f32, copy, cg_mul(g, row.i, cg_i64(g, MM_FEW_STRIDE))), from, arg[MM_A_ROW], cg_i64(g, 1), cg_i64(g, 1), k);
  cg_loop_end(g, &row);
  LLVMValueRef wanted = LLVMBuildICmp(g->b, LLVMIntNE, arg[MM_NEXT], null, "");
  LLVMValueRef next = cg_select(g, wanted, arg[MM_NEXT], cg_at(g, cg_dtype(g, kernel->B), arg[MM_B], cg_mul(g, cg_ceildiv(g, arg[MM_N], PANEL), arg[MM_B_PANEL])));
  next = cg_select(g, cg_lt(g, cg_add(g, l.i, cg_i64(g, 1)), passes), mm_pass_panel(g, kernel, arg[MM_B], arg[MM_B_K], cg_add(g, k0, len)), next);
  LLVMValueRef acc = LLVMBuildOr(g->b, arg[MM_ACC], LLVMBuildZExt(g->b, cg_lt(g, zero, k0), g->i64, ""), "");
  LLVMValueRef call[MMR_COUNT] = {[MMR_A] = copy, [MMR_B] = mm_pass_panel(g, kernel, arg[MM_B], arg[MM_B_K], k0),
                                  [MMR_B_K] = arg[MM_B_K], [MMR_B_PANEL] = arg[MM_B_PANEL], [MMR_C] = arg[MM_C], [MMR_C_ROW] = arg[MM_C_ROW],
                                  [MMR_N] = arg[MM_N], [MMR_K] = word == 2 ? cg_ceildiv(g, k, 2) : k, [MMR_ACC] = acc, [MMR_TAIL] = null,
                                  [MMR_FETCH] = null, [MMR_FETCH_PANEL] = zero, [MMR_FETCH_K] = zero, [MMR_LEAD] = zero, [MMR_AFTER] = next};
  mm_call_rows(g, rows, most, arg[MM_M], call);
  cg_endif(g, &some);
  cg_loop_end(g, &l);
  LLVMBuildRetVoid(g->b);
  return fn;
}
