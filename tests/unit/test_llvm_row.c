// Row kernels: elementary functions against libm over the whole range of floats, and row programs against naive loops
// in double, on every instruction-set path of this machine.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/ops.h"
#include "dsl/base/bf16.h"
#include "tests/unit/kernel_harness.h"

// ---- elementary functions
static double rsqrt_(double x) { return 1 / sqrt(x); }
static double sigmoid_(double x) { return 1 / (1 + exp(-x)); }
static double neg_(double x) { return -x; }
static double same_(double x) { return x; }

typedef struct Function {
  const char *name;
  OpId op;
  double (*exact)(double);
  double range;                // |x| up to this
  double ulp;                  // most error
  double zero;                 // results up to this may be 0: exp skips the subnormal numbers
} Function;
static const Function functions[] = {
    {"exp", OP_exp, exp, INFINITY, 2, 1.23e-38},   {"log", OP_log, log, INFINITY, 2, 0},
    {"tanh", OP_tanh, tanh, INFINITY, 2, 0},       {"erf", OP_erf, erf, INFINITY, 2, 0},
    {"sigmoid", OP_sigmoid, sigmoid_, INFINITY, 2.5, 1.23e-38},
    {"sin", OP_sin, sin, 1048576, 1, 0},           {"cos", OP_cos, cos, 1048576, 1, 0},
    {"sqrt", OP_sqrt, sqrt, INFINITY, 0.5, 0},     {"rsqrt", OP_rsqrt, rsqrt_, INFINITY, 1.5, 0},
    {"neg", OP_neg, neg_, INFINITY, 0, 0},         {"abs", OP_abs, fabs, INFINITY, 0, 0},
    {"floor", OP_floor, floor, INFINITY, 0, 0},
    {"bf16", OP_bf16, bf16_nearest, INFINITY, 0, 0},
    {"stop_gradient", OP_stop_gradient, same_, INFINITY, 0, 0},
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

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
  Kernel k = {.cls = K_ROW, .arg = arg, .narg = 2, .prog = {{v, 2}}};
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
    double want = f->exact((double)x[i]), u = y[i] == 0 && fabs(want) <= f->zero ? 0 : ulps(y[i], want);
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
    for (int f = 0; f < N_FUNCTIONS; f++) sweep(&functions[f], harness_isa(i));
  for (OpId op = 0; op < OP_COUNT; op++) {
    int f = 0;
    while (f < N_FUNCTIONS && functions[f].op != op) f++;
    if (f == N_FUNCTIONS && op_is(op, T_EPILOGUE) && op_max_in(op) == 1) fail_msg("op %s is in no row of `functions` above", op_name(op));
  }
}

// ---- random programs
enum { MAX_VALUES = 64, MAX_ARGS = 24 };
typedef struct Case {
  uint64_t seed;
  int64_t rows;
  RowVal v[MAX_VALUES];
  int n;
  KArg arg[MAX_ARGS];
  void *mem[MAX_ARGS];
  int narg;
  double *val[MAX_VALUES], *err[MAX_VALUES];       // [rows][elems] in double, and how far f32 may be off
} Case;

static uint64_t next(Case *c) {
  c->seed = c->seed * 6364136223846793005u + 1442695040888963407u;
  return c->seed >> 33;
}
static int64_t below(Case *c, int64_t n) { return (int64_t)(next(c) % (uint64_t)n); }
static float uniform(Case *c) { return (float)next(c) / (float)(1u << 30) - 1; }

static int64_t elems(const RowVal *v) {
  int64_t n = 1;
  for (int i = 0; i < v->rank; i++) n *= v->dim[i];
  return n;
}

static int push(Case *c, RowVal v) {
  c->v[c->n] = v;
  return c->n++;
}

