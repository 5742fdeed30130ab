// Encoding: the pipeline of tokenizer_impl.h, and the small questions about a tokenizer.
#include "runtime/text/tokenizer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/core/utf8.h"
#include "runtime/text/impl.h"

// Work areas that are free: an encode call takes one, with its buffers and the words it has seen, and gives it back.
struct TkPool {
  pthread_mutex_t lock;
  TkWork *free;
};

struct TkPool *tk_pool_new(void) {
  struct TkPool *p = rt_alloc(1, sizeof *p);
  pthread_mutex_init(&p->lock, NULL);
  return p;
}

static void work_free(TkWork *w) {
  pcre2_match_data_free(w->call.match);
  tk_bpe_free(&w->bpe);
  for (int i = 0; i < 2; i++) tk_text_free(&w->norm[i]), tk_text_free(&w->split.buf[i]);
  rt_free(w->split.in.p);
  rt_free(w->split.out.p);
  rt_free(w->split.part);
  tk_cache_free(&w->cache);
  rt_free(w->raw.c);
  rt_free(w->normalized.c);
  rt_free(w->ids);
  rt_free(w->spans);
  rt_free(w);
}

void tk_pool_free(struct TkPool *p) {
  if (!p) return;
  for (TkWork *w = p->free, *next; w; w = next) {
    next = w->next;
    work_free(w);
  }
  pthread_mutex_destroy(&p->lock);
  rt_free(p);
}

TkWork *tk_work_take(const Tokenizer *t, bool continuation, RtError *e) {
  pthread_mutex_lock(&t->pool->lock);
  TkWork *w = t->pool->free;
  if (w) t->pool->free = w->next;
  pthread_mutex_unlock(&t->pool->lock);
  if (!w) w = rt_alloc(1, sizeof *w);
  w->call = (TkCall){.joined = continuation ? 0 : -1, .match = w->call.match, .path = t->path, .e = e};
  w->split.open = false;
  w->n = 0;
  return w;
}

void tk_work_give(const Tokenizer *t, TkWork *w) {
  pthread_mutex_lock(&t->pool->lock);
  w->next = t->pool->free;
  t->pool->free = w;
  pthread_mutex_unlock(&t->pool->lock);
}

void tk_emit(TkWork *w, int32_t id, int64_t begin, int64_t end) {
  if (w->n == w->cap) {
    w->cap = w->cap ? w->cap * 2 : 64;
    w->ids = rt_realloc(w->ids, (size_t)w->cap, sizeof *w->ids);
    w->spans = rt_realloc(w->spans, (size_t)w->cap, sizeof *w->spans);
  }
  w->ids[w->n] = id;
  w->spans[w->n++] = (TokSpan){begin, end};
}

void tk_encode_piece(const Tokenizer *t, TkWork *w, TkPiece p) {
  const TkText *text = w->split.t;
  const char *s = text->s + p.begin;
  size_t n = p.end - p.begin, known;
  bool keep = n <= TK_CACHE_PIECE;
  uint64_t hash = keep ? tk_hash(s, n) : 0;
  const TkToken *seen = keep ? tk_cache_find(&w->cache, hash, s, n, &known) : NULL;
  for (size_t i = 0; seen && i < known; i++)
    tk_emit(w, seen[i].id, tk_from(text, p.begin + seen[i].begin), tk_to(text, p.begin + seen[i].end - 1));
  if (seen) return;
  tk_bpe(t, &w->bpe, s, n);
  for (int32_t k = w->bpe.n ? 0 : -1; k >= 0; k = w->bpe.sym[k].next) {
    size_t from = p.begin + w->bpe.sym[k].begin, to = from + w->bpe.sym[k].len;
    tk_emit(w, w->bpe.sym[k].id, tk_from(text, from), tk_to(text, to - 1));
  }
  if (keep) tk_cache_add(&w->cache, hash, s, n, &w->bpe);
}

// A stretch of raw text between added tokens.
static void encode_segment(const Tokenizer *t, TkWork *w, const char *raw, size_t begin, size_t end) {
  TkText view = tk_text_view(raw, begin, end);
  const TkText *text = tk_normalize(t, &view, w->norm, false, &w->call);
  if (w->call.failed) return;
  w->normalized.n = 0;
  tk_cut(&t->normalized, t->added, text->s, 0, text->n, false, &w->normalized);
  for (size_t i = 0; i < w->normalized.n && !w->call.failed; i++) {
    TkCut c = w->normalized.c[i];
    if (c.added >= 0) {
      tk_emit(w, t->added[c.added].id, tk_from(text, c.begin), tk_to(text, c.end - 1));
      continue;
    }
    tk_split(t, &w->split, text, c.begin, c.end, &w->call);
    for (size_t k = 0; k < w->split.in.n && !w->call.failed; k++) tk_encode_piece(t, w, w->split.in.p[k]);
  }
}

static void *copied(const void *p, int64_t n, size_t size) {
  void *to = rt_alloc((size_t)n + 1, size);
  if (n) memcpy(to, p, (size_t)n * size);
  return to;
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
  TkWork *w = tk_work_take(t, continuation, e);
  w->raw.n = 0;
  tk_cut(&t->raw, t->added, text, 0, len, false, &w->raw);
  for (size_t i = 0; i < w->raw.n && !w->call.failed; i++) {
    TkCut c = w->raw.c[i];
    if (c.added < 0) encode_segment(t, w, text, c.begin, c.end);
    else tk_emit(w, t->added[c.added].id, (int64_t)c.begin, (int64_t)c.end);
  }
  int64_t n = w->call.failed ? -1 : w->n;
  if (ids && n >= 0) *ids = copied(w->ids, n, sizeof **ids);
  if (spans && n >= 0) *spans = copied(w->spans, n, sizeof **spans);
  tk_work_give(t, w);
  return n;
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

const char *tokenizer_token(const Tokenizer *t, int32_t id, size_t *n) {
  if (id < 0 || id >= t->n) return NULL;
  *n = t->text[id].n;
  return t->text[id].s;
}

int32_t tokenizer_token_id(const Tokenizer *t, const char *token) {
  for (int i = 0; i < t->nadded; i++)
    if (strcmp(t->added[i].content, token) == 0) return t->added[i].id;
  return tk_vocab_find(&t->vocab, token, strlen(token));
}
