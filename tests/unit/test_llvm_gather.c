// Kernels that move rows by index (lookup, take, untake, append, lookup_dw) and sums over rows, against plain loops.
// Widths around the vector and task boundaries; zero rows; memory beyond the results stays as it was.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/kernel_harness.h"
#include "tests/unit/native_object.h"
#include "tests/unit/panels.h"

enum { GUARD = 80 };
static const int64_t widths[] = {1, 3, 16, 17, 64, 65, 127, 200};
static const int64_t counts[] = {0, 1, 2, 63, 64, 65, 150};
enum { NW = sizeof widths / sizeof *widths, NC = sizeof counts / sizeof *counts };

static uint32_t next(uint32_t *s) { return *s = *s * 1664525u + 1013904223u; }
// Small integers: their sums are exact in any order.
static float *numbers(uint32_t *s, int64_t n) {
  float *p = malloc((size_t)(n + GUARD) * sizeof *p);
  for (int64_t i = 0; i < n + GUARD; i++) p[i] = (float)((int)(next(s) >> 20) - 2048);
  return p;
}
static int32_t *indices(uint32_t *s, int64_t n, int64_t below) {
  int32_t *p = malloc((size_t)(n + 1) * sizeof *p);
  for (int64_t i = 0; i < n; i++) p[i] = (int32_t)((next(s) >> 8) % (uint32_t)below);
  return p;
}
// n different numbers below `below`.
static int32_t *distinct(uint32_t *s, int64_t n, int64_t below) {
  int32_t *p = malloc((size_t)(below + 1) * sizeof *p);
  for (int64_t i = 0; i < below; i++) p[i] = (int32_t)i;
  for (int64_t i = 0; i < n; i++) {
    int64_t j = i + (int64_t)((next(s) >> 8) % (uint32_t)(below - i));
    int32_t t = p[i];
    p[i] = p[j];
    p[j] = t;
  }
  return p;
}

typedef struct Run {
  KernelClass cls;
  int64_t dim[8];
  Dtype dt[3];
  int narg;
} Run;

// Runs on every path from the same start of the result (argument `out`, n floats and the guard) and compares with
// `want`.
static void check(const Run *r, int64_t rows, int64_t arg0_rows, void **mem, int out, const float *want, int64_t n) {
  KArg arg[3];
  for (int i = 0; i < 3; i++) arg[i] = (KArg){.dt = r->dt[i], .written = i == out};
  Kernel k = {.cls = r->cls, .arg = arg, .narg = r->narg};
  memcpy(k.dim, r->dim, sizeof k.dim);
  size_t bytes = (size_t)(n + GUARD) * sizeof(float);
  float *start = malloc(bytes);
  memcpy(start, mem[out], bytes);
  for (int i = 0; harness_isa(i); i++) {
    HarnessKernel *h = harness_compile(&k, harness_isa(i));
    memcpy(mem[out], start, bytes);
    harness_run_from(h, rows, arg0_rows, mem, r->narg);
    assert_memory_equal(mem[out], want, bytes);
    harness_free(h);
  }
  free(start);
}

static float *copy_of(const float *p, int64_t n) {
  float *c = malloc((size_t)(n + GUARD) * sizeof *c);
  memcpy(c, p, (size_t)(n + GUARD) * sizeof *c);
  return c;
}

// The table as dt holds it; the numbers stay exact.
static void *narrowed(const float *p, int64_t n, Dtype dt) {
  char *m = malloc((size_t)n * 4 + 4);
  for (int64_t i = 0; i < n; i++) {
    uint32_t u;
    memcpy(&u, &p[i], 4);
    uint16_t top = (uint16_t)(u >> 16);
    _Float16 half = (_Float16)p[i];
    if (dt == DT_BF16) memcpy(m + 2 * i, &top, 2);
    else if (dt == DT_F16) memcpy(m + 2 * i, &half, 2);
    else memcpy(m + 4 * i, &p[i], 4);
  }
  return m;
}

static void test_lookup(void **state) {
  (void)state;
  static const Dtype types[] = {DT_F32, DT_F16, DT_BF16};
  enum { V = 29 };
  for (int t = 0; t < 3; t++)
    for (int w = 0; w < NW; w++) {
      uint32_t s = (uint32_t)(t * 100 + w);
      int64_t W = widths[w], T = counts[(t + w) % NC];
      float *table = numbers(&s, V * W), *out = numbers(&s, T * W), *want = copy_of(out, T * W);
      for (int64_t i = 0; i < V * W; i++) table[i] = (float)((int)table[i] & 127);
      int32_t *id = indices(&s, T, V);
      void *stored = narrowed(table, V * W, types[t]);
      for (int64_t r = 0; r < T; r++) memcpy(want + r * W, table + id[r] * W, (size_t)W * sizeof(float));
      check(&(Run){K_LOOKUP, {V, W}, {DT_I32, types[t], DT_F32}, 3}, T, T, (void *[]){id, stored, out}, 2, want, T * W);
      free(table), free(out), free(want), free(id), free(stored);
    }
}

