// Weights as int8 (runtime/abi/int8.h): numbers written down from the definition, and generated code that packs matrices and reads tables against it,
// byte for byte, from every type they may be stored in, with what is no finite number among them. Products over such panels: test_llvm_gemm.c,
// test_llvm_xent.c.
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
#include "tests/unit/panels.h"

static uint32_t next(uint32_t *s) { return *s = *s * 1664525u + 1013904223u; }

static void as_defined(void **state) {
  (void)state;
  assert_true(int8_scale(127) == 1 && int8_scale(254) == 2 && int8_scale(0) == 0);
  assert_true(int8_scale(1) == 0x1.04p-7f);                  // 1 / 127 = 0x1.0204p-7, and the next bf16 above
  assert_true(isnan(int8_scale(INFINITY)) && isnan(int8_scale(NAN)) && isnan(int8_scale(0x1p100f)) && int8_scale(0x1.fcp99f) == 0x1p93f);
  assert_int_equal(int8_number(127, 1), 127);
  assert_int_equal(int8_number(-127, 1), -127);
  assert_int_equal(int8_number(2.5f, 1), 2);                 // halves to even
  assert_int_equal(int8_number(-3.5f, 1), -4);
  assert_int_equal(int8_number(0, 0), 0);
  assert_int_equal(int8_number(INFINITY, INFINITY), 0);
  float w[INT8_GROUP + 2] = {[0] = 127, [1] = 0.4f, [2] = -64.6f, [INT8_GROUP] = -1, [INT8_GROUP + 1] = 0.25f};
  int8_round(w, INT8_GROUP + 2);
  assert_true(w[0] == 127 && w[1] == 0 && w[2] == -65);
  assert_true(w[INT8_GROUP] == -126 * 0x1.04p-7f && w[INT8_GROUP + 1] == 32 * 0x1.04p-7f);      // a group has its own
  float bad[2 * INT8_GROUP] = {[0] = INFINITY, [1] = 1, [INT8_GROUP] = 1};
  int8_round(bad, 2 * INT8_GROUP);
  assert_true(isnan(bad[0]) && isnan(bad[1]) && fabsf(bad[INT8_GROUP] - 1) < 0.004f);
}

// Half a step at most, of steps that are at most 1 / 127 larger than they have to be; and exactly said: a product of 8 and 7 bits.
static void how_near(void **state) {
  (void)state;
  uint32_t s = 1;
  for (int round = 0; round < 2000; round++) {
    float w[INT8_GROUP], was[INT8_GROUP], most = 0;
    int e = (int)(next(&s) >> 24) - 128;
    for (int i = 0; i < INT8_GROUP; i++) was[i] = w[i] = ldexpf((float)((int)(next(&s) >> 8) - (1 << 23)), e - 23), most = fmaxf(most, fabsf(w[i]));
    int8_round(w, INT8_GROUP);
    double step = (double)most / 127 * (1 + 0x1p-7) + 0x1p-133;
    for (int i = 0; i < INT8_GROUP; i++) {
      uint32_t bits;
      memcpy(&bits, &w[i], sizeof bits);
      if (fabs((double)w[i] - was[i]) > step / 2) fail_msg("%a of a group up to %a is kept as %a", (double)was[i], (double)most, (double)w[i]);
      if (e > -100 && bits & 0x1ff) fail_msg("%a has more than 15 bits", (double)w[i]);
    }
  }
}

