// The matrix micro-kernels calm_mm_<isa> (contract: cg.h), emitted once per instruction set when calm itself is built. Loops: passes of
// MM_KC over k, in order, continuing each output's chain through C; blocks of rows of A, copied to the stack; panels of B.
// A partial last panel of B is copied, padded with zeros, once per pass, so that all tiles run the same code. The first block of rows
// takes B from memory, the others from L2: it brings the panels after the present ones to L2 meanwhile; the others the next block's rows
// of A, which lie too far apart for the processor to foresee; the very last block what the caller wants next.
#include "llvm/mm.h"

#include <stdio.h>
#include <stdlib.h>

#include "llvm/llvm.h"
#include "llvm/object.h"

enum { P_A, P_ARS, P_AKS, P_B, P_BKS, P_BPS, P_C, P_CRS, P_M, P_N, P_K, P_ACC, P_NEXT, P_NPS, P_COUNT };
enum { MOST_ROWS = 16 };
typedef struct RowsFns {
  LLVMValueRef any[MOST_ROWS + 1], packed[MOST_ROWS + 1];      // by number of rows
} RowsFns;

static LLVMTypeRef mm_type(Cg *g) {
  LLVMTypeRef t[P_COUNT] = {g->ptr, g->i64, g->i64, g->ptr, g->i64, g->i64, g->ptr, g->i64, g->i64, g->i64, g->i64, g->i64,
                             g->ptr, g->i64};
  return LLVMFunctionType(g->void_t, t, P_COUNT, 0);
}

void cg_mm(Cg *g, LLVMValueRef A, LLVMValueRef ars, LLVMValueRef aks, LLVMValueRef B, LLVMValueRef bks, LLVMValueRef bps, LLVMValueRef C,
           LLVMValueRef crs, LLVMValueRef M, LLVMValueRef N, LLVMValueRef K, LLVMValueRef acc) {
  cg_mm_then(g, A, ars, aks, B, bks, bps, C, crs, M, N, K, acc, LLVMConstNull(g->ptr), cg_i64(g, 0));
}

void cg_mm_then(Cg *g, LLVMValueRef A, LLVMValueRef ars, LLVMValueRef aks, LLVMValueRef B, LLVMValueRef bks, LLVMValueRef bps,
                LLVMValueRef C, LLVMValueRef crs, LLVMValueRef M, LLVMValueRef N, LLVMValueRef K, LLVMValueRef acc, LLVMValueRef next,
                LLVMValueRef nps) {
  char name[64];
  snprintf(name, sizeof name, "calm_mm_%s", g->isa->name);
  LLVMValueRef f = LLVMGetNamedFunction(g->mod, name);
  if (!f) f = LLVMAddFunction(g->mod, name, mm_type(g));
  LLVMValueRef arg[P_COUNT] = {A, ars, aks, B, bks, bps, C, crs, M, N, K, acc, next, nps};
  cg_call(g, mm_type(g), f, arg, P_COUNT);
}

// A buffer on the stack, aligned to a cache line.
static LLVMValueRef stack_floats(Cg *g, int64_t n) {
  LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b), entry = LLVMGetEntryBasicBlock(g->fn);
  LLVMValueRef first = LLVMGetFirstInstruction(entry);
  if (first) LLVMPositionBuilderBefore(g->b, first);
  else LLVMPositionBuilderAtEnd(g->b, entry);
  LLVMValueRef p = LLVMBuildAlloca(g->b, LLVMArrayType2(g->f32, (uint64_t)n), "");
  LLVMSetAlignment(p, 64);
  LLVMPositionBuilderAtEnd(g->b, here);
  return p;
}

// The last, partial panel's rows [0, k) as [k][PANEL].
static void copy_tail(Cg *g, LLVMValueRef dst, LLVMValueRef *arg, LLVMValueRef B, LLVMValueRef k) {
  LLVMValueRef whole = cg_udiv(g, arg[P_N], cg_i64(g, PANEL)), cols = cg_urem(g, arg[P_N], cg_i64(g, PANEL));
  CgIf in = cg_if(g, cg_lt(g, cg_i64(g, 0), cols));
  LLVMValueRef src = cg_at(g, g->f32, B, cg_mul(g, whole, arg[P_BPS])), mask = cg_mask16(g, cols);
  CgLoop l = cg_loop(g, cg_i64(g, 0), k, 1);
  LLVMValueRef v = cg_load16_mask(g, cg_at(g, g->f32, src, cg_mul(g, l.i, arg[P_BKS])), mask);
  cg_store16(g, v, cg_at(g, g->f32, dst, cg_mul(g, l.i, cg_i64(g, PANEL))));
  cg_loop_end(g, &l);
  cg_endif(g, &in);
}

