// The matrix micro-kernels calm_mm_<isa> (contract: cg.h), emitted once per instruction set when calm itself is built. Loops: passes of
// MM_KC over k, in order, continuing each output's chain through C; blocks of rows of A, copied to the stack; panels of B.
// A partial last panel of B is copied, padded with zeros, once per pass, so that all tiles run the same code. The first block of rows
// takes B from memory, the others from L2: it brings the panels after the present ones to L2 meanwhile; the others the next block's rows
// of A, which lie too far apart for the processor to foresee; the very last block what the caller wants next.
#include "llvm/mm.h"

#include <stdio.h>

#include "dsl/base/bug.h"
#include "llvm/llvm.h"
#include "llvm/object.h"

// Which dtypes there are kernels for: a further width is a row here, and how a panel of it is read (mm_panel.c). Only f32 may lie other than in panels.
static const MmKernel kernels[] = {
    {DT_F32, DT_F32, DT_F32, false, ""}, {DT_F32, DT_BF16, DT_F32, false, "_bf16"}, {DT_F32, DT_F16, DT_F32, false, "_f16"}, {DT_F32, DT_BF16, DT_F32, true, "_pairs"},
    {DT_F32, DT_I8, DT_F32, false, "_i8"}, {DT_F32, DT_I8, DT_F32, true, "_i8_pairs"}};
enum { N_KERNELS = sizeof kernels / sizeof *kernels };

enum { MOST_ROWS = 16 };
typedef struct RowsFns {
  LLVMValueRef any[MOST_ROWS + 1], packed[MOST_ROWS + 1];      // by number of rows
} RowsFns;

LLVMTypeRef mm_type(Cg *g) {
#define X(name, type) g->type,
  LLVMTypeRef t[MM_COUNT] = {MM_PARAMS(X)};
#undef X
  return LLVMFunctionType(g->void_t, t, MM_COUNT, 0);
}

static void kernel_name(char out[64], const Isa *isa, int kernel) {
  snprintf(out, 64, "calm_mm_%s%s", isa->name, kernels[kernel].suffix);
}

MmOperand mm_rows(Dtype dt, LLVMValueRef p, LLVMValueRef row) { return (MmOperand){.dt = dt, .p = p, .row = row}; }
MmOperand mm_turned(Dtype dt, LLVMValueRef p, LLVMValueRef k) { return (MmOperand){.dt = dt, .p = p, .k = k}; }
MmOperand mm_copied(Cg *g, LLVMValueRef p) { return (MmOperand){.dt = DT_F32, .p = p, .row = cg_i64(g, MM_ASTRIDE), .k = cg_i64(g, 0)}; }
MmOperand mm_packed(Dtype dt, LLVMValueRef p, LLVMValueRef panel) { return (MmOperand){.dt = dt, .p = p, .panel = panel}; }
MmOperand mm_plain(Cg *g, Dtype dt, LLVMValueRef p, LLVMValueRef k) {
  return (MmOperand){.dt = dt, .p = p, .k = k, .panel = cg_i64(g, PANEL)};
}

static LLVMValueRef or_number(Cg *g, LLVMValueRef v, int64_t otherwise) { return v ? v : cg_i64(g, otherwise); }

