// The pool runs every task of every job exactly once for any number of threads, with scratch of its own per thread, and
// rt_dw gives the same bits for any number of threads; instruction-set paths are chosen and refused by name.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/machine/blas.h"
#include "runtime/machine/isa.h"
#include "runtime/machine/pool.h"

static void count_task(int64_t task, const int64_t *args, void *scratch) {
  atomic_int *hits = (atomic_int *)args[0];
  int64_t *own = scratch;
  assert_int_equal((uintptr_t)scratch % 64, 0);
  own[0] = task;                                   // a race on scratch would show below
  for (volatile int i = 0; i < (int)(task % 7) * 20; i++) {}
  assert_int_equal(own[0], task);
  atomic_fetch_add(&hits[task], 1);
}

static void every_task_once(void **state) {
  (void)state;
  enum { MOST = 97 };
  static atomic_int hits[MOST];
  for (int threads = 1; threads <= 5; threads++) {
    RtPool *p = pool_new(threads, 64);
    assert_int_equal(pool_threads(p), threads);
    for (int job = 0; job < 3000; job++) {
      int n = job % MOST;
      memset(hits, 0, sizeof hits);
      int64_t args[] = {(int64_t)hits};
      pool_run(p, count_task, n, args);
      for (int i = 0; i < MOST; i++) assert_int_equal(hits[i], i < n);
      if (job % 1000 == 999) usleep(3000);         // long enough for the others to fall asleep
    }
    pool_free(p);
  }
}

static void fill(float *x, int64_t n, uint32_t seed) {
  for (int64_t i = 0; i < n; i++) x[i] = (float)((seed = seed * 1664525u + 1013904223u) >> 8) / (1 << 23) - 1;
}

static void weight_gradients(void **state) {
  (void)state;
  RtError e;
  Blas *b = blas_open(isa_supported("avx512") ? "avx512" : "avx2", 3, &e);
  if (!b) skip();
  static const int64_t shape[][3] = {{0, 5, 7}, {1, 1, 1}, {37, 17, 33}, {129, 300, 65}, {64, 128, 128},
                                     {50, 520, 260}};
  for (size_t s = 0; s < sizeof shape / sizeof shape[0]; s++) {
    int64_t T = shape[s][0], N = shape[s][1], K = shape[s][2];
    size_t bytes = (size_t)(N * K) * sizeof(float);
    float *dy = calloc((size_t)(T * N + 1), sizeof *dy), *x = calloc((size_t)(T * K + 1), sizeof *x),
        *first = malloc(bytes), *w = malloc(bytes);
    fill(dy, T * N, 1), fill(x, T * K, 2);
    for (int threads = 1; threads <= 3; threads++) {
      RtPool *p = pool_new(threads, 0);
      RtCtx ctx = {.pool = p, .blas = b};
      memset(w, 0xff, bytes);                      // NaN: what is overwritten must not be read
      rt_dw(&ctx, T, N, K, dy, x, w, 0);
      rt_dw(&ctx, T, N, K, dy, x, w, 1);
      if (threads == 1) memcpy(first, w, bytes);
      assert_memory_equal(first, w, bytes);
      pool_free(p);
    }
    for (int64_t n = 0; n < N; n++)
      for (int64_t k = 0; k < K; k++) {
        double sum = 0;
        for (int64_t t = 0; t < T; t++) sum += 2.0 * dy[t * N + n] * x[t * K + k];
        assert_true(fabs(sum - first[n * K + k]) < 1e-4);
      }
    free(dy), free(x), free(first), free(w);
  }
  blas_close(b);
}

static void paths_by_name(void **state) {
  (void)state;
  RtError e;
  RtIsa isas[] = {{"avx512", NULL}, {"avx2", NULL}}, none[] = {{"vax", NULL}};
  if (isa_supported("avx2")) {
    assert_int_equal(isa_choose(isas, 2, NULL, &e), isa_supported("avx512") ? 0 : 1);
    assert_int_equal(isa_choose(isas, 2, "avx2", &e), 1);
  }
  assert_int_equal(isa_choose(isas, 2, "sse9", &e), -1);
  assert_non_null(strstr(e.text, "avx512, avx2"));
  assert_int_equal(isa_choose(none, 1, "", &e), -1);
  assert_non_null(strstr(e.text, "vax"));
  assert_int_equal(isa_choose(none, 1, "vax", &e), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_task_once), cmocka_unit_test(weight_gradients),
                                     cmocka_unit_test(paths_by_name)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
