// Attention kernels against naive double loops: random ragged sequences, windows, empty rows, caches with garbage;
// and, bit for bit, that a query row's result does not depend on what stands beside it. In both precisions: in bf16 operands are numbers that it can say,
// so that scores are as exact as in f32, and what is rounded on the way into a product, probabilities and their gradients, sets the tolerance.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/abi/rt_abi.h"
#include "tests/unit/fence.h"
#include "tests/unit/kernel_harness.h"
#include "tests/unit/native_object.h"
#include "tests/unit/panels.h"

typedef struct Shape {
  int64_t H, K, D, E;
  double cap;
  bool shifted;                // lse has a gradient
} Shape;
static const Shape shapes[] = {
    {1, 1, 1, 1, 0, false},   {2, 1, 8, 8, 0, true},     {4, 2, 24, 24, 0, false},  {3, 3, 32, 33, 0, false}, {2, 2, 33, 24, 5, true},
    {4, 4, 64, 64, 0, false}, {8, 1, 64, 32, 0, true},   {5, 1, 16, 64, 30, false}, {40, 1, 8, 16, 0, false}, {6, 2, 1, 33, 0, true},
    {2, 1, 260, 80, 0, false},
};
enum { NSHAPE = sizeof shapes / sizeof *shapes };

// ---- random numbers, the same every time

static uint64_t next(uint64_t *s) {
  *s = *s * 6364136223846793005u + 1442695040888963407u;
  return *s >> 33;
}
static int64_t below(uint64_t *s, int64_t n) { return (int64_t)(next(s) % (uint64_t)n); }
static float uniform(uint64_t *s) { return (float)next(s) / (float)(1u << 30) - 1; }
static float *randoms(uint64_t *s, int64_t n, float size) {
  float *p = malloc((size_t)(n + 1) * sizeof *p);
  for (int64_t i = 0; i < n; i++) p[i] = size * uniform(s);
  return p;
}
static float *filled(int64_t n, float v) {
  float *p = malloc((size_t)(n + 1) * sizeof *p);
  for (int64_t i = 0; i < n; i++) p[i] = v;
  return p;
}

// ---- a problem: sequences, intervals, operands

typedef struct Problem {
  Shape s;
  Precision precision;
  double scale;
  int64_t Tq, Tk;
  RtMask mask;
  int32_t *lo, *hi;
  RtSeq *seq;
  float *q, *k, *v, *dout, *dlse;
} Problem;

static void free_problem(Problem *p) {
  free(p->lo), free(p->hi), free(p->q), free(p->k), free(p->v), free(p->dout), free(p->dlse);
  free(p->seq);
  free((void *)p->mask.blk);
}

// An interval for query row i of a sequence of nq rows and nk keys: causal (queries are the last rows), windowed,
// whole, empty, anything.
static void interval(uint64_t *r, int kind, int64_t i, int64_t nq, int64_t nk, int32_t *lo, int32_t *hi) {
  int64_t causal = nk - nq + i + 1;
  if (causal < 0) causal = 0;
  *lo = 0;
  *hi = (int32_t)causal;
  if (kind == 1 && causal > 10) *lo = (int32_t)causal - 10;
  if (kind == 2) *hi = (int32_t)nk;
  if (kind == 3) {
    *lo = (int32_t)below(r, nk + 1);
    *hi = (int32_t)below(r, nk + 1);
  }
}

// Blocks of at most `most` query rows.
static void cut(Problem *p, int64_t most) {
  RtQBlock *b = malloc((size_t)(p->Tq + 1) * sizeof *b);
  int64_t n = 0;
  for (int64_t s = 0; s < p->mask.nseq; s++) {
    const RtSeq *q = &p->seq[s];
    for (int32_t i = 0; i < q->nq; i += (int32_t)most) {
      RtQBlock x = {q->q0 + i, q->nq - i < most ? q->nq - i : (int32_t)most, q->key0, 0};
      for (int32_t j = 0; j < x.nq; j++) {
        int32_t r = x.q0 + j;
        if (p->lo[r] < p->hi[r] && p->hi[r] > x.kmax) x.kmax = p->hi[r];
      }
      b[n++] = x;
    }
  }
  free((void *)p->mask.blk);
  p->mask.blk = b;
  p->mask.nblk = n;
}

