// Products of token rows with packed matrices, forward and transposed, and packing. An output is one chain of fused
// multiply-adds over k in order, whatever stands beside it: results are compared bit for bit with that chain, for any
// number of rows, at any offset, on every instruction-set path of this machine. Memory is fenced.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "llvm/llvm.h"
#include "tests/unit/fence.h"
#include "tests/unit/kernel_harness.h"
#include "tests/unit/native_object.h"
#include "tests/unit/panels.h"

// ---- numbers

static uint32_t next(uint32_t *s) { return *s = *s * 1664525u + 1013904223u; }
static int64_t below(uint32_t *s, int64_t n) { return (int64_t)((next(s) >> 8) % (uint64_t)n); }

// Of any sign, from 2^-6 to 2^5: sums round at every step.
static float *numbers(uint32_t *s, int64_t n) {
  float *p = malloc((size_t)(n + 1) * sizeof *p);
  assert_non_null(p);
  for (int64_t i = 0; i < n; i++) p[i] = ldexpf((float)((int)(next(s) >> 8) - (1 << 23)), (int)below(s, 11) - 29);
  return p;
}

// Of every size: products about the smallest normal number, where sums are lost and found again; in one of four tries any bits at all.
static float any_number(uint32_t *s, int t) {
  uint32_t u = next(s) ^ next(s) >> 16;
  if (t % 4) u = (u & 0x807fffff) | (uint32_t)(t % 4 == 1 ? 60 + below(s, 8) : t % 4 == 2 ? below(s, 3) * 64 : 63 + below(s, 2) * 63) << 23;
  float v;
  memcpy(&v, &u, sizeof v);
  return v;
}

// ---- panels of each width

static const Dtype widths[] = {DT_F32, DT_BF16, DT_I8, DT_F16};
enum { NWIDTH = sizeof widths / sizeof *widths };

// numbers() that dt can say, or that it rounds.
static float *stored_numbers(uint32_t *s, Dtype dt, int64_t n) {
  float *p = numbers(s, n);
  for (int64_t i = 0; dtype_size(dt) == 2 && i < n; i++) {
    uint16_t h = number_bits(dt, p[i]);
    p[i] = panel_number(dt, &h, 0);
  }
  return p;
}

// Panels of f16 stay out of pairs.
static Precision in_pairs(Dtype dt, Precision p) { return precision_takes(p, dt) ? p : PRECISION_F32; }

static void same_bits(const float *got, const float *want, int64_t n, int64_t width, const char *what) {
  for (int64_t i = 0; i < n; i++) {
    if (!memcmp(&got[i], &want[i], sizeof *got)) continue;
    fail_msg("%s: row %lld column %lld is %a, expected %a", what, (long long)(i / width), (long long)(i % width),
             (double)got[i], (double)want[i]);
  }
}

typedef struct Shape {
  int64_t N, K;                // columns of the result, length of a row
} Shape;
static const Shape shapes[] = {
    {1, 1},   {1, 17},  {15, 16}, {16, 15},   {17, 1},    {31, 33},   {33, 128},  {47, 257},
    {63, 64}, {129, 5}, {255, 7}, {256, 256}, {257, 255}, {271, 511}, {513, 300}, {40, 1025}, {24, 4200}, {1090, 6},
};
static const int64_t counts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 29, 95, 96, 97, 131, 255, 257, 300, 390};
enum { NSHAPE = sizeof shapes / sizeof *shapes, NCOUNT = sizeof counts / sizeof *counts, ROWS = 300, MANY = 390, WIDE = 256 };      // MANY rows of a result wider than WIDE are cut otherwise

// Compiles k in a precision and runs it for every number of rows at random offsets into x[most, width]. run fills the outputs' want.
typedef void Check(void *user, HarnessKernel *h, int64_t offset, int64_t rows);
static void each_run(const Kernel *k, Precision precision, int64_t most, uint32_t seed, Check *check, void *user) {
  HarnessKernel *made = harness_compile_all(k);
  for (int i = 0; harness_isa(i); i++) {
    if (!native_runs(harness_isa(i), precision)) continue;
    HarnessKernel *h = harness_other(made, harness_isa(i), precision);
    for (int c = NCOUNT - 1; c >= 0; c -= precision == PRECISION_F32 ? 1 : 2) {      // the chain in C is slow in pairs
      if (counts[c] <= most) check(user, h, below(&seed, most - counts[c] + 1), counts[c]);
    }
    check(user, h, most - 1, 1);                            // a row by itself
    harness_free(h);
  }
  harness_free(made);
}

// ---- forward: one to three matrices of one input

typedef struct Forward {
  int64_t K, N[3], rows;
  int nmat;
  Precision precision;
  Dtype dt[3];
  float *x, *w[3], *want[3];
} Forward;

