// See vocab.h.
#include "runtime/text/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/text/hash.h"

int32_t tk_vocab_find(const TkVocab *v, const char *s, size_t n) {
  uint64_t h = tk_hash(s, n, v->seed);
  for (size_t i = h & v->mask;; i = (i + 1) & v->mask) {
    uint64_t slot = v->slot[i];
    if (slot == 0) return -1;
    if ((slot ^ h) >> 32) continue;
    const TkEntry *t = &v->token[(uint32_t)slot - 1];
    if (t->n == n && memcmp(v->bytes + t->at, s, n) == 0) return (int32_t)t->id;
  }
}

static int by_id(const void *a, const void *b) {
  uint32_t x = ((const TkEntry *)a)->id, y = ((const TkEntry *)b)->id;
  return (x > y) - (x < y);
}

void tk_entries_sort(TkEntry *token, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    if (token[i - 1].id <= token[i].id) continue;
    qsort(token, (size_t)n, sizeof *token, by_id);
    return;
  }
}

int64_t tk_entries_search(const TkEntry *token, int64_t n, int32_t id) {
  int64_t low = 0, high = n;
  while (low < high) {
    int64_t mid = low + (high - low) / 2;
    if (token[mid].id < (uint32_t)id) low = mid + 1;
    else high = mid;
  }
  return low < n && token[low].id == (uint32_t)id ? low : -1;
}

static bool twice(const TkVocab *v, const char *what, const TkEntry *t, RtError *e) {
  return rt_fail(e, "%s: the token \"%.*s\" is there twice", what, (int)(t->n < 80 ? t->n : 80), v->bytes + t->at);
}

static bool index_tokens(TkVocab *v, const char *what, RtError *e) {
  size_t size = tk_table_size((size_t)v->n);
  v->mask = size - 1;
  v->slot = rt_alloc(size, sizeof *v->slot);
  v->seed = tk_seed(v->slot);
  for (int64_t k = 0; k < v->n; k++) {
    const TkEntry *t = &v->token[k];
    if (k && v->token[k - 1].id == v->token[k].id) return rt_fail(e, "%s: the id %d belongs to two tokens", what, (int)v->token[k].id);
    uint64_t h = tk_hash(v->bytes + t->at, t->n, v->seed);
    size_t i = h & v->mask;
    for (; v->slot[i]; i = (i + 1) & v->mask) {
      const TkEntry *o = &v->token[(uint32_t)v->slot[i] - 1];
      if (!((v->slot[i] ^ h) >> 32) && o->n == t->n && !memcmp(v->bytes + o->at, v->bytes + t->at, t->n)) return twice(v, what, t, e);
    }
    v->slot[i] = h >> 32 << 32 | (uint64_t)(k + 1);
  }
  return true;
}

bool tk_vocab_begin(TkVocabFill *f, size_t room, RtError *e) {
  if (room > UINT32_MAX / 2) return rt_fail(e, "%s: a vocabulary of more than 2 GB", f->what);
  f->at = f->v->bytes = rt_alloc(f->v->room = room + 8, 1);
  return true;
}

bool tk_vocab_put(TkVocabFill *f, JsonStr s, int64_t id, RtError *e) {
  TkVocab *v = f->v;
  int shown = (int)(s.n < 80 ? s.n : 80);
  if (s.n > INT32_MAX) return rt_fail(e, "%s: a token of %zu bytes", f->what, s.n);
  if (id < 0 || id > RTJ_MAX_ID)
    return rt_fail(e, "%s: token \"%.*s\" has the id %lld; expected a number from 0 to %d", f->what, shown, s.s, (long long)id, RTJ_MAX_ID);
  if (v->n == f->cap) {
    f->cap = f->cap * 2 + 1024;
    v->token = rt_realloc(v->token, (size_t)f->cap, sizeof *v->token);
  }
  if (s.n) memcpy(f->at, s.s, s.n);
  v->token[v->n++] = (TkEntry){.at = (uint32_t)(f->at - v->bytes), .n = (uint32_t)s.n, .id = (uint32_t)id & INT32_MAX};
  f->at += s.n;
  return true;
}

bool tk_vocab_end(TkVocabFill *f, RtError *e) {
  TkVocab *v = f->v;
  v->nbytes = (size_t)(f->at - v->bytes);
  v->bytes = rt_realloc(v->bytes, v->room = v->nbytes + 8, 1);
  tk_entries_sort(v->token, v->n);
  return index_tokens(v, f->what, e);
}

bool tk_vocab_keep(TkVocab *v, const char *what, const char *s, size_t n, uint32_t *at, RtError *e) {
  if (n > UINT32_MAX - v->nbytes) return rt_fail(e, "%s: more than 4 GB of tokens", what);
  if (v->nbytes + n > v->room) {
    v->room = v->nbytes + n + v->nbytes / 8 + 256;
    v->bytes = rt_realloc(v->bytes, v->room, 1);
  }
  if (n) memcpy(v->bytes + v->nbytes, s, n);
  *at = (uint32_t)v->nbytes;
  v->nbytes += n;
  return true;
}

bool tk_vocab_read(TkVocab *v, const char *what, JsonStr vocab, RtError *e) {
  TkVocabFill f = {.v = v, .what = what};
  JsonScan s;
  JsonStr key;
  int64_t id;
  bool first = true;
  if (!tk_vocab_begin(&f, vocab.n, e)) return false;
  jscan_init(&s, what, vocab.s, vocab.n, e);
  int k = jscan_expect(&s, '{') ? 1 : -1;
  while (k > 0 && (k = jscan_member(&s, &first, &key)) > 0)     // reading a number leaves the key where it is
    if (!jscan_int(&s, &id) || !tk_vocab_put(&f, key, id, e)) k = -1;
  jscan_free(&s);
  return k == 0 && tk_vocab_end(&f, e);
}

void tk_vocab_free(TkVocab *v) {
  if (v->mapped) return;
  rt_free(v->bytes);
  rt_free(v->token);
  rt_free(v->slot);
}