static void operands(Problem *p, uint64_t *r) {
  Shape s = p->s;
  p->q = randoms(r, p->Tq * s.H * s.D, 3);
  p->k = randoms(r, p->Tk * s.K * s.D, 2);
  p->v = randoms(r, p->Tk * s.K * s.E, 1);
  p->dout = randoms(r, p->Tq * s.H * s.E, 1);
  p->dlse = randoms(r, p->Tq * s.H, 1);
  float *all[] = {p->q, p->k, p->v, p->dout};
  int64_t n[] = {p->Tq * s.H * s.D, p->Tk * s.K * s.D, p->Tk * s.K * s.E, p->Tq * s.H * s.E};
  for (int i = 0; p->precision == PRECISION_BF16 && i < 4; i++)
    for (int64_t j = 0; j < n[i]; j++) all[i][j] = bf16_rounded(all[i][j]);
}

static Problem problem(Shape s, Precision precision, uint64_t seed, int64_t nseq, int64_t longest) {
  uint64_t r = seed * 7919 + 1;
  Problem p = {.s = s, .precision = precision, .scale = 1 / sqrt((double)s.D), .mask = {.nseq = nseq, .ahead = (int64_t)(seed % 5) - 2}};
  p.seq = calloc((size_t)nseq + 1, sizeof *p.seq);
  for (int64_t i = 0; i < nseq; i++) {
    int64_t nk = 1 + below(&r, longest), nq = seed % 3 == 0 ? nk : below(&r, nk + 1);
    p.seq[i] = (RtSeq){(int32_t)p.Tq, (int32_t)nq, (int32_t)p.Tk, (int32_t)nk};
    p.Tq += nq;
    p.Tk += nk;
  }
  p.lo = calloc((size_t)p.Tq + 1, sizeof *p.lo);
  p.hi = calloc((size_t)p.Tq + 1, sizeof *p.hi);
  for (int64_t i = 0; i < nseq; i++)
    for (int32_t j = 0; j < p.seq[i].nq; j++)
      interval(&r, (int)((seed + (uint64_t)i) % 4), j, p.seq[i].nq, p.seq[i].nk, &p.lo[p.seq[i].q0 + j],
               &p.hi[p.seq[i].q0 + j]);
  p.mask.lo = p.lo, p.mask.hi = p.hi, p.mask.seq = p.seq;
  operands(&p, &r);
  cut(&p, RT_QBLOCK);
  return p;
}

// One sequence, the last nq of whose nk rows are queries; the caller gives the intervals and cuts.
static Problem one_text(Shape s, Precision precision, int64_t nq, int64_t nk) {
  uint64_t r = 17;
  Problem p = {.s = s, .precision = precision, .scale = 1 / sqrt((double)s.D), .Tq = nq, .Tk = nk, .mask = {.nseq = 1}};
  p.seq = calloc(1, sizeof *p.seq);
  p.seq[0] = (RtSeq){0, (int32_t)nq, 0, (int32_t)nk};
  p.lo = calloc((size_t)nq, sizeof *p.lo), p.hi = calloc((size_t)nq, sizeof *p.hi);
  p.mask.lo = p.lo, p.mask.hi = p.hi, p.mask.seq = p.seq;
  operands(&p, &r);
  return p;
}

// Causal texts of these lengths, whole.
static Problem texts(Shape s, Precision precision, int64_t n, const int32_t *length, int64_t ahead) {
  uint64_t r = 19;
  Problem p = {.s = s, .precision = precision, .scale = 1 / sqrt((double)s.D), .mask = {.nseq = n, .ahead = ahead}};
  p.seq = calloc((size_t)n, sizeof *p.seq);
  for (int64_t i = 0; i < n; i++) {
    p.seq[i] = (RtSeq){(int32_t)p.Tq, length[i], (int32_t)p.Tk, length[i]};
    p.Tq += length[i], p.Tk += length[i];
  }
  p.lo = calloc((size_t)p.Tq, sizeof *p.lo), p.hi = calloc((size_t)p.Tq, sizeof *p.hi);
  for (int64_t i = 0; i < n; i++)
    for (int32_t j = 0; j < length[i]; j++) p.hi[p.seq[i].q0 + j] = j + 1;
  p.mask.lo = p.lo, p.mask.hi = p.hi, p.mask.seq = p.seq;
  operands(&p, &r);
  cut(&p, RT_QBLOCK);
  return p;
}

