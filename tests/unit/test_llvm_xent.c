// The loss over a vocabulary head and its two gradients against naive double loops: shapes around the kernels' blocks of
// rows and chunks of the vocabulary, vocabularies whose logits are kept between two passes and not, capped logits,
// logits of any size; and, bit for bit, that a row's loss and gradient do not depend on what stands beside it. Memory
// is fenced.
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fence.h"
#include "tests/unit/kernel_harness.h"
#include "tests/unit/native_object.h"
#include "tests/unit/panels.h"

typedef struct Shape {
  int64_t D, V;
  double cap;
} Shape;
enum { KEPT = 278528 };        // the largest vocabulary whose logits are kept
static const Shape shapes[] = {
    {1, 1, 0},    {1, 2, 0},    {7, 15, 0},   {16, 16, 0},  {33, 17, 0},       {5, 127, 0},      {8, 128, 0},
    {31, 129, 0}, {70, 300, 0}, {257, 37, 0}, {17, 513, 0}, {7, 129, 3},       {33, 300, 1.5},   {1, 1, 2},
    {3, KEPT, 0}, {3, KEPT + 37, 0},          {2, KEPT + 1, 2}, {130, 1031, 0},
};
static const int64_t counts[] = {0, 1, 2, 31, 32, 33, 64, 67};
static const Dtype widths[] = {DT_F32, DT_BF16, DT_F16, DT_I8};         // of the head
enum { NSHAPE = sizeof shapes / sizeof *shapes, NWIDTH = sizeof widths / sizeof *widths, NCOUNT = sizeof counts / sizeof *counts, ROWS = 67 };

static uint32_t next(uint32_t *s) { return *s = *s * 1664525u + 1013904223u; }
static int64_t below(uint32_t *s, int64_t n) { return (int64_t)((next(s) >> 8) % (uint64_t)n); }

static void *memory(int64_t n, size_t size) {
  void *p = calloc((size_t)n + 1, size);
  assert_non_null(p);
  return p;
}

static float *numbers(uint32_t *s, int64_t n, double size) {
  float *p = memory(n, sizeof *p);
  for (int64_t i = 0; i < n; i++) p[i] = (float)(size * ((double)next(s) / 2147483648.0 - 1));
  return p;
}

// ---- a problem and what is right

typedef struct Problem {
  Shape s;
  Dtype dt;                    // of the head
  Precision precision;         // in bf16, h and w are numbers that it can say
  int64_t R;
  float *h, *raw, *w, *g;      // raw: the head before it is packed, NULL where that is w; w: as panels hold it
  int32_t *label;
  float *nll, *dh, *dw;        // in single precision, summed in double
  double *logit;               // largest of a row, by size: what rounding is measured by
} Problem;

static int64_t some_label(uint32_t *s, int64_t V) {
  int64_t at[] = {0, V - 1, V > 128 ? 127 : 0, V > 128 ? 128 : 0};    // both ends, the edge of a chunk
  return next(s) >> 31 ? at[below(s, 4)] : below(s, V);
}

static double logit(const Problem *p, int64_t r, int64_t v, double *slope) {
  double x = 0;
  for (int64_t d = 0; d < p->s.D; d++) x += (double)p->h[r * p->s.D + d] * p->w[v * p->s.D + d];
  double t = p->s.cap > 0 ? tanh(x / p->s.cap) : 0;
  *slope = 1 - t * t;
  return p->s.cap > 0 ? p->s.cap * t : x;
}

static void solve_row(Problem *p, int64_t r, double *dh, double *dw) {
  int64_t D = p->s.D, V = p->s.V;
  double *l = memory(V, sizeof *l), *slope = memory(V, sizeof *slope), most = -INFINITY, sum = 0;
  for (int64_t v = 0; v < V; v++) {
    l[v] = logit(p, r, v, &slope[v]);
    most = fmax(most, l[v]);
    p->logit[r] = fmax(p->logit[r], isinf(l[v]) ? 0 : fabs(l[v]));
  }
  for (int64_t v = 0; v < V; v++) sum += exp(l[v] - most);
  p->nll[r] = (float)(log(sum) + (most - l[p->label[r]]));
  for (int64_t v = 0; v < V; v++) {
    double d = p->g[r] * (exp(l[v] - most) / sum - (v == p->label[r])) * slope[v];
    for (int64_t i = 0; i < D && d != 0; i++) {
      dh[i] += d * p->w[v * D + i];
      dw[v * D + i] += d * p->h[r * D + i];
    }
  }
  free(l), free(slope);
}

