// Filling a ragged step: sequences, what follows them, wanted rows, training rows. See step.h.
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/engine/step.h"

enum { SLACK = 64 };           // elements past the end that a vector load may touch

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

#define GROW(p, n) ((p) = rt_realloc((p), (size_t)(n) + SLACK, sizeof *(p)))

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

void step_follow(Step *s, const Follow *f) {
  int64_t last = s->nseq - 1;
  StepPart a = s->stream[0].part[last];
  for (int k = 1; k < s->nstream; k++) {
    StepStream *t = &s->stream[k];
    const FollowTokens *from = &f->s[k];
    int64_t past = a.past ? from->seen[a.past - 1] : 0, end = a.n ? from->seen[a.past + a.n - 1] : past;
    add_tokens(t, last, s->seq[last].slot, from->ids + past, end - past, past);
    GROW(t->seen, s->stream[0].captok);
    int64_t at = t->part[last].t0, to = at + (end - past);
    for (int64_t i = 0; i < a.n; i++) {
      int64_t seen = t->seen[a.t0 + i] = from->seen[a.past + i];
      for (; at < to && at - t->part[last].t0 + past < seen; at++) t->when[at] = (int32_t)(a.t0 + i);
    }
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

int64_t step_row_tokens(const DataRow *r) {
  int64_t n = r->n;
  while (n > 1 && r->labels[n - 1] == -100) n--;
  return n > 1 ? n - 1 : 0;
}

int64_t step_most_tokens(const DataRow *r, int64_t n) {
  int64_t most = n;
  for (int k = 1; r->follow && n && k < r->follow->streams->n; k++)
    if (r->follow->s[k].seen[n - 1] > most) most = r->follow->s[k].seen[n - 1];
  return most;
}

bool step_fits(const Step *s, const DataRow *r, int64_t n, int64_t cap) {
  if (s->stream[0].ntok == 0) return true;
  if (s->stream[0].ntok + n > cap) return false;
  for (int k = 1; n && k < s->nstream; k++)
    if (s->stream[k].ntok + r->follow->s[k].seen[n - 1] > cap) return false;
  return true;
}

int64_t step_add_row(Step *s, const DataRow *r, float gscale) {
  int64_t n = step_row_tokens(r), labelled = 0;
  if (n == 0) return 0;
  step_add(s, r->ids, n, 0, 0);
  step_follow(s, r->follow);
  for (int64_t t = 0; t < n; t++) {
    if (r->labels[t + 1] == -100) continue;
    step_want(s, t, r->labels[t + 1], gscale);
    labelled++;
  }
  return labelled;
}