void cg_mm(Cg *g, const MmCall *c) {
  int k = 0;
  while (k < N_KERNELS && (kernels[k].A != c->A.dt || kernels[k].B != c->B.dt || kernels[k].C != c->C.dt || kernels[k].pairs != c->pairs)) k++;
  if (k == N_KERNELS) bug("no matrix kernel for %s times %s to %s%s", dtype_name(c->A.dt), dtype_name(c->B.dt), dtype_name(c->C.dt), c->pairs ? " in pairs" : "");
  char name[64];
  kernel_name(name, g->isa, k);
  LLVMValueRef f = LLVMGetNamedFunction(g->mod, name);
  if (!f) f = LLVMAddFunction(g->mod, name, mm_type(g));
  LLVMValueRef arg[MM_COUNT] = {
      [MM_A] = c->A.p,       [MM_A_ROW] = or_number(g, c->A.row, 1),  [MM_A_K] = or_number(g, c->A.k, 1),
      [MM_B] = c->B.p,       [MM_B_K] = or_number(g, c->B.k, PANEL),  [MM_B_PANEL] = c->B.panel,
      [MM_C] = c->C.p,       [MM_C_ROW] = or_number(g, c->C.row, 1),  [MM_M] = c->M,
      [MM_N] = c->N,         [MM_K] = c->K,                           [MM_ACC] = or_number(g, c->acc, 0),
      [MM_NEXT] = c->next ? c->next : LLVMConstNull(g->ptr), [MM_NEXT_PANEL] = or_number(g, c->next_panel, 0),
      [MM_NEXT_K] = or_number(g, c->next_k, PANEL)};
  cg_call(g, mm_type(g), f, arg, MM_COUNT);
}

LLVMValueRef mm_stack(Cg *g, int64_t n) {
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
  LLVMValueRef whole = cg_udiv(g, arg[MM_N], cg_i64(g, PANEL)), cols = cg_urem(g, arg[MM_N], cg_i64(g, PANEL));
  CgIf in = cg_if(g, cg_lt(g, cg_i64(g, 0), cols));
  LLVMValueRef src = cg_at(g, g->f32, B, cg_mul(g, whole, arg[MM_B_PANEL])), mask = cg_mask16(g, cols);
  CgLoop l = cg_loop(g, cg_i64(g, 0), k, 1);
  LLVMValueRef v = cg_load16_mask(g, cg_at(g, g->f32, src, cg_mul(g, l.i, arg[MM_B_K])), mask);
  cg_store16(g, v, cg_at(g, g->f32, dst, cg_mul(g, l.i, cg_i64(g, PANEL))));
  cg_loop_end(g, &l);
  cg_endif(g, &in);
}

// K = 0 without accumulation: zeros.
static void clear(Cg *g, LLVMValueRef *arg) {
  CgLoop rows = cg_loop(g, cg_i64(g, 0), arg[MM_M], 1);
  LLVMValueRef row = cg_at(g, g->f32, arg[MM_C], cg_mul(g, rows.i, arg[MM_C_ROW]));
  CgLoop l = cg_loop(g, cg_i64(g, 0), arg[MM_N], PANEL);
  cg_store16_mask(g, cg_splatc(g, 0), cg_at(g, g->f32, row, l.i), cg_mask16(g, cg_sub(g, arg[MM_N], l.i)));
  cg_loop_end(g, &l);
  cg_loop_end(g, &rows);
}

// One of the functions for 1 … rows rows, by m.
void mm_call_rows(Cg *g, const LLVMValueRef *rows_fn, int count, LLVMValueRef m, LLVMValueRef *arg) {
  LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(g->ctx, g->fn, "done");
  LLVMValueRef sw = LLVMBuildSwitch(g->b, m, done, (unsigned)count);
  for (int i = 1; i <= count; i++) {
    LLVMBasicBlockRef bb = LLVMAppendBasicBlockInContext(g->ctx, g->fn, "");
    LLVMAddCase(sw, cg_i64(g, i), bb);
    LLVMPositionBuilderAtEnd(g->b, bb);
    cg_call(g, mm_rows_type(g), rows_fn[i], arg, MMR_COUNT);
    LLVMBuildBr(g->b, done);
  }
  LLVMPositionBuilderAtEnd(g->b, done);
}

