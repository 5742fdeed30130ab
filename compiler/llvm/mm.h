// Internal to the matrix micro-kernels (mm*.c): the parts of calm_mm_<isa>, and the transposition other emitters use too.
#ifndef CALM_LLVM_MM_H
#define CALM_LLVM_MM_H
#include "llvm/cg.h"

enum {
  MM_KC = 256,                 // most words of k per pass: a tile's rows of A and its panels of B stay in L1
  MM_ASTRIDE = MM_KC + 16,     // words between rows of the copied A (17 lines: consecutive sets)
  MM_AROWS = 16,               // rows of the copy's buffer (a transposed copy writes whole 16-row blocks)
  MM_FEW = 8,                  // so few rows stream the panels; of more, multiplying them takes longer
  MM_FEW_KC = 2048,            // most words of k per pass of them, of a row and of all: panels are read in long runs, the rows' copy stays in L1
  MM_FEW_WORDS = 4096,
  MM_FEW_STRIDE = MM_FEW_KC + 16,
  MM_AHEAD = 4096,             // bytes that each panel of a tile is prefetched ahead, to L2
  MM_AHEAD_FOUR = 1024,        // of four side by side: the processor sees them too
  MM_UNROLL = 2,                // more let the scheduler gather loads until accumulators are spilled
};

// A kernel by the dtypes of its operands. In pairs the words of two bf16 stand where otherwise f32 do: rows of a panel, the copy of A; K then counts words in
// all that a fixed number of rows runs through.
typedef struct MmKernel {
  Dtype A, B, C;
  bool pairs;
  const char *suffix;          // of its symbols
} MmKernel;

// Whether panels do not lie in memory as they are multiplied.
static inline bool mm_widened(Dtype B, bool pairs) { return B == DT_I8 || (B != DT_F32 && !pairs); }

// Parameters of calm_mm_<isa>, in order: the contract of cg_mm (cg.h), every distance written out.
#define MM_PARAMS(X)                                                                                                    \
  X(A, ptr) X(A_ROW, i64) X(A_K, i64) X(B, ptr) X(B_K, i64) X(B_PANEL, i64) X(C, ptr) X(C_ROW, i64) X(M, i64) X(N, i64) \
  X(K, i64) X(ACC, i64) X(NEXT, ptr) X(NEXT_PANEL, i64) X(NEXT_K, i64)
// And of the functions for a fixed number of rows: A is the copied block, tail the last, partial panel of B as [K][16] (read only when
// N % 16 != 0, and of f32). While it multiplies p panels from panel q on, it prefetches from fetch + (q + lead * p) * fetch_panel + k * fetch_k, and
// fetch_panel further for each of p; with lead the last tile from `after`. Distances of what is fetched are in bytes; fetch_k: a row of a panel, or a float.
#define MM_ROWS_PARAMS(X)                                                                                                         \
  X(A, ptr) X(B, ptr) X(B_K, i64) X(B_PANEL, i64) X(C, ptr) X(C_ROW, i64) X(N, i64) X(K, i64) X(ACC, i64) X(TAIL, ptr) X(FETCH, ptr) \
  X(FETCH_PANEL, i64) X(FETCH_K, i64) X(LEAD, i64) X(AFTER, ptr)
#define X(name, type) MM_##name,
enum { MM_PARAMS(X) MM_COUNT };
#undef X
#define X(name, type) MMR_##name,
enum { MM_ROWS_PARAMS(X) MMR_COUNT };
#undef X