// An argument of random numbers; what a number of that type holds goes to the oracle.
static void fill(Case *c, int value, Dtype dt, int64_t n) {
  char *m = malloc((size_t)n * 4 + 4);
  c->mem[c->narg] = m;
  for (int64_t i = 0; i < n; i++) {
    float x = uniform(c);
    if (dt == DT_I32) {
      x = (float)(below(c, 7) - 3);
      ((int32_t *)m)[i] = (int32_t)x;
    } else if (dt == DT_BF16) {
      uint32_t u;
      memcpy(&u, &x, 4);
      u &= 0xffff0000;
      memcpy(&x, &u, 4);
      ((uint16_t *)m)[i] = (uint16_t)(u >> 16);
    } else if (dt == DT_F16) {
      _Float16 half = (_Float16)x;
      x = (float)half;
      memcpy(m + 2 * i, &half, 2);
    } else {
      ((float *)m)[i] = x;
    }
    c->val[value][i] = (double)x;
  }
}

static void own(Case *c, int i) {
  size_t n = (size_t)((c->rows + 1) * elems(&c->v[i]) + 1);
  c->val[i] = calloc(n, sizeof(double));
  c->err[i] = calloc(n, sizeof(double));
}

static int load(Case *c, const int64_t *dim, int rank, bool shared, Dtype dt) {
  RowVal v = {.src = RV_LOAD, .in = {-1, -1}, .rank = rank, .shared = shared, .arg = c->narg, .store = -1};
  memcpy(v.dim, dim, (size_t)rank * sizeof *dim);
  int i = push(c, v);
  own(c, i);
  c->arg[c->narg] = (KArg){.dt = dt, .per_row = !shared, .elems = elems(&v)};
  fill(c, i, dt, (shared ? 1 : c->rows) * elems(&v));
  c->narg++;
  return i;
}

static bool broadcast(const RowVal *a, const RowVal *b, RowVal *out) {
  out->rank = a->rank > b->rank ? a->rank : b->rank;
  for (int i = 1; i <= out->rank; i++) {
    int64_t x = i <= a->rank ? a->dim[a->rank - i] : 1, y = i <= b->rank ? b->dim[b->rank - i] : 1;
    if (x != y && x != 1 && y != 1) return false;
    out->dim[out->rank - i] = x > y ? x : y;
  }
  out->shared = a->shared && b->shared;
  return true;
}

// Element of v that element e of a value with extents `of` reads.
static int64_t source(const RowVal *v, const RowVal *of, int64_t e) {
  int64_t at = 0, stride = 1;
  for (int i = 1; i <= of->rank; i++) {
    int64_t n = of->dim[of->rank - i], k = e % n;
    e /= n;
    if (i > v->rank) continue;
    int64_t m = v->dim[v->rank - i];
    at += (m == 1 ? 0 : k) * stride;
    stride *= m;
  }
  return at;
}

typedef struct Num {
  double v, e;                 // value, most error
} Num;
static const double U = 0x1p-24;

static Num apply(OpId op, Num a, Num b) {
  double v = 0, e = 0;
  switch (op) {
    case OP_add: v = a.v + b.v, e = a.e + b.e; break;
    case OP_sub: v = a.v - b.v, e = a.e + b.e; break;
    case OP_mul: v = a.v * b.v, e = fabs(a.v) * b.e + fabs(b.v) * a.e + a.e * b.e; break;
    case OP_neg: v = -a.v, e = a.e; break;
    case OP_tanh: v = tanh(a.v), e = a.e; break;
    case OP_erf: v = erf(a.v), e = 1.13 * a.e; break;
    case OP_sigmoid: v = 1 / (1 + exp(-a.v)), e = a.e; break;
    case OP_cos: v = cos(a.v), e = a.e; break;
    case OP_sin: v = sin(a.v), e = a.e; break;
    case OP_float: v = a.v; break;
    default: fail_msg("no oracle for this op");
  }
  return (Num){v, e + (op == OP_float ? 0 : 6 * U * fabs(v) + 1e-40)};
}

