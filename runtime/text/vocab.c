// See vocab.h.
#include "runtime/text/vocab.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/text/hash.h"

int32_t tk_vocab_find(const TkVocab *v, const char *s, size_t n) {
  uint64_t h = tk_hash(s, n);
  for (size_t i = h & v->mask;; i = (i + 1) & v->mask) {
    uint64_t slot = v->slot[i];
    if (slot == 0) return -1;
    if ((slot ^ h) >> 32) continue;
    const TkStr *t = &v->token[(uint32_t)slot - 1];
    if (t->n == n && memcmp(t->s, s, n) == 0) return (int32_t)((uint32_t)slot - 1);
  }
}

static void index_tokens(TkVocab *v) {
  size_t size = tk_table_size((size_t)v->n);
  v->mask = size - 1;
  v->slot = rt_alloc(size, sizeof *v->slot);
  for (int64_t id = 0; id < v->n; id++) {
    const TkStr *t = &v->token[id];
    if (!t->s) continue;
    uint64_t h = tk_hash(t->s, t->n);
    size_t i = h & v->mask;
    while (v->slot[i]) i = (i + 1) & v->mask;
    v->slot[i] = h >> 32 << 32 | (uint64_t)(id + 1);
  }
}

// Enough for any file: the largest vocabularies are below 2^20, and an id this large would only waste memory.
static const int64_t MAX_ID = 1 << 26;

static bool put_token(TkVocab *v, int64_t *cap, const char *what, JsonStr s, char *at, int64_t id, RtError *e) {
  if (id < 0 || id >= MAX_ID) return rt_fail(e, "%s: token \"%.*s\" has the id %lld", what, (int)(s.n < 80 ? s.n : 80), s.s, (long long)id);
  if (id >= *cap) {
    int64_t grown = id + id / 2 + 1024;
    v->token = rt_realloc(v->token, (size_t)grown, sizeof *v->token);
    memset(v->token + *cap, 0, (size_t)(grown - *cap) * sizeof *v->token);
    *cap = grown;
  }
  if (v->token[id].s) return rt_fail(e, "%s: the id %lld belongs to two tokens", what, (long long)id);
  v->token[id] = (TkStr){at, s.n};
  if (id >= v->n) v->n = id + 1;
  return true;
}

bool tk_vocab_read(TkVocab *v, const char *what, JsonStr vocab, RtError *e) {
  JsonScan s;
  JsonStr key;
  jscan_init(&s, what, vocab.s, vocab.n, e);
  v->bytes = rt_alloc(vocab.n + 8, 1);           // decoded strings are never longer than their JSON
  char *at = v->bytes;
  int64_t cap = 0;
  bool first = true;
  int k = jscan_expect(&s, '{') ? 1 : -1;
  while (k > 0 && (k = jscan_member(&s, &first, &key)) > 0) {
    int64_t id;
    memcpy(at, key.s, key.n);
    key.s = at;
    if (!jscan_int(&s, &id) || !put_token(v, &cap, what, key, at, id, e)) k = -1;
    at += key.n;
  }
  jscan_free(&s);
  if (k == 0) index_tokens(v);
  return k == 0;
}

void tk_vocab_free(TkVocab *v) {
  rt_free(v->bytes);
  rt_free(v->token);
  rt_free(v->slot);
}