static const RtSeq *sequence_of(const Problem *p, int64_t row) {
  for (int64_t i = 0; i < p->mask.nseq; i++)
    if (row >= p->seq[i].q0 && row < p->seq[i].q0 + p->seq[i].nq) return &p->seq[i];
  fail_msg("row %d lies in no sequence", (int)row);
  return NULL;
}

// ---- the oracle

enum { MOST_KEYS = 1200 };
typedef struct Row {           // one query row and head, in double
  int64_t n;                   // visible keys
  int64_t key[MOST_KEYS];      // their absolute rows
  double p[MOST_KEYS], slope[MOST_KEYS];   // probability; derivative of the score by the product
  double lse;
} Row;

static void softmax_row(const Problem *p, int64_t q, int64_t h, Row *r) {
  const Shape *s = &p->s;
  int64_t kh = h / (s->H / s->K);
  double most = -INFINITY, sum = 0;
  r->n = 0;
  for (int64_t j = p->lo[q]; j < p->hi[q]; j++) {
    int64_t key = sequence_of(p, q)->key0 + j;
    double x = 0;
    const float *qv = &p->q[(q * s->H + h) * s->D], *kv = &p->k[(key * s->K + kh) * s->D];
    for (int64_t d = 0; d < s->D; d++) x += (double)qv[d] * (double)kv[d];
    x *= p->scale;
    double t = s->cap != 0 ? tanh(x / s->cap) : 0;
    r->slope[r->n] = p->scale * (1 - t * t);
    r->p[r->n] = s->cap != 0 ? s->cap * t : x;
    r->key[r->n] = key;
    most = fmax(most, r->p[r->n++]);
  }
  for (int64_t j = 0; j < r->n; j++) sum += r->p[j] = exp(r->p[j] - most);
  for (int64_t j = 0; j < r->n; j++) r->p[j] /= sum;
  r->lse = r->n ? most + log(sum) : -INFINITY;
}

static void out_row(const Problem *p, int64_t h, const Row *r, double *out) {
  int64_t kh = h / (p->s.H / p->s.K);
  for (int64_t e = 0; e < p->s.E; e++) {
    out[e] = 0;
    for (int64_t j = 0; j < r->n; j++) out[e] += r->p[j] * (double)p->v[(r->key[j] * p->s.K + kh) * p->s.E + e];
  }
}

typedef struct Grads {
  double *q, *k, *v;
} Grads;

static void grad_row(const Problem *p, int64_t q, int64_t h, const Row *r, Grads *g) {
  const Shape *s = &p->s;
  int64_t kh = h / (s->H / s->K);
  double out[128], delta = s->shifted ? -(double)p->dlse[q * s->H + h] : 0;
  const float *dout = &p->dout[(q * s->H + h) * s->E];
  out_row(p, h, r, out);
  for (int64_t e = 0; e < s->E; e++) delta += (double)dout[e] * out[e];
  for (int64_t j = 0; j < r->n; j++) {
    int64_t kr = r->key[j] * s->K + kh, qr = q * s->H + h;
    double dp = 0;
    for (int64_t e = 0; e < s->E; e++) {
      dp += (double)dout[e] * (double)p->v[kr * s->E + e];
      g->v[kr * s->E + e] += r->p[j] * (double)dout[e];
    }
    double ds = r->p[j] * (dp - delta) * r->slope[j];
    for (int64_t d = 0; d < s->D; d++) {
      g->q[qr * s->D + d] += ds * (double)p->k[kr * s->D + d];
      g->k[kr * s->D + d] += ds * (double)p->q[qr * s->D + d];
    }
  }
}

// ---- running kernels

typedef struct Kernels {       // of a shape; of a path and precision where `there`
  bool there;
  Precision precision;
  HarnessKernel *fwd, *cached, *bwd;
} Kernels;

enum { MOST_ISAS = 4 };
typedef struct Compiled {
  Kernel kernel[3];
  KArg arg[6];
  HarnessKernel *h[3];
  Kernels of[MOST_ISAS][N_PRECISION];
} Compiled;