static void evaluate_row(Case *c, int i, int64_t row) {
  const RowVal *v = &c->v[i];
  int64_t n = elems(v), base = v->shared ? 0 : row * n;
  const RowVal *in = &c->v[v->in[0]];
  int64_t first = in->shared ? 0 : row * elems(in);
  const double *x = c->val[v->in[0]] + first, *xe = c->err[v->in[0]] + first;
  for (int64_t e = 0; e < n; e++) {
    Num r = {0, 0};
    if (v->op == OP_sum) {
      int64_t m = in->dim[in->rank - 1];
      double size = 0;
      for (int64_t k = 0; k < m; k++) r.v += x[e * m + k], r.e += xe[e * m + k], size += fabs(x[e * m + k]);
      r.e += (double)(m / 16 + 6) * U * size;
    } else if (v->op == OP_rotate) {
      int64_t m = v->dim[v->rank - 1], k = e % m, from = e - k + (k < m / 2 ? k + m / 2 : k - m / 2);
      r = (Num){k < m / 2 ? -x[from] : x[from], xe[from]};
    } else {
      Num a = {x[source(in, v, e)], xe[source(in, v, e)]}, b = {0, 0};
      if (v->in[1] >= 0) {
        const RowVal *w = &c->v[v->in[1]];
        int64_t at = (w->shared ? 0 : row * elems(w)) + source(w, v, e);
        b = (Num){c->val[v->in[1]][at], c->err[v->in[1]][at]};
      }
      r = apply(v->op, a, b);
    }
    c->val[i][base + e] = r.v;
    c->err[i][base + e] = r.e;
  }
}

static void add_op(Case *c, OpId op, int a, int b) {
  RowVal v = {.src = RV_OP, .op = op, .in = {a, b}, .store = -1};
  if (b >= 0) {
    if (!broadcast(&c->v[a], &c->v[b], &v)) return;
  } else {
    v.rank = c->v[a].rank;
    v.shared = c->v[a].shared;
    memcpy(v.dim, c->v[a].dim, sizeof v.dim);
    if (op == OP_sum) v.dim[v.rank - 1] = 1;
  }
  int i = push(c, v);
  own(c, i);
  for (int64_t r = 0; r < (v.shared ? 1 : c->rows); r++) evaluate_row(c, i, r);
}

static void random_op(Case *c) {
  static const OpId ops[] = {OP_add, OP_sub, OP_mul, OP_mul, OP_neg, OP_tanh,   OP_erf,
                             OP_sigmoid, OP_cos, OP_sin, OP_sum, OP_sum, OP_rotate, OP_rotate};
  OpId op = ops[below(c, sizeof ops / sizeof *ops)];
  int a = (int)below(c, c->n), b = (int)below(c, c->n);
  const RowVal *x = &c->v[a];
  if (x->src == RV_LOAD && c->arg[x->arg].dt != DT_F32) op = OP_float;
  if ((op == OP_sum || op == OP_rotate) && (!x->rank || x->src == RV_IMM)) return;
  if (op == OP_rotate && (x->dim[x->rank - 1] % 2 || x->dim[x->rank - 1] == 0)) return;
  bool binary = op == OP_add || op == OP_sub || op == OP_mul;
  if (binary && c->v[b].src == RV_LOAD && c->arg[c->v[b].arg].dt != DT_F32) return;
  add_op(c, op, a, binary ? b : -1);
}

static void store(Case *c, int i) {
  c->v[i].store = c->narg;
  int64_t n = c->rows * elems(&c->v[i]);
  c->arg[c->narg] = (KArg){.per_row = true, .written = true, .elems = elems(&c->v[i])};
  c->mem[c->narg++] = malloc((size_t)(n + 64) * sizeof(float));
}

