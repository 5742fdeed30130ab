// Ragged steps: what a training row contributes, and masks against their definition, query by query: within a stream of tokens and between
// streams, in one step and in steps of any size over the caches.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "runtime/engine/step.h"
#include "runtime/rows/rowstep.h"

static void training_rows(void **state) {
  (void)state;
  Step *s = step_new(1);
  int32_t ids[] = {5, 6, 7, 8, 9}, labels[] = {-100, -100, 7, 8, -100}, none[] = {3, -100, -100, -100, -100};
  DataRow r = {.ids = ids, .labels = labels, .n = 5}, empty = {.ids = ids, .labels = none, .n = 5},
      one = {.ids = ids, .labels = ids, .n = 1};
  assert_int_equal(row_tokens(&r), 3);                    // token 2 predicts the last label, id 8
  assert_int_equal(row_tokens(&empty), 0);                // a label on the first token is predicted by nothing
  assert_int_equal(row_tokens(&one), 0);
  assert_int_equal(row_add(s, &empty, 1), 0);
  assert_int_equal(row_add(s, &r, 0.5f), 2);
  assert_int_equal(row_add(s, &r, 0.25f), 2);
  assert_int_equal(s->stream[0].ntok, 6);
  assert_int_equal(s->nrow, 4);
  assert_int_equal(s->nseq, 2);
  const int32_t pos[] = {0, 1, 2, 0, 1, 2}, rows[] = {1, 2, 4, 5}, want[] = {7, 8, 7, 8};
  assert_memory_equal(s->stream[0].pos, pos, sizeof pos);
  assert_memory_equal(s->rows, rows, sizeof rows);
  assert_memory_equal(s->labels, want, sizeof want);
  assert_true(s->gscale[1] == 0.5f && s->gscale[2] == 0.25f);
  step_free(s);
}

// Sequence i of a step: `past` cached tokens in a slot, n new ones, every `stride`-th wanted.
typedef struct Part { int64_t n, past, slot, stride; } Part;

static void check_mask(Step *s, bool rows, bool cache, int64_t window, int64_t slot_rows) {
  const RtMask *m = step_mask(s, (MaskKey){.rows = rows, .cache = cache, .window = window});
  int64_t nq = rows ? s->nrow : s->stream[0].ntok, covered = 0;
  assert_int_equal(m->nseq, s->nseq);
  for (int64_t i = 0; i < m->nseq; i++) {
    const StepSeq *q = &s->seq[i];
    const StepPart *p = &s->stream[0].part[i];
    const RtSeq *x = &m->seq[i];
    assert_int_equal(x->q0, rows ? q->r0 : p->t0);
    assert_int_equal(x->nq, rows ? q->nr : p->n);
    assert_int_equal(x->key0, cache ? q->slot * slot_rows : p->t0);
    assert_int_equal(x->nk, cache ? p->past + p->n : p->n);
    for (int64_t r = x->q0; r < x->q0 + x->nq; r++) {
      int64_t t = (rows ? s->rows[r] : r) - p->t0, own = cache ? p->past + t : t;
      for (int64_t k = 0; k < x->nk; k++) {
        bool see = k <= own && (window == 0 || k > own - window);
        assert_int_equal(see, m->lo[r] <= k && k < m->hi[r]);
      }
    }
  }
  for (int64_t b = 0, seq = 0; b < m->nblk; b++) {
    const RtQBlock *x = &m->blk[b];
    assert_true(x->nq > 0 && x->nq <= rt_qblock(m->nseq));
    assert_int_equal(x->q0, covered);
    covered += x->nq;
    while (m->seq[seq].q0 + m->seq[seq].nq <= x->q0) seq++;
    assert_true(x->q0 + x->nq <= m->seq[seq].q0 + m->seq[seq].nq);
    assert_int_equal(x->key0, m->seq[seq].key0);
    int32_t most = 0;
    for (int32_t r = x->q0; r < x->q0 + x->nq; r++) most = m->hi[r] > most ? m->hi[r] : most;
    assert_int_equal(x->kmax, most);
  }
  assert_int_equal(covered, nq);
}

static void masks(void **state) {
  (void)state;
  static const Part part[] = {{1, 0, 2, 1}, {70, 0, 0, 3}, {5, 40, 4, 9}, {32, 0, 1, 1}, {33, 7, 3, 2}, {1, 90, 5, 1}};
  enum { SLOT_ROWS = 100 };
  Step *s = step_new(1);
  int32_t ids[128] = {0};
  for (int n = 0; n <= 6; n++)
    for (int cache = 0; cache < 2; cache++) {
      step_reset(s);
      s->stream[0].slot_rows = SLOT_ROWS;
      for (int i = 0; i < n; i++) {
        step_add(s, ids, part[i].n, cache ? part[i].past : 0, part[i].slot);
        for (int64_t t = 0; t < part[i].n; t += part[i].stride) step_want(s, t, 0, 0);
      }
      for (int rows = 0; rows < 2; rows++)
        for (int64_t window = 0; window < 12; window += 5) check_mask(s, rows, cache, window, SLOT_ROWS);
      const RtMask *first = step_mask(s, (MaskKey){.cache = cache});
      assert_ptr_equal(first, step_mask(s, (MaskKey){.cache = cache}));
      for (int64_t t = 0; cache && n == 6 && t < 5; t++) {     // where tokens go in the caches
        assert_int_equal(s->stream[0].pos[71 + t], 40 + t);
        assert_int_equal(s->stream[0].slots[71 + t], 4 * SLOT_ROWS + 40 + t);
      }
    }
  step_free(s);
}

