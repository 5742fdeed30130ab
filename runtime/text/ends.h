// Which tokens begin and end a text: one answer made of what config.json, generation_config.json and tokenizer_config.json say, in ids, and of
// what the tokenizer knows of it, in text. Generation stops at every end that any of them names. Training appends one: tokenizer_config.json's
// eos_token, which a chat model ends its turns with, before the eos_token_id that config.json names first.
#ifndef CALM_RUNTIME_ENDS_H
#define CALM_RUNTIME_ENDS_H
#include "runtime/files/files.h"
#include "runtime/text/tokenizer.h"

typedef struct TextEnds {
  int32_t bos;                 // what an empty text may begin with; -1 when nothing is said
  int32_t *eos;                // every id that ends a text; ascending; owned
  int n_eos;
  int32_t append;              // the one that training puts after a completion; -1 when there is none
  const char *append_from;     // the file that says so
} TextEnds;

// t may be NULL: then only ids count. A token that tokenizer_config.json names and nobody knows an id of is warned of, not refused: the
// directory is fit for use without it (transformers would give it a new id, which the model has no row for), and ids end texts all the same.
void text_ends_read(TextEnds *x, const HfDir *h, const Tokenizer *t);
void text_ends_free(TextEnds *x);
bool text_ends_at(const TextEnds *x, int32_t id);
#endif
