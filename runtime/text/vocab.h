// A model's vocabulary: token texts by id and an open-addressing hash table, filled straight from the JSON text.
#ifndef CALM_RUNTIME_TEXT_VOCAB_H
#define CALM_RUNTIME_TEXT_VOCAB_H
#include "runtime/files/files.h"
#include "runtime/text/placed.h"

typedef struct TkVocab {
  char *bytes;                 // all token texts
  TkStr *token;                // by id; s is NULL where an id has no token
  int64_t n;                   // one past the largest id
  uint64_t *slot;              // hash table: upper half of the hash, id + 1
  size_t mask;
} TkVocab;

bool tk_vocab_read(TkVocab *v, const char *what, JsonStr vocab, RtError *e);        // {"token": id, …}
int32_t tk_vocab_find(const TkVocab *v, const char *s, size_t n);                   // -1 when there is none
void tk_vocab_free(TkVocab *v);
#endif
