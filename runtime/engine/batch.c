// Filling a ragged step: sequences, what follows them, wanted rows. See step.h.
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/engine/step.h"

Step *step_new(int nstream) {
  Step *s = rt_alloc(1, sizeof *s);
  s->nstream = nstream;
  s->stream = rt_alloc((size_t)nstream, sizeof *s->stream);
  return s;
}

void step_free(Step *s) {
  if (!s) return;
  for (int i = 0; i < s->nmask; i++) {
    MaskData *m = s->mask[i];
    rt_free(m->lo), rt_free(m->hi), rt_free(m->blk), rt_free(m->seq), rt_free(m);
  }
  for (int k = 0; k < s->nstream; k++) {
    StepStream *t = &s->stream[k];
    rt_free(t->ids), rt_free(t->pos), rt_free(t->slots), rt_free(t->part), rt_free(t->seen), rt_free(t->when);
  }
  rt_free(s->mask), rt_free(s->stream);
  rt_free(s->rows), rt_free(s->labels), rt_free(s->gscale), rt_free(s->seq);
  rt_free(s);
}

void step_reset(Step *s) {
  s->nrow = s->nseq = s->usedmask = 0;
  for (int k = 0; k < s->nstream; k++) s->stream[k].ntok = 0;
}

#define GROW(p, n) ((p) = rt_realloc((p), (size_t)(n) + RT_ROW_ROUND, sizeof *(p)))

static void room_for_tokens(StepStream *t, int64_t n) {
  if (t->ids && t->ntok + n <= t->captok) return;
  t->captok = (t->ntok + n) * 2;
  GROW(t->ids, t->captok), GROW(t->pos, t->captok), GROW(t->slots, t->captok), GROW(t->when, t->captok);
}

static void room_for_row(Step *s) {
  if (s->rows && s->nrow < s->caprow) return;
  s->caprow = s->nrow * 2 + 16;
  GROW(s->rows, s->caprow), GROW(s->labels, s->caprow), GROW(s->gscale, s->caprow);
}

static void room_for_seq(Step *s) {
  if (s->nseq < s->capseq) return;
  s->capseq = s->capseq * 2 + 16;
  GROW(s->seq, s->capseq);
  for (int k = 0; k < s->nstream; k++) GROW(s->stream[k].part, s->capseq);
}

static void add_tokens(StepStream *t, int64_t seq, int64_t slot, const int32_t *ids, int64_t n, int64_t past) {
  room_for_tokens(t, n);
  if (n) memcpy(t->ids + t->ntok, ids, (size_t)n * sizeof *ids);
  for (int64_t i = 0; i < n; i++) {
    t->pos[t->ntok + i] = (int32_t)(past + i);
    t->slots[t->ntok + i] = (int32_t)(slot * t->slot_rows + past + i);
  }
  t->part[seq] = (StepPart){.t0 = t->ntok, .n = n, .past = past};
  t->ntok += n;
}

void step_add(Step *s, const int32_t *ids, int64_t n, int64_t past, int64_t slot) {
  room_for_seq(s);
  room_for_row(s);
  add_tokens(&s->stream[0], s->nseq, slot, ids, n, past);
  for (int k = 1; k < s->nstream; k++) add_tokens(&s->stream[k], s->nseq, slot, NULL, 0, 0);
  s->seq[s->nseq++] = (StepSeq){.slot = slot, .r0 = s->nrow};
}

void step_follow(Step *s, int k, const int32_t *ids, const int32_t *seen) {
  int64_t last = s->nseq - 1;
  StepPart a = s->stream[0].part[last];
  StepStream *t = &s->stream[k];
  int64_t past = a.past ? seen[a.past - 1] : 0, end = a.n ? seen[a.past + a.n - 1] : past;
  add_tokens(t, last, s->seq[last].slot, end > past ? ids + past : NULL, end - past, past);
  GROW(t->seen, s->stream[0].captok);
  int64_t at = t->part[last].t0, to = at + (end - past);
  for (int64_t i = 0; i < a.n; i++) {
    int64_t sees = t->seen[a.t0 + i] = seen[a.past + i];
    for (; at < to && at - t->part[last].t0 + past < sees; at++) t->when[at] = (int32_t)(a.t0 + i);
  }
}

void step_want(Step *s, int64_t t, int32_t label, float gscale) {
  StepSeq *q = &s->seq[s->nseq - 1];
  room_for_row(s);
  s->rows[s->nrow] = (int32_t)(s->stream[0].part[s->nseq - 1].t0 + t);
  s->labels[s->nrow] = label;
  s->gscale[s->nrow++] = gscale;
  q->nr++;
}

void step_want_all(Step *s) {
  int64_t n = s->stream[0].part[s->nseq - 1].n;
  for (int64_t t = 0; t < n; t++) step_want(s, t, 0, 0);
}