// K = 0 without accumulation: zeros.
static void clear(Cg *g, LLVMValueRef *arg) {
  CgLoop rows = cg_loop(g, cg_i64(g, 0), arg[P_M], 1);
  LLVMValueRef row = cg_at(g, g->f32, arg[P_C], cg_mul(g, rows.i, arg[P_CRS]));
  CgLoop l = cg_loop(g, cg_i64(g, 0), arg[P_N], PANEL);
  cg_store16_mask(g, cg_splatc(g, 0), cg_at(g, g->f32, row, l.i), cg_mask16(g, cg_sub(g, arg[P_N], l.i)));
  cg_loop_end(g, &l);
  cg_loop_end(g, &rows);
}

// One of the functions for 1 … rows rows, by m.
static void call_rows(Cg *g, const LLVMValueRef *rows_fn, int count, LLVMValueRef m, LLVMValueRef *arg, int narg) {
  LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(g->ctx, g->fn, "done");
  LLVMValueRef sw = LLVMBuildSwitch(g->b, m, done, (unsigned)count);
  for (int i = 1; i <= count; i++) {
    LLVMBasicBlockRef bb = LLVMAppendBasicBlockInContext(g->ctx, g->fn, "");
    LLVMAddCase(sw, cg_i64(g, i), bb);
    LLVMPositionBuilderAtEnd(g->b, bb);
    cg_call(g, mm_rows_type(g), rows_fn[i], arg, narg);
    LLVMBuildBr(g->b, done);
  }
  LLVMPositionBuilderAtEnd(g->b, done);
}

// What the block of rows behind which A's next block lies prefetches (mm.h): fetch, fps, fks, lead, after.
static void what_to_fetch(Cg *g, LLVMValueRef *arg, LLVMValueRef B, LLVMValueRef below, LLVMValueRef kc, LLVMValueRef last_pass,
                          LLVMValueRef block, LLVMValueRef blocks, LLVMValueRef out[5]) {
  LLVMValueRef zero = cg_i64(g, 0), one = cg_i64(g, 1), panel = cg_i64(g, PANEL);
  LLVMValueRef first = cg_lt(g, block, one), last = cg_lt(g, blocks, cg_add(g, block, cg_i64(g, 2)));
  LLVMValueRef wanted = LLVMBuildICmp(g->b, LLVMIntNE, arg[P_NEXT], LLVMConstNull(g->ptr), "");
  LLVMValueRef callers = LLVMBuildAnd(g->b, LLVMBuildAnd(g->b, last, last_pass, ""), wanted, "");
  LLVMValueRef rows = LLVMBuildICmp(g->b, LLVMIntEQ, arg[P_AKS], one, "");      // else A turned: lines of it hold all rows
  LLVMValueRef first_or_turned = LLVMBuildOr(g->b, first, LLVMBuildNot(g->b, rows, ""), "");
  out[0] = cg_select(g, callers, arg[P_NEXT], cg_select(g, first_or_turned, B, below));
  out[1] = cg_select(g, callers, arg[P_NPS], cg_select(g, first_or_turned, arg[P_BPS], arg[P_ARS]));
  out[2] = cg_select(g, LLVMBuildOr(g->b, callers, first_or_turned, ""), panel, one);
  out[3] = cg_select(g, callers, zero, LLVMBuildZExt(g->b, first, g->i64, ""));
  out[4] = cg_select(g, last_pass, arg[P_B], cg_at(g, g->f32, B, cg_mul(g, kc, panel)));      // the next task's, or pass's, first
}