// Extents per row: up to three, each operand may have 1 in place of any.
static void random_program(Case *c, int rank, const int64_t *dim) {
  static const Dtype types[] = {DT_F32, DT_F32, DT_F32, DT_I32, DT_F16, DT_BF16};
  int64_t loads = 3 + below(c, 4);
  for (int64_t i = 0; i < loads; i++) {
    int64_t d[MAX_RANK];
    int drop = i ? (int)below(c, rank + 1) : 0;
    for (int k = drop; k < rank; k++) d[k - drop] = i && below(c, 3) == 0 ? 1 : dim[k];
    load(c, d, rank - drop, i && below(c, 3) == 0, i ? types[below(c, 6)] : DT_F32);
  }
  RowVal imm = {.src = RV_IMM, .in = {-1, -1}, .imm = 0.75, .shared = true, .store = -1};
  int k = push(c, imm);
  own(c, k);
  c->val[k][0] = 0.75;
  int64_t n = c->n + 4 + below(c, 20);
  for (int tries = 0; c->n < n && tries < 400; tries++) random_op(c);
  int stored = 0;
  for (int i = c->n - 1; i >= 0; i--) {
    bool can = c->v[i].src == RV_OP && !c->v[i].shared && c->narg < MAX_ARGS;
    if (can && (!stored || below(c, 5) == 0)) store(c, i), stored++;
  }
  if (!stored) {
    add_op(c, OP_neg, 0, -1);
    store(c, c->n - 1);
  }
}

static void clear_results(Case *c) {
  for (int i = 0; i < c->narg; i++) {
    if (c->arg[i].written) memset(c->mem[i], 0xff, (size_t)(c->rows * c->arg[i].elems + 64) * sizeof(float));
  }
}

static void check_results(const Case *c, const char *isa) {
  for (int i = 0; i < c->n; i++) {
    if (c->v[i].store < 0) continue;
    const float *got = c->mem[c->v[i].store];
    int64_t n = c->rows * elems(&c->v[i]);
    for (int64_t k = 0; k < n; k++) {
      double want = c->val[i][k], most = c->err[i][k];
      if (!(fabs((double)got[k] - want) <= most))
        fail_msg("%s: value %d[%d]: got %.9g, expected %.9g within %.2g", isa, i, (int)k, (double)got[k], want, most);
    }
    for (int64_t k = n; k < n + 64; k++) {
      uint32_t u;
      memcpy(&u, &got[k], 4);
      if (u != 0xffffffff) fail_msg("%s: value %d: wrote beyond the last row", isa, i);
    }
  }
}

// Each row on its own gives the same bits.
static void check_rows_alone(const Case *c, HarnessKernel *h) {
  for (int64_t r = 0; r < c->rows; r += 1 + c->rows / 5) {
    void *mem[MAX_ARGS];
    for (int i = 0; i < c->narg; i++) {
      mem[i] = (char *)c->mem[i] + (c->arg[i].per_row ? r * c->arg[i].elems * dtype_size(c->arg[i].dt) : 0);
      if (c->arg[i].written) mem[i] = malloc((size_t)(c->arg[i].elems + 1) * sizeof(float));
    }
    harness_run(h, 1, mem, c->narg);
    for (int i = 0; i < c->narg; i++) {
      if (!c->arg[i].written) continue;
      assert_memory_equal(mem[i], (float *)c->mem[i] + r * c->arg[i].elems, (size_t)c->arg[i].elems * sizeof(float));
      free(mem[i]);
    }
  }
}

static void run_case(Case *c, const char *isa) {
  Kernel k = {.cls = K_ROW, .arg = c->arg, .narg = c->narg, .prog = {{c->v, c->n}}};
  HarnessKernel *h = harness_compile(&k, isa);
  clear_results(c);
  harness_run(h, c->rows, c->mem, c->narg);
  check_results(c, isa);
  check_rows_alone(c, h);
  harness_free(h);
}

static void free_case(Case *c) {
  for (int i = 0; i < c->n; i++) free(c->val[i]), free(c->err[i]);
  for (int i = 0; i < c->narg; i++) free(c->mem[i]);
  free(c);
}

