// Filling a ragged step: sequences, wanted rows, training rows. See step.h.
#include <stdlib.h>
#include <string.h>

#include "runtime/file.h"
#include "runtime/step.h"

enum { SLACK = 64 };           // elements past the end that a vector load may touch

Step *step_new(void) { return rt_alloc(1, sizeof(Step)); }

void step_free(Step *s) {
  if (!s) return;
  for (int i = 0; i < s->nmask; i++) {
    MaskData *m = s->mask[i];
    free(m->lo), free(m->hi), free(m->blk), free(m->seq), free(m);
  }
  free(s->mask);
  free(s->ids), free(s->pos), free(s->slots), free(s->rows), free(s->labels), free(s->gscale), free(s->seq);
  free(s);
}

void step_reset(Step *s) { s->ntok = s->nrow = s->nseq = s->usedmask = 0; }

#define GROW(p, n) ((p) = rt_realloc((p), (size_t)(n) + SLACK, sizeof *(p)))

static void room_for_tokens(Step *s, int64_t n) {
  if (s->ids && s->ntok + n <= s->captok) return;
  s->captok = (s->ntok + n) * 2;
  GROW(s->ids, s->captok), GROW(s->pos, s->captok), GROW(s->slots, s->captok);
}

static void room_for_row(Step *s) {
  if (s->rows && s->nrow < s->caprow) return;
  s->caprow = s->nrow * 2 + 16;
  GROW(s->rows, s->caprow), GROW(s->labels, s->caprow), GROW(s->gscale, s->caprow);
}

void step_add(Step *s, const int32_t *ids, int64_t n, int64_t past, int64_t slot, int64_t slot_rows) {
  room_for_tokens(s, n);
  room_for_row(s);
  if (s->nseq == s->capseq) {
    s->capseq = s->capseq * 2 + 16;
    GROW(s->seq, s->capseq);
  }
  if (n) memcpy(s->ids + s->ntok, ids, (size_t)n * sizeof *ids);
  for (int64_t i = 0; i < n; i++) {
    s->pos[s->ntok + i] = (int32_t)(past + i);
    s->slots[s->ntok + i] = (int32_t)(slot * slot_rows + past + i);
  }
  s->seq[s->nseq++] = (StepSeq){.t0 = s->ntok, .n = n, .past = past, .slot = slot, .r0 = s->nrow};
  s->ntok += n;
}

void step_want(Step *s, int64_t t, int32_t label, float gscale) {
  StepSeq *q = &s->seq[s->nseq - 1];
  room_for_row(s);
  s->rows[s->nrow] = (int32_t)(q->t0 + t);
  s->labels[s->nrow] = label;
  s->gscale[s->nrow++] = gscale;
  q->nr++;
}

void step_want_all(Step *s) {
  int64_t n = s->seq[s->nseq - 1].n;
  for (int64_t t = 0; t < n; t++) step_want(s, t, 0, 0);
}

int64_t step_row_tokens(const DataRow *r) {
  int64_t n = r->n;
  while (n > 1 && r->labels[n - 1] == -100) n--;
  return n > 1 ? n - 1 : 0;
}

int64_t step_add_row(Step *s, const DataRow *r, float gscale) {
  int64_t n = step_row_tokens(r), labelled = 0;
  if (n == 0) return 0;
  step_add(s, r->ids, n, 0, 0, 0);
  for (int64_t t = 0; t < n; t++) {
    if (r->labels[t + 1] == -100) continue;
    step_want(s, t, r->labels[t + 1], gscale);
    labelled++;
  }
  return labelled;
}
