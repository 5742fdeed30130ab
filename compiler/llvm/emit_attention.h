// Internal to the attention emitters: blocking, masks as lanes, and the transposing copy of key rows. The contract on
// masks is runtime/abi/rt_abi.h; the semantics are those of `attention` in graph/ops.def.
#ifndef CALM_LLVM_EMIT_ATTENTION_H
#define CALM_LLVM_EMIT_ATTENTION_H
#include "llvm/cg.h"
#include "llvm/mm.h"

// Keys go in blocks of ATTN_BK, cut at multiples of ATTN_BK of the row's own sequence. A row's maxima and sums are
// taken per block in 16 fixed lanes, so a row's bits depend on its own keys only; keys that it may not see count
// exactly nothing (2^-inf = 0, rescaling by exactly 1), whoever else made them part of a block.
enum { ATTN_BK = 128 };
#define ATTN_LOG2E 1.4426950408889634      // exponentials are powers of 2: no argument is reduced by ln 2

// Rows of a chunk whose scores over a key block stay in the first cache: a few tiles of the matrix kernels.
int64_t attn_chunk(Cg *g);

// A region of the thread's scratch, in floats; regions start at cache lines.
typedef struct AttnScratch {
  int64_t used;
} AttnScratch;
int64_t attn_region(AttnScratch *s, int64_t floats);                 // returns its offset in bytes
int64_t attn_round16(int64_t n);
LLVMValueRef attn_floats(Cg *g, int64_t offset, LLVMValueRef index); // scratch as floats

// Field of a struct in memory, widened to i64 when narrower.
LLVMValueRef attn_field_i32(Cg *g, LLVMValueRef p, int64_t offset);
LLVMValueRef attn_field_i64(Cg *g, LLVMValueRef p, int64_t offset);
LLVMValueRef attn_field_ptr(Cg *g, LLVMValueRef p, int64_t offset);
LLVMValueRef attn_index_i32(Cg *g, LLVMValueRef p, LLVMValueRef i); // p[i] of an int32_t array, as i64

LLVMValueRef attn_floor(Cg *g, LLVMValueRef a, int64_t multiple);    // a >= 0
LLVMValueRef attn_ceil(Cg *g, LLVMValueRef a, int64_t multiple);

// The keys that any of `count` query rows from `first` may see: [*lo, *hi), *lo >= *hi when none.
void attn_span(Cg *g, LLVMValueRef lo, LLVMValueRef hi, LLVMValueRef first, LLVMValueRef count, LLVMValueRef *min,
               LLVMValueRef *max);
// Those that each of them sees: [*lo, *hi).
void attn_inner(Cg *g, LLVMValueRef lo, LLVMValueRef hi, LLVMValueRef first, LLVMValueRef count, LLVMValueRef *max_lo, LLVMValueRef *min_hi);

// A row's interval relative to a key block, ready for comparing lanes.
typedef struct AttnRow {
  LLVMValueRef lo, width;      // i32; width 0 when empty
} AttnRow;
AttnRow attn_row(Cg *g, LLVMValueRef lo, LLVMValueRef hi, LLVMValueRef row, LLVMValueRef block);
LLVMValueRef attn_visible(Cg *g, AttnRow r, LLVMValueRef col);       // lanes col … col + 15 of the block, <16 x i1>

// Rows that a kernel reads to pack them: f32, or of a cache, which has the width of the precision.
typedef struct AttnRows {
  Dtype dt;
  LLVMValueRef p;              // row 0
  int64_t stride;              // elements from row to row
} AttnRows;
AttnRows attn_rows(Cg *g, const Kernel *k, int arg, int64_t stride);
AttnRows attn_rows_from(Cg *g, AttnRows r, LLVMValueRef element);      // the same from an element of row 0 on
LLVMValueRef attn_row_at(Cg *g, const AttnRows *r, LLVMValueRef row);

// Right operands of products are panels [cols / 16][K][16] in the scratch, in the dtype that the precision multiplies: bf16 in pairs along K.
Dtype attn_panel(Cg *g);
int64_t attn_panels(Cg *g, AttnScratch *s, int64_t cols, int64_t K);   // room for them; its offset
// From column col, a multiple of 16, and row (of K) on; even under bf16, NULL: 0.
MmOperand attn_panels_at(Cg *g, int64_t offset, LLVMValueRef col, LLVMValueRef row, int64_t K);
// Rows [first, n) of a block are columns of the panels, K = D. first is a multiple of 16, n > first; a last partial panel is filled up with copies of row
// n - 1 (its columns are masked later).
void attn_pack(Cg *g, int64_t dst, const AttnRows *src, int64_t D, LLVMValueRef first, LLVMValueRef n);
// They are rows of the panels, K = `rows`; zeros behind the last of the E columns and, under bf16, beside a last row without its pair. first is even.
void attn_pack_rows(Cg *g, int64_t dst, const AttnRows *src, int64_t E, int64_t rows, LLVMValueRef first, LLVMValueRef n);
// Brings rows [first, n) of D elements near (to L2).
void attn_fetch(Cg *g, const AttnRows *src, int64_t D, LLVMValueRef first, LLVMValueRef n);