static void test_programs(void **state) {
  (void)state;
  static const struct {
    int rank;
    int64_t dim[3];
  } shape[] = {{0, {0}},    {1, {1}},    {1, {2}},    {1, {15}},   {1, {16}},   {1, {17}},      {1, {64}},     {1, {1021}},
               {2, {1, 7}}, {2, {7, 1}}, {2, {3, 24}}, {2, {4, 64}}, {2, {5, 33}}, {3, {2, 3, 10}}, {3, {3, 1, 6}},
               {3, {2, 5, 1}}};
  static const int64_t rows[] = {0, 1, 3, 37, 300};
  for (uint64_t seed = 1; seed <= 112; seed++) {
    Case *c = calloc(1, sizeof *c);
    c->seed = seed * 977;
    size_t s = seed % (sizeof shape / sizeof *shape);
    c->rows = rows[seed / 16 % 5];
    random_program(c, shape[s].rank, shape[s].dim);
    for (int i = 0; harness_isa(i); i++) run_case(c, harness_isa(i));
    free_case(c);
  }
}

// x <- x / 2 in place, and y = x + x / 2 of the old x: what an optimizer step does.
static void test_in_place(void **state) {
  (void)state;
  enum { WIDTH = 37, ROWS = 5 };
  RowVal v[] = {{.src = RV_LOAD, .rank = 1, .dim = {WIDTH}, .in = {-1, -1}, .store = -1, .arg = 0},
                {.src = RV_IMM, .imm = 0.5, .in = {-1, -1}, .shared = true, .store = -1},
                {.src = RV_LOAD, .rank = 1, .dim = {WIDTH}, .in = {-1, -1}, .store = -1, .arg = 1},
                {.src = RV_OP, .op = OP_mul, .rank = 1, .dim = {WIDTH}, .in = {0, 1}, .store = 2},
                {.src = RV_OP, .op = OP_add, .rank = 1, .dim = {WIDTH}, .in = {2, 3}, .store = 3}};
  const KArg in = {.per_row = true, .elems = WIDTH}, out = {.per_row = true, .written = true, .elems = WIDTH};
  KArg arg[4] = {in, in, out, out};
  Kernel k = {.cls = K_ROW, .arg = arg, .narg = 4, .prog = {{v, sizeof v / sizeof *v}}};
  for (int i = 0; harness_isa(i); i++) {
    float x[ROWS * WIDTH], y[ROWS * WIDTH];
    for (int j = 0; j < ROWS * WIDTH; j++) x[j] = (float)j;
    HarnessKernel *h = harness_compile(&k, harness_isa(i));
    harness_run(h, ROWS, (void *[]){x, x, x, y}, 4);
    for (int j = 0; j < ROWS * WIDTH; j++) {
      assert_true(x[j] == (float)j / 2);
      assert_true(y[j] == (float)j * 1.5f);
    }
    harness_free(h);
  }
}