// Forward, forward with keys and values in a cache, backward; all paths and precisions out of one object.
static void compile(Compiled *c, Shape s) {
  c->arg[KARG(ATTN, k)].cached = c->arg[KARG(ATTN, v)].cached = true;
  for (int i = 0; i < 3; i++) {
    c->kernel[i] = (Kernel){.cls = i < 2 ? K_ATTN : K_ATTN_GRAD, .dim = {s.H, s.K, s.D, s.E, i == 2 && s.shifted}, .f = {1 / sqrt((double)s.D), s.cap}};
    if (i == 1) c->kernel[i].arg = c->arg, c->kernel[i].narg = 6;
    c->h[i] = harness_compile_all(&c->kernel[i]);
  }
  for (int i = 0; i < MOST_ISAS && harness_isa(i); i++)
    for (Precision p = 0; p < N_PRECISION; p++) {
      if (!native_runs(harness_isa(i), p)) continue;
      HarnessKernel *h[3];
      for (int j = 0; j < 3; j++) h[j] = harness_other(c->h[j], harness_isa(i), p);
      c->of[i][p] = (Kernels){true, p, h[0], h[1], h[2]};
    }
}

typedef struct Result {
  float *out, *lse;
} Result;

#define BF16_HALF (1.0 / 256)  // a rounding to bf16, twice over

// Results start as NaN: whatever is not written shows.
static Result forward(HarnessKernel *k, const Problem *p) {
  Result r = {filled(p->Tq * p->s.H * p->s.E, NAN), filled(p->Tq * p->s.H, NAN)};
  void *arg[] = {p->q, p->k, p->v, (void *)&p->mask, r.out, r.lse};
  harness_run(k, p->Tq, arg, 6);
  return r;
}

static void free_result(Result *r) { free(r->out), free(r->lse); }

typedef struct Gradient {
  float *dq, *dk, *dv;
} Gradient;

static Gradient backward(HarnessKernel *k, const Problem *p, const Result *r) {
  Gradient g = {filled(p->Tq * p->s.H * p->s.D, NAN), filled(p->Tk * p->s.K * p->s.D, NAN), filled(p->Tk * p->s.K * p->s.E, NAN)};
  void *arg[] = {p->dout, p->q, p->k, p->v, (void *)&p->mask, r->out, r->lse, g.dq, g.dk, g.dv, p->dlse};
  harness_run(k, p->Tq, arg, 10 + p->s.shifted);
  return g;
}

static void free_gradient(Gradient *g) { free(g->dq), free(g->dk), free(g->dv); }

static void near(double got, double want, double tol, const char *what, int64_t at) {
  if (!(fabs(got - want) <= tol)) fail_msg("%s[%d]: got %.9g, expected %.9g", what, (int)at, got, want);
}

static void check_forward(HarnessKernel *k, const Problem *p) {
  Result got = forward(k, p);
  for (int64_t q = 0; q < p->Tq; q++)
    for (int64_t h = 0; h < p->s.H; h++) {
      Row r;
      double out[128];
      softmax_row(p, q, h, &r);
      out_row(p, h, &r, out);
      const float *o = &got.out[(q * p->s.H + h) * p->s.E];
      for (int64_t e = 0; e < p->s.E; e++) {
        if (r.n == 0) assert_true(o[e] == 0 && !signbit(o[e]));
        near((double)o[e], out[e], p->precision == PRECISION_BF16 ? BF16_HALF : 5e-6, "out", q);
      }
      float lse = got.lse[q * p->s.H + h];
      if (r.n == 0) assert_true(isinf(lse) && lse < 0);
      else near((double)lse, r.lse, 1e-5 * (1 + fabs(r.lse)), "lse", q);
    }
  free_result(&got);
}

static void compare(const float *got, const double *want, int64_t n, double tolerance, const char *what) {
  double most = 1e-30;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(want[i]));
  for (int64_t i = 0; i < n; i++) near((double)got[i], want[i], tolerance * most, what, i);
}