static void solve(Problem *p) {
  int64_t D = p->s.D, V = p->s.V;
  double *dw = memory(V * D, sizeof *dw), *dh = memory(D, sizeof *dh);
  p->nll = memory(p->R, sizeof *p->nll);
  p->dh = memory(p->R * D, sizeof *p->dh);
  p->dw = memory(V * D, sizeof *p->dw);
  p->logit = memory(p->R, sizeof *p->logit);
  for (int64_t r = 0; r < p->R; r++) {
    memset(dh, 0, (size_t)D * sizeof *dh);
    solve_row(p, r, dh, dw);
    for (int64_t i = 0; i < D; i++) p->dh[r * D + i] = (float)dh[i];
  }
  for (int64_t i = 0; i < V * D; i++) p->dw[i] = (float)dw[i];
  free(dw), free(dh);
}

static Problem problem(Shape s, Dtype dt, Precision precision, int64_t rows, uint32_t seed, double size) {
  Problem p = {.s = s, .dt = dt, .precision = precision, .R = rows};
  p.h = numbers(&seed, rows * s.D, size);
  p.raw = numbers(&seed, s.V * s.D, 2 / sqrt((double)s.D));
  for (int64_t i = 0; dtype_size(dt) == 2 && i < s.V * s.D; i++) {
    uint16_t h = number_bits(dt, p.raw[i]);
    p.raw[i] = panel_number(dt, &h, 0);
  }
  p.w = panels_say(dt, p.raw, s.V, s.D);
  for (int64_t i = 0; precision == PRECISION_BF16 && i < s.V * s.D; i++) p.w[i] = bf16_rounded(p.w[i]);
  for (int64_t i = 0; precision == PRECISION_BF16 && i < rows * s.D; i++) p.h[i] = bf16_rounded(p.h[i]);
  p.g = numbers(&seed, rows, 1);
  p.label = memory(rows, sizeof *p.label);
  for (int64_t r = 0; r < rows; r++) p.label[r] = (int32_t)some_label(&seed, s.V);
  solve(&p);
  return p;
}

static void problem_free(Problem *p) {
  free(p->h), free(p->raw), free(p->w), free(p->g), free(p->label), free(p->nll), free(p->dh), free(p->dw), free(p->logit);
}

// ---- kernels

typedef struct Kernels {
  HarnessKernel *loss, *grad, *dw;
} Kernels;

// For every path and precision: `on` one of them they run.
static Kernels compile(Shape s, Dtype dt) {
  KArg arg[6] = {[KARG(XENT, packed)] = {.dt = dt}};
  Kernel k = {.cls = K_XENT, .arg = arg, .narg = 6, .dim = {s.D, s.V}, .f = {0, s.cap}};
  Kernels all = {.loss = harness_compile_all(&k)};
  k.cls = K_XENT_GRAD;
  all.grad = harness_compile_all(&k);
  k.cls = K_XENT_DW;
  if (dt == DT_F32) all.dw = harness_compile_all(&k);                     // a head that is trained is f32
  return all;
}

static Kernels on(const Kernels *made, const char *isa, Precision precision) {
  return (Kernels){harness_other(made->loss, isa, precision), harness_other(made->grad, isa, precision), made->dw ? harness_other(made->dw, isa, precision) : NULL};
}

static void kernels_free(Kernels *k) { harness_free(k->loss), harness_free(k->grad), harness_free(k->dw); }

typedef struct Results {
  Fences *f;
  float *loss, *nll, *dh, *dw;   // loss: by the forward kernel; nll: by the gradient's
} Results;

