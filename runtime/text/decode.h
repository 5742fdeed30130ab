// Decoders: token texts back to one text.
#ifndef CALM_RUNTIME_TEXT_DECODE_H
#define CALM_RUNTIME_TEXT_DECODE_H
#include "runtime/text/call.h"
#include "runtime/text/component.h"
#include "runtime/text/placed.h"
#include "runtime/text/vocab.h"

typedef struct TkStrings {     // strings end to end, like pieces, but they may be empty
  char *s;
  size_t len, cap, *end, n, end_cap;
  bool fused;                  // no longer one a token: the text so far, in one string
  size_t most;                 // bytes
  bool full;                   // it was to have more, which was left out
} TkStrings;
// What ids decode to.
typedef struct TkTexts {
  const char *bytes;           // the texts, the vocabulary's
  TkEntry *token;              // ascending by id; an added token's text goes before the vocabulary's
  int64_t n;
  int64_t ids;                 // one past the largest id
} TkTexts;
typedef struct TkIds {
  const TkTexts *texts;
  const int32_t *id;
  int64_t n;
} TkIds;

// A kind. `run` is all that it needs; what is left out costs how early a stream (stream.c) hands text out, and where it may stand.
typedef struct TkDecoderKind {
  TkKind kind;
  // first: in[0] is the beginning of the whole text
  void (*run)(const void *own, const TkStrings *in, TkStrings *out, bool first, TkCall *call);
  // How many of the bytes at the end of the decoded text more ids may change, TK_ALL for any; with 0, text that follows decodes as if nothing
  // stood before it, `first` aside. eager: see tokstream_eager. NULL: TK_ALL, always.
  size_t (*held)(const void *own, TkIds ids, bool eager);
  bool keeps_tokens;           // its strings are still tokens, or runs of them; false: they count as fused
  // Whether it decodes a text that is fused, where a token's end is no longer seen, piece by piece as it does all at once; NULL: it does not,
  // and is refused there.
  bool (*behind_fused)(const void *own);
} TkDecoderKind;
enum { TK_ALL = INT32_MAX };

extern const TkFamily tk_decoders;

bool tk_decoders_check(const TkComponents *l, const char *what, RtError *e);        // their order; what names the file
size_t tk_decoders_held(const TkComponents *l, TkIds ids, bool eager);
bool tk_decoders_stream(const TkComponents *l);             // whether text ever comes out before the end
const TkEntry *tk_token(const TkTexts *t, int32_t id);      // NULL where the id has none
bool tk_decodes(const TkTexts *t, int32_t id);              // whether decoding does not leave the id out
// The text, NUL-terminated, allocated, *len bytes; first = false when it continues one that is not empty. spaced: tokens are joined by spaces.
// NULL and an error where it takes more than its budget; path is for that.
char *tk_decode(const TkComponents *l, bool spaced, TkIds ids, bool first, size_t *len, const char *path, RtError *e);
#endif