static void check_backward(const Kernels *ks, const Problem *p) {
  const Shape *s = &p->s;
  double tolerance = p->precision == PRECISION_BF16 ? 4 * BF16_HALF : 1e-5;
  int64_t nq = p->Tq * s->H * s->D, nk = p->Tk * s->K * s->D, nv = p->Tk * s->K * s->E;
  Result r = forward(ks->fwd, p);
  Gradient got = backward(ks->bwd, p, &r);
  Grads g = {.q = calloc((size_t)nq + 1, sizeof *g.q),
             .k = calloc((size_t)nk + 1, sizeof *g.k),
             .v = calloc((size_t)nv + 1, sizeof *g.v)};
  for (int64_t q = 0; q < p->Tq; q++)
    for (int64_t h = 0; h < s->H; h++) {
      Row row;
      softmax_row(p, q, h, &row);
      grad_row(p, q, h, &row, &g);
    }
  compare(got.dq, g.q, nq, tolerance, "dq");
  compare(got.dk, g.k, nk, tolerance, "dk");
  compare(got.dv, g.v, nv, tolerance, "dv");
  free(g.q), free(g.k), free(g.v);
  free_gradient(&got);
  free_result(&r);
}

// ---- row invariance

static void same_bits(const float *a, const float *b, int64_t n, const char *what, int64_t row) {
  if (memcmp(a, b, (size_t)n * sizeof *a)) fail_msg("%s of row %d has other bits", what, (int)row);
}

// Blocks of other sizes.
static void check_cuts(HarnessKernel *k, Problem *p) {
  Result want = forward(k, p);
  static const int64_t most[] = {1, 2, 7, 31, 100, RT_QBLOCK / 2};
  for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
    cut(p, most[i]);
    Result got = forward(k, p);
    for (int64_t q = 0; q < p->Tq; q++) {
      same_bits(&got.out[q * p->s.H * p->s.E], &want.out[q * p->s.H * p->s.E], p->s.H * p->s.E, "out", q);
      same_bits(&got.lse[q * p->s.H], &want.lse[q * p->s.H], p->s.H, "lse", q);
    }
    free_result(&got);
  }
  free_result(&want);
  cut(p, RT_QBLOCK);
}

// Rows as a cache of the precision holds them.
static void *cache_rows(Precision precision, const float *x, int64_t n) {
  Dtype dt = cache_dtype(precision);
  char *p = malloc((size_t)(n + 1) * (size_t)dtype_size(dt));
  for (int64_t i = 0; i < n && dt == DT_BF16; i++) ((uint16_t *)(void *)p)[i] = number_bits(dt, x[i]);
  if (dt == DT_F32) memcpy(p, x, (size_t)n * sizeof *x);
  return p;
}

static Result forward_cached(HarnessKernel *k, const Problem *p) {
  Result r = {filled(p->Tq * p->s.H * p->s.E, NAN), filled(p->Tq * p->s.H, NAN)};
  void *key = cache_rows(p->precision, p->k, p->Tk * p->s.K * p->s.D), *value = cache_rows(p->precision, p->v, p->Tk * p->s.K * p->s.E);
  void *arg[] = {p->q, key, value, (void *)&p->mask, r.out, r.lse};
  harness_run(k, p->Tq, arg, 6);
  free(key), free(value);
  return r;
}

// One query row alone, its keys in a cache at another place among NaN.
static void check_alone(HarnessKernel *k, const Problem *p, const Result *want, int64_t q) {
  const RtSeq *s = sequence_of(p, q);
  Problem one = {.s = p->s, .precision = p->precision, .scale = p->scale, .Tq = 1, .Tk = s->nk + 20, .mask = {.nseq = 1}};
  int64_t key0 = 3 + q % 17, kw = p->s.K * p->s.D, vw = p->s.K * p->s.E;
  one.seq = calloc(1, sizeof *one.seq);
  one.seq[0] = (RtSeq){0, 1, (int32_t)key0, s->nk};
  one.lo = calloc(1, sizeof *one.lo), one.hi = calloc(1, sizeof *one.hi);
  one.lo[0] = p->lo[q], one.hi[0] = p->hi[q];
  one.mask.lo = one.lo, one.mask.hi = one.hi, one.mask.seq = one.seq;
  one.q = malloc((size_t)(p->s.H * p->s.D) * sizeof *one.q);
  memcpy(one.q, &p->q[q * p->s.H * p->s.D], (size_t)(p->s.H * p->s.D) * sizeof *one.q);
  one.k = filled(one.Tk * kw, NAN), one.v = filled(one.Tk * vw, NAN);
  for (int64_t j = 0; j < one.hi[0]; j++) {
    memcpy(&one.k[(key0 + j) * kw], &p->k[(s->key0 + j) * kw], (size_t)kw * sizeof(float));
    memcpy(&one.v[(key0 + j) * vw], &p->v[(s->key0 + j) * vw], (size_t)vw * sizeof(float));
  }
  cut(&one, RT_QBLOCK);
  Result got = forward_cached(k, &one);
  same_bits(got.out, &want->out[q * p->s.H * p->s.E], p->s.H * p->s.E, "out", q);
  same_bits(got.lse, &want->lse[q * p->s.H], p->s.H, "lse", q);
  free_result(&got);
  free_problem(&one);
}

