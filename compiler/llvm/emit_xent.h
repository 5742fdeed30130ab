// Shared by the loss kernels (emit_xent*.c).
#ifndef CALM_LLVM_EMIT_XENT_H
#define CALM_LLVM_EMIT_XENT_H
#include "llvm/cg.h"

enum {
  XENT_ROWS = 128,             // most rows of a task: each walks through the whole head
  XENT_SHARED = 48,            // so many rows are shared by two tasks
  XENT_CHUNK = 128,            // vocabulary entries handled at a time; boundaries depend on the vocabulary alone (row invariance)
};

typedef struct Xent {
  Cg *g;
  int64_t D, V;
  Dtype dt;                    // of the head's panels
  double cap;
  LLVMValueRef h, w, labels;   // arguments
  LLVMValueRef bias;           // of the logits; NULL: none
  LLVMValueRef tile;           // logits of a chunk, [XENT_ROWS][XENT_CHUNK] floats; kept: of every chunk, one behind the other
  bool kept;
  LLVMValueRef wide;           // of a head in int8: where a chunk of it is widened
  // per row of the block: running maximum, sum of exponentials in 16 lanes (after the pass: its log, one number), logit of the label; and of the chunk at
  // hand: what the sum so far is multiplied by
  LLVMValueRef max, sum, log, label, scale;
  LLVMValueRef top;            // kept: [chunk][XENT_ROWS], the running maximum that a chunk's exponentials were taken with
} Xent;

// The rows of this task: blocks of nearly equal size.
typedef struct XentRows {
  LLVMValueRef r0, n;
} XentRows;
XentRows xent_rows(Cg *g);

// kept: the first pass leaves a place of its own for each chunk; without a cap it leaves exponentials there, else logits.
Xent xent_begin(Cg *g, const Kernel *k, bool kept);
int64_t xent_scratch(const Kernel *k, bool kept);          // bytes that the tile and the numbers per row take, a multiple of 64
LLVMValueRef xent_tile(Xent *x, LLVMValueRef c0);          // of the chunk that begins with entry c0
LLVMValueRef xent_head(Xent *x, LLVMValueRef c);           // the panel of entry c, a multiple of PANEL
// Logits of rows [r0, r0 + n) and entries [c0, c0 + width), bias added, softcap applied.
void xent_logits(Xent *x, LLVMValueRef at, LLVMValueRef r0, LLVMValueRef n, LLVMValueRef c0, LLVMValueRef width);
LLVMValueRef xent_row(Xent *x, LLVMValueRef tile, LLVMValueRef r);
void xent_add(Xent *x, LLVMValueRef to, LLVMValueRef from, LLVMValueRef width);   // to += from, of width entries
LLVMValueRef xent_top(Xent *x, LLVMValueRef c0, LLVMValueRef r);
LLVMValueRef xent_label(Xent *x, LLVMValueRef row);        // i64
// 16 logits of row r of the block at column c of the tile; lanes beyond width are -inf.
typedef void XentLanes(Xent *x, void *user, LLVMValueRef p, LLVMValueRef mask);
void xent_each16(Xent *x, LLVMValueRef row_ptr, LLVMValueRef width, XentLanes *f, void *user);
// The block's first pass over the whole vocabulary: max, log, label.
void xent_pass(Xent *x, LLVMValueRef r0, LLVMValueRef n);
// The log of a row's sum of exponentials as base + log, never added up: beside a large base the log would be rounded
// off.
typedef struct XentSum {
  LLVMValueRef base, log;      // f32
} XentSum;
XentSum xent_sum(Xent *x, LLVMValueRef r);                 // after the pass: the maximum, and the log of the rest
void xent_store_nll(Xent *x, LLVMValueRef nll, LLVMValueRef r0, LLVMValueRef n);
// In place: logits to gscale * (softmax - onehot) * slope of the cap, for one row. gscale: f32; label: column of the label
// relative to the chunk (may lie outside).
void xent_to_gradient(Xent *x, LLVMValueRef row_ptr, LLVMValueRef width, XentSum sum, LLVMValueRef gscale,
                      LLVMValueRef label);
#endif
