// Ragged steps: what a training row contributes, and masks against their definition, query by query.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "runtime/step.h"

static void training_rows(void **state) {
  (void)state;
  Step *s = step_new(1);
  int32_t ids[] = {5, 6, 7, 8, 9}, labels[] = {-100, -100, 7, 8, -100}, none[] = {3, -100, -100, -100, -100};
  DataRow r = {.ids = ids, .labels = labels, .n = 5}, empty = {.ids = ids, .labels = none, .n = 5},
      one = {.ids = ids, .labels = ids, .n = 1};
  assert_int_equal(step_row_tokens(&r), 3);                    // token 2 predicts the last label, id 8
  assert_int_equal(step_row_tokens(&empty), 0);                // a label on the first token is predicted by nothing
  assert_int_equal(step_row_tokens(&one), 0);
  assert_int_equal(step_add_row(s, &empty, 1), 0);
  assert_int_equal(step_add_row(s, &r, 0.5f), 2);
  assert_int_equal(step_add_row(s, &r, 0.25f), 2);
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
    assert_true(x->nq > 0 && x->nq <= RT_QBLOCK);
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

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(training_rows), cmocka_unit_test(masks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