// All three kernels on rows [from, from + n).
static Results run(const Problem *p, Kernels *k, int64_t from, int64_t n) {
  int64_t D = p->s.D;
  Fences *f = fences_new();
  float *h = fenced_floats(f, n * D, p->h + from * D);
  void *w = panels_of(f, panel_under(p->dt, p->precision), p->raw ? p->raw : p->w, p->s.V, D);
  float *g = fenced_floats(f, n, p->g + from);
  int32_t *label = fenced(f, (size_t)n * sizeof *label);
  if (n) memcpy(label, p->label + from, (size_t)n * sizeof *label);
  Results r = {f, fenced_floats(f, n, NULL), fenced_floats(f, n, NULL), fenced_floats(f, n * D, NULL),
               fenced_floats(f, p->s.V * D, NULL)};
  harness_run(k->loss, n, (void *[]){h, w, label, r.loss}, 4);
  harness_run(k->grad, n, (void *[]){h, w, label, g, r.dh, r.nll}, 6);
  if (k->dw) harness_run(k->dw, n, (void *[]){h, w, label, g, r.nll, r.dw}, 6);
  fences_check(f);
  return r;
}

// ---- against the double loops

#define BF16_EPSILON (1.0 / 256)       // the gradient by a logit is rounded to bf16 before it is multiplied

static void near(const char *what, double got, double want, double error, int64_t at) {
  if (got == want || fabs(got - want) <= error) return;
  fail_msg("%s[%lld] is %.9g, expected %.9g within %.3g", what, (long long)at, got, want, error);
}

static double largest(const float *x, int64_t n) {
  double m = 0;
  for (int64_t i = 0; i < n; i++) m = fmax(m, fabs((double)x[i]));
  return m;
}

// A logit is a sum of D products, its error some units in the last place of the largest; exp turns it into a relative
// one.
static double logit_error(const Problem *p, double most) {
  return (4 + sqrt((double)p->s.D)) * 2 * FLT_EPSILON * (1 + most);
}

static void compare(const Problem *p, const Results *r) {
  int64_t D = p->s.D;
  double w = largest(p->w, p->s.V * D), worst = p->precision == PRECISION_BF16 ? BF16_EPSILON : 0, sum = 0, rounded = worst, adding = FLT_EPSILON * sqrt((double)p->s.V);
  for (int64_t i = 0; i < p->R; i++) {
    double e = logit_error(p, p->logit[i]);
    near("loss", r->loss[i], p->nll[i], e, i);
    near("the gradient's loss", r->nll[i], p->nll[i], e, i);
    double ge = (2 * e + adding + 2 * rounded) * fabs(p->g[i]) * w;
    for (int64_t d = 0; d < D; d++) near("dh", r->dh[i * D + d], p->dh[i * D + d], ge, i * D + d);
    worst = fmax(worst, e);
    sum += fabs(p->g[i]);
  }
  double h = largest(p->h, p->R * D);
  for (int64_t i = 0; p->dt == DT_F32 && i < p->s.V * D; i++) near("dw", r->dw[i], p->dw[i], 2 * worst * sum * h, i);
}

static void check_shape(Shape s, Dtype dt, const Kernels *made, const char *isa, Precision precision, uint32_t seed) {
  Kernels kernels = on(made, isa, precision);
  for (int c = 0; c < NCOUNT; c++) {
    if (s.V >= KEPT && counts[c] > 1 && counts[c] != 33) continue;      // the double loops are slow
    if (precision == PRECISION_BF16 && counts[c] % 32 != 1) continue;   // what rows have in common is seen in f32
    Problem p = problem(s, dt, precision, counts[c], seed + (uint32_t)c, 2);
    Results r = run(&p, &kernels, 0, p.R);
    compare(&p, &r);
    fences_free(r.f);
    problem_free(&p);
  }
  kernels_free(&kernels);
}

static void test_shapes(void **state) {
  (void)state;
  for (int i = 0; i < NSHAPE; i++) {
    Dtype dt = widths[i % NWIDTH];
    Kernels made = compile(shapes[i], dt);
    for (Precision precision = 0; precision < N_PRECISION; precision++)
      for (int k = 0; harness_isa(k); k++)
        if (native_runs(harness_isa(k), precision) && precision_takes(precision, dt)) check_shape(shapes[i], dt, &made, harness_isa(k), precision, (uint32_t)(i * NCOUNT));
    kernels_free(&made);
  }
}

// ---- row invariance

static void same_rows(const Problem *p, const Results *all, const Results *part, int64_t from, int64_t n) {
  size_t row = (size_t)p->s.D * sizeof(float);
  assert_memory_equal(part->loss, all->loss + from, (size_t)n * sizeof(float));
  assert_memory_equal(part->nll, all->nll + from, (size_t)n * sizeof(float));
  assert_memory_equal(part->dh, all->dh + from * p->s.D, (size_t)n * row);
  assert_memory_equal(all->loss, all->nll, (size_t)p->R * sizeof(float));
}