static void check_forward(void *user, HarnessKernel *h, int64_t offset, int64_t rows) {
  const Forward *t = user;
  Fences *f = fences_new();
  void *arg[7] = {fenced_floats(f, rows * t->K, t->x + offset * t->K)};
  for (int m = 0; m < t->nmat; m++) {
    arg[1 + m] = panels_of(f, panel_under(t->dt[m], t->precision), t->w[m], t->N[m], t->K);
    arg[1 + t->nmat + m] = fenced_floats(f, rows * t->N[m], NULL);
  }
  harness_run(h, rows, arg, 1 + 2 * t->nmat);
  for (int m = 0; m < t->nmat; m++)
    same_bits(arg[1 + t->nmat + m], t->want[m] + offset * t->N[m], rows * t->N[m], t->N[m], "gemm");
  fences_free(f);
}

static void forward(int64_t K, int nmat, const int64_t *N, int width, Precision precision, uint32_t seed) {
  Forward t = {.K = K, .nmat = nmat, .rows = ROWS, .precision = precision};
  for (int m = 0; m < nmat; m++)
    if (N[m] > WIDE) t.rows = MANY;
  t.x = numbers(&seed, t.rows * K);
  KArg arg[7] = {{.per_row = true, .elems = K}};
  Kernel k = {.cls = K_GEMM, .arg = arg, .narg = 1 + 2 * nmat, .dim = {K}, .nmat = nmat};
  for (int m = 0; m < nmat; m++) {
    k.N[m] = t.N[m] = N[m];
    arg[1 + nmat + m] = (KArg){.per_row = true, .written = true, .elems = N[m]};
    arg[1 + m].dt = t.dt[m] = widths[(width + m) % NWIDTH];
    t.w[m] = stored_numbers(&seed, t.dt[m], N[m] * K);
    float *said = panels_say(t.dt[m], t.w[m], N[m], K);
    t.want[m] = malloc((size_t)(t.rows * N[m]) * sizeof(float));
    for (int64_t r = 0; r < t.rows; r++)
      for (int64_t n = 0; n < N[m]; n++) t.want[m][r * N[m] + n] = product_chain(in_pairs(t.dt[m], precision), t.x + r * K, said + n * K, 1, K);
    free(said);
  }
  each_run(&k, precision, t.rows, seed, check_forward, &t);
  for (int m = 0; m < nmat; m++) free(t.w[m]), free(t.want[m]);
  free(t.x);
}

static void test_forward(void **state) {
  (void)state;
  for (int i = 0; i < NSHAPE; i++)
    for (int w = 0; w < NWIDTH; w++)
      if (w < 2 || i % 4 == 5 - w) forward(shapes[i].K, 1, &shapes[i].N, w, PRECISION_F32, (uint32_t)i);
  for (int i = 1; i < NSHAPE; i += 2) forward(shapes[i].K, 1, &shapes[i].N, i % 3, PRECISION_BF16, (uint32_t)i);
}

static void test_several_matrices(void **state) {
  (void)state;
  for (int i = 0; i < NSHAPE; i += 3) {
    int64_t N[3] = {shapes[i].N, shapes[(i + 5) % NSHAPE].N, shapes[(i + 9) % NSHAPE].N};
    for (Precision p = 0; p < N_PRECISION; p++) forward(shapes[i].K, 3, N, i, p, 100 + (uint32_t)i);
  }
}

// ---- numbers of every kind, subnormals, infinities and NaN among them, in pairs: the instruction, what stands for it, and the chain are one

static void test_extremes(void **state) {
  (void)state;
  enum { R = 7, N = 40, K = 90, TRIES = 24 };
  uint32_t seed = 7;
  KArg arg[3] = {{.per_row = true, .elems = K}, {.dt = DT_F32}, {.per_row = true, .written = true, .elems = N}};
  Kernel k = {.cls = K_GEMM, .arg = arg, .narg = 3, .dim = {K}, .nmat = 1, .N = {N}};
  for (int i = 0; harness_isa(i); i++) {
    if (!native_runs(harness_isa(i), PRECISION_BF16)) continue;
    HarnessKernel *h = harness_compile_in(&k, harness_isa(i), PRECISION_BF16);
    for (int t = 0; t < TRIES; t++) {
      Fences *f = fences_new();
      float *x = fenced_floats(f, R * K, NULL), *w = fenced_floats(f, N * K, NULL), *out = fenced_floats(f, R * N, NULL);
      for (int64_t j = 0; j < R * K; j++) x[j] = any_number(&seed, t);
      for (int64_t j = 0; j < N * K; j++) w[j] = any_number(&seed, t);
      harness_run(h, R, (void *[]){x, panels_of(f, DT_BF16, w, N, K), out}, 3);
      for (int64_t r = 0; r < R; r++)
        for (int64_t n = 0; n < N; n++) {
          float want = product_chain(PRECISION_BF16, x + r * K, w + n * K, 1, K), got = out[r * N + n];
          if (isnan(want) ? !isnan(got) : !!memcmp(&want, &got, sizeof got))
            fail_msg("%s: try %d [%d, %d] is %a, expected %a", harness_isa(i), t, (int)r, (int)n, (double)got, (double)want);
        }
      fences_free(f);
    }
    harness_free(h);
  }
}

