// Vocabulary and merge table: two open-addressing hash tables, filled straight from the JSON text.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/core/utf8.h"
#include "runtime/text/impl.h"

static uint64_t mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}

uint64_t tk_hash(const char *s, size_t n) {
  uint64_t h = n * 0x9E3779B97F4A7C15u, w;
  for (; n >= 8; s += 8, n -= 8) {
    memcpy(&w, s, 8);
    h = mix(h ^ w);
  }
  w = 0;
  memcpy(&w, s, n);
  return mix(h ^ w);
}

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

const TkPair *tk_vocab_pair(const TkVocab *v, int32_t left, int32_t right) {
  uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
  for (size_t i = mix(key) & v->pair_mask;; i = (i + 1) & v->pair_mask) {
    if (v->pair[i].rank == UINT32_MAX) return NULL;
    if (v->pair[i].key == key) return &v->pair[i];
  }
}

// A later merge of the same pair replaces an earlier one.
static void add_pair(TkVocab *v, int32_t left, int32_t right, uint32_t rank, int32_t id) {
  uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
  size_t i = mix(key) & v->pair_mask;
  while (v->pair[i].rank != UINT32_MAX && v->pair[i].key != key) i = (i + 1) & v->pair_mask;
  v->pair[i] = (TkPair){key, rank, id};
}

static size_t table_size(size_t entries) {
  size_t size = 16;
  while (size < entries * 2) size *= 2;
  return size;
}

static void index_tokens(TkVocab *v) {
  size_t size = table_size((size_t)v->n);
  v->mask = size - 1;
  v->slot = rt_alloc(size, sizeof *v->slot);
  memset(v->fast, 0xFF, sizeof v->fast);
  for (int64_t id = 0; id < v->n; id++) {
    const TkStr *t = &v->token[id];
    if (!t->s) continue;
    uint64_t h = tk_hash(t->s, t->n);
    size_t i = h & v->mask;
    while (v->slot[i]) i = (i + 1) & v->mask;
    v->slot[i] = h >> 32 << 32 | (uint64_t)(id + 1);
    uint32_t cp;
    if (t->n && rt_utf8_next(t->s, &cp) == t->n && cp < TK_FAST_CHARS) v->fast[cp] = (int32_t)id;
  }
  for (int b = 0; b < 256; b++) {
    char name[8];
    snprintf(name, sizeof name, "<0x%02X>", (unsigned)b);
    v->byte[b] = tk_vocab_find(v, name, 6);
    v->shown[b] = tk_vocab_find(v, name, rt_utf8_put(name, tk_byte_char((uint8_t)b)));
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

// The two sides of one merge: "left right", or ["left", "right"]. Found as ids; -1 where a side is no token.
static bool read_merge(JsonScan *s, const TkVocab *v, JsonStr side[2], int32_t id[2], char **buf, size_t *cap) {
  JsonStr t;
  bool list = jscan_peek(s) == '[', first = true;
  if (!list) {
    if (!jscan_string(s, &t)) return false;
    const char *space = t.n ? memchr(t.s, ' ', t.n) : NULL;
    if (!space) return jscan_fail(s, "a merge of two tokens with a space between them");
    side[0] = (JsonStr){t.s, (size_t)(space - t.s)};
    side[1] = (JsonStr){space + 1, t.n - side[0].n - 1};
  } else {
    s->p++;
    for (int i = 0; i < 2; i++) {
      if (jscan_element(s, &first) <= 0) return jscan_fail(s, "two tokens in a merge");
      if (!jscan_string(s, &side[i])) return false;
      if (i == 1) break;
      if (side[0].n > *cap) *buf = rt_realloc(*buf, *cap = side[0].n * 2, 1);
      if (side[0].n) side[0].s = memcpy(*buf, side[0].s, side[0].n);   // the second string may reuse the scanner's buffer
    }
    if (jscan_element(s, &first) != 0) return jscan_fail(s, "two tokens in a merge");
  }
  for (int i = 0; i < 2; i++) id[i] = tk_vocab_find(v, side[i].s, side[i].n);
  return true;
}

// The token both sides make, or -1.
static int32_t merged_id(const TkVocab *v, const JsonStr side[2], char **buf, size_t *cap) {
  size_t n = side[0].n + side[1].n;
  if (n > *cap) *buf = rt_realloc(*buf, *cap = n * 2, 1);
  memcpy(*buf, side[0].s, side[0].n);
  memcpy(*buf + side[0].n, side[1].s, side[1].n);
  return tk_vocab_find(v, *buf, n);
}

bool tk_merges_read(TkVocab *v, const char *what, JsonStr merges, RtError *e) {
  JsonScan s;
  jscan_init(&s, what, merges.s, merges.n, e);
  // A merge takes at least five characters ("a b",), so this is room enough; most take three times that.
  size_t guess = merges.n / 5 + 1;
  size_t size = table_size(guess < (size_t)v->n * 2 + 1024 ? guess : (size_t)v->n * 2 + 1024), used = 0, cap0 = 0, cap1 = 0;
  char *buf0 = NULL, *buf1 = NULL;
  v->pair_mask = size - 1;
  v->pair = rt_alloc(size, sizeof *v->pair);
  memset(v->pair, 0xFF, size * sizeof *v->pair);
  bool first = true;
  int k = jscan_expect(&s, '[') ? 1 : -1;
  while (k > 0 && (k = jscan_element(&s, &first)) > 0) {
    JsonStr side[2];
    int32_t id[2] = {-1, -1};
    if (!read_merge(&s, v, side, id, &buf0, &cap0)) {
      k = -1;
      break;
    }
    int32_t to = merged_id(v, side, &buf1, &cap1);
    if (id[0] < 0 || id[1] < 0 || to < 0) {
      rt_fail(e, "%s: merge %zu joins \"%.*s\" and \"%.*s\", but not all of these and the two together are tokens", what, used,
              (int)(side[0].n < 80 ? side[0].n : 80), side[0].s, (int)(side[1].n < 80 ? side[1].n : 80), side[1].s);
      k = -1;
      break;
    }
    if (used + 1 > size / 8 * 7) {
      TkPair *old = v->pair;
      v->pair_mask = size * 2 - 1;
      v->pair = rt_alloc(size * 2, sizeof *v->pair);
      memset(v->pair, 0xFF, size * 2 * sizeof *v->pair);
      for (size_t i = 0; i < size; i++)
        if (old[i].rank != UINT32_MAX) add_pair(v, (int32_t)(old[i].key >> 32), (int32_t)(uint32_t)old[i].key, old[i].rank, old[i].id);
      rt_free(old);
      size *= 2;
    }
    add_pair(v, id[0], id[1], (uint32_t)used++, to);
  }
  rt_free(buf0);
  rt_free(buf1);
  jscan_free(&s);
  return k == 0;
}

void tk_vocab_free(TkVocab *v) {
  rt_free(v->bytes);
  rt_free(v->token);
  rt_free(v->slot);
  rt_free(v->pair);
}
