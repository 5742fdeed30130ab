// See work.h.
#include "runtime/text/work.h"

#include <pthread.h>

#include "runtime/core/core.h"
#include "runtime/text/hash.h"

struct TkPool {
  pthread_mutex_t lock;
  TkWork *free;
  const TkModel *model;
  const char *path;
};

TkPool *tk_pool_new(const TkModel *m, const char *path) {
  TkPool *p = rt_alloc(1, sizeof *p);
  *p = (TkPool){.model = m, .path = path};
  pthread_mutex_init(&p->lock, NULL);
  return p;
}

static void work_free(TkWork *w) {
  tk_call_end(&w->call);
  if (w->model->kind->work_free) w->model->kind->work_free(w->model_work);
  rt_free(w->model_work);
  for (int i = 0; i < 2; i++) tk_text_free(&w->norm[i]), tk_text_free(&w->rest[i]);
  tk_splitting_free(&w->split);
  tk_cache_free(&w->cache);
  rt_free(w->raw.c);
  rt_free(w->normalized.c);
  rt_free(w->ids);
  rt_free(w->spans);
  rt_free(w);
}

void tk_pool_free(TkPool *p) {
  if (!p) return;
  for (TkWork *w = p->free, *next; w; w = next) {
    next = w->next;
    work_free(w);
  }
  pthread_mutex_destroy(&p->lock);
  rt_free(p);
}

static TkWork *work_new(const TkModel *m) {
  TkWork *w = rt_alloc(1, sizeof *w);
  w->model = m;
  w->model_work = rt_alloc(1, m->kind->work_size);
  return w;
}

TkWork *tk_work_take(TkPool *p, bool continuation, size_t bytes, RtError *e) {
  pthread_mutex_lock(&p->lock);
  TkWork *w = p->free;
  if (w) p->free = w->next;
  pthread_mutex_unlock(&p->lock);
  if (!w) w = work_new(p->model);
  w->call = (TkCall){.joined = continuation ? 0 : -1, .left = tk_budget(bytes), .search = w->call.search, .path = p->path, .e = e};
  w->n = 0;
  return w;
}

void tk_work_give(TkPool *p, TkWork *w) {
  pthread_mutex_lock(&p->lock);
  w->next = p->free;
  p->free = w;
  pthread_mutex_unlock(&p->lock);
}

static void reserve(TkWork *w, int64_t more) {
  if (w->cap - w->n >= more) return;
  w->cap = (w->n + more) * 2 + 64;
  w->ids = rt_realloc(w->ids, (size_t)w->cap, sizeof *w->ids);
  w->spans = rt_realloc(w->spans, (size_t)w->cap, sizeof *w->spans);
}

void tk_emit(TkWork *w, int32_t id, int64_t begin, int64_t end) {
  reserve(w, 1);
  w->ids[w->n] = id;
  w->spans[w->n++] = (TokSpan){begin, end};
}

static void emit_tokens(TkWork *w, size_t begin, const TkToken *token, size_t n) {
  const TkText *text = w->split.t;
  reserve(w, (int64_t)n);
  for (size_t i = 0; i < n; i++) {
    w->ids[w->n] = token[i].id;
    w->spans[w->n++] = (TokSpan){tk_from(text, begin + token[i].begin), tk_to(text, begin + token[i].end - 1)};
  }
}

void tk_encode_piece(TkWork *w, TkPiece p) {
  const char *s = w->split.t->s + p.begin;
  size_t n = p.end - p.begin, count;
  bool keep = n <= TK_CACHE_PIECE;
  uint64_t hash = keep ? tk_hash(s, n, tk_seed(w)) : 0;
  const TkToken *seen = keep ? tk_cache_find(&w->cache, hash, s, n, &count) : NULL;
  if (seen) {
    emit_tokens(w, p.begin, seen, count);
    return;
  }
  TkToken some[4 * TK_CACHE_PIECE];
  const size_t most = sizeof some / sizeof *some;
  w->model->kind->encode(w->model->own, w->model_work, s, n);
  count = w->model->kind->take(w->model_work, some, most);
  if (keep && count < most) tk_cache_add(&w->cache, hash, s, n, some, count);
  emit_tokens(w, p.begin, some, count);
  while (count == most) emit_tokens(w, p.begin, some, count = w->model->kind->take(w->model_work, some, most));
}

void tk_encode_pieces(TkWork *w, size_t n) {
  for (size_t k = 0; k < n && !w->call.failed; k++) tk_encode_piece(w, w->split.in.p[k]);
}
