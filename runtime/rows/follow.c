// See follow.h.
#include "runtime/rows/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"

void streams_free(Streams *ss) {
  for (int k = 0; k < ss->n; k++) {
    if (ss->s[k].rule) settler_free(ss->s[k].rule);
    if (ss->s[k].tok) tokenizer_free(ss->s[k].tok);
  }
  rt_free(ss->s), rt_free(ss->of);
  *ss = (Streams){0};
}

Streams streams_share(const Streams *ss) {
  Streams own = {.s = rt_alloc((size_t)ss->n, sizeof *own.s), .n = ss->n, .name = ss->name, .models = ss->models, .anchor = ss->anchor};
  if (ss->of && ss->models) own.of = memcpy(rt_alloc((size_t)ss->models, sizeof *own.of), ss->of, (size_t)ss->models * sizeof *own.of);
  for (int k = 0; k < ss->n; k++) {
    own.s[k] = ss->s[k];
    if (!ss->s[k].tok) continue;
    own.s[k].tok = tokenizer_share(ss->s[k].tok);
    own.s[k].rule = settler_share(ss->s[k].rule, own.s[k].tok);
  }
  return own;
}

// ---- tokens of one stream

static void append(FollowTokens *t, const int32_t *ids, int64_t n) {
  if (t->n + n > t->cap) t->ids = rt_realloc(t->ids, (size_t)(t->cap = (t->n + n) * 2 + 16), sizeof *t->ids);
  if (n) memcpy(t->ids + t->n, ids, (size_t)n * sizeof *ids);
  t->n += n;
}

// Whether a stream reads the anchor's ids.
static bool copies(const Follow *f, int k) {
  const Stream *s = &f->streams->s[k];
  return !f->s[k].own && (!s->tok || (s->shares && !(f->rendered && s->renders)));
}

static int64_t prefix_of(const Follow *f, int k, const int32_t **ids) { return f->bare >> k & 1 ? 0 : tokenizer_prefix(f->streams->s[k].tok, ids); }

// Appends what the tokenizer of stream k made of a text.
static bool take(const Follow *f, int k, const int32_t *ids, int64_t n, RtError *e) {
  const Stream *s = &f->streams->s[k];
  for (int64_t i = 0; i < n; i++)
    if (ids[i] >= s->vocab)
      return rt_fail(e, "the tokenizer of model %s gives id %d for this text; the model knows ids below %lld", s->model, (int)ids[i],
                     (long long)s->vocab);
  append(&f->s[k], ids, n);
  return true;
}

// Takes over the tokens of stream k that have settled since.
static bool settle(const Follow *f, int k, RtError *e) {
  const FollowTokens *t = &f->s[k];
  const int32_t *prefix, *ids;
  int64_t had = t->n - prefix_of(f, k, &prefix), n = settled_tokens(t->text, &ids, NULL);
  return take(f, k, ids + had, n - had, e);
}

// The tokens of bytes that an anchor token adds, cut by themselves. The first of a text begin it, unless it goes on from another.
static bool cut_alone(const Follow *f, int k, const char *bytes, size_t n, RtError *e) {
  int32_t *ids = NULL;
  bool goes_on = f->continuation || f->s[k].len > n;
  int64_t m = tokenizer_encode(f->streams->s[k].tok, bytes, n, goes_on, &ids, NULL, e);
  bool ok = m >= 0 && take(f, k, ids, m, e);
  rt_free(ids);
  return ok;
}

static Follow *new_follow(const Streams *ss, bool continuation, uint64_t bare, bool rendered) {
  if (ss->n < 2) return NULL;
  Follow *f = rt_alloc(1, sizeof *f);
  *f = (Follow){.streams = ss, .prompt = -1, .continuation = continuation, .bare = bare, .rendered = rendered};
  f->s = rt_alloc((size_t)ss->n, sizeof *f->s);
  for (int k = 1; k < ss->n; k++) {
    const int32_t *prefix;
    f->s[k].ended = ss->s[k].silent;
    if (copies(f, k)) continue;
    int64_t np = prefix_of(f, k, &prefix);
    if (np) append(&f->s[k], prefix, np);
    f->s[k].text = settled_new(ss->s[k].rule, continuation);
  }
  return f;
}

Follow *follow_new(const Streams *ss, bool continuation) { return new_follow(ss, continuation, 0, false); }
Follow *follow_rendered(const Streams *ss, bool continuation, uint64_t bare) { return new_follow(ss, continuation, continuation ? 0 : bare, true); }

