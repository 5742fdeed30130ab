// Routing and products of rows with the matrices of their experts, on every instruction-set path of this machine and in both precisions. A product is one
// chain over k, and a row's are added in the order of the experts: results are compared bit for bit with that, for any number of rows at any offset, so that
// a row's bits are its own. Memory is fenced.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "llvm/llvm.h"
#include "runtime/abi/abi.h"
#include "tests/unit/fence.h"
#include "tests/unit/kernel_harness.h"
#include "tests/unit/native_object.h"
#include "tests/unit/panels.h"

static uint32_t next(uint32_t *s) { return *s = *s * 1664525u + 1013904223u; }
static int64_t below(uint32_t *s, int64_t n) { return (int64_t)((next(s) >> 8) % (uint64_t)n); }
static float number(uint32_t *s) { return ldexpf((float)((int)(next(s) >> 8) - (1 << 23)), (int)below(s, 11) - 29); }

enum { ROWS = 560 };           // more than a task has
static const int64_t counts[] = {0, 1, 2, 17, 60, 300, ROWS};
enum { NCOUNT = sizeof counts / sizeof *counts };

// ---- products

typedef struct Case {
  int64_t K, N, E, S;
  bool joins, turned;
  Dtype dt;
  Precision precision;
  float *x, *w, *want;         // w as its panels hold it: [E][N][K], turned [E][K][N]
  int32_t *ids;
  uint32_t seed;
} Case;

static void fill_numbers(Case *c) {
  int64_t each = c->N * c->K, in = c->joins ? c->S : 1;
  c->x = malloc((size_t)(ROWS * in * c->K) * sizeof(float)), c->w = malloc((size_t)(c->E * each) * sizeof(float));
  c->ids = malloc((size_t)(ROWS * c->S) * sizeof(int32_t));
  for (int64_t i = 0; i < ROWS * in * c->K; i++) c->x[i] = number(&c->seed);
  for (int64_t i = 0; i < c->E * each; i++) {
    float v = number(&c->seed);
    uint16_t bits = dtype_size(c->dt) == 2 ? number_bits(c->dt, v) : 0;
    c->w[i] = dtype_size(c->dt) == 2 ? panel_number(c->dt, &bits, 0) : v;
  }
  for (int64_t r = 0; r < ROWS; r++)                       // in no order; the first expert is chosen by most, the last by none where there are enough
    for (int64_t j = 0; j < c->S; j++) {
      int64_t most = c->E > c->S ? c->E - 1 : c->E, id = j || below(&c->seed, 3) ? below(&c->seed, most) : 0;
      for (int64_t k = 0; k < j; k++)
        if (c->ids[r * c->S + k] == id) id = (id + 1) % most, k = -1;
      c->ids[r * c->S + j] = (int32_t)id;
    }
}

static void *panels_of_experts(Fences *f, const Case *c, float *said) {
  Dtype dt = panel_under(c->dt, c->precision);
  int64_t n = c->turned ? c->K : c->N, k = c->turned ? c->N : c->K, bytes = panels_elems(dt, n, k) * dtype_size(dt);
  int64_t each = (bytes + RT_BUF_ALIGN - 1) / RT_BUF_ALIGN * RT_BUF_ALIGN;
  char *all = fenced(f, (size_t)(each * c->E));
  for (int64_t e = 0; e < c->E; e++) {
    Fences *own = fences_new();
    memcpy(all + e * each, panels_of(own, dt, c->w + e * n * k, n, k), (size_t)bytes);
    fences_free(own);
    float *numbers = panels_say(c->dt, c->w + e * n * k, n, k);
    if (said) memcpy(said + e * n * k, numbers, (size_t)(n * k) * sizeof(float));
    free(numbers);
  }
  return all;
}

static void fill_want(Case *c) {
  Fences *f = fences_new();
  float *said = malloc((size_t)(c->E * c->N * c->K) * sizeof(float));
  Precision p = precision_takes(c->precision, c->dt) ? c->precision : PRECISION_F32;
  panels_of_experts(f, c, said);
  c->want = calloc((size_t)(ROWS * (c->joins ? 1 : c->S) * c->N), sizeof(float));
  for (int64_t r = 0; r < ROWS; r++)
    for (int64_t e = 0; e < c->E; e++)
      for (int64_t j = 0; j < c->S; j++) {
        if (c->ids[r * c->S + j] != e) continue;
        const float *x = c->x + (c->joins ? r * c->S + j : r) * c->K, *w = said + e * c->N * c->K;
        float *y = c->want + (c->joins ? r : r * c->S + j) * c->N;
        for (int64_t n = 0; n < c->N; n++) y[n] += product_chain(p, x, c->turned ? w + n : w + n * c->K, c->turned ? c->N : 1, c->K);
      }
  free(said);
  fences_free(f);
}

