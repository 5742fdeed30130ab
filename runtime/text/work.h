// One encode call's work area, and the end of the pipeline: pieces to tokens with their spans. A tokenizer keeps the areas that are free, with
// their buffers and the words they have seen.
#ifndef CALM_RUNTIME_TEXT_WORK_H
#define CALM_RUNTIME_TEXT_WORK_H
#include "runtime/text/added.h"
#include "runtime/text/cache.h"
#include "runtime/text/model.h"
#include "runtime/text/span.h"
#include "runtime/text/split.h"

typedef struct TkWork {
  struct TkWork *next;
  const TkModel *model;
  TkCall call;
  void *model_work;
  TkText norm[2], rest[2];     // rest: of a text, to see whether it can be resumed there (settled.c)
  TkSplitting split;
  TkCache cache;
  TkCuts raw, normalized;
  int32_t *ids;                // the result
  TokSpan *spans;
  int64_t n, cap;
} TkWork;
typedef struct TkPool TkPool;

TkPool *tk_pool_new(const TkModel *m, const char *path);    // which both outlive it
void tk_pool_free(TkPool *p);
TkWork *tk_work_take(TkPool *p, bool continuation, size_t bytes, RtError *e);   // bytes: of the text, for its budget
void tk_work_give(TkPool *p, TkWork *w);
void tk_emit(TkWork *w, int32_t id, int64_t begin, int64_t end);
void tk_encode_piece(TkWork *w, TkPiece p);                 // piece p of w->split.t
void tk_encode_pieces(TkWork *w, size_t n);                 // the first n of w->split.in
#endif
