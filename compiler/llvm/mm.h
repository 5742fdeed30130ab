// Internal to the matrix micro-kernels (mm*.c): the parts of calm_mm_<isa>, and the transposition other emitters use too.
#ifndef CALM_LLVM_MM_H
#define CALM_LLVM_MM_H
#include "llvm/cg.h"

// What one instruction set's kernel looks like. A block of at most `rows` rows of A is copied to the stack with a fixed row stride,
// so that every broadcast of the inner loop is base + constant and rows a power of two apart do not fall into one cache set.
typedef struct MmShape {
  int rows;                    // most rows of a register tile: few enough that LLVM spills nothing
  int regs;                    // vector registers
  int regs_per_panel;          // 1 with 512-bit vectors, 2 with 256
  int lanes;                   // floats of a vector register: width of the blocks transposed in registers
} MmShape;
MmShape mm_shape(const Isa *isa);

enum {
  MM_KC = 256,                 // most k per pass: a tile's rows of A and its panels of B stay in L1
  MM_ASTRIDE = MM_KC + 16,     // floats between rows of the copied A (17 lines: consecutive sets)
  MM_AROWS = 16,               // rows of the copy's buffer (a transposed copy writes whole 16-row blocks)
  MM_UNROLL = 2,                // more let the scheduler gather loads until accumulators are spilled
};

// Copies A[m, k] (strides ars, aks) to dst[m][MM_ASTRIDE].
void mm_copy_a(Cg *g, LLVMValueRef dst, LLVMValueRef A, LLVMValueRef ars, LLVMValueRef aks, LLVMValueRef m, LLVMValueRef k);
// Fills the function being emitted: it multiplies a copied block of exactly m rows by all N columns. Its parameters are
//   A (copied), B, bks, bps, C, crs, N, K, acc, tail (the last, partial panel of B as [K][16]; read only when N % 16 != 0),
//   fetch, fps, fks, lead, after: while it multiplies p panels from panel q on, it prefetches from fetch + (q + lead * p) * fps + k * fks,
//   and fps further for each of p; with lead the last tile from `after`. fks: PANEL, a line per k, or 1.
// packed: bks is PANEL, and only then anything is prefetched.
void mm_rows_body(Cg *g, int m, bool packed);
LLVMTypeRef mm_rows_type(Cg *g);

// Transposes n vectors of n floats (n = 4, 8 or 16) in registers.
void mm_transpose(Cg *g, LLVMValueRef *v, int n);
// Vectors of n floats.
LLVMValueRef mm_loadn(Cg *g, int n, LLVMValueRef p);
void mm_storen(Cg *g, LLVMValueRef v, LLVMValueRef p);
#endif