// What the block of rows behind which A's next block lies prefetches (mm.h).
static void what_to_fetch(Cg *g, const MmKernel *kernel, LLVMValueRef *arg, LLVMValueRef B, LLVMValueRef below, LLVMValueRef kc, LLVMValueRef last_pass,
                          LLVMValueRef block, LLVMValueRef blocks, LLVMValueRef call[MMR_COUNT]) {
  int64_t bytes = dtype_size(kernel->B), step = kernel->pairs ? 2 : 1;               // numbers of a step along k
  LLVMValueRef zero = cg_i64(g, 0), one = cg_i64(g, 1), width = cg_i64(g, bytes), four = cg_i64(g, 4), row = cg_i64(g, PANEL * bytes);
  LLVMValueRef first = cg_lt(g, block, one), last = cg_lt(g, blocks, cg_add(g, block, cg_i64(g, 2)));
  LLVMValueRef wanted = LLVMBuildICmp(g->b, LLVMIntNE, arg[MM_NEXT], LLVMConstNull(g->ptr), "");
  LLVMValueRef callers = LLVMBuildAnd(g->b, LLVMBuildAnd(g->b, last, last_pass, ""), wanted, "");
  LLVMValueRef rows = LLVMBuildICmp(g->b, LLVMIntEQ, arg[MM_A_K], one, "");      // else A turned: lines of it hold all rows
  LLVMValueRef first_or_turned = LLVMBuildOr(g->b, first, LLVMBuildNot(g->b, rows, ""), "");
  call[MMR_FETCH] = cg_select(g, callers, arg[MM_NEXT], cg_select(g, first_or_turned, B, below));
  LLVMValueRef of_b = cg_mul(g, arg[MM_B_PANEL], width), of_a = cg_mul(g, arg[MM_A_ROW], four), of_next = cg_mul(g, arg[MM_NEXT_PANEL], width);
  call[MMR_FETCH_PANEL] = cg_select(g, callers, of_next, cg_select(g, first_or_turned, of_b, of_a));
  LLVMValueRef of_k = cg_select(g, first_or_turned, cg_i64(g, PANEL * bytes * step), cg_i64(g, 4 * step));
  call[MMR_FETCH_K] = cg_select(g, callers, cg_mul(g, arg[MM_NEXT_K], cg_i64(g, bytes * step)), of_k);
  call[MMR_LEAD] = cg_select(g, callers, zero, LLVMBuildZExt(g->b, first, g->i64, ""));
  call[MMR_AFTER] = cg_select(g, last_pass, arg[MM_B], cg_at(g, g->i8, B, cg_mul(g, kc, row)));      // the next task's, or pass's, first
}

LLVMValueRef mm_pass_panel(Cg *g, const MmKernel *kernel, LLVMValueRef B, LLVMValueRef B_k, LLVMValueRef k0) {
  if (kernel->B == DT_I8) return mm_group(g, B, cg_udiv(g, k0, cg_i64(g, INT8_GROUP)));
  return cg_at(g, cg_dtype(g, kernel->B), B, cg_mul(g, k0, B_k));
}

