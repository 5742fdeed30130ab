// Element types that weights may be stored in (rows of runtime/abi/dtype.def): numbers written down from their definitions as C reads them, and
// every bit pattern of the narrow ones as generated code reads it against C, on every path.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_harness.h"

// Every STORED type: 1, the largest finite number, the smallest normal and subnormal, a negative one, infinity.
static const struct { Dtype dt; uint32_t bits; double want; } GOLDEN[] = {
    {DT_F32, 0x3f800000, 1},  {DT_F32, 0x7f7fffff, 0x1.fffffep127}, {DT_F32, 0x00800000, 0x1p-126}, {DT_F32, 0x00000001, 0x1p-149},
    {DT_F32, 0xc0490fdb, -0x1.921fb6p1}, {DT_F32, 0x7f800000, INFINITY},
    {DT_F16, 0x3c00, 1},      {DT_F16, 0x7bff, 65504},              {DT_F16, 0x0400, 0x1p-14},      {DT_F16, 0x0001, 0x1p-24},
    {DT_F16, 0xc248, -3.140625}, {DT_F16, 0x7c00, INFINITY},
    {DT_BF16, 0x3f80, 1},     {DT_BF16, 0x7f7f, 0x1.fep127},        {DT_BF16, 0x0080, 0x1p-126},    {DT_BF16, 0x0001, 0x1p-133},
    {DT_BF16, 0xc049, -3.140625}, {DT_BF16, 0x7f80, INFINITY},
    {DT_F8_E5M2, 0x3c, 1},    {DT_F8_E5M2, 0x7b, 57344},            {DT_F8_E5M2, 0x04, 0x1p-14},    {DT_F8_E5M2, 0x01, 0x1p-16},
    {DT_F8_E5M2, 0xc2, -3},   {DT_F8_E5M2, 0x7c, INFINITY},
};

static void as_defined(void **state) {
  (void)state;
  for (int t = 0; t < DT_NONE; t++) {
    int n = 0;
    if (dtype_info[t].use != DTYPE_STORED) continue;
    for (size_t i = 0; i < sizeof GOLDEN / sizeof GOLDEN[0]; i++) {
      if ((int)GOLDEN[i].dt != t) continue;
      n++;
      if (dtype_number((Dtype)t, &GOLDEN[i].bits) != GOLDEN[i].want)
        fail_msg("%s: %#x is read as %a, expected %a", dtype_info[t].name, GOLDEN[i].bits, dtype_number((Dtype)t, &GOLDEN[i].bits), GOLDEN[i].want);
    }
    if (n < 6) fail_msg("%s has %d numbers in GOLDEN, expected 6 or more", dtype_info[t].name, n);
  }
}

static void names(void **state) {
  (void)state;
  for (int t = 0; t < DT_NONE; t++) {
    assert_int_equal(dtype_named(dtype_info[t].name), t);
    if (dtype_info[t].file) assert_int_equal(dtype_of_file(dtype_info[t].file), t);
  }
  assert_int_equal(dtype_named("f128"), DT_NONE);
  assert_int_equal(dtype_of_file("F128"), DT_NONE);
}

// A lookup of every row of a table [V, W] that holds all patterns; the last row is read through a mask.
static void all_patterns(Dtype dt) {
  enum { W = 24 };
  int size = dtype_size(dt);
  int64_t n = (int64_t)1 << dtype_info[dt].bits, V = (n + W - 1) / W;
  char *table = calloc((size_t)(V * W), (size_t)size);
  float *out = calloc((size_t)(V * W), sizeof *out);
  int32_t *ids = calloc((size_t)V, sizeof *ids);
  for (int64_t i = 0; i < n; i++) memcpy(table + i * size, &i, (size_t)size);
  for (int64_t i = 0; i < V; i++) ids[i] = (int32_t)i;
  KArg arg[] = {{.dt = DT_I32}, {.dt = dt}, {.dt = DT_F32, .written = true}};
  Kernel k = {.cls = K_LOOKUP, .arg = arg, .narg = 3, .LOOKUP = {.V = V, .W = W}};
  for (int i = 0; harness_isa(i); i++) {
    HarnessKernel *h = harness_compile(&k, harness_isa(i));
    harness_run(h, V, (void *[]){ids, table, out}, 3);
    for (int64_t x = 0; x < n; x++) {
      float want = (float)dtype_number(dt, table + x * size);
      if (isnan(want) ? !isnan(out[x]) : memcmp(&want, &out[x], sizeof want)) fail_msg("%s on %s: %#llx is read as %a, expected %a", dtype_info[dt].name, harness_isa(i), (unsigned long long)x, (double)out[x], (double)want);
    }
    harness_free(h);
  }
  free(table), free(out), free(ids);
}

static void generated(void **state) {
  (void)state;
  for (int t = 0; t < DT_NONE; t++)
    if (dtype_info[t].use == DTYPE_STORED && dtype_info[t].bits <= 16) all_patterns((Dtype)t);
}

// Every number of a type rounds to itself, and what lies between two of its numbers to the nearer, ties to the even one; what is beyond the last
// becomes infinity, and is said.
static void rounding(void **state) {
  (void)state;
  static const Dtype some[] = {DT_BF16, DT_F16, DT_F8_E5M2};
  for (size_t k = 0; k < sizeof some / sizeof *some; k++) {
    Dtype t = some[k];
    uint32_t top = 1u << (dtype_info[t].bits - 1);
    for (uint32_t u = 0; u < top; u++) {
      uint32_t next = u + 1, got = 0;
      double x = dtype_number(t, &u), y = dtype_number(t, &next);
      if (isnan(x)) continue;
      assert_int_equal(dtype_round(t, x, &got), isfinite(x) || isinf(x));
      assert_int_equal(got, u);
      got = 0;
      dtype_round(t, -x, &got);
      assert_int_equal(got, u | top);
      if (!isfinite(y) || next == top) continue;
      double half = x + (y - x) / 2;
      got = 0, dtype_round(t, half, &got);
      assert_int_equal(got, u + (u & 1));
      got = 0, dtype_round(t, half + (y - x) / 8, &got);
      assert_int_equal(got, next);
      got = 0, dtype_round(t, half - (y - x) / 8, &got);
      assert_int_equal(got, u);
    }
    uint32_t got = 0;
    assert_false(dtype_round(t, 3.4028235e38, &got));
    assert_true(isinf(dtype_number(t, &got)));
    assert_true(dtype_round(t, (double)NAN, &got));
    assert_true(isnan(dtype_number(t, &got)));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rounding), cmocka_unit_test(as_defined), cmocka_unit_test(names), cmocka_unit_test(generated)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
