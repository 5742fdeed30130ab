// Masks: for every query row the interval of key rows it may see, and the blocks and sequences kernels walk over. Within a stream a token
// sees those up to itself. Between streams what counts is when a token comes: a following token comes with the first anchor token that sees
// it, and sees, as that anchor token does, what has come by then. So two models with one tokenizer share their masks (j <= i).
#include "runtime/core/core.h"
#include "runtime/engine/step.h"

static void room(MaskData *m, int64_t rows, int64_t blocks, int64_t seqs) {
  if (!m->lo || rows > m->caprow) {
    m->caprow = rows * 2;
    m->lo = rt_realloc(m->lo, (size_t)m->caprow + RT_ROW_ROUND, sizeof *m->lo);
    m->hi = rt_realloc(m->hi, (size_t)m->caprow + RT_ROW_ROUND, sizeof *m->hi);
  }
  if (!m->blk || blocks > m->capblk) m->blk = rt_realloc(m->blk, (size_t)(m->capblk = blocks * 2), sizeof *m->blk);
  if (!m->seq || seqs > m->capseq) m->seq = rt_realloc(m->seq, (size_t)(m->capseq = seqs * 2), sizeof *m->seq);
}

// How many keys of its sequence, cached ones included, token t of stream q sees in stream k.
static int64_t sees(const Step *s, int q, int k, int64_t t) {
  if (q == k) return s->stream[q].pos[t] + 1;
  int64_t anchor = q == 0 ? t : s->stream[q].when[t];
  return k == 0 ? s->stream[0].pos[anchor] + 1 : s->stream[k].seen[anchor];
}

static void build(const Step *s, MaskData *m) {
  MaskKey key = m->key;
  const StepStream *qs = &s->stream[key.q], *ks = &s->stream[key.k];
  int64_t blocks = 0, most = rt_qblock(s->nseq);
  for (int64_t i = 0; i < s->nseq; i++) blocks += ((key.rows ? s->seq[i].nr : qs->part[i].n) + most - 1) / most;
  room(m, key.rows ? s->nrow : qs->ntok, blocks, s->nseq);
  blocks = 0;
  for (int64_t i = 0; i < s->nseq; i++) {
    const StepPart *kp = &ks->part[i];
    int64_t q0 = key.rows ? s->seq[i].r0 : qs->part[i].t0, nq = key.rows ? s->seq[i].nr : qs->part[i].n;
    int64_t key0 = key.cache ? s->seq[i].slot * ks->slot_rows : kp->t0, nk = key.cache ? kp->past + kp->n : kp->n;
    int64_t before = key.cache ? 0 : kp->past;     // keys of the sequence before its first key row
    for (int64_t r = q0; r < q0 + nq; r++) {
      int64_t hi = sees(s, key.q, key.k, key.rows ? s->rows[r] : r) - before;
      m->hi[r] = (int32_t)hi;
      m->lo[r] = (int32_t)(key.window > 0 && hi > key.window ? hi - key.window : 0);
    }
    m->seq[i] = (RtSeq){(int32_t)q0, (int32_t)nq, (int32_t)key0, (int32_t)nk};
    for (int64_t r = q0; r < q0 + nq; r += most) {
      int64_t n = q0 + nq - r < most ? q0 + nq - r : most;
      m->blk[blocks++] = (RtQBlock){(int32_t)r, (int32_t)n, (int32_t)key0, m->hi[r + n - 1]};    // what is seen only grows
    }
  }
  m->mask = (RtMask){.lo = m->lo, .hi = m->hi, .nblk = blocks, .blk = m->blk, .nseq = s->nseq, .seq = m->seq, .ahead = key.ahead};
}

static bool same(const MaskKey *a, const MaskKey *b) {
  return a->q == b->q && a->k == b->k && a->rows == b->rows && a->cache == b->cache && a->window == b->window;
}

const RtMask *step_mask(Step *s, MaskKey key) {
  for (int i = 0; i < s->usedmask; i++)
    if (same(&s->mask[i]->key, &key)) return &s->mask[i]->mask;
  if (s->usedmask == s->nmask) {
    if (s->nmask == s->capmask) s->mask = rt_realloc(s->mask, (size_t)(s->capmask = s->capmask * 2 + 8), sizeof *s->mask);
    s->mask[s->nmask++] = rt_alloc(1, sizeof(MaskData));
  }
  MaskData *m = s->mask[s->usedmask++];
  m->key = key;
  build(s, m);
  return &m->mask;
}
