// Cached stepping of many sequences at once, the one way every command generates: each step takes the next tokens of
// every sequence that has some (one when decoding, a chunk of the prompt before), and gives the logits after the last
// token of each sequence that is caught up.
#ifndef CALM_RUNTIME_DECODE_H
#define CALM_RUNTIME_DECODE_H
#include "runtime/engine/engine.h"
#include "runtime/rows/rows.h"

typedef struct DecodeSeq {
  int32_t *ids;                // owned
  int64_t n, cap;              // tokens known
  int64_t past;                // of them in the caches
  const float *logits;         // after token n - 1, until the next step; NULL while it is not caught up
  Follow *follow;              // owned; what the other streams read of it; NULL where there is one stream
  bool full;                   // a cache has no room for its next token: it can go no further
  int64_t chunk;               // most tokens a step takes of it; 0 = the decoder's
  bool open;
  void *user;
} DecodeSeq;

typedef struct Decoder {
  Engine *en;
  const Tokenizer *tok;        // the anchor's, or NULL
  Step *step;
  DecodeSeq *seq;              // nslots
  int64_t nslots, context, chunk, tokens;
  bool all_rows;               // logits of every token, not only the last (score --chunk)
} Decoder;

enum { DECODE_TOKENS = 1024, DECODE_CHUNK = 256 };     // of many sequences: most tokens of a step, most of one prompt in it
// Most tokens that a step then takes of nslots sequences, of `longest` each.
int64_t decoder_step_tokens(int64_t nslots, int64_t longest);

// nslots sequences of up to `context` tokens; steps of up to `tokens` tokens, `chunk` of one prompt at a time. known: by stream, the most
// tokens that a sequence already brings (follow_most). NULL and an error.
Decoder *decoder_new(Engine *en, const Tokenizer *tok, int64_t nslots, int64_t context, int64_t tokens, int64_t chunk, bool all_rows, const int64_t *known,
                     RtError *e);
void decoder_free(Decoder *d);
// A sequence that begins with n tokens, and what follows them (taken over; NULL where there is one stream). NULL when every slot is taken.
DecodeSeq *decoder_open(Decoder *d, const int32_t *ids, int64_t n, Follow *follow, void *user);
// The same sequence with other tokens, where there is one stream: those that it begins with as before stay in the caches, the last one is to be computed.
void decoder_turn(DecodeSeq *s, const int32_t *ids, int64_t n);
// Its next token. False and an error where a following model does not know a token of its text.
bool decoder_push(Decoder *d, DecodeSeq *s, int32_t id, RtError *e);
void decoder_close(DecodeSeq *s);
typedef enum DecodeStep {
  DECODE_FAILED,               // and an error: no memory, or the user asked to stop
  DECODE_IDLE,                 // no sequence has a token to take: nothing was computed
  DECODE_STEPPED,
} DecodeStep;
DecodeStep decoder_step(Decoder *d, RtError *e);
#endif
