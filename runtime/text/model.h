// The model of a tokenizer: pieces to tokens. A kind of model is one constant (bpe.h, unigram.h); pipeline.c has the table of them.
#ifndef CALM_RUNTIME_TEXT_MODEL_H
#define CALM_RUNTIME_TEXT_MODEL_H
#include <jansson.h>

#include "runtime/text/image.h"
#include "runtime/text/vocab.h"

typedef struct TkToken {
  int32_t id;
  uint32_t begin, end;         // bytes of the piece
} TkToken;

// What a model is read from: a file's name, its "model" object without the two large members, and those as JSON text (s is NULL where absent).
typedef struct TkModelSource {
  const char *what;
  const json_t *json;
  JsonStr vocab, merges;
} TkModelSource;

// A kind. What is left out costs settled tokens, never correctness.
typedef struct TkModelKind {
  const char *type;            // its name in tokenizer.json
  size_t size;                 // of its tables, `own` below, zero before they are read
  bool (*read)(void *own, TkVocab *vocab, const TkModelSource *from, RtError *e);   // fills the vocabulary too, which outlives own
  void (*free)(void *own);     // what own points to, also where read or map failed
  // Its tables into an image and out of it again (image.h): map leaves them where they lie, and looks at every one. The vocabulary is there already.
  void (*save)(const void *own, TkImageOut *to);
  bool (*map)(void *own, TkVocab *vocab, const TkImage *from, RtError *e);
  // Encodes a piece; take then hands out its tokens in their order, at most so many a call, and fewer with the last. They follow from the piece
  // alone.
  void (*encode)(const void *own, void *work, const char *s, size_t n);
  size_t (*take)(void *work, TkToken *to, size_t most);
  size_t work_size;            // of a work area, which starts as zero and is one thread's at a time
  void (*work_free)(void *work);    // what it points to
  // From now on pieces come as bytes, not as the byte-level characters that show them; false: it needs the characters. NULL: it does.
  bool (*take_bytes)(void *own);
  // What the stable prefix (settled.h) needs: rules made once from the tables, and how much of the piece s[0, n), which may go on, has the same
  // tokens whatever follows. cuts NULL, or no rules from it: none of it.
  void *(*cuts)(const void *own);
  size_t (*last_cut)(const void *cuts, const char *s, size_t n);
  bool whole;                  // the tokens behind a cut depend on what the piece begins with: a text may go on from a piece's beginning only
  void (*cuts_free)(void *cuts);
  // How many tokens it makes at most of the character s[0, n), no more than n: of any piece no more than of its characters. NULL: no such thing is known.
  int64_t (*most)(const void *own, const char *s, size_t n);
} TkModelKind;
typedef struct TkModel {
  const TkModelKind *kind;     // NULL before it is read
  void *own;
} TkModel;

void tk_model_free(TkModel *m);
#endif