static float normal(uint32_t *s) {
  double u = ((double)(next(s) >> 8) + 0.5) * 0x1p-24, v = (double)(next(s) >> 8) * 0x1p-24;
  return (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

// Logits of a head of Gaussian numbers: within 1 % of what they are without rounding, by the length of the vector.
static void gaussian_logits(void **state) {
  (void)state;
  enum { D = 577, V = 300 };
  uint32_t s = 7;
  float h[D], w[D];
  double off = 0, all = 0;
  for (int d = 0; d < D; d++) h[d] = normal(&s);
  for (int v = 0; v < V; v++) {
    double exact = 0, rounded = 0;
    for (int d = 0; d < D; d++) w[d] = normal(&s), exact += (double)h[d] * w[d];
    int8_round(w, D);
    for (int d = 0; d < D; d++) rounded += (double)h[d] * w[d];
    off += (rounded - exact) * (rounded - exact), all += exact * exact;
  }
  if (sqrt(off / all) > 0.01) fail_msg("logits are off by %.2f %%", 100 * sqrt(off / all));
}

// ---- matrices as stored

static const Dtype types[] = {DT_F32, DT_BF16, DT_F16, DT_F8_E5M2};
enum { NTYPE = sizeof types / sizeof *types };

// Any bits of the type; `tame` none that is no finite number. Groups of zeros come up.
static void *stored(uint32_t *s, Dtype dt, int64_t n, bool tame, float *w) {
  int size = dtype_size(dt);
  char *p = calloc((size_t)n + 1, (size_t)size);
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits = next(s) ^ next(s) >> 16;
    if (tame && dt == DT_F32) bits = (bits & 0x8fffffff) | 0x30000000;
    else if (tame) bits &= dt == DT_BF16 ? 0xbf8f : dt == DT_F16 ? 0xbbff : 0xb3;
    if (i / 300 % 5 == 3) bits = 0;
    memcpy(p + i * size, &bits, (size_t)size);
    w[i] = (float)dtype_number(dt, p + i * size);
  }
  return p;
}

static void packed(Dtype dt, int64_t N, int64_t K, bool turned, bool tame, uint32_t s) {
  Fences *f = fences_new();
  float *w = calloc((size_t)(N * K) + 1, sizeof *w), *rows = calloc((size_t)(N * K) + 1, sizeof *rows);
  void *m = stored(&s, dt, N * K, tame, w), *file = fenced(f, (size_t)(N * K * dtype_size(dt)));
  memcpy(file, m, (size_t)(N * K * dtype_size(dt)));
  for (int64_t i = 0; i < N * K; i++) rows[turned ? i % N * K + i / N : i] = w[i];
  int64_t bytes = panels_elems(DT_I8, N, K);
  const unsigned char *want = panels_of(f, DT_I8, rows, N, K);
  KArg arg[2] = {{.dt = dt, .elems = N * K}, {.dt = DT_I8, .per_row = true, .written = true, .elems = panel_elems(DT_I8, K)}};
  Kernel k = {.cls = K_PACK, .arg = arg, .narg = 2, .dim = {N, K, turned}};
  for (int i = 0; harness_isa(i); i++) {
    HarnessKernel *h = harness_compile(&k, harness_isa(i));
    unsigned char *got = fenced(f, (size_t)bytes);
    harness_run(h, (N + PANEL - 1) / PANEL, (void *[]){file, got}, 2);
    for (int64_t b = 0; b < bytes; b++)
      if (got[b] != want[b]) fail_msg("%s %s %lld x %lld%s: byte %lld is %u, expected %u", harness_isa(i), dtype_name(dt), (long long)N, (long long)K, turned ? " turned" : "", (long long)b, got[b], want[b]);
    fences_check(f);
    harness_free(h);
  }
  fences_free(f);
  free(w), free(rows), free(m);
}

static void test_pack(void **state) {
  (void)state;
  static const int64_t shape[][2] = {{1, 1}, {1, 17}, {15, 64}, {16, 65}, {17, 63}, {33, 128}, {40, 300}, {271, 33}, {5, 577}};
  enum { NSHAPE = sizeof shape / sizeof *shape };
  for (int t = 0; t < NTYPE; t++)
    for (int i = 0; i < NSHAPE; i++) packed(types[t], shape[i][0], shape[i][1], (i + t) % 3 == 0, (i + t) % 2, (uint32_t)(100 * t + i));
}

static void test_lookup(void **state) {
  (void)state;
  static const int64_t widths[] = {1, 16, 63, 64, 65, 130, 576};
  enum { V = 23, T = 70, NW = sizeof widths / sizeof *widths };
  int32_t id[T];
  for (int t = 0; t < NTYPE; t++)
    for (int i = 0; i < NW; i++) {
      uint32_t s = (uint32_t)(t * 100 + i);
      int64_t W = widths[i];
      float *w = calloc((size_t)(V * W), sizeof *w);
      void *table = stored(&s, types[t], V * W, i % 2, w);
      for (int r = 0; r < T; r++) id[r] = (int32_t)(next(&s) >> 8) % V;
      for (int r = 0; r < V; r++) int8_round(w + r * W, W);
      KArg arg[] = {{.dt = DT_I32}, {.dt = types[t]}, {.dt = DT_F32, .written = true}};
      Kernel k = {.cls = K_LOOKUP, .arg = arg, .narg = 3, .LOOKUP = {.V = V, .W = W, .rounded = true}};
      for (int isa = 0; harness_isa(isa); isa++) {
        Fences *f = fences_new();
        float *out = fenced_floats(f, T * W, NULL);
        HarnessKernel *h = harness_compile(&k, harness_isa(isa));
        harness_run(h, T, (void *[]){id, table, out}, 3);
        fences_check(f);
        for (int64_t x = 0; x < T * W; x++) {
          float want = w[id[x / W] * W + x % W];
          if (isnan(want) ? !isnan(out[x]) : memcmp(&want, &out[x], sizeof want))
            fail_msg("%s on %s: [%lld] of %lld is %a, expected %a", dtype_name(types[t]), harness_isa(isa), (long long)(x % W), (long long)W, (double)out[x], (double)want);
        }
        harness_free(h);
        fences_free(f);
      }
      free(w), free(table);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_defined), cmocka_unit_test(how_near), cmocka_unit_test(gaussian_logits), cmocka_unit_test(test_pack), cmocka_unit_test(test_lookup)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