// What a connection adds: left out where it counts 0 times, whatever it is, so that x + -0 has the bits of x, -0 included; as it is where it counts once.
static void test_gain(void **state) {
  (void)state;
  enum { WIDTH = 21, ROWS = 3 };
  RowVal v[] = {{.src = RV_LOAD, .in = {-1, -1}, .store = -1, .arg = 0, .shared = true},
                {.src = RV_LOAD, .rank = 1, .dim = {WIDTH}, .in = {-1, -1}, .store = -1, .arg = 1},
                {.src = RV_LOAD, .rank = 1, .dim = {WIDTH}, .in = {-1, -1}, .store = -1, .arg = 2},
                {.src = RV_OP, .op = OP_gain, .rank = 1, .dim = {WIDTH}, .in = {0, 2}, .store = -1},
                {.src = RV_OP, .op = OP_add, .rank = 1, .dim = {WIDTH}, .in = {1, 3}, .store = 3}};
  const KArg in = {.per_row = true, .elems = WIDTH}, out = {.per_row = true, .written = true, .elems = WIDTH};
  KArg arg[4] = {{.elems = 1}, in, in, out};
  Kernel k = {.cls = K_ROW, .arg = arg, .narg = 4, .prog = {{v, sizeof v / sizeof *v}}};
  static const float some[] = {0, -0.0f, 1, -1, 0.1f, 1e-40f, INFINITY, -INFINITY, NAN, 3e38f};
  enum { SOME = sizeof some / sizeof *some };
  for (int i = 0; harness_isa(i); i++) {
    HarnessKernel *h = harness_compile(&k, harness_isa(i));
    for (int g = 0; g < 4; g++) {
      float by = (float[]){0, -0.0f, 1, 0.5f}[g], x[ROWS * WIDTH], d[ROWS * WIDTH], y[ROWS * WIDTH], want;
      for (int j = 0; j < ROWS * WIDTH; j++) x[j] = some[j % 6], d[j] = some[j / 6 % SOME];
      harness_run(h, ROWS, (void *[]){&by, x, d, y}, 4);
      for (int j = 0; j < ROWS * WIDTH; j++) {
        want = by == 0 ? x[j] : x[j] + by * d[j];
        assert_true((isnan(want) && isnan(y[j])) || !memcmp(&want, &y[j], sizeof want));
      }
    }
    harness_free(h);
  }
}

// x less its mean, a hundred times over: each mean takes a loop of its own and the next value another. From the second time on little changes.
static void test_many_loops(void **state) {
  (void)state;
  enum { WIDTH = 20, ROWS = 3, TIMES = 100 };
  RowVal v[2 + 3 * TIMES] = {{.src = RV_LOAD, .rank = 1, .dim = {WIDTH}, .in = {-1, -1}, .store = -1},
                             {.src = RV_IMM, .imm = 1.0 / WIDTH, .in = {-1, -1}, .shared = true, .store = -1}};
  for (int i = 0, x = 0; i < TIMES; i++, x = 2 + 3 * i - 1) {
    RowVal *w = v + 2 + 3 * i;
    w[0] = (RowVal){.src = RV_OP, .op = OP_sum, .rank = 1, .dim = {1}, .in = {x, -1}, .store = -1};
    w[1] = (RowVal){.src = RV_OP, .op = OP_mul, .rank = 1, .dim = {1}, .in = {2 + 3 * i, 1}, .store = -1};
    w[2] = (RowVal){.src = RV_OP, .op = OP_sub, .rank = 1, .dim = {WIDTH}, .in = {x, 2 + 3 * i + 1}, .store = i == TIMES - 1 ? 1 : -1};
  }
  KArg arg[2] = {{.per_row = true, .elems = WIDTH}, {.per_row = true, .written = true, .elems = WIDTH}};
  Kernel k = {.cls = K_ROW, .arg = arg, .narg = 2, .prog = {{v, sizeof v / sizeof *v}}};
  for (int i = 0; harness_isa(i); i++) {
    float x[ROWS * WIDTH], y[ROWS * WIDTH];
    for (int j = 0; j < ROWS * WIDTH; j++) x[j] = (float)(j * j % 7);
    HarnessKernel *h = harness_compile(&k, harness_isa(i));
    harness_run(h, ROWS, (void *[]){x, y}, 2);
    for (int r = 0; r < ROWS; r++) {
      double mean = 0;
      for (int j = 0; j < WIDTH; j++) mean += (double)x[r * WIDTH + j] / WIDTH;
      for (int j = 0; j < WIDTH; j++) assert_true(fabs((double)y[r * WIDTH + j] - ((double)x[r * WIDTH + j] - mean)) < 1e-5);
    }
    harness_free(h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_functions),
      cmocka_unit_test(test_programs),
      cmocka_unit_test(test_in_place),
      cmocka_unit_test(test_gain),
      cmocka_unit_test(test_many_loops),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