// ---- tests

typedef struct All {           // compiled once, for all tests
  Compiled c[NSHAPE];
} All;

static int compile_all(void **state) {
  All *all = calloc(1, sizeof *all);
  for (int s = 0; s < NSHAPE; s++) compile(&all->c[s], shapes[s]);
  *state = all;
  return 0;
}

static int free_all(void **state) {
  All *all = *state;
  for (int s = 0; s < NSHAPE; s++) {
    for (int i = 0; i < MOST_ISAS; i++)
      for (int p = 0; p < N_PRECISION; p++) {
        Kernels *k = &all->c[s].of[i][p];
        harness_free(k->fwd), harness_free(k->cached), harness_free(k->bwd);
      }
    for (int j = 0; j < 3; j++) harness_free(all->c[s].h[j]);
  }
  free(all);
  return 0;
}

static void each(void **state, void (*f)(Shape, const Kernels *)) {
  const All *all = *state;
  for (int s = 0; s < NSHAPE; s++)
    for (int i = 0; i < MOST_ISAS; i++)
      for (int p = 0; p < N_PRECISION; p++)
        if (all->c[s].of[i][p].there) f(shapes[s], &all->c[s].of[i][p]);
}

static void forward_shape(Shape s, const Kernels *k) {
  for (uint64_t seed = 0; seed < 10; seed++) {
    Problem p = problem(s, k->precision, seed, (int64_t)(seed % 5), seed % 2 ? 20 : 200);
    check_forward(k->fwd, &p);
    free_problem(&p);
  }
}

// The last rows of a text of several key blocks, which most see whole: all of it, or a window.
static void long_shape(Shape s, const Kernels *k) {
  for (int window = 0; window < 2; window++) {
    Problem p = one_text(s, k->precision, 150, 420);
    for (int64_t i = 0; i < p.Tq; i++) {
      p.hi[i] = (int32_t)(p.Tk - p.Tq + i + 1);
      p.lo[i] = window ? p.hi[i] - 200 : 0;
    }
    cut(&p, RT_QBLOCK);
    check_forward(k->fwd, &p);
    check_backward(k, &p);
    check_cuts(k->fwd, &p);
    free_problem(&p);
  }
}

// One text that is cut into parts, of which several tasks go on from each other: its rows the same number as its keys or fewer, a window or not.
static void test_parts(void **state) {
  const All *all = *state;
  for (int i = 0; i < MOST_ISAS; i++)
    for (int precision = 0; precision < N_PRECISION; precision++)
      for (int window = 0; window < 2; window++) {
        const Kernels *k = &all->c[1].of[i][precision];
        if (!k->there) continue;
        Problem p = one_text(shapes[1], k->precision, window ? 640 : 1101, 1101);
        for (int64_t j = 0; j < p.Tq; j++) {
          p.hi[j] = (int32_t)(p.Tk - p.Tq + j + 1);
          p.lo[j] = window && p.hi[j] > 600 ? p.hi[j] - 600 : 0;
        }
        cut(&p, RT_QBLOCK);
        check_backward(k, &p);
        assert_true(harness_last_tasks(k->bwd) > 2 * shapes[1].K);
        free_problem(&p);
      }
}

