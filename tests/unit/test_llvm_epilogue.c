// Gemm epilogues: elementwise programs on finished products, with what they read: vectors, one number a row, rows updated
// in place, several products at once. Numbers are small integers, so that results are exact.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/kernel_harness.h"

static const int64_t rows_of[] = {0, 1, 5, 33, 70, 390};
static const int64_t widths[] = {1, 15, 16, 37, 300};
enum { K = 19, NR = sizeof rows_of / sizeof *rows_of, NW = sizeof widths / sizeof *widths };

static uint32_t next(uint32_t *s) { return *s = *s * 1664525u + 1013904223u; }
static float *numbers(uint32_t *s, int64_t n) {
  float *p = aligned_alloc(64, (size_t)(n + 16) / 16 * 64 + 64);
  for (int64_t i = 0; i < n + 16; i++) p[i] = (float)((int)(next(s) >> 28) - 8);
  return p;
}

// w[N, K] in panels, zeros behind the last column.
static float *packed(const float *w, int64_t n) {
  int64_t panels = (n + PANEL - 1) / PANEL;
  float *p = calloc((size_t)(panels * K * PANEL) + 16, sizeof *p);
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < K; k++) p[(i / PANEL * K + k) * PANEL + i % PANEL] = w[i * K + k];
  return p;
}

static float product(const float *x, const float *w, int64_t r, int64_t n) {
  float y = 0;
  for (int64_t k = 0; k < K; k++) y += x[r * K + k] * w[n * K + k];
  return y;
}

static RowVal load(int arg, int rank, int64_t n, bool shared) {
  return (RowVal){.src = RV_LOAD, .in = {-1, -1}, .rank = rank, .dim = {n}, .shared = shared, .arg = arg, .store = -1};
}
static RowVal acc(int matrix, int64_t n) {
  return (RowVal){.src = RV_ACC, .in = {-1, -1}, .rank = 1, .dim = {n}, .arg = matrix, .store = -1};
}
static RowVal op(OpId o, int a, int b, int64_t n, int store) {
  return (RowVal){.src = RV_OP, .op = o, .in = {a, b}, .rank = 1, .dim = {n}, .store = store};
}

static void run(const Kernel *k, int64_t rows, void **mem, int out, const float *want, int64_t n) {
  size_t bytes = (size_t)(n + 16) * sizeof(float);
  float *start = malloc(bytes);
  memcpy(start, mem[out], bytes);
  for (int i = 0; harness_isa(i); i++) {
    HarnessKernel *h = harness_compile(k, harness_isa(i));
    memcpy(mem[out], start, bytes);
    harness_run(h, rows, mem, k->narg);
    assert_memory_equal(mem[out], want, (size_t)n * sizeof(float));
    assert_memory_equal((float *)mem[out] + n, start + n, 16 * sizeof(float));
    harness_free(h);
  }
  free(start);
}

// h <- h + (x w + bias) * s, h in place; the first of two matrices is stored as it is.
static void residual(uint32_t seed, int64_t T, int64_t N) {
  uint32_t s = seed;
  enum { X, W0, W1, PLAIN, BIAS, S, H, OUT, NARG };
  RowVal v[] = {acc(1, N), load(BIAS, 1, N, true), op(OP_add, 0, 1, N, -1), load(S, 1, 1, false),
                op(OP_mul, 2, 3, N, -1), load(H, 1, N, false), op(OP_add, 5, 4, N, OUT)};
  KArg arg[NARG] = {[X] = {.per_row = true, .elems = K},
                    [PLAIN] = {.per_row = true, .written = true, .elems = 7},
                    [BIAS] = {.elems = N},
                    [S] = {.per_row = true, .elems = 1},
                    [H] = {.per_row = true, .elems = N},
                    [OUT] = {.per_row = true, .written = true, .elems = N}};
  Kernel k = {.cls = K_GEMM, .arg = arg, .narg = NARG, .dim = {K}, .nmat = 2, .N = {7, N}};
  k.prog[1] = (RowProg){v, sizeof v / sizeof *v};
  float *x = numbers(&s, T * K), *w0 = numbers(&s, 7 * K), *w1 = numbers(&s, N * K);
  float *p0 = packed(w0, 7), *p1 = packed(w1, N);
  float *bias = numbers(&s, N), *scale = numbers(&s, T), *h = numbers(&s, T * N), *plain = numbers(&s, T * 7);
  float *want = malloc((size_t)(T * N + 16) * sizeof *want);
  for (int64_t r = 0; r < T; r++)
    for (int64_t n = 0; n < N; n++) want[r * N + n] = h[r * N + n] + (product(x, w1, r, n) + bias[n]) * scale[r];
  run(&k, T, (void *[]){x, p0, p1, plain, bias, scale, h, h}, OUT, want, T * N);
  for (int64_t r = 0; r < T; r++)
    for (int64_t n = 0; n < 7; n++) assert_true(plain[r * 7 + n] == product(x, w0, r, n));
  free(x), free(w0), free(w1), free(bias), free(scale), free(h), free(want), free(p0), free(p1), free(plain);
}

// y = a (b - 3), a and b two products of the same rows, y `off` floats behind a line's beginning.
static void pair_at(uint32_t seed, int64_t T, int64_t N, int off) {
  uint32_t s = seed;
  RowVal three = {.src = RV_IMM, .imm = 3, .in = {-1, -1}, .shared = true, .store = -1};
  RowVal v[] = {acc(0, N), acc(1, N), three, op(OP_sub, 1, 2, N, -1), op(OP_mul, 0, 3, N, 3)};
  KArg arg[4] = {{.per_row = true, .elems = K}, {0}, {0}, {.per_row = true, .written = true, .elems = N}};
  Kernel k = {.cls = K_GEMM, .arg = arg, .narg = 4, .dim = {K}, .nmat = 2, .N = {N, N}, .paired = true};
  k.prog[0] = (RowProg){v, sizeof v / sizeof *v};
  float *x = numbers(&s, T * K), *a = numbers(&s, N * K), *b = numbers(&s, N * K), *out = numbers(&s, T * N + off);
  float *want = malloc((size_t)(T * N + 16) * sizeof *want), *pa = packed(a, N), *pb = packed(b, N);
  for (int64_t r = 0; r < T; r++)
    for (int64_t n = 0; n < N; n++) want[r * N + n] = product(x, a, r, n) * (product(x, b, r, n) - 3);
  run(&k, T, (void *[]){x, pa, pb, out + off}, 3, want, T * N);
  free(x), free(a), free(b), free(out), free(want), free(pa), free(pb);
}

static void pair(uint32_t seed, int64_t T, int64_t N) { pair_at(seed, T, N, 0); }

static void each(void (*f)(uint32_t, int64_t, int64_t)) {
  for (int r = 0; r < NR; r++)
    for (int w = 0; w < NW; w++) f((uint32_t)(r * NW + w), rows_of[r], widths[w]);
}

static void test_residual(void **state) {
  (void)state;
  each(residual);
}

static void test_pair(void **state) {
  (void)state;
  each(pair);
}

// So much that it is written past the caches, where it lies in whole lines.
static void test_much(void **state) {
  (void)state;
  enum { ROWS = 5300, WIDE = 208 };
  residual(1, ROWS, WIDE);
  for (int off = 0; off < 2; off++) pair_at(2, ROWS, WIDE, off);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_residual),
      cmocka_unit_test(test_pair),
      cmocka_unit_test(test_much),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
