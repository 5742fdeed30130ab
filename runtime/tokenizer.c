// Encoding: the pipeline of tokenizer_impl.h, and the small questions about a tokenizer.
#include "runtime/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/tokenizer_impl.h"
#include "runtime/utf8.h"

typedef struct Out {
  int32_t *ids;
  TokSpan *spans;
  int64_t n, cap;
} Out;

static void emit(Out *o, int32_t id, int64_t begin, int64_t end) {
  if (o->n == o->cap) {
    o->cap = o->cap ? o->cap * 2 : 64;
    o->ids = rt_realloc(o->ids, (size_t)o->cap, sizeof *o->ids);
    o->spans = rt_realloc(o->spans, (size_t)o->cap, sizeof *o->spans);
  }
  o->ids[o->n] = id;
  o->spans[o->n++] = (TokSpan){begin, end};
}

typedef struct Work {
  TkCall call;
  TkBpe bpe;
  TkText seg;
  TkPieces a, b;
  Out out;
} Work;

// Pre-tokenizes and encodes t[begin, end), normalized text without added tokens.
static void encode_part(const Tokenizer *t, Work *w, const TkText *text, size_t begin, size_t end) {
  tk_pieces_clear(&w->a);
  tk_text_copy(&w->a.t, text, begin, end);
  tk_pieces_close(&w->a);
  for (int i = 0; i < t->nsplit && !w->call.failed; i++) {
    tk_pieces_clear(&w->b);
    t->split[i].run(&t->split[i], &w->a, &w->b, &w->call);
    TkPieces swap = w->a;
    w->a = w->b;
    w->b = swap;
  }
  size_t at = 0;
  for (size_t i = 0; i < w->a.n && !w->call.failed; at = w->a.end[i++]) {
    tk_bpe(t, &w->bpe, w->a.t.s + at, w->a.end[i] - at);
    for (int32_t k = w->bpe.n ? 0 : -1; k >= 0; k = w->bpe.sym[k].next) {
      size_t from = at + w->bpe.sym[k].begin, to = from + w->bpe.sym[k].len;
      emit(&w->out, w->bpe.sym[k].id, w->a.t.from[from], w->a.t.to[to - 1]);
    }
  }
}

// A stretch of raw text between added tokens.
static void encode_segment(const Tokenizer *t, Work *w, const char *raw, size_t begin, size_t end) {
  w->seg.n = 0;
  tk_text_raw(&w->seg, raw, begin, end);
  tk_normalize(t, &w->seg, &w->call);
  if (w->call.failed || w->seg.n == 0) return;
  TkCut *cut = NULL;
  size_t n = 0, cap = 0;
  tk_cut(&t->normalized, t->added, w->seg.s, w->seg.n, &cut, &n, &cap);
  for (size_t i = 0; i < n && !w->call.failed; i++) {
    if (cut[i].added < 0) encode_part(t, w, &w->seg, cut[i].begin, cut[i].end);
    else emit(&w->out, t->added[cut[i].added].id, w->seg.from[cut[i].begin], w->seg.to[cut[i].end - 1]);
  }
  free(cut);
}

bool tk_not_utf8(const char *text, size_t at, RtError *e) {
  size_t line = 1, begin = 0;
  for (size_t i = 0; i < at; i++)
    if (text[i] == '\n') line++, begin = i + 1;
  return rt_fail(e, "the text is not UTF-8: line %zu, byte %zu of it is 0x%02X (offset %zu)", line, at - begin + 1,
                 (unsigned)(uint8_t)text[at], at);
}

int64_t tokenizer_encode(const Tokenizer *t, const char *text, size_t len, bool continuation, int32_t **ids, TokSpan **spans, RtError *e) {
  size_t valid = rt_utf8_valid(text, len);
  if (valid < len) return tk_not_utf8(text, valid, e), -1;
  if (len > INT32_MAX) return rt_fail(e, "a text of %zu bytes is too long to encode at once", len), -1;
  Work w = {.call = {.continuation = continuation, .path = t->path, .e = e}};
  TkCut *cut = NULL;
  size_t n = 0, cap = 0;
  tk_cut(&t->raw, t->added, text, len, &cut, &n, &cap);
  for (size_t i = 0; i < n && !w.call.failed; i++) {
    if (cut[i].added < 0) encode_segment(t, &w, text, cut[i].begin, cut[i].end);
    else emit(&w.out, t->added[cut[i].added].id, (int64_t)cut[i].begin, (int64_t)cut[i].end);
  }
  free(cut);
  tk_text_free(&w.seg);
  tk_pieces_free(&w.a);
  tk_pieces_free(&w.b);
  tk_bpe_free(&w.bpe);
  pcre2_match_data_free(w.call.match);
  if (!w.out.ids) w.out.ids = rt_alloc(1, sizeof *w.out.ids);
  if (!w.out.spans) w.out.spans = rt_alloc(1, sizeof *w.out.spans);
  bool ok = !w.call.failed;
  if (ids && ok) *ids = w.out.ids;
  else free(w.out.ids);
  if (spans && ok) *spans = w.out.spans;
  else free(w.out.spans);
  return ok ? w.out.n : -1;
}

int tokenizer_vocab(const Tokenizer *t) { return (int)t->n; }

int tokenizer_prefix(const Tokenizer *t, const int32_t **ids) {
  *ids = t->prefix;
  return t->nprefix;
}

int tokenizer_suffix(const Tokenizer *t, const int32_t **ids) {
  *ids = t->suffix;
  return t->nsuffix;
}

bool tokenizer_is_special(const Tokenizer *t, int32_t id) { return id >= 0 && id < t->n && t->special[id]; }

int32_t tokenizer_token_id(const Tokenizer *t, const char *token) {
  for (int i = 0; i < t->nadded; i++)
    if (strcmp(t->added[i].content, token) == 0) return t->added[i].id;
  return tk_vocab_find(&t->vocab, token, strlen(token));
}