// Rows k … k + n - 1 of a packed panel as f32: n vectors of 16. k is even where dt is bf16; of int8 they are of one group.
void mm_panel_rows(Cg *g, Dtype dt, LLVMValueRef panel, LLVMValueRef k, int n, LLVMValueRef *v);
// Copies A[m, k] (strides ars, aks) to dst[m][MM_ASTRIDE]; pairs: as words of two bf16, an odd k padded with 0.
void mm_copy_a(Cg *g, bool pairs, LLVMValueRef dst, LLVMValueRef A, LLVMValueRef ars, LLVMValueRef aks, LLVMValueRef m, LLVMValueRef k);
// Pairs of bf16 (mm_panel.c), 16 or fewer at a time. f32 as bf16 in 16 bits: to the nearest, ties to even, subnormals to 0, as processors do.
LLVMValueRef mm_rounded(Cg *g, LLVMValueRef v);
LLVMValueRef mm_behind(Cg *g, LLVMValueRef a, LLVMValueRef b);      // the same of two vectors, in one: b's behind a's
// Words of two of them, `even` in the lower halves; odd NULL: 0.
LLVMValueRef mm_words(Cg *g, LLVMValueRef even, LLVMValueRef odd);
void mm_halves(Cg *g, LLVMValueRef words, LLVMValueRef *even, LLVMValueRef *odd);      // of words, as f32
// acc + a.odd b.odd + a.even b.even, in this order, two roundings, of 16 words; the instruction, or two multiply-adds, which are equal to it while subnormals
// count 0 (mm.c sees to that).
LLVMValueRef mm_pairs(Cg *g, LLVMValueRef acc, LLVMValueRef a, LLVMValueRef b);
// Fills the function being emitted: it multiplies a copied block of exactly m rows by all N columns; its parameters are MM_ROWS_PARAMS.
// packed: B_K is PANEL, and only then anything is prefetched. Of B other than f32 the panels are packed, and the last is read as it is, padded.
// few: A's rows lie MM_FEW_STRIDE apart, no panel is partial in f32, and what is prefetched are the panels themselves (mm_stream.c).
void mm_rows_body(Cg *g, int m, bool packed, bool few, const MmKernel *kernel);
// mm_few_<isa>, with the parameters of calm_mm_<isa>, for products that mm_is_few says. NULL: none for this kernel.
LLVMValueRef mm_emit_few(Cg *g, const Isa *isa, const MmKernel *kernel);
LLVMValueRef mm_is_few(Cg *g, const MmKernel *kernel, LLVMValueRef *arg);
LLVMTypeRef mm_type(Cg *g);
LLVMValueRef mm_pass_panel(Cg *g, const MmKernel *kernel, LLVMValueRef B, LLVMValueRef B_k, LLVMValueRef k0);      // B from k0 on; of int8 the first of a group
void mm_call_rows(Cg *g, const LLVMValueRef *rows_fn, int count, LLVMValueRef m, LLVMValueRef *arg);
LLVMValueRef mm_stack(Cg *g, int64_t floats);                // aligned to a cache line
// Most rows for which there is such a function: rows are taken in blocks of as many. 0: there is no such kernel on this path, for numbers are not made in
// registers as fast as they are multiplied: int8 where pairs of bf16 are emulated.
int mm_most_rows(const Isa *isa, const MmKernel *kernel);
LLVMTypeRef mm_rows_type(Cg *g);

// Groups of an int8 panel (runtime/abi/precision.h): where group i lies, its scales as f32 with what their zeros are, and n of its rows from `within` on, a
// multiple of INT8_QUAD, as f32.
typedef struct Int8Scales { LLVMValueRef scale, zero, zero_high; } Int8Scales;
LLVMValueRef mm_group(Cg *g, LLVMValueRef panel, LLVMValueRef i);
Int8Scales mm_group_scales(Cg *g, LLVMValueRef group);
void mm_group_rows(Cg *g, LLVMValueRef group, const Int8Scales *s, LLVMValueRef within, int n, LLVMValueRef *v);
LLVMValueRef mm_group_row(Cg *g, LLVMValueRef words, int i, const Int8Scales *s);      // row i of the four that words hold
// The product c, whose B is packed int8 of at most `cols` columns and K is positive, by way of mm_int8_scratch(cols) bytes. Its A lies in rows, k side by side.
void mm_int8(Cg *g, const MmCall *c, LLVMValueRef scratch);
int64_t mm_int8_scratch(int64_t cols);

// A block of a panel, rows k … k + count - 1 (k a multiple of 16) of 16 columns, as the panel of the transposed matrix: 16 vectors, the columns, or in pairs
// words of two columns, 8; those past `count` 0. Gives how many.
int mm_turn(Cg *g, Dtype dt, bool pairs, LLVMValueRef panel, LLVMValueRef k, int count, LLVMValueRef v[PANEL]);
// A 16 x 16 block: rows n … n + count - 1 of a forward panel become columns of 16 rows of k, at dst, those behind them zeros. The same block of the next
// panel, `ahead` elements further, is wanted soon.
void mm_transpose_block(Cg *g, Dtype dt, LLVMValueRef panel, LLVMValueRef n, LLVMValueRef dst, int count, int64_t ahead);
// calm_dw_<isa>, a tile of a weight gradient (emit_dw.c).
void mm_emit_dw(Cg *g, const Isa *isa, Precision precision);
// dw[rows][cols] (+)= dy[T][rows]^T x[T][cols] by it, in bf16 in pairs: all f32, rows n, k and k floats apart; rows and cols at most DW_TILE. scratch:
// mm_dw_scratch bytes. after: what the next tile reads, to be fetched meanwhile; NULL: this one's.
enum { DW_TILE = 256 };
typedef struct DwTile {
  LLVMValueRef dy, n, x, k, dw, T, adds, rows, cols, dy_after, x_after, scratch;
} DwTile;
void mm_dw(Cg *g, const DwTile *t, int64_t most_cols);
int64_t mm_dw_scratch(int64_t most_rows, int64_t most_cols);
// What panels hold that are made for one product, from numbers of f32.
static inline Dtype mm_made_dtype(bool pairs) { return pairs ? DT_BF16 : DT_F32; }
// Transposes n vectors of n floats (n = 4, 8 or 16), or doubles (8), in registers.
void mm_transpose(Cg *g, LLVMValueRef *v, int n);
// Vectors of n floats.
LLVMValueRef mm_loadn(Cg *g, int n, LLVMValueRef p);
void mm_storen(Cg *g, LLVMValueRef v, LLVMValueRef p);
#endif
