// Weight gradients: an output is one chain of fused multiply-adds over the rows in order, from zero or from what is there, in bf16 over pairs of rounded
// numbers, so it is compared bit for bit with that chain on every instruction-set path; and OpenBLAS, another implementation, agrees as far as another order of the sum can. Memory is fenced;
// tasks, which the harness runs from last to first, do not depend on each other.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fence.h"
#include "tests/unit/kernel_harness.h"
#include "tests/unit/native_object.h"
#include "tests/unit/openblas.h"
#include "tests/unit/panels.h"

static float *numbers(uint32_t *s, int64_t n) {
  float *p = malloc((size_t)(n + 1) * sizeof *p);
  assert_non_null(p);
  for (int64_t i = 0; i < n; i++) p[i] = (float)((*s = *s * 1664525u + 1013904223u) >> 8) / (1 << 23) - 1;
  return p;
}

static const struct { int64_t N, K; } shape[] = {{1, 1}, {1, 40}, {5, 7}, {16, 16}, {17, 33}, {33, 17}, {64, 128}, {128, 128}, {300, 65}, {31, 300}, {280, 260}};
static const int64_t counts[] = {0, 1, 2, 15, 16, 17, 255, 256, 257, 300, 513};
enum { NSHAPE = sizeof shape / sizeof *shape, NCOUNT = sizeof counts / sizeof *counts };

static HarnessKernel *compile(int s, const char *isa, Precision precision) {
  static Kernel k;
  k = (Kernel){.cls = K_DW, .DW = {.N = shape[s].N, .K = shape[s].K}};
  return harness_compile_in(&k, isa, precision);
}

// By both ways of a call. Where w is not added to it is NaN before: it must not be read.
static void check_chain(HarnessKernel *h, Precision precision, int64_t T, int64_t N, int64_t K, const float *dy, const float *x, const float *before) {
  Fences *f = fences_new();
  float *w[2] = {fenced_floats(f, N * K, NULL), fenced_floats(f, N * K, before)};
  void *rows[2] = {fenced_floats(f, T * N, dy), fenced_floats(f, T * K, x)};
  harness_run(h, T, (void *[]){rows[0], rows[1], w[0]}, 3);
  harness_add(h, T, (void *[]){rows[0], rows[1], w[1]}, 3);
  int64_t step = N * K > 4096 ? 7 : 1;             // of large ones a part, every lane of it in some row
  for (int adds = 0; adds < 2; adds++)
    for (int64_t n = 0; n < N; n++)
      for (int64_t k = (n + T) % step; k < K; k += step) {
        float want = product_chain_from(precision, adds ? before[n * K + k] : 0, dy + n, N, x + k, K, T);
        if (memcmp(&w[adds][n * K + k], &want, sizeof want))
          fail_msg("%lld rows, adds %d: [%lld, %lld] of %lld x %lld is %a, expected %a", (long long)T, adds, (long long)n, (long long)k, (long long)N,
                   (long long)K, (double)w[adds][n * K + k], (double)want);
      }
  fences_free(f);
}

static void one_chain(void **state) {
  (void)state;
  uint32_t seed = 1;
  for (int s = 0; s < NSHAPE; s++) {
    int64_t N = shape[s].N, K = shape[s].K, most = counts[NCOUNT - 1];
    float *dy = numbers(&seed, most * N), *x = numbers(&seed, most * K), *before = numbers(&seed, N * K);
    for (int i = 0; harness_isa(i); i++)
      for (Precision p = 0; p < N_PRECISION; p++) {
        if (!native_runs(harness_isa(i), p)) continue;
        HarnessKernel *h = compile(s, harness_isa(i), p);
        for (int c = (s + (int)p) % 2; c < NCOUNT; c += N * K > 4096 ? 4 : 1) check_chain(h, p, counts[c], N, K, dy, x, before);
        harness_free(h);
      }
    free(dy), free(x), free(before);
  }
}

static void agrees_with_openblas(void **state) {
  (void)state;
  OpenBlas b;
  const char *isa = harness_isa(0);
  if (!isa || !openblas_open(&b, isa)) skip();
  enum { T = 700 };
  uint32_t seed = 5;
  for (int s = 0; s < NSHAPE; s++) {
    int64_t N = shape[s].N, K = shape[s].K;
    float *dy = numbers(&seed, T * N), *x = numbers(&seed, T * K), *w = numbers(&seed, N * K), *want = numbers(&seed, N * K);
    HarnessKernel *h = compile(s, isa, PRECISION_F32);
    for (int adds = 0; adds < 2; adds++) {
      (adds ? harness_add : harness_run)(h, T, (void *[]){dy, x, w}, 3);
      openblas_dw(&b, T, (int)N, (int)K, dy, (int)N, x, (int)K, want, adds);
      for (int64_t i = 0; i < N * K; i++) assert_true(fabsf(w[i] - want[i]) < 1e-5f * (10 + fabsf(want[i])));      // of sums of 700 products below 1
    }
    harness_free(h);
    free(dy), free(x), free(w), free(want);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_chain), cmocka_unit_test(agrees_with_openblas)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