void follow_seal(Follow *f) {
  for (int k = 1; f && k < f->streams->n; k++) {
    if (f->s[k].text) settled_free(f->s[k].text);
    f->s[k].text = NULL;
    f->s[k].ended = true;
  }
  if (f && f->said) tokstream_free(f->said);
  if (f) f->said = NULL;
}

void follow_free(Follow *f) {
  if (!f) return;
  follow_seal(f);
  for (int k = 1; k < f->streams->n; k++) rt_free(f->s[k].ids), rt_free(f->s[k].seen), rt_free(f->s[k].said), rt_free(f->s[k].end), rt_free(f->s[k].own);
  rt_free(f->s), rt_free(f->id);
  rt_free(f);
}

// ---- a text of its own

bool follow_own(Follow *f, int k, const char *text, size_t n, RtError *e) {
  const Stream *s = &f->streams->s[k];
  FollowTokens *t = &f->s[k];
  const int32_t *prefix;
  int32_t *ids;
  int64_t np = tokenizer_prefix(s->tok, &prefix), m = tokenizer_encode(s->tok, text, n, false, &ids, NULL, e);
  if (m < 0) return false;
  t->n = 0;
  append(t, prefix, np), append(t, ids, m);
  rt_free(ids);
  for (int64_t i = 0; i < t->n; i++)
    if (t->ids[i] >= s->vocab)
      return rt_fail(e, "the tokenizer of model %s gives id %d for its own text; the model knows ids below %lld", s->model, (int)t->ids[i], (long long)s->vocab);
  if (t->text) settled_free(t->text);
  t->text = NULL, t->ended = true;
  t->own = memcpy(rt_alloc(n + 1, 1), text, n), t->own_len = n;
  return true;
}

void follow_own_of(Follow *f, const Follow *from) {
  RtError e;
  for (int k = 1; from && k < f->streams->n; k++)
    if (from->s[k].own && !follow_own(f, k, from->s[k].own, from->s[k].own_len, &e)) fprintf(stderr, "calm: bug: a text that was read cannot be read again: %s\n", e.text), abort();
}

// ---- growing

static void room(Follow *f) {
  if (f->n < f->cap) return;
  f->cap = f->cap * 2 + 32, f->id = rt_realloc(f->id, (size_t)f->cap, sizeof *f->id);
  for (int k = 1; k < f->streams->n; k++) {
    FollowTokens *t = &f->s[k];
    t->seen = rt_realloc(t->seen, (size_t)f->cap, sizeof *t->seen), t->end = rt_realloc(t->end, (size_t)f->cap, sizeof *t->end);
  }
}

// What stream k reads of a token.
static bool read_token(Follow *f, int k, int32_t id, FollowBytes bytes, RtError *e) {
  FollowTokens *t = &f->s[k];
  bool copy = copies(f, k);
  if (t->len + bytes.n > t->cap_said) t->said = rt_realloc(t->said, t->cap_said = (t->len + bytes.n) * 2 + 64, 1);
  if (bytes.n) memcpy(t->said + t->len, bytes.s, bytes.n);
  t->len += bytes.n;
  if (!t->ended && copy) append(t, &id, 1);
  if (!t->ended && !copy && bytes.n && !(t->text ? settled_push(t->text, bytes.s, bytes.n, e) && settle(f, k, e) : cut_alone(f, k, bytes.s, bytes.n, e))) return false;
  t->seen[f->n] = (int32_t)t->n;
  t->end[f->n] = (int64_t)t->len;
  return true;
}

bool follow_token_each(Follow *f, int32_t id, const FollowBytes *bytes, RtError *e) {
  room(f);
  for (int k = 1; k < f->streams->n; k++)
    if (!read_token(f, k, id, bytes[k], e)) return false;
  f->id[f->n++] = id;
  return true;
}

bool follow_token(Follow *f, int32_t id, const char *bytes, size_t n, RtError *e) {
  room(f);
  for (int k = 1; k < f->streams->n; k++)
    if (!read_token(f, k, id, (FollowBytes){bytes, n}, e)) return false;
  f->id[f->n++] = id;
  return true;
}

bool follow_prompt_end(Follow *f, RtError *e) {
  f->prompt = f->n;
  for (int k = 1; k < f->streams->n; k++) {
    const Stream *s = &f->streams->s[k];
    FollowTokens *t = &f->s[k];
    if (s->reads == READS_ROW || t->ended) continue;
    if (!copies(f, k) && (!settled_end(t->text, e) || !settle(f, k, e))) return false;
    if (f->n) t->seen[f->n - 1] = (int32_t)t->n;
    t->ended = s->reads == READS_PROMPT;
    if (s->reads == READS_ALIGNED && t->text) settled_free(t->text), t->text = NULL;
  }
  return true;
}

