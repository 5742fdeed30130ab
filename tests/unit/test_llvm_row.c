// Row kernels: elementary functions against libm over the whole range of floats, and row programs against naive loops in double, on
// every instruction-set path of this machine.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/kernel_harness.h"

// ---- elementary functions
static double rsqrt_(double x) { return 1 / sqrt(x); }
static double sigmoid_(double x) { return 1 / (1 + exp(-x)); }

typedef struct Function {
  const char *name;
  OpId op;
  double (*exact)(double);
  double range;                // |x| up to this
  double ulp;                  // most error
} Function;
static const Function functions[] = {
    {"exp", OP_exp, exp, INFINITY, 2},   {"log", OP_log, log, INFINITY, 2}, {"tanh", OP_tanh, tanh, INFINITY, 2},
    {"erf", OP_erf, erf, INFINITY, 2},   {"sigmoid", OP_sigmoid, sigmoid_, INFINITY, 3},
    {"sin", OP_sin, sin, 1048576, 1},    {"cos", OP_cos, cos, 1048576, 1},
    {"sqrt", OP_sqrt, sqrt, INFINITY, 0.5}, {"rsqrt", OP_rsqrt, rsqrt_, INFINITY, 1.5},
};

static float from_bits(uint32_t u) {
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

// Distance of got from want in units of want's last place.
static double ulps(float got, double want) {
  if (isnan(want)) return isnan(got) ? 0 : INFINITY;
  float w = (float)want;
  if (isinf(w) || isinf(got)) return got == w ? 0 : fabs((double)got - want) < 0x1p104 ? 1 : INFINITY;
  int e;
  frexp(want, &e);
  double unit = e < -125 ? 0x1p-149 : ldexp(1, e - 24);
  return fabs((double)got - want) / unit;
}

static void sweep(const Function *f, const char *isa) {
  enum { WIDTH = 1021, STEP = 1021 };
  RowVal v[2] = {{.src = RV_LOAD, .rank = 1, .dim = {WIDTH}, .in = {-1, -1}, .store = -1, .arg = 0},
                 {.src = RV_OP, .op = f->op, .rank = 1, .dim = {WIDTH}, .in = {0, -1}, .store = 1}};
  KArg arg[2] = {{.per_row = true, .elems = WIDTH}, {.per_row = true, .written = true, .elems = WIDTH}};
  Kernel k = {.cls = K_ROW, .key = f->name, .arg = arg, .narg = 2, .prog = {{v, 2}}};
  HarnessKernel *h = harness_compile(&k, isa);
  int64_t rows = (int64_t)(4294967296 / STEP) / WIDTH, n = rows * WIDTH;
  float *x = malloc((size_t)n * sizeof *x), *y = malloc((size_t)n * sizeof *y);
  for (int64_t i = 0; i < n; i++) {
    x[i] = from_bits((uint32_t)(i * STEP));
    if (!(fabs((double)x[i]) <= f->range)) x[i] = (float)(i % 1000) * 0.01f;
  }
  x[1] = INFINITY, x[2] = -INFINITY, x[3] = NAN, x[4] = -0.0f, x[5] = 1;
  if (!isinf(f->range)) x[1] = x[2] = 0.5f;
  harness_run(h, rows, (void *[]){x, y}, 2);
  double worst = 0;
  float at = 0, got = 0;
  for (int64_t i = 0; i < n; i++) {
    double u = ulps(y[i], f->exact((double)x[i]));
    if (u > worst) worst = u, at = x[i], got = y[i];
  }
  print_message("%-8s %-7s %.3f ulp at %a\n", isa, f->name, worst, (double)at);
  if (!(worst <= f->ulp)) fail_msg("%s(%a) = %a, expected %a", f->name, (double)at, (double)got, f->exact((double)at));
  free(x), free(y);
  harness_free(h);
}

static void test_functions(void **state) {
  (void)state;
  for (int i = 0; harness_isa(i); i++)
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) sweep(&functions[f], harness_isa(i));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_functions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