// What comes next, brought near a few rows at a time: a burst of so many lines would be waited for.
enum { ATTN_NEXT = 8 };
typedef struct AttnNext {
  int narray;
  struct { AttnRows rows; int64_t D; LLVMValueRef n; } array[ATTN_NEXT];       // n rows of D elements
  LLVMValueRef at, share;      // variable: the next row; as many each time
} AttnNext;
// The task of [0, count) that the thread of task t probably takes next; t, and *none, where there is none or none is known.
LLVMValueRef attn_task_after(Cg *g, LLVMValueRef mask, LLVMValueRef t, LLVMValueRef count, LLVMValueRef *none);
void attn_next_add(AttnNext *next, AttnRows rows, int64_t D, LLVMValueRef n);
void attn_next(Cg *g, const AttnNext *next);

// What a kernel makes in place as the left operand of a product, as the matrix kernels copy theirs: rows of words MM_ASTRIDE apart (mm_copied), words f32
// or under bf16 pairs of numbers along k. Element (0, k) of the one at `offset`; k is even in pairs.
enum { ATTN_LEFT = MM_ASTRIDE };
MmOperand attn_left(Cg *g, int64_t offset, LLVMValueRef k);
// Numbers k … k + 15 of the row that begins at `row`.
void attn_put_left(Cg *g, LLVMValueRef v, LLVMValueRef row, LLVMValueRef k);
// Numbers k … k + 31 in pairs, of two vectors, which one instruction rounds; gives what is stored, <32 x i16>.
LLVMValueRef attn_put_both(Cg *g, LLVMValueRef v, LLVMValueRef behind, LLVMValueRef row, LLVMValueRef k);
// The D floats at `from` as that row.
void attn_put_row(Cg *g, LLVMValueRef from, int64_t D, LLVMValueRef row);
bool attn_pairs(Cg *g);
// 2^x of a score less its row's maximum, or sum: a probability.
LLVMValueRef attn_exp2(Cg *g, LLVMValueRef x);

// Turns rows [first, n) of D floats: column d goes to row d of dst, `stride` words apart, as words of 1 or 2 (pairs of bf16) numbers of consecutive rows from
// word first / word on; first is a multiple of `word`. Up to 16 words past the last one, and rows up to a multiple of 16, are overwritten with copies.
void attn_turn(Cg *g, int word, LLVMValueRef dst, int64_t stride, const AttnRows *src, int64_t D, LLVMValueRef first, LLVMValueRef n);

// Stores zeros to n floats (a constant) of each of `rows` rows.
void attn_zero(Cg *g, LLVMValueRef p, LLVMValueRef stride, LLVMValueRef rows, int64_t n);

// Vectors over the n floats (a constant) of a row: whole ones in a loop, then one masked. mask is NULL for whole ones.
typedef void AttnEach(Cg *g, void *user, LLVMValueRef at, LLVMValueRef mask);
void attn_each16(Cg *g, int64_t n, AttnEach *f, void *user);
LLVMValueRef attn_load(Cg *g, LLVMValueRef p, LLVMValueRef at, LLVMValueRef mask);
void attn_store(Cg *g, LLVMValueRef v, LLVMValueRef p, LLVMValueRef at, LLVMValueRef mask);

// ---- the forward softmax, of scores times log2(e)

// Offsets into the thread's scratch, in bytes.
typedef struct AttnState {
  double scale, cap;           // a score is cap tanh(scale s / cap); cap 0: scale s
  int64_t S;                   // scores of a chunk [rows][ATTN_LEFT]; then probabilities, a left operand
  int64_t max, safe, scl;      // per row of it: the new maximum, what to subtract, what earlier sums are multiplied with
  int64_t O, sum, run;         // of all rows of the task: outputs [.][Ep], sum in 16 lanes, maximum
  int64_t E, Ep;
} AttnState;

typedef struct AttnChunk {
  LLVMValueRef lo, hi;         // of all query rows
  LLVMValueRef q, q_row;       // its first query row, and how many query rows on the next row is
  LLVMValueRef m, base;        // number of rows; the first's place in the state
  LLVMValueRef kb, first, cols;    // start of the key block; its columns [first, cols), multiples of 16, have scores
  LLVMValueRef whole;          // i1: all rows see all ATTN_BK keys of it, which have scores
  const AttnNext *next;        // fetched beside each row
} AttnChunk;

// Scores to probabilities 2^(score - maximum so far), 0 where not visible; sums go on, and with them the outputs so far are rescaled.
void attn_softmax(Cg *g, const AttnState *s, const AttnChunk *c);
// The state of `m` rows from `base` on before their first block.
void attn_softmax_start(Cg *g, const AttnState *s, LLVMValueRef base, LLVMValueRef m);
// After the last: 1 / sum (0 for a row that saw nothing) to safe, ln of the sum of e^score to scl.
void attn_softmax_end(Cg *g, const AttnState *s, LLVMValueRef base, LLVMValueRef m);
#endif
