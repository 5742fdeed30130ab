// See unigram_tables.h.
#include "runtime/text/unigram_tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

static const double UNK_PENALTY = 10;

// ---- reading
// A power of ten up to 308, rounded correctly.
static double power(int64_t k) {
  char s[16];
  double p = 1;
  if (k > 22) return snprintf(s, sizeof s, "1e%d", (int)k), strtod(s, NULL);
  while (k--) p *= 10;
  return p;
}

// sig * 10^k as serde_json makes a number of its digits, whose last bit is not always the nearest: two ways to write a word may have scores that differ
// in that alone.
static double scaled(uint64_t sig, int64_t k) {
  double f = (double)sig;
  for (; k < -308 && f != 0; k += 308) f /= 1e308;
  return f == 0 ? 0 : k > 308 ? INFINITY : k >= 0 ? f * power(k) : f / power(-k);
}

static bool is_digit(const JsonScan *s) { return s->p < s->end && *s->p >= '0' && *s->p <= '9'; }

static bool add_digit(uint64_t *sig, char c) {
  uint64_t more;
  if (__builtin_mul_overflow(*sig, 10u, &more) || __builtin_add_overflow(more, (uint64_t)(c - '0'), &more)) return false;
  return *sig = more, true;
}

// False, with an error, where it is no number, or none that a double holds.
static bool read_score(JsonScan *s, double *to) {
  uint64_t sig = 0;
  int64_t k = 0, exponent = 0;
  bool minus = jscan_peek(s) == '-', full = false;
  s->p += minus;
  if (!is_digit(s)) return jscan_fail(s, "a score");
  for (; is_digit(s); s->p++) {
    full = full || !add_digit(&sig, *s->p);
    k += full;                   // a digit that is left out
  }
  if (s->p < s->end && *s->p == '.') {
    for (s->p++; is_digit(s); s->p++) {
      full = full || !add_digit(&sig, *s->p);
      k -= !full;
    }
  }
  if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
    bool below = ++s->p < s->end && *s->p == '-';
    if (s->p < s->end && (*s->p == '-' || *s->p == '+')) s->p++;
    if (!is_digit(s)) return jscan_fail(s, "an exponent");
    for (; is_digit(s); s->p++) exponent = exponent < 10000 ? exponent * 10 + (*s->p - '0') : exponent;
    k += below ? -exponent : exponent;
  }
  double f = scaled(sig, k);
  *to = minus ? -f : f;
  return isfinite(f) || jscan_fail(s, "a score that a double holds");
}

// ["token", score]
static bool read_entry(TkUnigram *t, TkVocabFill *f, JsonScan *s, int64_t *cap, RtError *e) {
  JsonStr token;
  bool first = true;
  int64_t id = f->v->n;
  if (!jscan_expect(s, '[')) return false;
  if (jscan_element(s, &first) <= 0) return jscan_fail(s, "a token and its score");
  if (!jscan_string(s, &token)) return false;
  if (token.n > TK_UNIGRAM_TOKEN) return rt_fail(e, "%s: a Unigram token of more than %d bytes is not supported (found %zu)", f->what, TK_UNIGRAM_TOKEN, token.n);
  if (!tk_vocab_put(f, token, id, e)) return false;
  if (id >= *cap) t->score = rt_realloc(t->score, (size_t)(*cap = *cap * 2 + 1024), sizeof *t->score);
  if (jscan_element(s, &first) <= 0) return jscan_fail(s, "a score behind the token");
  return read_score(s, &t->score[id]) && (jscan_element(s, &first) == 0 || jscan_fail(s, "a token and its score alone"));
}

static bool read_vocab(TkUnigram *t, TkVocab *vocab, const TkModelSource *from, RtError *e) {
  TkVocabFill f = {.v = vocab, .what = from->what};
  JsonScan s;
  bool first = true;
  int64_t cap = 0;
  if (!tk_vocab_begin(&f, from->vocab.n, e)) return false;
  jscan_init(&s, from->what, from->vocab.s, from->vocab.n, e);
  int k = jscan_expect(&s, '[') ? 1 : -1;
  while (k > 0 && (k = jscan_element(&s, &first)) > 0)
    if (!read_entry(t, &f, &s, &cap, e)) k = -1;
  jscan_free(&s);
  return k == 0 && tk_vocab_end(&f, e);
}

// ---- the trie, a level at a time: tokens sorted by their bytes, and each node has a stretch of them
typedef struct Stretch {
  uint32_t low, high, depth;
} Stretch;
typedef struct Build {
  TkUnigram *t;
  TkStr *token;                // sorted
  int32_t *id;
  Stretch *of;                 // by node
  size_t cap;
} Build;

static int by_bytes(const void *a, const void *b) {
  const TkStr *x = a, *y = b;
  int c = memcmp(x->s, y->s, x->n < y->n ? x->n : y->n);
  return c ? c : (x->n > y->n) - (x->n < y->n);
}

static void add_node(Build *b, uint8_t byte, Stretch of) {
  TkUnigram *t = b->t;
  if (t->nnode == b->cap) {
    b->cap = b->cap * 2 + 1024;
    t->node = rt_realloc(t->node, b->cap, sizeof *t->node);
    b->of = rt_realloc(b->of, b->cap, sizeof *b->of);
  }
  const TkStr *first = &b->token[of.low];
  bool ends = of.low < of.high && of.depth && first->n == of.depth;      // no other is as short; the empty token is met nowhere
  t->node[t->nnode] = (TkNode){.id = ends ? tk_vocab_find(t->vocab, first->s, first->n) : -1, .byte = byte};
  b->of[t->nnode++] = of;
}

