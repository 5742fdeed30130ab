// Cached stepping of many sequences at once, the one way every command generates: each step takes the next tokens of
// every sequence that has some (one when decoding, a chunk of the prompt before), and gives the logits after the last
// token of each sequence that is caught up.
#ifndef CALM_RUNTIME_DECODE_H
#define CALM_RUNTIME_DECODE_H
#include "runtime/engine.h"

typedef struct DecodeSeq {
  int32_t *ids;                // owned
  int64_t n, cap;              // tokens known
  int64_t past;                // of them in the caches
  const float *logits;         // after token n - 1, until the next step; NULL while it is not caught up
  int64_t chunk;               // most tokens a step takes of it; 0 = the decoder's
  bool open;
  void *user;
} DecodeSeq;

typedef struct Decoder {
  Engine *en;
  Step *step;
  DecodeSeq *seq;              // nslots
  int64_t nslots, context, chunk, tokens;
  bool all_rows;               // logits of every token, not only the last (score --chunk)
} Decoder;

// nslots sequences of up to `context` tokens; steps of up to `tokens` tokens, `chunk` of one prompt at a time. NULL and
// an error.
Decoder *decoder_new(Engine *en, int64_t nslots, int64_t context, int64_t tokens, int64_t chunk, bool all_rows,
                     RtError *e);
void decoder_free(Decoder *d);
DecodeSeq *decoder_open(Decoder *d, const int32_t *ids, int64_t n, void *user);      // NULL when every slot is taken
void decoder_push(DecodeSeq *s, int32_t id);
void decoder_close(DecodeSeq *s);
// One step. False when no sequence has a token to take.
bool decoder_step(Decoder *d);
#endif