static void test_row_invariance(void **state) {
  (void)state;
  for (int i = 0; i < NSHAPE; i++) {
    if (shapes[i].V == KEPT) continue;
    uint32_t seed = (uint32_t)i;
    Precision precision = i % 2 ? PRECISION_F32 : PRECISION_BF16;
    Problem p = problem(shapes[i], widths[i % NWIDTH], precision, shapes[i].V > KEPT ? 35 : ROWS, 900 + seed, 2);
    Kernels made = compile(shapes[i], p.dt);
    for (int k = 0; harness_isa(k); k++) {
      if (!native_runs(harness_isa(k), precision)) continue;
      Kernels kernels = on(&made, harness_isa(k), precision);
      Results all = run(&p, &kernels, 0, p.R);
      for (int round = 0; round < 8; round++) {
        int64_t n = round < 4 ? 1 : 1 + below(&seed, p.R), from = below(&seed, p.R - n + 1);
        Results part = run(&p, &kernels, from, n);
        same_rows(&p, &all, &part, from, n);
        fences_free(part.f);
      }
      fences_free(all.f);
      kernels_free(&kernels);
    }
    kernels_free(&made);
    problem_free(&p);
  }
}

// ---- the head's gradient in bf16

// Of one row it is the gradient by a logit, rounded, times a number of the row, which is exact: so that divided by this the rounding is seen.
static void rounded_gradients(const Problem *p, const Results *r) {
  for (int64_t v = 0; v < p->s.V; v++)
    for (int64_t i = 0; i < p->s.D; i++) {
      float d = p->h[i] == 0 ? 0 : r->dw[v * p->s.D + i] / p->h[i];
      if (d != bf16_rounded(d)) fail_msg("dw[%lld]: the gradient by the logit was %.9g, which bf16 cannot say", (long long)v, (double)d);
    }
}

// The instruction on paths that have it, what stands for it on others: all the same bits, whatever the number of rows.
static void test_head_in_pairs(void **state) {
  (void)state;
  static const int64_t rows[] = {1, 2, 97, 193};
  Shape s = {37, 300, 0};
  Kernels made = compile(s, DT_F32);
  for (int c = 0; c < 4; c++) {
    Problem p = problem(s, DT_F32, PRECISION_BF16, rows[c], 77 + (uint32_t)c, 2);
    float *first = NULL;
    for (int k = 0; harness_isa(k); k++) {
      if (!native_runs(harness_isa(k), PRECISION_BF16)) continue;
      Kernels kernels = on(&made, harness_isa(k), PRECISION_BF16);
      Results r = run(&p, &kernels, 0, p.R);
      if (p.R == 1) rounded_gradients(&p, &r);
      size_t bytes = (size_t)(s.V * s.D) * sizeof *first;
      if (first) assert_memory_equal(r.dw, first, bytes);
      else first = memcpy(memory(s.V * s.D, sizeof *first), r.dw, bytes);
      fences_free(r.f);
      kernels_free(&kernels);
    }
    free(first);
    problem_free(&p);
  }
  kernels_free(&made);
}

// ---- logits of any size

// One row; one number of it and of each entry is not 0, so that the logits are exact products.
static Problem by_logits(int64_t V, double cap, float h, float w(int64_t v), int32_t label) {
  enum { D = 3 };
  Problem p = {.s = {D, V, cap}, .R = 1};
  uint32_t seed = 5;
  p.h = memory(D, sizeof *p.h);
  p.w = memory(V * D, sizeof *p.w);
  p.g = numbers(&seed, 1, 1);
  p.label = memory(1, sizeof *p.label);
  p.h[1] = h;
  p.label[0] = label;
  for (int64_t v = 0; v < V; v++) p.w[v * D + 1] = w(v);
  solve(&p);
  return p;
}

static float alike(int64_t v) { return (void)v, 1; }
static float one_high(int64_t v) { return v == 5 ? 1 : 0.5f; }
static float falling(int64_t v) { return -(float)v; }
static float rising(int64_t v) { return (float)v; }
static float two_signs(int64_t v) { return v % 2 ? 1 : -1; }
// Products with 1e30 are infinite for the first chunk and more.
static float first_overflow(int64_t v) { return v < 200 ? -1e30f : (float)(v % 7) * 1e-30f; }
static float last_overflow(int64_t v) { return v >= 130 ? -1e30f : (float)(v % 7) * 1e-30f; }