static void build_trie(TkUnigram *t) {
  size_t n = (size_t)t->vocab->n;
  Build b = {.t = t, .token = rt_alloc(n + 1, sizeof *b.token)};
  for (size_t i = 0; i < n; i++) b.token[i] = (TkStr){t->vocab->bytes + t->vocab->token[i].at, t->vocab->token[i].n};
  if (n) qsort(b.token, n, sizeof *b.token, by_bytes);
  add_node(&b, 0, (Stretch){0, (uint32_t)n, 0});
  for (size_t k = 0; k < t->nnode; k++) {
    Stretch s = b.of[k];
    t->node[k].child = (uint32_t)t->nnode;
    uint32_t i = s.low;
    while (i < s.high && b.token[i].n == s.depth) i++;
    while (i < s.high) {
      uint8_t byte = (uint8_t)b.token[i].s[s.depth];
      uint32_t from = i;
      while (i < s.high && (uint8_t)b.token[i].s[s.depth] == byte) i++;
      add_node(&b, byte, (Stretch){from, i, s.depth + 1});
      t->node[k].n++;
    }
  }
  rt_free(b.token), rt_free(b.of);
}

static void index_bytes(TkUnigram *t) {
  char s[8];
  for (int i = 0; i < 256; i++) {
    snprintf(s, sizeof s, "<0x%02X>", (unsigned)i);
    t->byte[i] = tk_vocab_find(t->vocab, s, 6);
  }
}

bool tk_unigram_read(void *own, TkVocab *vocab, const TkModelSource *from, RtError *e) {
  TkUnigram *t = own;
  int64_t unk = -1;
  if (!from->vocab.s || *from->vocab.s != '[') return rt_fail(e, "%s: model Unigram: expected \"vocab\", an array of tokens and scores", from->what);
  t->vocab = vocab;
  if (!rtj_get_int(from->what, from->json, "unk_id", &unk, e) || !rtj_get_bool(from->what, from->json, "byte_fallback", &t->byte_fallback, e) ||
      !read_vocab(t, vocab, from, e))
    return false;
  if (unk < 0) return rt_fail(e, "%s: model Unigram: without an \"unk_id\" it is not supported", from->what);
  if (unk >= vocab->n) return rt_fail(e, "%s: model Unigram: \"unk_id\": expected the id of one of %lld tokens, found %lld", from->what, (long long)vocab->n, (long long)unk);
  t->unk = (int32_t)unk;
  t->unk_score = INFINITY;
  for (int64_t i = 0; i < vocab->n; i++) t->unk_score = t->score[i] < t->unk_score ? t->score[i] : t->unk_score;
  t->unk_score -= UNK_PENALTY;
  index_bytes(t);
  build_trie(t);
  return true;
}

void tk_unigram_free(void *own) {
  TkUnigram *t = own;
  if (t->mapped) return;
  rt_free(t->score), rt_free(t->node);
}

// ---- images
typedef struct Saved {
  double unk_score;
  int32_t unk, byte_fallback;
} Saved;
_Static_assert(sizeof(TkNode) == 12, "nodes lie in images as they are");

void tk_unigram_save(const void *own, TkImageOut *to) {
  const TkUnigram *t = own;
  tk_image_put(to, TK_TABLE_MODEL, &(Saved){t->unk_score, t->unk, t->byte_fallback}, 1, sizeof(Saved));
  tk_image_put(to, TK_TABLE_SCORES, t->score, (size_t)t->vocab->n, sizeof *t->score);
  tk_image_put(to, TK_TABLE_NODES, t->node, t->nnode, sizeof *t->node);
}

// A child stands behind its parent, so that every walk ends, and no token is longer than any that is read.
static bool map_nodes(TkUnigram *t, const TkImage *from, RtError *e) {
  const TkNode *x = tk_image_get(from, TK_TABLE_NODES, sizeof *x, &t->nnode, e);
  if (!x) return false;
  size_t n = t->nnode;
  uint16_t *depth = rt_alloc(n, sizeof *depth);
  bool ok = n > 0 && n <= UINT32_MAX;
  for (size_t i = 0; ok && i < n; i++) {
    ok = x[i].id >= -1 && x[i].id < t->vocab->n && x[i].n <= 256 && (!x[i].n || (x[i].child > i && x[i].child < n && x[i].n <= n - x[i].child)) &&
         (!x[i].n || depth[i] < TK_UNIGRAM_TOKEN);
    for (size_t k = 0; ok && k < x[i].n; k++) depth[x[i].child + k] = (uint16_t)(depth[i] + 1);
  }
  rt_free(depth);
  t->node = (TkNode *)(uintptr_t)x;
  return ok || tk_image_bad(from, "the tokens' trie", e);
}

bool tk_unigram_map(void *own, TkVocab *vocab, const TkImage *from, RtError *e) {
  TkUnigram *t = own;
  size_t n, nscore;
  t->mapped = true;
  const Saved *s = tk_image_get(from, TK_TABLE_MODEL, sizeof *s, &n, e);
  const double *score = s ? tk_image_get(from, TK_TABLE_SCORES, sizeof *score, &nscore, e) : NULL;
  if (!score) return false;
  bool ok = n == 1 && nscore == (size_t)vocab->n && s->unk >= 0 && s->unk < vocab->n;
  for (int64_t i = 0; ok && i < vocab->n; i++) ok = isfinite(score[i]) && vocab->token[i].id == (uint32_t)i;      // without holes
  if (!ok || !isfinite(s->unk_score)) return tk_image_bad(from, "scores", e);
  t->vocab = vocab, t->score = (double *)(uintptr_t)score;
  t->unk_score = s->unk_score, t->unk = s->unk, t->byte_fallback = s->byte_fallback & 1;
  index_bytes(t);
  return map_nodes(t, from, e);
}
