// See added.h.
#include "runtime/text/added.h"

#include "runtime/core/core.h"
#include "runtime/text/chars.h"

static int32_t new_node(TkTrie *t, uint8_t byte) {
  if (t->n == 0) t->n = 1;       // index 0 means none
  if (t->n >= t->cap) {
    t->cap = t->cap ? t->cap * 2 : 256;
    t->node = rt_realloc(t->node, (size_t)t->cap, sizeof *t->node);
  }
  t->node[t->n] = (struct TkTrieNode){.byte = byte, .added = -1};
  return t->n++;
}

// *steps: one more for each node that is looked at.
static int32_t child(const TkTrie *t, int32_t at, uint8_t byte, int64_t *steps) {
  int32_t c = t->node[at].child;
  for (++*steps; c && t->node[c].byte != byte; ++*steps) c = t->node[c].sibling;
  return c;
}

void tk_trie_add(TkTrie *t, const char *s, size_t n, int32_t index, const TkAdded *a) {
  t->lstrip |= a->lstrip;
  t->single_word |= a->single_word;
  int64_t steps = 0;
  int32_t at = t->first[(uint8_t)s[0]];
  if (!at) at = t->first[(uint8_t)s[0]] = new_node(t, (uint8_t)s[0]);
  for (size_t i = 1; i < n; i++) {
    int32_t next = child(t, at, (uint8_t)s[i], &steps);
    if (!next) {
      next = new_node(t, (uint8_t)s[i]);
      t->node[next].sibling = t->node[at].child;
      t->node[at].child = next;
    }
    at = next;
  }
  t->node[at].added = index;
}

void tk_trie_free(TkTrie *t) {
  if (!t->mapped) rt_free(t->node);
}

// The longest token that starts at s; its length, or 0. *end: whether a longer one would begin with all of s.
static size_t longest(const TkTrie *t, const char *s, size_t n, int32_t *added, bool *end, TkCall *call) {
  size_t best = 0, i = 0;
  int64_t steps = 0;
  int32_t at = t->first[(uint8_t)s[0]];
  *end = false;
  while (at) {
    i++;
    if (t->node[at].added >= 0) {
      best = i;
      *added = t->node[at].added;
    }
    *end = i == n && t->node[at].child;
    at = i < n ? child(t, at, (uint8_t)s[i], &steps) : 0;
  }
  return tk_call_spend(call, steps) ? best : 0;
}

static uint32_t char_before(const char *s, size_t at) {
  uint32_t cp;
  do at--; while (at && ((uint8_t)s[at] & 0xC0) == 0x80);
  rt_utf8_next(s + at, &cp);
  return cp;
}

bool tk_word_ends(const char *s, size_t at) { return at == 0 || !tk_is_word(char_before(s, at)); }

static uint32_t char_at(const char *s, size_t at) {
  uint32_t cp;
  rt_utf8_next(s + at, &cp);
  return cp;
}

static void push(TkCuts *l, TkCut c) {
  if (l->n == l->cap) {
    l->cap = l->cap ? l->cap * 2 : 16;
    l->c = rt_realloc(l->c, l->cap, sizeof *l->c);
  }
  l->c[l->n++] = c;
}

// Where the spaces that end s[done, end) begin.
static size_t before_spaces(const char *s, size_t done, size_t end) {
  uint32_t cp;
  char tmp[4];
  while (end > done && tk_is_space(cp = char_before(s, end))) end -= rt_utf8_put(tmp, cp);
  return end;
}

size_t tk_cut(const TkTrie *t, const TkAdded *added, const char *s, size_t start, size_t n, bool open, TkCuts *cuts, TkCall *call) {
  size_t done = start;
  for (size_t i = start; t->n && i < n && !call->failed;) {
    if (!t->first[(uint8_t)s[i]]) {
      i++;
      continue;
    }
    int32_t which = -1;
    bool more;
    size_t len = longest(t, s + i, n - i, &which, &more, call), begin = i, end = i + len;
    if (more && open) {
      n = i;
      break;
    }
    if (len == 0) {
      i++;
      continue;
    }
    i = end;
    const TkAdded *a = &added[which];
    if (begin < done) continue;  // inside the spaces the token before took
    uint32_t cp;
    if (a->rstrip)
      while (end < n && tk_is_space(char_at(s, end))) end += rt_utf8_next(s + end, &cp);
    if (open && end == n && (a->rstrip || a->single_word)) {   // the next character decides
      n = begin;
      break;
    }
    if (a->single_word && (!tk_word_ends(s, begin) || (i < n && tk_is_word(char_at(s, i))))) continue;
    if (a->lstrip) begin = before_spaces(s, done, begin);
    if (done < begin) push(cuts, (TkCut){done, begin, -1});
    push(cuts, (TkCut){begin, end, which});
    done = end;
  }
  if (open && t->lstrip && n > done) n = before_spaces(s, done, n);
  if (done < n) push(cuts, (TkCut){done, n, -1});
  return n;
}