// ---- between streams

enum { STREAMS = 3, ANCHOR_MOST = 90, FOLLOW_MOST = 200, SEQUENCES = 4 };

static uint64_t rng = 5;
static int64_t below(int64_t n) {
  rng = rng * 6364136223846793005u + 1442695040888963407u;
  return (int64_t)((rng >> 33) % (uint64_t)n);
}

// An anchor sequence of n tokens and how many of each following stream's tokens they see.
typedef struct Sequence {
  int64_t n, done;
  int32_t ids[STREAMS][FOLLOW_MOST], seen[STREAMS][ANCHOR_MOST];
  FollowTokens t[STREAMS];
  Follow f;
} Sequence;

static void random_sequence(Sequence *q, const Streams *ss) {
  *q = (Sequence){.n = 1 + below(ANCHOR_MOST)};
  for (int k = 0; k < STREAMS; k++) {
    for (int i = 0; i < FOLLOW_MOST; i++) q->ids[k][i] = (int32_t)(1000 * k + i);
    int64_t n = below(2);      // some begin with a token, some with nothing
    for (int64_t i = 0; i < q->n; i++) {
      q->seen[k][i] = (int32_t)(k ? n : i + 1);
      if (below(3) == 0) n += below(k == 1 ? 3 : 8);
      if (n > FOLLOW_MOST) n = FOLLOW_MOST;
    }
    q->t[k] = (FollowTokens){.ids = q->ids[k], .n = FOLLOW_MOST, .seen = q->seen[k]};
  }
  q->f = (Follow){.streams = ss, .s = q->t, .n = q->n};
}

// The anchor token with which token t of stream k comes.
static int64_t comes(const Sequence *q, int k, int64_t t) {
  int64_t i = 0;
  while (i < q->n && q->seen[k][i] <= t) i++;
  assert_true(i < q->n);
  return i;
}

static bool may_see(const Sequence *q, int from, int64_t a, int to, int64_t b) {
  return from == to ? b <= a : comes(q, to, b) <= comes(q, from, a);
}

// which[i]: the sequence that stands at place i of the step; its slot in the caches.
static void check_between(Step *s, const Sequence *seq, const int *which, int from, int to, bool rows, bool cache, int64_t slot_rows) {
  const RtMask *m = step_mask(s, (MaskKey){.q = from, .k = to, .rows = rows, .cache = cache});
  int64_t blocks = 0;
  assert_int_equal(m->nseq, s->nseq);
  for (int64_t i = 0; i < s->nseq; i++) {
    const Sequence *q = &seq[which[i]];
    const StepPart *qp = &s->stream[from].part[i], *kp = &s->stream[to].part[i];
    const RtSeq *x = &m->seq[i];
    int64_t first = cache ? 0 : kp->past;                  // the first key row's token
    assert_int_equal(x->q0, rows ? s->seq[i].r0 : qp->t0);
    assert_int_equal(x->nq, rows ? s->seq[i].nr : qp->n);
    assert_int_equal(x->key0, cache ? which[i] * slot_rows : kp->t0);
    assert_int_equal(x->nk, kp->past + kp->n - first);
    for (int64_t r = x->q0; r < x->q0 + x->nq; r++) {
      int64_t a = (rows ? s->rows[r] : r) - qp->t0 + qp->past;
      assert_true(0 <= m->lo[r] && m->lo[r] <= m->hi[r] && m->hi[r] <= x->nk);
      for (int64_t k = 0; k < x->nk; k++) assert_int_equal(may_see(q, from, a, to, first + k), m->lo[r] <= k && k < m->hi[r]);
      // and it sees nothing that has not come yet
      int64_t next = first + x->nk, all = q->seen[to][q->n - 1];
      if (next < all) assert_false(may_see(q, from, a, to, next));
    }
    for (int64_t r = 0; r < x->nq; r += rt_qblock(m->nseq), blocks++) {
      const RtQBlock *b = &m->blk[blocks];
      assert_int_equal(b->q0, x->q0 + r);
      assert_int_equal(b->key0, x->key0);
      int32_t most = 0;
      for (int32_t j = b->q0; j < b->q0 + b->nq; j++) most = m->hi[j] > most ? m->hi[j] : most;
      assert_int_equal(b->kmax, most);
    }
  }
  assert_int_equal(blocks, m->nblk);
}