// ---- transposed: dx[rows, N] = dy[rows, K] w[K, N], w as the forward product has it; stored, or scaled and added to
// rows that are there

typedef struct Transposed {
  int64_t K, N;
  float *dy, *w, *scale, *old, *want;
  bool fused;
  Precision precision;
  Dtype dt;
} Transposed;

static void check_transposed(void *user, HarnessKernel *h, int64_t offset, int64_t rows) {
  const Transposed *t = user;
  Fences *f = fences_new();
  float *out = fenced_floats(f, rows * t->N, t->fused ? t->old + offset * t->N : NULL);
  void *arg[5] = {fenced_floats(f, rows * t->K, t->dy + offset * t->K), panels_of(f, panel_under(t->dt, t->precision), t->w, t->K, t->N), out};
  if (t->fused) arg[3] = fenced_floats(f, rows, t->scale + offset), arg[4] = out;
  harness_run(h, rows, arg, t->fused ? 5 : 3);
  same_bits(out, t->want + offset * t->N, rows * t->N, t->N, t->fused ? "gemm_t, added" : "gemm_t");
  fences_free(f);
}

static void transposed(Shape s, uint32_t seed, bool fused, int width, Precision precision) {
  Dtype dt = widths[width % NWIDTH];
  Transposed t = {.K = s.K, .N = s.N, .fused = fused, .precision = precision, .dt = dt, .dy = numbers(&seed, ROWS * s.K), .w = stored_numbers(&seed, dt, s.K * s.N),
                  .scale = numbers(&seed, ROWS), .old = numbers(&seed, ROWS * s.N)};
  enum { OLD = 2, SCALE, OUT };
  RowVal v[] = {{.src = RV_ACC, .in = {-1, -1}, .rank = 1, .dim = {s.N}, .store = -1},
                {.src = RV_LOAD, .in = {-1, -1}, .rank = 1, .dim = {1}, .arg = SCALE, .store = -1},
                {.src = RV_OP, .op = OP_mul, .in = {0, 1}, .rank = 1, .dim = {s.N}, .store = -1},
                {.src = RV_LOAD, .in = {-1, -1}, .rank = 1, .dim = {s.N}, .arg = OLD, .store = -1},
                {.src = RV_OP, .op = OP_add, .in = {3, 2}, .rank = 1, .dim = {s.N}, .store = OUT}};
  KArg plain[3] = {{.per_row = true, .elems = s.K}, {.dt = dt}, {.per_row = true, .written = true, .elems = s.N}};
  KArg added[5] = {plain[0], plain[1], {.per_row = true, .elems = s.N}, {.per_row = true, .elems = 1}, plain[2]};
  Kernel k = {.cls = K_GEMM_T, .arg = fused ? added : plain, .narg = fused ? 5 : 3, .dim = {s.K},
              .nmat = 1, .N = {s.N}};
  if (fused) k.prog[0] = (RowProg){v, sizeof v / sizeof *v};
  t.want = malloc((size_t)(ROWS * s.N) * sizeof *t.want);
  float *said = panels_say(dt, t.w, s.K, s.N);
  for (int64_t r = 0; r < ROWS; r++)
    for (int64_t n = 0; n < s.N; n++) {
      float y = product_chain(in_pairs(dt, precision), t.dy + r * s.K, said + n, s.N, s.K), scaled = y * t.scale[r];
      t.want[r * s.N + n] = fused ? t.old[r * s.N + n] + scaled : y;
    }
  each_run(&k, precision, ROWS, seed, check_transposed, &t);
  free(said), free(t.dy), free(t.w), free(t.scale), free(t.old), free(t.want);
}

static void test_transposed(void **state) {
  (void)state;
  for (int i = 0; i < NSHAPE; i++)
    for (int w = 0; w < NWIDTH; w++)
      if (w < 2 || i % 4 == 5 - w) transposed(shapes[i], 200 + (uint32_t)i, false, w, PRECISION_F32);
  for (int i = 0; i < NSHAPE; i += 2) transposed(shapes[i], 200 + (uint32_t)i, false, i % 3, PRECISION_BF16);
}

static void test_transposed_added(void **state) {
  (void)state;
  for (int i = 1; i < NSHAPE; i += 2) transposed(shapes[i], 300 + (uint32_t)i, true, i / 2, i % 4 == 3);
}