// A text of several parts beside shorter ones, which have no such part: what the thread's next task begins with is then nothing (it was less than that, and the
// kernel did not end).
static void test_parts_beside(void **state) {
  const All *all = *state;
  static const int32_t length[][3] = {{600, 39, 7}, {3, 530, 40}, {513, 1040, 20}};
  for (int i = 0; i < MOST_ISAS; i++)
    for (int precision = 0; precision < N_PRECISION; precision++)
      for (int64_t j = 0; j < 3; j++) {
        const Kernels *k = &all->c[1].of[i][precision];
        if (!k->there) continue;
        Problem p = texts(shapes[1], k->precision, 3, length[j], 1 + j);
        check_backward(k, &p);
        free_problem(&p);
      }
}

static void check_same(const Kernels *a, const Kernels *b, const Problem *p) {
  Result want = forward(a->fwd, p), got = forward(b->fwd, p);
  Gradient to = backward(a->bwd, p, &want), back = backward(b->bwd, p, &got);
  same_bits(got.out, want.out, p->Tq * p->s.H * p->s.E, "out", 0);
  same_bits(got.lse, want.lse, p->Tq * p->s.H, "lse", 0);
  same_bits(back.dq, to.dq, p->Tq * p->s.H * p->s.D, "dq", 0);
  same_bits(back.dk, to.dk, p->Tk * p->s.K * p->s.D, "dk", 0);
  same_bits(back.dv, to.dv, p->Tk * p->s.K * p->s.E, "dv", 0);
  free_result(&got), free_gradient(&back), free_result(&want), free_gradient(&to);
}

// Every path has the same bits: in bf16 one by an instruction, another by emulation.
static void test_paths(void **state) {
  const All *all = *state;
  for (int s = 0; s < NSHAPE; s++)
    for (Precision precision = 0; precision < N_PRECISION; precision++) {
      const Kernels *first = NULL;
      Problem p = problem(shapes[s], precision, 3, 3, 300);
      for (int i = 0; i < MOST_ISAS; i++) {
        const Kernels *k = &all->c[s].of[i][precision];
        if (k->there && first) check_same(first, k, &p);
        if (k->there && !first) first = k;
      }
      free_problem(&p);
    }
}

// Numbers that bf16 cannot say are rounded where they enter products: the same as when they were rounded before, in a cache or not.
static void rounded_shape(Shape s, const Kernels *k) {
  if (k->precision != PRECISION_BF16) return;
  Problem p = problem(s, PRECISION_F32, 6, 2, 150), rounded = problem(s, PRECISION_BF16, 6, 2, 150);
  Result a = forward(k->fwd, &p), b = forward(k->fwd, &rounded), c = forward_cached(k->cached, &rounded);
  same_bits(a.out, b.out, p.Tq * s.H * s.E, "out", 0), same_bits(a.lse, b.lse, p.Tq * s.H, "lse", 0);
  same_bits(c.out, b.out, p.Tq * s.H * s.E, "cached out", 0), same_bits(c.lse, b.lse, p.Tq * s.H, "cached lse", 0);
  free_result(&a), free_result(&b), free_result(&c), free_problem(&p), free_problem(&rounded);
}

static void backward_shape(Shape s, const Kernels *k) {
  for (uint64_t seed = 0; seed < 10; seed++) {
    Problem p = problem(s, k->precision, seed, (int64_t)(seed % 5), seed % 2 ? 20 : 150);
    check_backward(k, &p);
    free_problem(&p);
  }
}

static void invariant_shape(Shape s, const Kernels *k) {
  for (uint64_t seed = 0; seed < 8; seed++) {
    Problem p = problem(s, k->precision, seed, 3, 200);
    check_cuts(k->fwd, &p);
    Result want = forward(k->fwd, &p);
    for (int64_t q = 0; q < p.Tq; q += 1 + (int64_t)seed % 5) check_alone(k->cached, &p, &want, q);
    free_result(&want);
    free_problem(&p);
  }
}

// What lies beyond the last visible key must not matter, even as NaN.
static void garbage_shape(Shape s, const Kernels *k) {
  Problem p = problem(s, k->precision, 3, 4, 200);
  int64_t kw = s.K * s.D, vw = s.K * s.E;
  for (int64_t i = 0; i < p.mask.nseq; i++) {
    int32_t cap = p.seq[i].nk / 2;
    for (int32_t j = 0; j < p.seq[i].nq; j++) {
      int32_t *hi = &p.hi[p.seq[i].q0 + j];
      if (*hi > cap) *hi = cap;
    }
    for (int64_t j = (p.seq[i].key0 + cap) * kw; j < (p.seq[i].key0 + p.seq[i].nk) * kw; j++) p.k[j] = NAN;
    for (int64_t j = (p.seq[i].key0 + cap) * vw; j < (p.seq[i].key0 + p.seq[i].nk) * vw; j++) p.v[j] = NAN;
  }
  cut(&p, RT_QBLOCK);
  check_forward(k->fwd, &p);
  check_backward(k, &p);
  free_problem(&p);
}

