// See merges.h.
#include "runtime/text/merges.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/text/hash.h"

// A later merge of the same pair replaces an earlier one.
static void add_pair(TkMerges *m, int32_t left, int32_t right, uint32_t rank, int32_t id) {
  uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
  size_t i = tk_mix(key ^ m->seed) & m->mask;
  while (m->pair[i].rank != UINT32_MAX && m->pair[i].key != key) i = (i + 1) & m->mask;
  m->pair[i] = (TkPair){key, rank, id};
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
static int32_t merged_id(const TkVocab *v, const JsonStr side[2], size_t prefix, char **buf, size_t *cap) {
  if (side[1].n < prefix) return -1;
  size_t n = side[0].n + side[1].n - prefix;
  if (n > *cap) *buf = rt_realloc(*buf, *cap = n * 2, 1);
  memcpy(*buf, side[0].s, side[0].n);
  memcpy(*buf + side[0].n, side[1].s + prefix, side[1].n - prefix);
  return tk_vocab_find(v, *buf, n);
}

static void resize(TkMerges *m, size_t size) {
  TkPair *old = m->pair;
  size_t n = old ? m->mask + 1 : 0;
  m->mask = size - 1;
  m->pair = rt_alloc(size, sizeof *m->pair);
  m->seed = tk_seed(m->pair);
  memset(m->pair, 0xFF, size * sizeof *m->pair);
  for (size_t i = 0; i < n; i++)
    if (old[i].rank != UINT32_MAX) add_pair(m, (int32_t)(old[i].key >> 32), (int32_t)(uint32_t)old[i].key, old[i].rank, old[i].id);
  rt_free(old);
}

bool tk_merges_read(TkMerges *m, const TkVocab *v, const char *what, JsonStr merges, size_t prefix, RtError *e) {
  JsonScan s;
  jscan_init(&s, what, merges.s, merges.n, e);
  // A merge takes at least five characters ("a b",), so this is room enough; most take three times that.
  size_t guess = merges.n / 5 + 1;
  size_t size = tk_table_size(guess < (size_t)v->n * 2 ? guess : (size_t)v->n * 2), used = 0, cap0 = 0, cap1 = 0;
  char *buf0 = NULL, *buf1 = NULL;
  resize(m, size);
  bool first = true;
  int k = jscan_expect(&s, '[') ? 1 : -1;
  while (k > 0 && (k = jscan_element(&s, &first)) > 0) {
    JsonStr side[2];
    int32_t id[2] = {-1, -1};
    if (!read_merge(&s, v, side, id, &buf0, &cap0)) {
      k = -1;
      break;
    }
    int32_t to = merged_id(v, side, prefix, &buf1, &cap1);
    if (id[0] < 0 || id[1] < 0 || to < 0) {
      rt_fail(e, "%s: merge %zu joins \"%.*s\" and \"%.*s\", but not all of these and the two together are tokens", what, used,
              (int)(side[0].n < 80 ? side[0].n : 80), side[0].s, (int)(side[1].n < 80 ? side[1].n : 80), side[1].s);
      k = -1;
      break;
    }
    if (used + 1 > (m->mask + 1) / 8 * 7) resize(m, (m->mask + 1) * 2);
    add_pair(m, id[0], id[1], (uint32_t)used++, to);
  }
  rt_free(buf0);
  rt_free(buf1);
  jscan_free(&s);
  return k == 0;
}

void tk_merges_free(TkMerges *m) {
  if (!m->mapped) rt_free(m->pair);
}