static void check(const Case *c, HarnessKernel *h, int64_t offset, int64_t rows) {
  Fences *f = fences_new();
  int64_t in = (c->joins ? c->S : 1) * c->K, out = (c->joins ? 1 : c->S) * c->N;
  int32_t *ids = fenced(f, (size_t)(rows * c->S) * sizeof *ids);
  if (rows) memcpy(ids, c->ids + offset * c->S, (size_t)(rows * c->S) * sizeof *ids);
  float *got = fenced_floats(f, rows * out, NULL);
  harness_run(h, rows, (void *[]){fenced_floats(f, rows * in, c->x + offset * in), panels_of_experts(f, c, NULL), ids, got}, 4);
  for (int64_t i = 0; i < rows * out; i++)
    if (memcmp(&got[i], &c->want[offset * out + i], sizeof *got))
      fail_msg("%d of %d experts, %d to %d%s%s, %s: row %d of %d, number %d is %a, expected %a", (int)c->S, (int)c->E, (int)c->K, (int)c->N, c->joins ? ", joined" : "",
               c->turned ? ", turned" : "", dtype_name(c->dt), (int)(i / out), (int)rows, (int)(i % out), (double)got[i], (double)c->want[offset * out + i]);
  fences_free(f);
}

static void products_of(Case c) {
  int64_t in = c.joins ? c.S : 1, out = c.joins ? 1 : c.S;
  KArg arg[4] = {{.per_row = true, .elems = in * c.K}, {.dt = c.dt}, {.dt = DT_I32, .per_row = true, .elems = c.S}, {.per_row = true, .written = true, .elems = out * c.N}};
  Kernel k = {.cls = c.turned ? K_EXPERTS_T : K_EXPERTS, .arg = arg, .narg = 4, .EXPERTS = {.K = c.K, .N = c.N, .E = c.E, .S = c.S, .joins = c.joins}};
  HarnessKernel *made = harness_compile_all(&k);
  fill_numbers(&c);
  for (c.precision = 0; c.precision < N_PRECISION; c.precision++) {
    fill_want(&c);
    for (int i = 0; harness_isa(i); i++) {
      if (!native_runs(harness_isa(i), c.precision)) continue;
      HarnessKernel *h = harness_other(made, harness_isa(i), c.precision);
      for (int n = 0; n < NCOUNT; n++) check(&c, h, below(&c.seed, ROWS - counts[n] + 1), counts[n]);
      harness_free(h);
    }
    free(c.want);
  }
  harness_free(made);
  free(c.x), free(c.w), free(c.ids);
}

static void products(void **state) {
  (void)state;
  static const Dtype widths[] = {DT_BF16, DT_F32, DT_I8, DT_F16};
  static const struct { int64_t K, N, E, S; } shapes[] = {{33, 17, 6, 2}, {5, 300, 3, 3}, {1, 1, 1, 1}, {300, 16, 5, 2}, {2100, 3, 4, 1}};
  for (int s = 0; s < (int)(sizeof shapes / sizeof *shapes); s++)
    for (int form = 0; form < 4; form++)
      products_of((Case){shapes[s].K, shapes[s].N, shapes[s].E, shapes[s].S, form & 1, form >> 1, widths[(s + form) % 4], .seed = (uint32_t)(4 * s + form)});
}

// ---- routing: numbers that are equal, infinite or none among others

static void routing(void **state) {
  (void)state;
  enum { R = 70, E = 37, S = 5 };
  uint32_t seed = 3;
  KArg arg[2] = {{.per_row = true, .elems = E}, {.dt = DT_I32, .per_row = true, .written = true, .elems = S}};
  Kernel k = {.cls = K_LARGEST, .arg = arg, .narg = 2, .LARGEST = {.E = E, .S = S}};
  for (int i = 0; harness_isa(i); i++) {
    HarnessKernel *h = harness_compile(&k, harness_isa(i));
    Fences *f = fences_new();
    float *x = fenced_floats(f, R * E, NULL);
    int32_t *ids = fenced(f, R * S * sizeof *ids);
    static const float some[] = {0, -0.0f, 1, -1, INFINITY, -INFINITY, 2, 1};
    for (int64_t n = 0; n < R * E; n++) x[n] = n / E % 2 ? some[below(&seed, n / E % 4 == 1 ? 8 : 2)] : number(&seed);
    for (int64_t n = 0; n < E; n++) x[n] = -INFINITY, x[E + n] = NAN;
    harness_run(h, R, (void *[]){x, ids}, 2);
    for (int64_t r = 0; r < R; r++)
      for (int64_t j = 0; j < S; j++) {
        int64_t id = ids[r * S + j], before = 0;
        if (id < 0 || id >= E) fail_msg("%s: row %d names expert %d", harness_isa(i), (int)r, (int)id);
        for (int64_t n = 0; n < E; n++) before += x[r * E + n] > x[r * E + id] || (x[r * E + n] == x[r * E + id] && n < id);
        if (r != 1) assert_int_equal(before, j);
      }
    fences_free(f);
    harness_free(h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(products), cmocka_unit_test(routing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