// Far below the maximum: e^x of a score x that much less, the relative error a few units (of a score's rounding too), down to where it is 0.
static void test_small(void **state) {
  const All *all = *state;
  enum { N = 400 };
  Shape s = shapes[0];         // one number: the score is the key
  for (int isa = 0; isa < MOST_ISAS; isa++)
    for (int i = 1; i < N && all->c[0].of[isa][PRECISION_F32].there; i++) {
      double x = -100.0 * i / N;
      Problem p = one_text(s, PRECISION_F32, 1, 2);
      p.hi[0] = 2;
      cut(&p, RT_QBLOCK);
      p.q[0] = 1, p.k[0] = 0, p.k[1] = (float)x, p.v[0] = 0, p.v[1] = 1;
      Result r = forward(all->c[0].of[isa][PRECISION_F32].fwd, &p);
      double e = exp((double)p.k[1]), want = e / (1 + e);
      if (x < -87.7) assert_true(r.out[0] == 0);
      else near((double)r.out[0], want, want * (3e-7 + 1.2e-7 * -x) + 1.5e-38, "out", i);
      free_result(&r), free_problem(&p);
    }
}

// One number too far, in a cache of the precision's width too, is a fault.
static void bounds_shape(Shape s, const Kernels *k) {
  for (uint64_t seed = 0; seed < 6; seed++) {
    Problem p = problem(s, k->precision, seed, 2, 70);
    Fences *f = fences_new();
    int64_t nq = p.Tq * s.H * s.D, nk = p.Tk * s.K * s.D, nv = p.Tk * s.K * s.E, no = p.Tq * s.H * s.E;
    size_t wide = (size_t)dtype_size(cache_dtype(k->precision));
    float *q = fenced_floats(f, nq, p.q), *out = fenced_floats(f, no, NULL), *lse = fenced_floats(f, p.Tq * s.H, NULL);
    float *key = fenced_floats(f, nk, p.k), *value = fenced_floats(f, nv, p.v);
    void *fwd[] = {q, key, value, &p.mask, out, lse};
    void *bwd[] = {fenced_floats(f, no, p.dout), q, key, value, &p.mask, out, lse, fenced_floats(f, nq, NULL), fenced_floats(f, nk, NULL), fenced_floats(f, nv, NULL),
                   fenced_floats(f, p.Tq * s.H, p.dlse)};
    void *cached[] = {q, fenced(f, (size_t)nk * wide), fenced(f, (size_t)nv * wide), &p.mask, out, lse};
    harness_run(k->cached, p.Tq, cached, 6);
    harness_run(k->fwd, p.Tq, fwd, 6);
    harness_run(k->bwd, p.Tq, bwd, 10 + s.shifted);
    fences_free(f);
    free_problem(&p);
  }
}

static void test_forward(void **state) { each(state, forward_shape); }
static void test_backward(void **state) { each(state, backward_shape); }
static void test_row_invariance(void **state) { each(state, invariant_shape); }
static void test_rounded(void **state) { each(state, rounded_shape); }
static void test_long(void **state) { each(state, long_shape); }
static void test_bounds(void **state) { each(state, bounds_shape); }
static void test_garbage(void **state) { each(state, garbage_shape); }

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward),
      cmocka_unit_test(test_backward),
      cmocka_unit_test(test_row_invariance),
      cmocka_unit_test(test_garbage),
      cmocka_unit_test(test_long),
      cmocka_unit_test(test_parts), cmocka_unit_test(test_parts_beside),
      cmocka_unit_test(test_paths),
      cmocka_unit_test(test_small),
      cmocka_unit_test(test_rounded),
      cmocka_unit_test(test_bounds),
  };
  return cmocka_run_group_tests(tests, compile_all, free_all);
}