// ---- packing

// Element i of a matrix of a stored type: all bit patterns of 16 bits come up.
static float stored(Dtype dt, void *w, int64_t i) {
  uint16_t bits = (uint16_t)(i * 40503 + 7);
  uint32_t all = (uint32_t)(i * 2654435761u);
  if (dt == DT_F32) memcpy((float *)w + i, &all, sizeof all);
  else ((uint16_t *)w)[i] = bits;
  return panel_number(dt, w, i);
}

static void check_panels(Dtype dt, const void *p, const float *w, int64_t N, int64_t K) {
  for (int64_t n = 0; n < (N + PANEL - 1) / PANEL * PANEL; n++)
    for (int64_t k = 0; k < panel_elems(dt, K) / PANEL; k++) {
      float got = panel_number(dt, p, panel_at(dt, K, n, k)), want = n < N && k < K ? w[n * K + k] : 0;
      bool same = isnan(want) ? isnan(got) : !memcmp(&got, &want, sizeof got);
      if (!same)
        fail_msg("%s: [%lld, %lld] of %lld x %lld is %a, expected %a", dtype_name(dt), (long long)n, (long long)k,
                 (long long)N, (long long)K, (double)got, (double)want);
    }
}

// turned: stored as w[K, N].
static void pack(Dtype dt, int64_t N, int64_t K, bool turned, Precision precision) {
  Fences *f = fences_new();
  Dtype to = panel_under(dt, precision);
  int64_t panels = (N + PANEL - 1) / PANEL;
  void *w = fenced(f, (size_t)(N * K * dtype_size(dt)));
  float *want = malloc((size_t)(N * K) * sizeof *want);
  for (int64_t i = 0; i < N * K; i++) want[turned ? i % N * K + i / N : i] = to == dt ? stored(dt, w, i) : bf16_rounded(stored(dt, w, i));
  KArg arg[2] = {{.dt = dt, .elems = N * K}, {.dt = dt, .per_row = true, .written = true, .elems = panel_elems(dt, K)}};
  Kernel k = {.cls = K_PACK, .arg = arg, .narg = 2, .dim = {N, K, turned}};
  HarnessKernel *made = harness_compile_all(&k);
  for (int i = 0; harness_isa(i); i++) {
    if (!native_runs(harness_isa(i), precision)) continue;
    HarnessKernel *h = harness_other(made, harness_isa(i), precision);
    void *p = fenced(f, (size_t)(panels * panel_elems(to, K) * dtype_size(to)));
    harness_run(h, panels, (void *[]){w, p}, 2);
    check_panels(to, p, want, N, K);
    harness_free(h);
  }
  harness_free(made);
  fences_free(f);
  free(want);
}

static void test_pack(void **state) {
  (void)state;
  for (int t = 0; t < NWIDTH; t++) {
    if (widths[t] == DT_I8) continue;                       // test_int8
    for (int i = 0; i < NSHAPE; i++) pack(widths[t], shapes[i].N, shapes[i].K, i % 3 == 0, i % 2 && !t ? PRECISION_BF16 : PRECISION_F32);
    for (int64_t n = 1 + 2 * (t % 2); n <= 35; n += 4) pack(widths[t], n, 36 - n, n / 4 % 2, PRECISION_F32);
  }
  for (int64_t n = 1; n <= 35; n += 3) pack(DT_F32, n, 67 - n, n % 4 < 2, PRECISION_BF16);
}

// The register tiles live from accumulators that stay in registers: no vector goes through the stack anywhere in them.
static void nothing_spilled(void **state) {
  (void)state;
  Buf text = {0};
  llvm_emit_mm(EMIT_ASM, &text);
  buf_write(&text, "", 1);
  int tiles = 0;
  char name[64] = "";
  for (char *line = strtok(text.s, "\n"); line; line = strtok(NULL, "\n")) {
    if (*line != '\t' && *line != '.' && *line != '#') snprintf(name, sizeof name, "%s", line), tiles += !strncmp(name, "mm_rows", 7);
    if (strncmp(name, "mm_rows", 7) || strncmp(line, "\tvmov", 5)) continue;
    if (strstr(line, "(%rsp)") && (strstr(line, "%zmm") || strstr(line, "%ymm"))) fail_msg("%s spills: %s", name, line);
  }
  assert_true(tiles >= 90);                                 // 13 + 6 numbers of rows of f32, packed or not; 13 + 5 of bf16, f16; 13 + 3 of pairs
  buf_free(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward),          cmocka_unit_test(test_several_matrices),
      cmocka_unit_test(test_transposed),       cmocka_unit_test(test_transposed_added),
      cmocka_unit_test(test_extremes),         cmocka_unit_test(nothing_spilled),
      cmocka_unit_test(test_pack),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
