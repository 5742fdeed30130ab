// A model's vocabulary: token texts by id and an open-addressing hash table, filled straight from the JSON text. Ids may have holes: what is kept
// grows with the tokens, not with the largest id. The tables hold places, not pointers: they can be mapped from a file (image.h).
#ifndef CALM_RUNTIME_TEXT_VOCAB_H
#define CALM_RUNTIME_TEXT_VOCAB_H
#include "runtime/files/files.h"
#include "runtime/text/placed.h"

typedef struct TkEntry {
  uint32_t at, n;                  // its text: n bytes from there on
  uint32_t id : 31, special : 1;   // special, in a list of all tokens (TkTexts): decoding leaves it out
} TkEntry;
typedef struct TkVocab {
  char *bytes;                 // all token texts; behind them those of added tokens (load.c)
  size_t nbytes, room;
  TkEntry *token;              // ascending by id
  int64_t n;
  uint64_t *slot;              // hash table: upper half of the hash, place in token + 1
  size_t mask;
  uint64_t seed;
  bool mapped;                 // nothing of it is its own
} TkVocab;

// Appends a text to bytes; where it stands there. Only before the vocabulary is used by others: bytes may move.
bool tk_vocab_keep(TkVocab *v, const char *what, const char *s, size_t n, uint32_t *at, RtError *e);
bool tk_vocab_read(TkVocab *v, const char *what, JsonStr vocab, RtError *e);        // {"token": id, …}
// The same token by token: room for the texts of all (JSON text is never shorter), each token, the index over them.
typedef struct TkVocabFill {
  TkVocab *v;
  const char *what;            // the file
  char *at;                    // where the next text goes
  int64_t cap;
} TkVocabFill;
bool tk_vocab_begin(TkVocabFill *f, size_t room, RtError *e);
bool tk_vocab_put(TkVocabFill *f, JsonStr token, int64_t id, RtError *e);
bool tk_vocab_end(TkVocabFill *f, RtError *e);
int32_t tk_vocab_find(const TkVocab *v, const char *s, size_t n);                   // its id; -1 when there is none
void tk_vocab_free(TkVocab *v);

// Ascending by id.
void tk_entries_sort(TkEntry *token, int64_t n);
int64_t tk_entries_search(const TkEntry *token, int64_t n, int32_t id);
// Where the id stands in an ascending list; -1 when it does not. Mostly ids have no holes, and it stands at its own number.
static inline int64_t tk_entry_of(const TkEntry *token, int64_t n, int32_t id) {
  if (id < 0) return -1;
  return id < n && token[id].id == (uint32_t)id ? id : tk_entries_search(token, n, id);
}
#endif
