// One ragged step: sequences end to end, no padding, no batch dimension. Every model reads the same ids (one
// tokenizer), so one set of arrays serves them all. Masks are intervals of key rows (rt_abi.h), built from where each
// sequence lies.
#ifndef CALM_RUNTIME_STEP_H
#define CALM_RUNTIME_STEP_H
#include <stdbool.h>

#include "runtime/data.h"
#include "runtime/rt_abi.h"

typedef struct StepSeq {
  int64_t t0, n;               // its tokens in this step
  int64_t past;                // tokens before them, in the caches
  int64_t slot;                // its place in the caches
  int64_t r0, nr;              // its wanted rows
} StepSeq;

typedef struct MaskData {
  // queries are the wanted rows (else all tokens); keys are cached rows (else this step's tokens)
  bool rows, cache;
  int64_t window;              // a query sees itself and window - 1 keys before; 0 = all
  int32_t *lo, *hi;
  RtQBlock *blk;
  RtSeq *seq;
  int64_t caprow, capblk, capseq;
  RtMask mask;
} MaskData;

typedef struct Step {
  int64_t ntok, nrow, nseq, captok, caprow, capseq;
  int32_t *ids, *pos, *slots;  // per token
  int32_t *rows, *labels;      // per wanted row: its token, and the label (or -1)
  float *gscale;               // per wanted row
  StepSeq *seq;
  MaskData **mask;             // the first `usedmask` belong to this step; the others keep their arrays for later ones
  int nmask, capmask, usedmask;
} Step;

Step *step_new(void);
void step_free(Step *s);
void step_reset(Step *s);
// Appends a sequence of n tokens that follow `past` cached ones in slot `slot` of slot_rows rows (0, 0, 0 without
// caches).
void step_add(Step *s, const int32_t *ids, int64_t n, int64_t past, int64_t slot, int64_t slot_rows);
// Asks for token t (counted within the sequence added last); ascending.
void step_want(Step *s, int64_t t, int32_t label, float gscale);
void step_want_all(Step *s);
// A training row: its tokens up to the last that predicts a label, every predicting one wanted. Returns the labels
// counted.
int64_t step_add_row(Step *s, const DataRow *r, float gscale);
// How many tokens that takes.
int64_t step_row_tokens(const DataRow *r);

// The mask for this step (built on first use, kept until the next reset). slot_rows as in step_add.
const RtMask *step_mask(Step *s, bool rows, bool cache, int64_t window, int64_t slot_rows);
#endif