// The head's gradient starts from the loss, whose own rounding makes the softmax that much less sure.
static void compare_extreme(const Problem *p, const Results *got) {
  int64_t D = p->s.D;
  double h = largest(p->h, D), w = largest(p->w, p->s.V * D), unsure = fmin(1, FLT_EPSILON * fabs(p->nll[0]));
  near("loss", got->loss[0], p->nll[0], 1e-5 + 1e-6 * fabs(p->nll[0]), 0);
  near("the gradient's loss", got->nll[0], p->nll[0], 1e-5 + 1e-6 * fabs(p->nll[0]), 0);
  for (int64_t d = 0; d < D; d++) near("dh", got->dh[d], p->dh[d], 1e-5 * w, d);
  for (int64_t i = 0; i < p->s.V * D; i++) near("dw", got->dw[i], p->dw[i], (1e-5 + unsure) * h, i);
}

static void extreme(int64_t V, double cap, const float *h, int n, float w(int64_t v), int32_t label) {
  Kernels made = compile((Shape){3, V, cap}, DT_F32);
  for (int k = 0; harness_isa(k); k++) {
    Kernels kernels = on(&made, harness_isa(k), PRECISION_F32);
    for (int i = 0; i < n; i++) {
      Problem p = by_logits(V, cap, h[i], w, label);
      Results got = run(&p, &kernels, 0, 1);
      compare_extreme(&p, &got);
      fences_free(got.f);
      problem_free(&p);
    }
    kernels_free(&kernels);
  }
  kernels_free(&made);
}

static void test_extreme_logits(void **state) {
  (void)state;
  static const float size[] = {0, 1e-38f, -1e-3f, 100, -100, 1e6f, -1e6f, 1e30f, -1e30f, 1e36f, -1e36f};
  enum { N = sizeof size / sizeof *size };
  static const double cap[] = {0, 5};
  for (int c = 0; c < 2; c++) {
    extreme(300, cap[c], size, N, alike, 128);
    extreme(300, cap[c], size, N, one_high, 5);
    extreme(300, cap[c], size, N, one_high, 299);
    extreme(300, cap[c], size, N, two_signs, 127);
    extreme(90, cap[c], size, N, falling, 89);
    extreme(130, cap[c], size, N, rising, 0);
    extreme(130, cap[c], size, N, rising, 129);
  }
  static const float large[] = {1e30f, 9e29f, 1.1e30f};
  extreme(300, 0, large, 3, first_overflow, 250);
  extreme(300, 0, large, 3, last_overflow, 7);
}

// ---- a head whose entries are nearly alike

// All entries lie near one vector, as those of trained models do: its part of the gradient is what adding up leaves of it.
static void common_part(int64_t V) {
  uint32_t seed = 5;
  Problem p = {.s = {4, V, 0}, .R = 1};
  p.h = numbers(&seed, p.s.D, 1);
  p.w = numbers(&seed, p.s.V * p.s.D, 0.01);
  p.g = numbers(&seed, 1, 1);
  p.label = memory(1, sizeof *p.label);
  for (int64_t i = 0; i < p.s.V * p.s.D; i++) p.w[i] += 1;
  solve(&p);
  Kernels made = compile(p.s, DT_F32);
  for (int k = 0; harness_isa(k); k++) {
    Kernels kernels = on(&made, harness_isa(k), PRECISION_F32);
    Results r = run(&p, &kernels, 0, 1);
    for (int64_t d = 0; d < p.s.D; d++) near("dh", r.dh[d], p.dh[d], 4e-6 * fabs((double)p.g[0]), d);   // one chain of additions: 4e-4
    fences_free(r.f);
    kernels_free(&kernels);
  }
  kernels_free(&made);
  problem_free(&p);
}

static void test_common_part(void **state) {
  (void)state;
  common_part(1 << 18);
  common_part(KEPT + 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shapes),
      cmocka_unit_test(test_row_invariance),
      cmocka_unit_test(test_head_in_pairs),
      cmocka_unit_test(test_extreme_logits),
      cmocka_unit_test(test_common_part),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
