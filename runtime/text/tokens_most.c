// The bound on the tokens of a text, carried back from the model to the raw text: see most.h.
#include <string.h>

#include "runtime/text/most.h"
#include "runtime/text/pipeline.h"
#include "runtime/text/tokenizer.h"

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static bool within(const TkTokensMost *m) { return m->ascii <= TK_MOST && m->other <= TK_MOST && m->fixed <= TK_MOST; }

// Text is cut at added tokens: each is one token, and what lies behind it is one more part, of which m holds.
static void cut_at(const Tokenizer *t, const TkMostOf *of, bool normalized, TkTokensMost *m) {
  for (int i = 0; i < t->nadded; i++) {
    const TkAdded *a = &t->added[i];
    const char *s = normalized ? a->shown : a->content;
    if (a->normalized != normalized || !s || !*s) continue;
    int64_t weight = tk_most_weight(of, s, strlen(s)), each = (1 + m->fixed + weight - 1) / weight;
    m->ascii = larger(m->ascii, each), m->other = larger(m->other, each);
  }
}

static bool through_pre(const Tokenizer *t, TkMostOf *of, TkTokensMost *m) {
  for (int i = t->pre.n - 1; i >= 0; i--) {
    const TkPretokenizerKind *k = (const TkPretokenizerKind *)t->pre.c[i].kind;
    of->first = i == 0, of->last = i + 1 == t->pre.n;
    if (!k->most || !k->most(t->pre.c[i].own, of, m) || !within(m)) return false;
  }
  return true;
}

static bool through_norm(const Tokenizer *t, const TkMostOf *of, TkTokensMost *m) {
  for (int i = t->norm.n - 1; i >= 0; i--) {
    const TkNormalizerKind *k = (const TkNormalizerKind *)t->norm.c[i].kind;
    if (!k->most || !k->most(t->norm.c[i].own, of, m) || !within(m)) return false;
  }
  return true;
}

bool tokenizer_most(const Tokenizer *t, TkTokensMost *m) {
  const TkModelKind *kind = t->model.kind;
  TkMostOf of = {.model = &t->model, .sign = 3};
  *m = (TkTokensMost){.ascii = 1, .other = 1};
  if (!kind->most) return false;
  bool bytes = false;
  for (int i = 0; i < t->pre.n; i++) bytes |= ((const TkPretokenizerKind *)t->pre.c[i].kind)->leave_bytes != NULL;
  if (!bytes) of.sign = kind->most(t->model.own, TK_SIGN, 3);
  if (!through_pre(t, &of, m)) return false;
  cut_at(t, &of, true, m);
  if (!through_norm(t, &of, m)) return false;
  cut_at(t, &of, false, m);
  return within(m);
}

int tokenizer_beyond(const Tokenizer *t, int64_t vocab, const char **content, int most) {
  int n = 0;
  if (t->vocab.n && (int64_t)t->vocab.token[t->vocab.n - 1].id >= vocab) return -1;
  for (int i = 0; i < t->nadded; i++) {
    if (t->added[i].id < vocab) continue;
    if (t->added[i].normalized || n == most) return -1;
    content[n++] = t->added[i].content;
  }
  return n;
}
