// See bpe_cuts.h. An unknown character waits for the next that has a token of its own (bpe.c), so there is no cut between.
#include "runtime/text/bpe_cuts.h"

#include "runtime/core/core.h"
#include "runtime/text/bpe_tables.h"
#include "runtime/text/chars.h"
#include "runtime/text/hash.h"

typedef struct Cuts {
  const TkBpe *bpe;
  uint64_t *pair;              // hash set of x << 32 | y, characters that stand side by side within a token; 0 = empty
  size_t mask, n;
} Cuts;

// --- which two units may end up in one token
static bool in_set(const Cuts *s, uint64_t key) {
  for (size_t i = tk_mix(key ^ tk_seed(s->pair)) & s->mask; s->pair[i]; i = (i + 1) & s->mask)
    if (s->pair[i] == key) return true;
  return false;
}

static void put(uint64_t *table, size_t mask, uint64_t key) {
  size_t i = tk_mix(key ^ tk_seed(table)) & mask;
  while (table[i] && table[i] != key) i = (i + 1) & mask;
  table[i] = key;
}

static void add(Cuts *s, uint64_t key) {
  if (in_set(s, key)) return;
  if (2 * ++s->n > s->mask) {
    size_t size = (s->mask + 1) * 2;
    uint64_t *grown = rt_alloc(size, sizeof *grown);
    for (size_t i = 0; i <= s->mask; i++)
      if (s->pair[i]) put(grown, size - 1, s->pair[i]);
    rt_free(s->pair);
    s->pair = grown;
    s->mask = size - 1;
  }
  put(s->pair, s->mask, key);
}

// A unit is what merging starts from: a byte in byte-level tokenizers, a character otherwise. NUL's unit is made different from "empty".
static uint64_t unit(uint32_t c) { return (uint64_t)c + 1; }

static size_t next_unit(const TkBpe *t, const char *s, uint64_t *u) {
  uint32_t c;
  size_t k = t->bytes ? (c = (uint8_t)*s, 1) : rt_utf8_next(s, &c);
  *u = unit(c);
  return k;
}

static void add_token(Cuts *s, TkStr token) {
  uint64_t before = 0, u;
  for (size_t i = 0; i < token.n;) {
    uint32_t c;
    i += rt_utf8_next(token.s + i, &c);
    int byte = s->bpe->bytes ? tk_char_byte(c) : (int)c;
    u = byte < 0 ? 0 : unit((uint32_t)byte);                // a token that is no bytes is never merged
    if (before && u) add(s, before << 32 | u);
    before = u;
  }
}

// The tokens of more than one unit: merges make them. Others in the vocabulary, byte tokens for instance, are never met as their characters.
static void add_merged(Cuts *s) {
  const TkVocab *v = s->bpe->vocab;
  const TkMerges *m = &s->bpe->merges;
  bool *made = rt_alloc((size_t)v->n, sizeof *made);
  for (size_t i = 0; i <= m->mask; i++)
    if (m->pair[i].rank != UINT32_MAX) made[tk_entry_of(v->token, v->n, m->pair[i].id)] = true;
  for (int64_t i = 0; i < v->n; i++)
    if (made[i]) add_token(s, (TkStr){v->bytes + v->token[i].at, v->token[i].n});
  rt_free(made);
}

// Byte tokens (<0xNN>) stand for bytes of characters: a vocabulary that merges them has no cut to offer.
static bool merges_byte_tokens(const TkBpe *t) {
  if (!t->byte_fallback) return false;
  bool is_byte[256] = {false};
  int32_t low = INT32_MAX, high = -1;
  for (int b = 0; b < 256; b++) {
    is_byte[b] = t->byte[b] >= 0;
    if (is_byte[b] && t->byte[b] < low) low = t->byte[b];
    if (is_byte[b] && t->byte[b] > high) high = t->byte[b];
  }
  for (size_t i = 0; i <= t->merges.mask; i++) {
    const TkPair *p = &t->merges.pair[i];
    int32_t side[2] = {(int32_t)(p->key >> 32), (int32_t)(uint32_t)p->key};
    for (int k = 0; p->rank != UINT32_MAX && k < 2; k++)
      for (int b = 0; side[k] >= low && side[k] <= high && b < 256; b++)
        if (t->byte[b] == side[k]) return true;
  }
  return false;
}

void *tk_bpe_cuts(const void *own) {
  const TkBpe *b = own;
  // A piece that may be looked up whole is not encoded in parts, nor one whose first and last characters are written in another way.
  if (b->ignore_merges || b->prefix.n || b->suffix.n || merges_byte_tokens(b)) return NULL;
  Cuts *s = rt_alloc(1, sizeof *s);
  s->bpe = b;
  s->mask = 1023;
  s->pair = rt_alloc(s->mask + 1, sizeof *s->pair);
  add_merged(s);
  return s;
}

void tk_bpe_cuts_free(void *cuts) {
  rt_free(((Cuts *)cuts)->pair);
  rt_free(cuts);
}

// Whether a character that has no token of its own is spelt in bytes.
static bool spelt(const TkBpe *t, const char *s, size_t k) {
  for (size_t b = 0; b < k; b++)
    if (t->byte[(uint8_t)s[b]] < 0) return false;
  return t->byte_fallback;
}

size_t tk_bpe_last_cut(const void *cuts, const char *text, size_t n) {
  const Cuts *s = cuts;
  const TkBpe *t = s->bpe;
  size_t cut = 0;
  bool waiting = false, alone = t->unk >= 0 && !t->fuse_unk && !t->byte_fallback;   // an unknown one is a token of its own
  uint64_t before = 0, u;
  for (size_t i = 0, k; i < n; i += k) {
    k = next_unit(t, text + i, &u);
    bool own = t->bytes || alone || tk_vocab_find(t->vocab, text + i, k) >= 0, known = own || spelt(t, text + i, k);
    if (!known && t->unk < 0) break;                        // it is left out, and the places of all that follow in the piece are others than they would be (bpe.c)
    if (i && known && !waiting && !in_set(s, before << 32 | u)) cut = i;
    waiting = !known || (waiting && !own);
    before = u;
  }
  return cut;
}
