// Sampling: greedy takes the first of equal largest logits, top-k and top-p leave out what they should, draws follow
// the softmax and depend on seed and place only.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/work/sample.h"

static void greedy(void **state) {
  (void)state;
  Sampler *s = sampler_new(&(Sampling){.top_p = 1});
  assert_int_equal(sampler_pick(s, (float[]){1, 3, 3, 2}, 4, NULL, 0), 1);
  assert_int_equal(sampler_pick(s, (float[]){NAN, -7, NAN}, 3, NULL, 0), 1);
  assert_int_equal(sampler_pick(s, (float[]){NAN, NAN}, 2, NULL, 0), -1);
  assert_int_equal(sampler_pick(s, (float[]){-INFINITY, -INFINITY}, 2, NULL, 0), 0);
  sampler_free(s);
}

enum { N = 6, DRAWS = 40000 };
static const int32_t NONE[DRAWS];      // a text, of which only the length counts
static void count(Sampling how, const float *logits, int hits[N]) {
  Sampler *s = sampler_new(&how);
  for (int i = 0; i < N; i++) hits[i] = 0;
  for (int64_t i = 0; i < DRAWS; i++) hits[sampler_pick(s, logits, N, NONE, i)]++;
  sampler_free(s);
}

static void follows_chances(void **state) {
  (void)state;
  const double p[N] = {0.4, 0.05, 0.3, 0.05, 0.15, 0.05};
  float logits[N];
  int hits[N];
  for (int i = 0; i < N; i++) logits[i] = (float)log(p[i]);
  count((Sampling){.temperature = 1, .top_p = 1, .seed = 5}, logits, hits);
  for (int i = 0; i < N; i++) assert_true(fabs((double)hits[i] / DRAWS - p[i]) < 0.015);
  count((Sampling){.temperature = 0.5, .top_p = 1}, logits, hits);                   // squares
  assert_true(fabs((double)hits[0] / DRAWS - 0.16 / (0.16 + 0.09 + 0.0225 + 3 * 0.0025)) < 0.015);
  count((Sampling){.temperature = 1, .top_k = 2, .top_p = 1}, logits, hits);
  assert_int_equal(hits[0] + hits[2], DRAWS);
  assert_true(fabs((double)hits[0] / DRAWS - 4.0 / 7) < 0.015);
  count((Sampling){.temperature = 1, .top_p = 0.8}, logits, hits);                    // 0.4 + 0.3 + 0.15 reach it
  assert_int_equal(hits[0] + hits[2] + hits[4], DRAWS);
  assert_true(hits[4] > 0);
  count((Sampling){.temperature = 1, .top_p = 0}, logits, hits);
  assert_int_equal(hits[0], DRAWS);
  // of 4/7 and 3/7 the first reaches 0.5
  count((Sampling){.temperature = 1, .top_k = 2, .top_p = 0.5}, logits, hits);
  assert_int_equal(hits[0], DRAWS);
}

// As transformers' processors do it (tests/parity/make_processor_goldens.py prints what stands here).
static void min_p(void **state) {
  (void)state;
  const float logits[N] = {2.0f, 1.5f, 1.0f, 0.5f, 0.0f, -3.0f};
  int hits[N];
  count((Sampling){.temperature = 0.8, .top_p = 1, .min_p = 0.25, .seed = 3}, logits, hits);         // exp(-1.25) = 0.287, exp(-1.875) = 0.153
  assert_int_equal(hits[0] + hits[1] + hits[2], DRAWS);
  assert_true(hits[2] > 0);
  assert_true(fabs((double)hits[0] / DRAWS - 0.548918) < 0.015);
  count((Sampling){.temperature = 0.8, .top_k = 5, .top_p = 0.9, .min_p = 0.1, .seed = 3}, logits, hits);
  assert_int_equal(hits[4] + hits[5], 0);
  assert_true(fabs((double)hits[3] / DRAWS - 0.077643) < 0.015);
  count((Sampling){.temperature = 1, .top_p = 1, .min_p = 1}, logits, hits);
  assert_int_equal(hits[0], DRAWS);
}

static void top_k_keeps_equals(void **state) {
  (void)state;
  const float logits[N] = {1, 3, 2, 2, 2, 0};
  int hits[N];
  count((Sampling){.temperature = 1, .top_k = 2, .top_p = 1}, logits, hits);
  assert_true(hits[1] && hits[2] && hits[3] && hits[4]);
  assert_int_equal(hits[0] + hits[5], 0);
}

static void repetition(void **state) {
  (void)state;
  const float logits[5] = {4, 3, -1, -2, 2.5f};
  const int32_t text[] = {0, 1, 0, 2, 0};
  Sampler *s = sampler_new(&(Sampling){.top_p = 1, .repetition = 1.5});
  assert_int_equal(sampler_pick(s, logits, 5, text, 0), 0);
  assert_int_equal(sampler_pick(s, logits, 5, text, 1), 1);          // 4 / 1.5 < 3
  assert_int_equal(sampler_pick(s, logits, 5, text, 2), 0);          // 2.67, 2, 2.5
  sampler_free(s);
  s = sampler_new(&(Sampling){.top_p = 1, .repetition = 4});
  assert_int_equal(sampler_pick(s, logits, 5, text, 2), 4);
  assert_int_equal(sampler_pick(s, logits, 5, text, 5), 4);          // however often: 1, not 4 / 64
  assert_int_equal(sampler_pick(s, (float[]){-1, -1.5f, -9, -9, -9}, 5, text, 1), 1);      // a negative one is multiplied
  sampler_free(s);
}

static void same_seed_same_draw(void **state) {
  (void)state;
  const float logits[N] = {1, 2, 0, 1, 1, 3};
  Sampler *a = sampler_new(&(Sampling){.temperature = 1, .top_p = 1, .seed = 1}),
      *b = sampler_new(&(Sampling){.temperature = 1, .top_p = 1, .seed = 1});
  Sampler *c = sampler_new(&(Sampling){.temperature = 1, .top_p = 1, .seed = 2});
  int other = 0;
  for (int64_t i = 0; i < 100; i++) {
    int32_t id = sampler_pick(a, logits, N, NONE, i);
    assert_int_equal(id, sampler_pick(b, logits, N, NONE, i));
    other += id != sampler_pick(c, logits, N, NONE, i);
  }
  assert_true(other > 20);
  sampler_free(a), sampler_free(b), sampler_free(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(greedy), cmocka_unit_test(follows_chances), cmocka_unit_test(min_p), cmocka_unit_test(top_k_keeps_equals),
                                     cmocka_unit_test(repetition),
                                     cmocka_unit_test(same_seed_same_draw)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