// One pass over k in [k0, k0 + kc): all rows in blocks of nearly equal size.
static void one_pass(Cg *g, const MmKernel *kernel, LLVMValueRef *arg, const RowsFns *fns, LLVMValueRef k0, LLVMValueRef kc, LLVMValueRef abuf, LLVMValueRef tail) {
  int most = mm_most_rows(g->isa, kernel);
  Dtype dt = kernel->B;
  LLVMValueRef words = kernel->pairs ? cg_ceildiv(g, kc, 2) : kc;
  LLVMValueRef B = mm_pass_panel(g, kernel, arg[MM_B], arg[MM_B_K], k0);
  LLVMValueRef A = cg_at(g, g->f32, arg[MM_A], cg_mul(g, k0, arg[MM_A_K]));
  LLVMValueRef later = LLVMBuildZExt(g->b, cg_lt(g, cg_i64(g, 0), k0), g->i64, "");
  LLVMValueRef acc = LLVMBuildOr(g->b, arg[MM_ACC], later, ""), last_pass = cg_lt(g, arg[MM_K], cg_add(g, cg_add(g, k0, kc), cg_i64(g, 1)));
  if (dt == DT_F32) copy_tail(g, tail, arg, B, kc);
  LLVMValueRef blocks = cg_ceildiv(g, arg[MM_M], most);
  CgLoop l = cg_loop(g, cg_i64(g, 0), blocks, 1);
  LLVMValueRef m0 = cg_udiv(g, cg_mul(g, l.i, arg[MM_M]), blocks);
  LLVMValueRef m1 = cg_udiv(g, cg_mul(g, cg_add(g, l.i, cg_i64(g, 1)), arg[MM_M]), blocks);
  LLVMValueRef m = cg_sub(g, m1, m0);
  LLVMValueRef rows = cg_at(g, g->f32, A, cg_mul(g, m0, arg[MM_A_ROW])), copied = LLVMBuildICmp(g->b, LLVMIntEQ, arg[MM_A_K], cg_i64(g, 0), "");
  CgIf copy = cg_if(g, LLVMBuildNot(g->b, copied, ""));
  mm_copy_a(g, kernel->pairs, abuf, rows, arg[MM_A_ROW], arg[MM_A_K], m, kc);
  cg_endif(g, &copy);
  LLVMValueRef c = cg_at(g, g->f32, arg[MM_C], cg_mul(g, m0, arg[MM_C_ROW]));
  LLVMValueRef call[MMR_COUNT] = {[MMR_A] = cg_select(g, copied, rows, abuf), [MMR_B] = B, [MMR_B_K] = arg[MM_B_K], [MMR_B_PANEL] = arg[MM_B_PANEL], [MMR_C] = c,
                                  [MMR_C_ROW] = arg[MM_C_ROW], [MMR_N] = arg[MM_N], [MMR_K] = words, [MMR_ACC] = acc, [MMR_TAIL] = tail};
  LLVMValueRef below = cg_at(g, g->f32, A, cg_mul(g, m1, arg[MM_A_ROW]));
  LLVMValueRef behind = cg_select(g, cg_lt(g, m1, arg[MM_M]), below, cg_at(g, g->f32, A, kc));   // after the last: row 0 of the next pass
  what_to_fetch(g, kernel, arg, B, behind, kc, last_pass, l.i, blocks, call);
  if (dt != DT_F32) {
    mm_call_rows(g, fns->packed, most, m, call);
  } else {
    CgIf packed = cg_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, arg[MM_B_K], cg_i64(g, PANEL), ""));
    mm_call_rows(g, fns->packed, most, m, call);
    cg_else(g, &packed);
    mm_call_rows(g, fns->any, most, m, call);
    cg_endif(g, &packed);
  }
  cg_loop_end(g, &l);
}

// The processor's modes of arithmetic (MXCSR), as a word.
static void set_modes(Cg *g, LLVMValueRef modes) {
  LLVMValueRef at = cg_var(g, g->i32, modes);
  cg_intrinsic(g, "llvm.x86.sse.ldmxcsr", NULL, 0, &at, 1);
}

// From here on subnormals are taken and left as 0, as the instruction for pairs has it whatever the modes are: which were these. The functions of rows are
// called in between, so no arithmetic of theirs is moved out.
static LLVMValueRef flush_subnormals(Cg *g) {
  enum { FLUSH = 1 << 15 | 1 << 6 };
  LLVMValueRef at = cg_var(g, g->i32, cg_i32(g, 0));
  cg_intrinsic(g, "llvm.x86.sse.stmxcsr", NULL, 0, &at, 1);
  LLVMValueRef were = cg_load(g, g->i32, at);
  set_modes(g, LLVMBuildOr(g->b, were, cg_i32(g, FLUSH), ""));
  return were;
}

