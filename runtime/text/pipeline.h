// A tokenizer whole. The pipeline is Hugging Face's:
//   raw text ─ added tokens cut out ─▶ segments ─ normalizers ─▶ ─ added tokens of the normalized kind ─▶ ─ pre-tokenizers ─▶ pieces ─ model ─▶ ids
// Each stage carries, for every byte of its text, which raw bytes it came from.
#ifndef CALM_RUNTIME_TEXT_PIPELINE_H
#define CALM_RUNTIME_TEXT_PIPELINE_H
#include "runtime/text/added.h"
#include "runtime/text/decode.h"
#include "runtime/text/model.h"
#include "runtime/text/normalize.h"
#include "runtime/text/post.h"
#include "runtime/text/pretokenize.h"
#include "runtime/text/work.h"

struct Tokenizer {
  char *path;
  TkVocab vocab;
  TkModel model;
  TkAdded *added;
  int nadded;
  TkTrie raw, normalized;
  TkTexts texts;               // of all ids, added tokens included
  TkComponents norm, pre, dec;
  bool has_decoder;            // without one, tokens are joined by spaces
  TkAround around;
  TkPool *pool;
  json_t *parts;               // of tokenizer.json what tk_pipeline_read reads
  bool mapped;                 // tables and texts are an image's (image.c)
  bool shared;                 // all but the pool is another's
};

// The kind of model of that name; NULL and an error where there is none.
const TkModelKind *tk_model_kind(const char *type, const char *what, RtError *e);
// Normalizer, pre-tokenizers, decoders and post-processor, from the object that names them; the model is there already.
bool tk_pipeline_read(struct Tokenizer *t, const json_t *root, RtError *e);
void tk_pipeline_free(struct Tokenizer *t);
#endif