// One pass over k in [k0, k0 + kc): all rows in blocks of nearly equal size.
static void one_pass(Cg *g, LLVMValueRef *arg, const RowsFns *fns, LLVMValueRef k0, LLVMValueRef kc, LLVMValueRef abuf, LLVMValueRef tail) {
  int most = mm_shape(g->isa).rows;
  LLVMValueRef B = cg_at(g, g->f32, arg[P_B], cg_mul(g, k0, arg[P_BKS])), A = cg_at(g, g->f32, arg[P_A], cg_mul(g, k0, arg[P_AKS]));
  LLVMValueRef later = LLVMBuildZExt(g->b, cg_lt(g, cg_i64(g, 0), k0), g->i64, "");
  LLVMValueRef acc = LLVMBuildOr(g->b, arg[P_ACC], later, ""), last_pass = cg_lt(g, arg[P_K], cg_add(g, cg_add(g, k0, kc), cg_i64(g, 1)));
  copy_tail(g, tail, arg, B, kc);
  LLVMValueRef blocks = cg_ceildiv(g, arg[P_M], most);
  CgLoop l = cg_loop(g, cg_i64(g, 0), blocks, 1);
  LLVMValueRef m0 = cg_udiv(g, cg_mul(g, l.i, arg[P_M]), blocks);
  LLVMValueRef m1 = cg_udiv(g, cg_mul(g, cg_add(g, l.i, cg_i64(g, 1)), arg[P_M]), blocks);
  LLVMValueRef m = cg_sub(g, m1, m0);
  mm_copy_a(g, abuf, cg_at(g, g->f32, A, cg_mul(g, m0, arg[P_ARS])), arg[P_ARS], arg[P_AKS], m, kc);
  LLVMValueRef c = cg_at(g, g->f32, arg[P_C], cg_mul(g, m0, arg[P_CRS]));
  LLVMValueRef call[] = {abuf, B, arg[P_BKS], arg[P_BPS], c, arg[P_CRS], arg[P_N], kc, acc, tail, NULL, NULL, NULL, NULL, NULL};
  enum { NCALL = sizeof call / sizeof *call };
  LLVMValueRef below = cg_at(g, g->f32, A, cg_mul(g, m1, arg[P_ARS]));
  LLVMValueRef behind = cg_select(g, cg_lt(g, m1, arg[P_M]), below, cg_at(g, g->f32, A, kc));   // after the last: row 0 of the next pass
  what_to_fetch(g, arg, B, behind, kc, last_pass, l.i, blocks, call + NCALL - 5);
  CgIf packed = cg_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, arg[P_BKS], cg_i64(g, PANEL), ""));
  call_rows(g, fns->packed, most, m, call, NCALL);
  cg_else(g, &packed);
  call_rows(g, fns->any, most, m, call, NCALL);
  cg_endif(g, &packed);
  cg_loop_end(g, &l);
}

static void mm_body(Cg *g, const RowsFns *fns) {
  LLVMValueRef arg[P_COUNT], zero = cg_i64(g, 0);
  for (unsigned i = 0; i < P_COUNT; i++) arg[i] = LLVMGetParam(g->fn, i);
  LLVMValueRef abuf = stack_floats(g, MM_AROWS * MM_ASTRIDE), tail = stack_floats(g, MM_KC * PANEL);
  LLVMValueRef some = LLVMBuildAnd(g->b, cg_lt(g, zero, arg[P_M]), cg_lt(g, zero, arg[P_N]), "");
  CgIf work = cg_if(g, some);
  CgIf empty = cg_if(g, cg_lt(g, arg[P_ACC], LLVMBuildZExt(g->b, cg_lt(g, arg[P_K], cg_i64(g, 1)), g->i64, "")));
  clear(g, arg);
  cg_endif(g, &empty);
  // passes of nearly equal length, a multiple of 16 but for the last
  LLVMValueRef passes = cg_max(g, cg_ceildiv(g, arg[P_K], MM_KC), cg_i64(g, 1));
  LLVMValueRef len = cg_mul(g, cg_ceildiv(g, cg_udiv(g, cg_add(g, arg[P_K], cg_sub(g, passes, cg_i64(g, 1))), passes), LANES), cg_i64(g, LANES));
  CgLoop l = cg_loop(g, zero, passes, 1);
  LLVMValueRef k0 = cg_mul(g, l.i, len), kc = cg_min(g, len, cg_sub(g, arg[P_K], k0));
  CgIf in = cg_if(g, cg_lt(g, zero, kc));
  one_pass(g, arg, fns, k0, kc, abuf, tail);
  cg_endif(g, &in);
  cg_loop_end(g, &l);
  cg_endif(g, &work);
}

static LLVMValueRef rows_function(Cg *g, const Isa *isa, int m, bool packed) {
  char name[64];
  snprintf(name, sizeof name, "mm_rows_%s_%d%s", isa->name, m, packed ? "_packed" : "");
  LLVMValueRef fn = cg_function(g, name, mm_rows_type(g), isa, false);
  mm_rows_body(g, m, packed);
  LLVMBuildRetVoid(g->b);
  return fn;
}

void llvm_emit_mm(EmitKind what, Buf *out) {
  Cg g;
  cg_begin(&g, "calm_mm");
  for (const Isa *isa = isas; isa->name; isa++) {
    RowsFns fns = {0};
    for (int m = 1; m <= mm_shape(isa).rows; m++) {
      fns.any[m] = rows_function(&g, isa, m, false);
      fns.packed[m] = rows_function(&g, isa, m, true);
    }
    char name[64];
    snprintf(name, sizeof name, "calm_mm_%s", isa->name);
    cg_function(&g, name, mm_type(&g), isa, true);
    mm_body(&g, &fns);
    LLVMBuildRetVoid(g.b);
  }
  cg_finish(&g, what, out);
}