static void mm_body(Cg *g, const MmKernel *kernel, const RowsFns *fns, LLVMValueRef few) {
  LLVMValueRef arg[MM_COUNT], zero = cg_i64(g, 0);
  for (unsigned i = 0; i < MM_COUNT; i++) arg[i] = LLVMGetParam(g->fn, i);
  LLVMValueRef abuf = mm_stack(g, MM_AROWS * MM_ASTRIDE), tail = kernel->B == DT_F32 ? mm_stack(g, MM_KC * PANEL) : LLVMConstNull(g->ptr);
  LLVMValueRef some = LLVMBuildAnd(g->b, cg_lt(g, zero, arg[MM_M]), cg_lt(g, zero, arg[MM_N]), "");
  CgIf work = cg_if(g, some);
  LLVMValueRef modes = kernel->pairs && !g->isa->bf16[0] ? flush_subnormals(g) : NULL;
  CgIf empty = cg_if(g, cg_lt(g, arg[MM_ACC], LLVMBuildZExt(g->b, cg_lt(g, arg[MM_K], cg_i64(g, 1)), g->i64, "")));
  clear(g, arg);
  cg_endif(g, &empty);
  CgIf stream = {0};
  if (few) {
    stream = cg_if(g, mm_is_few(g, kernel, arg));
    cg_call(g, mm_type(g), few, arg, MM_COUNT);
    cg_else(g, &stream);
  }
  // passes of nearly equal length, a multiple of 16 words, or of a group, but for the last
  int64_t word = kernel->pairs ? 2 : 1, unit = kernel->B == DT_I8 ? INT8_GROUP : LANES * word;
  LLVMValueRef passes = cg_max(g, cg_ceildiv(g, arg[MM_K], MM_KC * word), cg_i64(g, 1));
  LLVMValueRef len = cg_mul(g, cg_ceildiv(g, cg_udiv(g, cg_add(g, arg[MM_K], cg_sub(g, passes, cg_i64(g, 1))), passes), unit), cg_i64(g, unit));
  CgLoop l = cg_loop(g, zero, passes, 1);
  LLVMValueRef k0 = cg_mul(g, l.i, len), kc = cg_min(g, len, cg_sub(g, arg[MM_K], k0));
  CgIf in = cg_if(g, cg_lt(g, zero, kc));
  one_pass(g, kernel, arg, fns, k0, kc, abuf, tail);
  cg_endif(g, &in);
  cg_loop_end(g, &l);
  if (few) cg_endif(g, &stream);
  if (modes) set_modes(g, modes);
  cg_endif(g, &work);
}

static LLVMValueRef rows_function(Cg *g, const Isa *isa, const MmKernel *kernel, int m, bool packed) {
  char name[64];
  snprintf(name, sizeof name, "mm_rows_%s%s_%d%s", isa->name, kernel->suffix, m, packed ? "_packed" : "");
  LLVMValueRef fn = cg_function(g, name, mm_rows_type(g), isa, false);
  mm_rows_body(g, m, packed, false, kernel);
  LLVMBuildRetVoid(g->b);
  return fn;
}

void llvm_emit_mm(EmitKind what, Buf *out) {
  Cg g;
  cg_begin(&g, "calm_mm");
  for (const Isa *isa = isas; isa->name; isa++) {
    for (int k = 0; k < N_KERNELS; k++) {
      RowsFns fns = {0};
      if (!mm_most_rows(isa, &kernels[k])) continue;
      g.precision = kernels[k].pairs ? PRECISION_BF16 : PRECISION_F32;
      for (int m = 1; m <= mm_most_rows(isa, &kernels[k]); m++) {
        if (kernels[k].B == DT_F32) fns.any[m] = rows_function(&g, isa, &kernels[k], m, false);
        fns.packed[m] = rows_function(&g, isa, &kernels[k], m, true);
      }
      LLVMValueRef few = mm_emit_few(&g, isa, &kernels[k]);
      char name[64];
      kernel_name(name, isa, k);
      cg_function(&g, name, mm_type(&g), isa, true);
      mm_body(&g, &kernels[k], &fns, few);
      LLVMBuildRetVoid(g.b);
    }
    for (Precision p = 0; p < N_PRECISION; p++) mm_emit_dw(&g, isa, p);
  }
  cg_finish(&g, what, out);
}
