// Encoding, decoding at once, and the small questions about a tokenizer.
#include "runtime/text/tokenizer.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/text/pipeline.h"

Tokenizer *tokenizer_share(const Tokenizer *t) {
  Tokenizer *own = rt_alloc(1, sizeof *own);
  *own = *t;
  own->shared = true;
  own->pool = tk_pool_new(&own->model, own->path);
  return own;
}

void tokenizer_free(Tokenizer *t) {
  if (!t) return;
  if (!t->shared) {
    tk_pipeline_free(t);
    return;
  }
  tk_pool_free(t->pool);
  rt_free(t);
}

// A stretch of raw text between added tokens.
static void encode_segment(const Tokenizer *t, TkWork *w, const char *raw, size_t begin, size_t end) {
  TkText view = tk_text_view(raw, begin, end);
  const TkText *text = tk_normalize(&t->norm, &view, w->norm, false, &w->call);
  if (w->call.failed) return;
  w->normalized.n = 0;
  tk_cut(&t->normalized, t->added, text->s, 0, text->n, false, &w->normalized, &w->call);
  for (size_t i = 0; i < w->normalized.n && !w->call.failed; i++) {
    TkCut c = w->normalized.c[i];
    if (c.added >= 0) {
      tk_emit(w, t->added[c.added].id, tk_from(text, c.begin), tk_to(text, c.end - 1));
      continue;
    }
    tk_pretokenize(&t->pre, &w->split, text, c.begin, c.end, false, &w->call);
    tk_encode_pieces(w, w->split.in.n);
  }
}

static void *copied(const void *p, int64_t n, size_t size) {
  void *to = rt_alloc((size_t)n + 1, size);
  if (n) memcpy(to, p, (size_t)n * size);
  return to;
}

int64_t tokenizer_encode(const Tokenizer *t, const char *text, size_t len, bool continuation, int32_t **ids, TokSpan **spans, RtError *e) {
  size_t valid = rt_utf8_valid(text, len);
  if (valid < len) return tk_text_not_utf8(text, valid, e), -1;
  if (len > INT32_MAX) return rt_fail(e, "a text of %zu bytes is too long to encode at once", len), -1;
  TkWork *w = tk_work_take(t->pool, continuation, len, e);
  w->raw.n = 0;
  tk_cut(&t->raw, t->added, text, 0, len, false, &w->raw, &w->call);
  for (size_t i = 0; i < w->raw.n && !w->call.failed; i++) {
    TkCut c = w->raw.c[i];
    if (c.added < 0) encode_segment(t, w, text, c.begin, c.end);
    else tk_emit(w, t->added[c.added].id, (int64_t)c.begin, (int64_t)c.end);
  }
  int64_t n = w->call.failed ? -1 : w->n;
  if (ids && n >= 0) *ids = copied(w->ids, n, sizeof **ids);
  if (spans && n >= 0) *spans = copied(w->spans, n, sizeof **spans);
  tk_work_give(t->pool, w);
  return n;
}

char *tokenizer_decode(const Tokenizer *t, const int32_t *ids, int64_t n, size_t *len, RtError *e) {
  return tk_decode(&t->dec, !t->has_decoder, (TkIds){&t->texts, ids, n}, true, len, t->path, e);
}

int tokenizer_vocab(const Tokenizer *t) { return (int)t->texts.ids; }

int tokenizer_prefix(const Tokenizer *t, const int32_t **ids) {
  *ids = t->around.before;
  return t->around.nbefore;
}

int tokenizer_suffix(const Tokenizer *t, const int32_t **ids) {
  *ids = t->around.after;
  return t->around.nafter;
}

bool tokenizer_is_special(const Tokenizer *t, int32_t id) {
  const TkEntry *x = tk_token(&t->texts, id);
  return x && x->special;
}

const char *tokenizer_token(const Tokenizer *t, int32_t id, size_t *n) {
  const TkEntry *x = tk_token(&t->texts, id);
  if (!x) return NULL;
  *n = x->n;
  return t->texts.bytes + x->at;
}

int32_t tokenizer_token_id(const Tokenizer *t, const char *token) {
  for (int i = 0; i < t->nadded; i++)
    if (strcmp(t->added[i].content, token) == 0) return t->added[i].id;
  return tk_vocab_find(&t->vocab, token, strlen(token));
}