static void check_streams(Step *s, const Sequence *seq, const int *which, bool cache) {
  for (int64_t i = 0; i < s->nseq; i++)
    for (int k = 0; k < STREAMS; k++) {
      const StepPart *p = &s->stream[k].part[i];
      for (int64_t t = 0; t < p->n; t++) {
        assert_int_equal(s->stream[k].ids[p->t0 + t], seq[which[i]].ids[k][p->past + t]);
        assert_int_equal(s->stream[k].pos[p->t0 + t], p->past + t);
        if (cache) assert_int_equal(s->stream[k].slots[p->t0 + t], which[i] * s->stream[k].slot_rows + p->past + t);
      }
    }
  for (int from = 0; from < STREAMS; from++)
    for (int to = 0; to < STREAMS; to++)
      for (int rows = 0; rows <= (from == 0); rows++) check_between(s, seq, which, from, to, rows, cache, s->stream[to].slot_rows);
}

// All sequences in one step.
static void whole(Step *s, const Sequence *seq) {
  int which[SEQUENCES];
  step_reset(s);
  for (int i = 0; i < SEQUENCES; i++) {
    which[i] = i;
    step_add(s, seq[i].ids[0], seq[i].n, 0, 0);
    follow_step(&seq[i].f, s);
    for (int64_t t = 0; t < seq[i].n; t += 1 + below(4)) step_want(s, t, 0, 0);
  }
  check_streams(s, seq, which, false);
  for (int i = 0; i < SEQUENCES; i++)
    for (int k = 1; k < STREAMS; k++) assert_int_equal(s->stream[k].part[i].n, seq[i].seen[k][seq[i].n - 1]);
}

// In steps over the caches, each of some sequences in any order.
static void chunked(Step *s, Sequence *seq, int64_t most) {
  int64_t left = 0;
  for (int k = 0; k < STREAMS; k++) s->stream[k].slot_rows = k ? FOLLOW_MOST + k : ANCHOR_MOST;
  for (int i = 0; i < SEQUENCES; i++) seq[i].done = 0, left += seq[i].n;
  while (left) {
    int which[SEQUENCES], n = 0;
    step_reset(s);
    for (int j = 0, from = (int)below(SEQUENCES); j < SEQUENCES; j++) {
      Sequence *q = &seq[(from + j) % SEQUENCES];
      int64_t take = 1 + below(most);
      if (take > q->n - q->done) take = q->n - q->done;
      if (take == 0 || below(4) == 0) continue;
      which[n++] = (from + j) % SEQUENCES;
      step_add(s, q->ids[0] + q->done, take, q->done, which[n - 1]);
      follow_step(&q->f, s);
      step_want(s, take - 1, 0, 0);
      q->done += take, left -= take;
    }
    check_streams(s, seq, which, true);
  }
}

static void masks_between_streams(void **state) {
  (void)state;
  static Sequence seq[SEQUENCES];
  Streams ss = {.n = STREAMS};
  Step *s = step_new(STREAMS);
  for (int round = 0; round < 12; round++) {
    for (int i = 0; i < SEQUENCES; i++) random_sequence(&seq[i], &ss);
    for (int k = 0; k < STREAMS; k++) s->stream[k].slot_rows = 0;
    whole(s, seq);
    for (int64_t most = 1; most < 100; most *= 5) chunked(s, seq, most);
  }
  step_free(s);
}

// What rows take of each stream decides what fits a step.
static void fitting(void **state) {
  (void)state;
  int32_t ids[] = {1, 2, 3, 4}, labels[] = {-100, 2, 3, -100}, seen[] = {5, 9, 30, 40};
  FollowTokens t[2] = {{0}, {.ids = (int32_t[40]){0}, .n = 40, .seen = seen}};
  Streams ss = {.n = 2};
  Follow f = {.streams = &ss, .s = t, .n = 4};
  DataRow r = {.ids = ids, .labels = labels, .n = 4, .follow = &f};
  Step *s = step_new(2);
  assert_int_equal(row_most_tokens(&r, 0), 0);
  assert_int_equal(row_most_tokens(&r, 1), 5);
  assert_int_equal(row_most_tokens(&r, row_tokens(&r)), 9);
  assert_true(row_fits(s, &r, 2, 1));                     // alone, anything does
  assert_int_equal(row_add(s, &r, 1), 2);
  assert_int_equal(s->stream[1].ntok, 9);                  // what no predicting token sees is not taken
  assert_true(row_fits(s, &r, 2, 18));
  assert_false(row_fits(s, &r, 2, 17));
  assert_false(row_fits(s, &r, 4, 48));
  step_free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(training_rows), cmocka_unit_test(masks), cmocka_unit_test(masks_between_streams),
                                     cmocka_unit_test(fitting)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
