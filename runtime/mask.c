// Masks: for every query row the interval of key rows it may see, and the blocks and sequences kernels walk over. With
// one tokenizer an anchor position sees the augment positions up to its own (j <= i), so the models share their masks.
#include "runtime/file.h"
#include "runtime/step.h"

static void room(MaskData *m, int64_t rows, int64_t blocks, int64_t seqs) {
  if (!m->lo || rows > m->caprow) {
    m->caprow = rows * 2;
    m->lo = rt_realloc(m->lo, (size_t)m->caprow + 16, sizeof *m->lo);
    m->hi = rt_realloc(m->hi, (size_t)m->caprow + 16, sizeof *m->hi);
  }
  if (!m->blk || blocks > m->capblk) m->blk = rt_realloc(m->blk, (size_t)(m->capblk = blocks * 2), sizeof *m->blk);
  if (!m->seq || seqs > m->capseq) m->seq = rt_realloc(m->seq, (size_t)(m->capseq = seqs * 2), sizeof *m->seq);
}

static void build(const Step *s, MaskData *m, int64_t slot_rows) {
  int64_t blocks = 0;
  for (int64_t i = 0; i < s->nseq; i++) blocks += ((m->rows ? s->seq[i].nr : s->seq[i].n) + RT_QBLOCK - 1) / RT_QBLOCK;
  room(m, m->rows ? s->nrow : s->ntok, blocks, s->nseq);
  blocks = 0;
  for (int64_t i = 0; i < s->nseq; i++) {
    const StepSeq *q = &s->seq[i];
    int64_t q0 = m->rows ? q->r0 : q->t0, nq = m->rows ? q->nr : q->n;
    int64_t key0 = m->cache ? q->slot * slot_rows : q->t0, nk = m->cache ? q->past + q->n : q->n;
    int64_t before = m->cache ? 0 : q->past;       // position of the sequence's first key row
    for (int64_t r = q0; r < q0 + nq; r++) {
      int64_t at = s->pos[m->rows ? s->rows[r] : r] - before;
      m->hi[r] = (int32_t)(at + 1);
      m->lo[r] = (int32_t)(m->window > 0 && at + 1 > m->window ? at + 1 - m->window : 0);
    }
    m->seq[i] = (RtSeq){(int32_t)q0, (int32_t)nq, (int32_t)key0, (int32_t)nk};
    for (int64_t r = q0; r < q0 + nq; r += RT_QBLOCK) {
      int64_t n = q0 + nq - r < RT_QBLOCK ? q0 + nq - r : RT_QBLOCK;
      m->blk[blocks++] = (RtQBlock){(int32_t)r, (int32_t)n, (int32_t)key0, m->hi[r + n - 1]};    // positions ascend
    }
  }
  m->mask = (RtMask){.lo = m->lo, .hi = m->hi, .nblk = blocks, .blk = m->blk, .nseq = s->nseq, .seq = m->seq};
}

const RtMask *step_mask(Step *s, bool rows, bool cache, int64_t window, int64_t slot_rows) {
  for (int i = 0; i < s->usedmask; i++) {
    MaskData *m = s->mask[i];
    if (m->rows == rows && m->cache == cache && m->window == window) return &m->mask;
  }
  if (s->usedmask == s->nmask) {
    if (s->nmask == s->capmask) s->mask = rt_realloc(s->mask, (size_t)(s->capmask = s->capmask * 2 + 8),
                                                     sizeof *s->mask);
    s->mask[s->nmask++] = rt_alloc(1, sizeof(MaskData));
  }
  MaskData *m = s->mask[s->usedmask++];
  m->rows = rows, m->cache = cache, m->window = window;
  build(s, m, slot_rows);
  return &m->mask;
}
