// Pieces seen before and their tokens: text repeats its words, so most pieces need no model. An open-addressing table of a bounded size over two
// arenas.
#ifndef CALM_RUNTIME_TEXT_CACHE_H
#define CALM_RUNTIME_TEXT_CACHE_H
#include "runtime/text/model.h"

typedef struct TkCache {
  struct TkWord {
    uint64_t hash;             // 0 = empty
    uint32_t at, tokens_at;    // of the arenas
    uint16_t len, ntokens;
  } *word;
  size_t mask, used;
  char *bytes;
  TkToken *token;
  size_t bytes_n, token_n;
} TkCache;
enum { TK_CACHE_PIECE = 48 };  // longer pieces are not kept

// The tokens of the piece when it was seen before; NULL otherwise. hash: of the piece (hash.h).
const TkToken *tk_cache_find(const TkCache *c, uint64_t hash, const char *s, size_t n, size_t *ntokens);
void tk_cache_add(TkCache *c, uint64_t hash, const char *s, size_t n, const TkToken *tokens, size_t ntokens);
void tk_cache_free(TkCache *c);
#endif
