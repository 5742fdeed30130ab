// One ragged step: sequences end to end, no padding, no batch dimension. Each token stream of the program has its own tokens,
// positions and places in the caches; the wanted rows are the anchor's. Masks are intervals of key rows (rt_abi.h), built from where each
// sequence lies and from what an anchor position may see of the streams that follow it.
#ifndef CALM_RUNTIME_STEP_H
#define CALM_RUNTIME_STEP_H
#include <stdbool.h>

#include "runtime/abi/abi.h"

typedef struct StepPart {      // a sequence's tokens of one stream
  int64_t t0, n;               // in this step
  int64_t past;                // tokens before them, in the caches
} StepPart;

typedef struct StepStream {
  int64_t ntok, captok;
  int32_t *ids, *pos, *slots;  // per token
  StepPart *part;              // per sequence
  int64_t slot_rows;           // cache rows of a sequence; 0 without caches
  // of a following stream
  int32_t *seen;               // per anchor token: how many of the sequence's tokens, cached ones included, it sees
  int32_t *when;               // per token: the first anchor token of this step that sees it
} StepStream;

typedef struct StepSeq {
  int64_t slot;                // its place in the caches
  int64_t r0, nr;              // its wanted rows
} StepSeq;

typedef struct MaskKey {
  int q, k;                    // streams of queries and keys
  bool rows, cache;            // queries are the wanted rows (else all tokens); keys are cached rows (else this step's tokens)
  int64_t window;              // a query sees the last `window` of the keys it may see; 0 = all
  int64_t ahead;               // RtMask's; no part of what tells masks apart
} MaskKey;
typedef struct MaskData {
  MaskKey key;
  int32_t *lo, *hi;
  RtQBlock *blk;
  RtSeq *seq;
  int64_t caprow, capblk, capseq;
  RtMask mask;
} MaskData;

typedef struct Step {
  StepStream *stream;          // stream[0] is the anchor's
  int nstream;
  int64_t nrow, nseq, caprow, capseq;
  int32_t *rows, *labels;      // per wanted row: its anchor token, and the label (or -1)
  float *gscale;               // per wanted row
  StepSeq *seq;
  MaskData **mask;             // the first `usedmask` belong to this step; the others keep their arrays for later ones
  int nmask, capmask, usedmask;
} Step;

Step *step_new(int nstream);
void step_free(Step *s);
void step_reset(Step *s);
// Appends a sequence: n anchor tokens that follow `past` cached ones, in slot `slot` of the caches (0, 0 without caches).
void step_add(Step *s, const int32_t *ids, int64_t n, int64_t past, int64_t slot);
// The sequence's tokens of stream k > 0, for the sequence added last: ids are all that its anchor tokens so far see of that stream, seen[i] how
// many of them anchor token i sees. The step gets those that its own anchor tokens [past, past + n) are the first to see.
void step_follow(Step *s, int k, const int32_t *ids, const int32_t *seen);
// Asks for anchor token t (counted within the sequence added last); ascending.
void step_want(Step *s, int64_t t, int32_t label, float gscale);
void step_want_all(Step *s);

// The mask for this step (built on first use, kept until the next reset).
const RtMask *step_mask(Step *s, MaskKey key);
#endif
