// See cache.h. When the table or one of its arenas is full everything is forgotten.
#include "runtime/text/cache.h"

#include <string.h>

#include "runtime/core/core.h"

enum { FIRST = 256, MOST = 1 << 16, BYTES_A_WORD = 16, TOKENS_A_WORD = 4 };

static void resize(TkCache *c, size_t size) {
  struct TkWord *old = c->word;
  size_t n = old ? c->mask + 1 : 0;
  c->word = rt_alloc(size, sizeof *c->word);
  c->mask = size - 1;
  for (size_t k = 0; k < n; k++) {
    if (!old[k].hash) continue;
    size_t i = old[k].hash & c->mask;
    while (c->word[i].hash) i = (i + 1) & c->mask;
    c->word[i] = old[k];
  }
  rt_free(old);
  c->bytes = rt_realloc(c->bytes, size * BYTES_A_WORD, 1);
  c->token = rt_realloc(c->token, size * TOKENS_A_WORD, sizeof *c->token);
}

const TkToken *tk_cache_find(const TkCache *c, uint64_t hash, const char *s, size_t n, size_t *ntokens) {
  if (!c->word) return NULL;
  hash |= !hash;
  for (size_t i = hash & c->mask; c->word[i].hash; i = (i + 1) & c->mask) {
    const struct TkWord *w = &c->word[i];
    if (w->hash != hash || w->len != n || memcmp(c->bytes + w->at, s, n) != 0) continue;
    *ntokens = w->ntokens;
    return c->token + w->tokens_at;
  }
  return NULL;
}

void tk_cache_add(TkCache *c, uint64_t hash, const char *s, size_t n, const TkToken *tokens, size_t ntokens) {
  if (!c->word) resize(c, FIRST);
  size_t size = c->mask + 1;
  bool full = c->used * 2 >= size || c->bytes_n + n > size * BYTES_A_WORD || c->token_n + ntokens > size * TOKENS_A_WORD;
  if (full && size < MOST) {
    resize(c, size * 4);
  } else if (full) {
    memset(c->word, 0, size * sizeof *c->word);
    c->used = c->bytes_n = c->token_n = 0;
  }
  hash |= !hash;
  size_t i = hash & c->mask;
  while (c->word[i].hash) i = (i + 1) & c->mask;
  c->word[i] = (struct TkWord){hash, (uint32_t)c->bytes_n, (uint32_t)c->token_n, (uint16_t)n, (uint16_t)ntokens};
  c->used++;
  memcpy(c->bytes + c->bytes_n, s, n);
  c->bytes_n += n;
  if (ntokens) memcpy(c->token + c->token_n, tokens, ntokens * sizeof *tokens);
  c->token_n += ntokens;
}

void tk_cache_free(TkCache *c) {
  rt_free(c->word);
  rt_free(c->bytes);
  rt_free(c->token);
}
