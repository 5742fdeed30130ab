// Row programs to code: whole row kernels (emit_row.c) and gemm epilogues on a tile (emit_epilogue.c).
#ifndef CALM_LLVM_EMIT_ROW_H
#define CALM_LLVM_EMIT_ROW_H
#include "llvm/cg.h"

// Where in the row 16 lanes lie: outer indices and the inner one, and which lanes count (NULL: all).
typedef struct RowPos {
  LLVMValueRef row;
  LLVMValueRef outer[MAX_RANK];
  LLVMValueRef inner, mask;
  const int64_t *dim;          // the loop's extents
  int rank;
  bool flat;                   // one run over all elements
} RowPos;

// Where a value waits for later loops.
typedef enum KeepKind { KEEP_NONE, KEEP_VAR, KEEP_SCRATCH, KEEP_ARG } KeepKind;
typedef struct Keep {
  KeepKind kind;
  LLVMValueRef var;
  int64_t offset;              // bytes into the scratch
} Keep;

typedef struct RowEmit {
  Cg *g;
  const Kernel *k;
  const RowProg *p;
  const int *loop;             // value -> its loop, -1
  int now;                     // loop being emitted
  Keep *keep;
  LLVMValueRef *cur;           // value -> its 16 lanes at the present position, NULL
  LLVMValueRef *acc;           // epilogues: tile of each matrix
  LLVMValueRef acc_stride, acc_row, acc_col;
  bool past;                   // whole lines go to memory past the caches
} RowEmit;

// 16 lanes of value i at pos.
LLVMValueRef row_value(RowEmit *e, int i, const RowPos *pos);
// An elementwise op on operands that are there, scalars or vectors alike (lanes.c). b: NULL for a function of one.
LLVMValueRef lanes_of(Cg *g, OpId op, LLVMValueRef a, LLVMValueRef b);
// Writes 16 lanes of value i to the argument it is stored to.
void row_store(RowEmit *e, int i, LLVMValueRef v, const RowPos *pos);

// Elementwise program p over a tile of finished products: rows [row0, row0 + nrows), columns [col0, col0 + ncols).
// acc_tile[m]: tile of matrix m, f32, row stride acc_stride floats, its first element at (row0, col0).
void emit_epilogue(Cg *g, const Kernel *k, const RowProg *p, LLVMValueRef *acc_tile, LLVMValueRef acc_stride,
                   LLVMValueRef row0, LLVMValueRef nrows, LLVMValueRef col0, LLVMValueRef ncols);
#endif