static void test_take_append(void **state) {
  (void)state;
  enum { T = 160 };
  for (int w = 0; w < NW; w++) {
    uint32_t s = (uint32_t)w;
    int64_t W = widths[w], R = counts[w % NC];
    float *x = numbers(&s, T * W), *out = numbers(&s, R * W), *want = copy_of(out, R * W);
    int32_t *idx = indices(&s, R, T);
    for (int64_t r = 0; r < R; r++) memcpy(want + r * W, x + idx[r] * W, (size_t)W * sizeof(float));
    check(&(Run){K_TAKE, {W, 4}, {DT_F32, DT_I32, DT_F32}, 3}, R, R, (void *[]){x, idx, out}, 2, want, R * W);
    free(idx), free(want);

    idx = distinct(&s, R, T);
    want = copy_of(x, T * W);
    for (int64_t r = 0; r < R; r++) memcpy(want + idx[r] * W, out + r * W, (size_t)W * sizeof(float));
    check(&(Run){K_APPEND, {W}, {DT_F32, DT_I32, DT_F32}, 3}, R, R, (void *[]){out, idx, x}, 2, want, T * W);

    memset(want, 0, (size_t)(T * W) * sizeof(float));
    for (int64_t r = 0; r < R; r++) memcpy(want + idx[r] * W, out + r * W, (size_t)W * sizeof(float));
    check(&(Run){K_UNTAKE, {W}, {DT_F32, DT_I32, DT_F32}, 3}, T, R, (void *[]){out, idx, x}, 2, want, T * W);
    free(x), free(out), free(want), free(idx);
  }
}

// A cache in bf16 has the rows rounded.
static void test_append_rounded(void **state) {
  (void)state;
  enum { T = 90, R = 40 };
  for (int w = 0; w < NW; w++)
    for (int i = 0; harness_isa(i); i++) {
      if (!native_runs(harness_isa(i), PRECISION_BF16)) continue;
      uint32_t s = (uint32_t)w;
      int64_t W = widths[w], n = T * W;
      float *x = numbers(&s, R * W);
      int32_t *idx = distinct(&s, R, T);
      uint16_t *cache = malloc((size_t)(n + GUARD) * sizeof *cache), *want = malloc((size_t)(n + GUARD) * sizeof *want);
      for (int64_t j = 0; j < n + GUARD; j++) want[j] = cache[j] = (uint16_t)j;
      for (int64_t j = 0; j < R * W; j++) x[j] *= 1.001f, want[idx[j / W] * W + j % W] = number_bits(DT_BF16, bf16_rounded(x[j]));
      KArg arg[3] = {[KARG(APPEND, cache)] = {.cached = true}};
      Kernel k = {.cls = K_APPEND, .dim = {W}, .arg = arg, .narg = 3};
      HarnessKernel *h = harness_compile_in(&k, harness_isa(i), PRECISION_BF16);
      harness_run(h, R, (void *[]){x, idx, cache}, 3);
      assert_memory_equal(cache, want, (size_t)(n + GUARD) * sizeof *cache);
      harness_free(h);
      free(x), free(idx), free(cache), free(want);
    }
}

static void test_sums(void **state) {
  (void)state;
  enum { V = 13 };
  for (int w = 0; w < NW; w++) {
    uint32_t s = (uint32_t)w;
    int64_t W = widths[w], T = counts[w % NC];
    float *dy = numbers(&s, T * W), *table = numbers(&s, V * W), *want = copy_of(table, V * W);
    int32_t *id = indices(&s, T, V);
    memset(want, 0, (size_t)(V * W) * sizeof(float));
    for (int64_t r = 0; r < T; r++)
      for (int64_t c = 0; c < W; c++) want[id[r] * W + c] += dy[r * W + c];
    check(&(Run){K_LOOKUP_DW, {V, W}, {DT_I32, DT_F32, DT_F32}, 3}, T, T, (void *[]){id, dy, table}, 2, want, V * W);
    free(want), free(table);

    table = numbers(&s, W);
    want = copy_of(table, W);
    memset(want, 0, (size_t)W * sizeof(float));
    for (int64_t r = 0; r < T; r++)
      for (int64_t c = 0; c < W; c++) want[c] += dy[r * W + c];
    check(&(Run){K_COLSUM, {W}, {DT_F32, DT_F32}, 2}, T, T, (void *[]){dy, table}, 1, want, W);
    free(dy), free(table), free(want), free(id);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lookup),
      cmocka_unit_test(test_take_append),
      cmocka_unit_test(test_append_rounded),
      cmocka_unit_test(test_sums),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