// Nothing that comes now can be used.
static bool full(const Follow *f) {
  for (int k = 1; f->n && k < f->streams->n; k++)
    if (f->s[k].seen[f->n - 1] > f->streams->s[k].context) return true;
  return false;
}

bool follow_id(Follow *f, const Tokenizer *tok, int32_t id, RtError *e) {
  if (!f->said && tok) f->said = tokstream_eager(tok, f->id, f->n);
  size_t n = 0;
  const char *bytes = f->said ? tokstream_push(f->said, id, &n, e) : "";
  return bytes && follow_token(f, id, bytes, n, e);
}

bool follow_encoded(Follow *f, const Tokenizer *tok, const int32_t *ids, const TokSpan *span, int64_t n, const char *text, size_t begin,
                    size_t end, RtError *e) {
  for (int64_t i = 0; i < n && !full(f); i++) {
    size_t to = i == n - 1 ? end : (size_t)(span[i].end < span[i + 1].begin ? span[i].end : span[i + 1].begin);
    if (to < begin) to = begin;
    if (!follow_token(f, ids[i], text + begin, tokenizer_is_special(tok, ids[i]) ? 0 : to - begin, e)) return false;
    begin = to;
  }
  return true;
}

bool follow_ids(Follow *f, const Tokenizer *tok, const int32_t *ids, int64_t n, int64_t prompt, RtError *e) {
  if (prompt <= 0 && !follow_prompt_end(f, e)) return false;
  for (int64_t i = 0; i < n && !full(f); i++)
    if (!follow_id(f, tok, ids[i], e) || (i + 1 == prompt && !follow_prompt_end(f, e))) return false;
  return true;
}

Follow *follow_copy(const Follow *f, int64_t n) {
  if (!f) return NULL;
  RtError e;
  int streams = f->streams->n;
  Follow *c = new_follow(f->streams, f->continuation, f->bare, f->rendered);
  FollowBytes *bytes = rt_alloc((size_t)streams, sizeof *bytes);
  follow_own_of(c, f);
  bool ok = f->prompt != 0 || follow_prompt_end(c, &e);
  for (int64_t i = 0; i < n && ok; i++) {
    for (int k = 1; k < streams; k++) {
      int64_t at = i ? f->s[k].end[i - 1] : 0;
      bytes[k] = (FollowBytes){f->s[k].said + at, (size_t)(f->s[k].end[i] - at)};
    }
    ok = follow_token_each(c, f->id[i], bytes, &e) && (i + 1 != f->prompt || follow_prompt_end(c, &e));
  }
  rt_free(bytes);
  if (ok) return c;
  fprintf(stderr, "calm: bug: a text that was read cannot be read again: %s\n", e.text);
  abort();
}

void follow_most(const Follow *f, int64_t n, int64_t *most) {
  for (int k = 1; f && n && k < f->streams->n; k++)
    if (f->s[k].seen[n - 1] > most[k]) most[k] = f->s[k].seen[n - 1];
}

int64_t follow_fits(const Follow *f) {
  int64_t n = f->n;
  for (int k = 1; k < f->streams->n; k++)
    while (n && f->s[k].seen[n - 1] > f->streams->s[k].context) n--;
  return n;
}

int follow_limit(const Follow *f, int64_t n) {
  int k = 1;
  while (k < f->streams->n - 1 && f->s[k].seen[n] <= f->streams->s[k].context) k++;
  return k;
}

bool follow_share(const Follow *f, int64_t n, int k, FollowShare *sum, RtError *e) {
  const Stream *s = &f->streams->s[k];
  const FollowTokens *t = &f->s[k];
  TokSpan *span = NULL;
  const int32_t *prefix;
  int64_t read = s->reads != READS_ROW && f->prompt < n ? f->prompt : n, len = read > 0 ? t->end[read - 1] : 0, ended = 0;
  bool whole = t->own || copies(f, k);            // nothing of it is waited for
  int64_t all = !whole ? tokenizer_encode(s->tok, t->said ? t->said : "", (size_t)len, f->continuation, NULL, &span, e) : 0;
  if (all < 0) return false;
  for (int64_t i = 0; i < n; i++) {
    while (ended < all && span[ended].end <= t->end[i]) ended++;
    sum->visible += t->seen[i];
    sum->ended += whole || (s->reads == READS_ALIGNED && i >= read) ? t->seen[i] : prefix_of(f, k, &prefix) + ended;
  }
  rt_free(span);
  return true;
}
