// attention: what share of the rate of calm's matrix products its attention reaches over texts of several lengths, causal, forward and backward, on
// one core. Operations are those of the pairs of a query and a key it sees: two products forward, five backward.
//   attention [--tokens T] [--rounds N] [--isa NAME] [--precision f32|bf16] [--heads H,K,D] [--what forward|backward] [--texts N] [--cached N]
// --texts: as many of each length lie one behind the other, as in a training step: of many, what a task reads is in no cache near. --cached: only the last
// N rows of a text are queries, and keys and values lie in a cache, as when it is read in parts. Every round runs products (256 rows of 576 x 1536),
// attention and products again; shares are medians of the rounds. Times are of the thread.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "runtime/abi/rt_abi.h"
#include "runtime/core/core.h"
#include "runtime/machine/machine.h"
#include "tests/unit/kernel_harness.h"
#include "tests/unit/native_object.h"

enum { PRODUCT_ROWS = 256, PRODUCT_K = 576, PRODUCT_N = 1536, MOST_ROUNDS = 1000 };

typedef struct Options {
  int64_t tokens, texts, cached;       // tokens, cached 0: the usual lengths; all rows
  int64_t H, K, D;
  int rounds;
  const char *isa;
  Precision precision;
  bool forward, backward;
} Options;

static void *checked(void *p) {
  if (!p) perror("attention"), exit(1);
  return p;
}

static float *fill(int64_t n, float size) {
  float *p = checked(aligned_alloc(64, ((size_t)(n + RT_LANES) * sizeof(float) + 63) / 64 * 64));
  uint64_t s = (uint64_t)n;
  for (int64_t i = 0; i < n + RT_LANES; i++) {
    s = s * 6364136223846793005u + 1442695040888963407u;
    p[i] = size * ((float)(s >> 33) / (float)(1u << 30) - 1);
  }
  return p;
}

// N texts of T tokens whose last Q rows are queries.
typedef struct Texts {
  RtMask mask;
  int32_t *lo, *hi;
  RtSeq *seq;
  RtQBlock *blk;
  double pairs;                // of a query and a key that it sees
} Texts;

static Texts texts(int64_t N, int64_t T, int64_t Q) {
  Texts t = {.mask = {.nseq = N}};
  size_t rows = (size_t)(N * Q) + RT_ROW_ROUND;
  t.lo = checked(calloc(rows, sizeof *t.lo)), t.hi = checked(calloc(rows, sizeof *t.hi));
  int64_t most = rt_qblock(N);
  t.blk = checked(calloc((size_t)(N * (Q / most + 1)), sizeof *t.blk)), t.seq = checked(calloc((size_t)N, sizeof *t.seq));
  for (int64_t n = 0; n < N; n++) {
    t.seq[n] = (RtSeq){(int32_t)(n * Q), (int32_t)Q, (int32_t)(n * T), (int32_t)T};
    for (int64_t i = 0; i < Q; i++) t.hi[n * Q + i] = (int32_t)(T - Q + i + 1), t.pairs += (double)(T - Q + i + 1);
    for (int64_t i = 0; i < Q; i += most) {
      int64_t m = Q - i < most ? Q - i : most;
      t.blk[t.mask.nblk++] = (RtQBlock){(int32_t)(n * Q + i), (int32_t)m, (int32_t)(n * T), (int32_t)(T - Q + i + m)};
    }
  }
  t.mask.ahead = -1;           // the harness runs the last task first
  t.mask.lo = t.lo, t.mask.hi = t.hi, t.mask.blk = t.blk, t.mask.seq = t.seq;
  return t;
}

static void free_texts(Texts *t) { free(t->lo), free(t->hi), free(t->blk), free(t->seq); }

typedef struct Work {          // a kernel and what it runs on
  HarnessKernel *h;
  int64_t rows;
  void *arg[10];
  int narg;
  double operations;           // of a run
} Work;

static double rate(Work *w, double seconds) {
  double took = 0, done = 0;
  while (took < seconds) {
    double start = rate_cpu();
    harness_run(w->h, w->rows, w->arg, w->narg);
    took += rate_cpu() - start, done += w->operations;
  }
  return done / took;
}

static void shares(const Options *o, Work *product, Work *w) {
  double own[MOST_ROUNDS], share[MOST_ROUNDS];
  harness_bare(w->h);
  for (int r = 0; r < o->rounds; r++) {
    double before = rate(product, 0.05);
    own[r] = rate(w, 0.1);
    share[r] = own[r] / ((before + rate(product, 0.05)) / 2);
  }
  printf("  %7.1f  %4.0f %%", median(own, o->rounds) / 1e9, 100 * median(share, o->rounds));
  fflush(stdout);
}

static void length(const Options *o, const char *isa, Work *product, int64_t T) {
  int64_t H = o->H, K = o->K, D = o->D, Q = o->cached && o->cached < T ? o->cached : T;
  Texts t = texts(o->texts, T, Q);
  int64_t queries = o->texts * Q, keys = o->texts * T;
  float *q = fill(queries * H * D, 1), *k = fill(keys * K * D, 1), *v = fill(keys * K * D, 1), *out = fill(queries * H * D, 0), *lse = fill(queries * H, 0);
  float *dout = fill(queries * H * D, 1), *dq = fill(queries * H * D, 0), *dk = fill(keys * K * D, 0), *dv = fill(keys * K * D, 0);
  KArg karg[10] = {[KARG(ATTN, k)] = {.dt = DT_F32, .cached = o->cached}, [KARG(ATTN, v)] = {.dt = DT_F32, .cached = o->cached}};
  Kernel kernel = {.cls = K_ATTN, .arg = karg, .narg = 6, .dim = {H, K, D, D}, .f = {1 / sqrt((double)D), 0}};
  Work fwd = {.h = harness_compile_in(&kernel, isa, o->precision), .rows = queries, .arg = {q, k, v, &t.mask, out, lse}, .narg = 6,
              .operations = 4.0 * t.pairs * (double)(H * D)};
  printf("%6lld", (long long)T);
  harness_bare(fwd.h);
  if (o->forward) shares(o, product, &fwd);
  harness_run(fwd.h, queries, fwd.arg, fwd.narg);
  harness_free(fwd.h);
  if (o->backward) {
    kernel.cls = K_ATTN_GRAD, kernel.narg = 0;
    Work bwd = {.h = harness_compile_in(&kernel, isa, o->precision), .rows = queries, .arg = {dout, q, k, v, &t.mask, out, lse, dq, dk, dv}, .narg = 10,
                .operations = 10.0 * t.pairs * (double)(H * D)};
    shares(o, product, &bwd);
    harness_free(bwd.h);
  }
  printf("\n");
  float *all[] = {q, k, v, out, lse, dout, dq, dk, dv};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  free_texts(&t);
}

static void path(const Options *o, const char *isa) {
  static const int64_t LENGTHS[] = {512, 2048, 8192};
  KArg karg[3] = {[1] = {.dt = DT_F32}};
  Kernel kernel = {.cls = K_GEMM, .arg = karg, .narg = 3, .dim = {PRODUCT_K}, .nmat = 1, .N = {PRODUCT_N}};
  Work product = {.h = harness_compile_in(&kernel, isa, o->precision), .rows = PRODUCT_ROWS,
                  .arg = {fill(PRODUCT_ROWS * PRODUCT_K, 1), fill(PRODUCT_K * PRODUCT_N, 1), fill(PRODUCT_ROWS * PRODUCT_N, 0)}, .narg = 3,
                  .operations = 2.0 * PRODUCT_ROWS * PRODUCT_K * PRODUCT_N};
  harness_bare(product.h);
  harness_run(product.h, product.rows, product.arg, product.narg);
  double r = rate(&product, 0.3), peak = peak_rate(isa, o->precision, 0.3);
  printf("\n%s, %s: one core %.1f GF/s; products %.1f; %lld heads of %lld on %lld of keys: GF/s and share of products measured beside each\n", isa, precision_name(o->precision), peak / 1e9,
         r / 1e9, (long long)o->H, (long long)o->D, (long long)o->K);
  printf("tokens%s%s\n", o->forward ? "          forward" : "", o->backward ? "         backward" : "");
  for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++)
    if (!o->tokens || i == 0) length(o, isa, &product, o->tokens ? o->tokens : LENGTHS[i]);
  harness_free(product.h);
  for (int i = 0; i < 3; i++) free(product.arg[i]);
}

static int usage(void) {
  fprintf(stderr, "usage: attention [--tokens T] [--rounds N] [--isa NAME] [--precision f32|bf16] [--heads H,K,D] [--what forward|backward] [--texts N] [--cached N]\n");
  return 2;
}

int main(int argc, char **argv) {
  Options o = {.texts = 1, .H = 9, .K = 3, .D = 64, .rounds = 5, .forward = true, .backward = true};
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    long long H, K, D;
    if (!strcmp(name, "--tokens")) o.tokens = atoll(value);
    else if (!strcmp(name, "--texts")) o.texts = atoll(value);
    else if (!strcmp(name, "--cached")) o.cached = atoll(value);
    else if (!strcmp(name, "--rounds")) o.rounds = atoi(value);
    else if (!strcmp(name, "--isa")) o.isa = value;
    else if (!strcmp(name, "--precision") && !strcmp(value, "f32")) o.precision = PRECISION_F32;
    else if (!strcmp(name, "--precision") && !strcmp(value, "bf16")) o.precision = PRECISION_BF16;
    else if (!strcmp(name, "--what") && !strcmp(value, "forward")) o.backward = false;
    else if (!strcmp(name, "--what") && !strcmp(value, "backward")) o.forward = false;
    else if (!strcmp(name, "--heads") && sscanf(value, "%lld,%lld,%lld", &H, &K, &D) == 3) o.H = H, o.K = K, o.D = D;
    else return usage();
  }
  bool heads = o.K > 0 && o.H > 0 && o.H % o.K == 0 && o.H <= 1024 && o.D > 0 && o.D <= 1024;
  if (argc % 2 == 0 || !heads || o.tokens < 0 || o.tokens > 1 << 17 || o.texts < 1 || o.texts > 1 << 10 || o.cached < 0 || o.rounds < 1 || o.rounds > MOST_ROUNDS) return usage();
  if (o.isa && !isa_supported(o.isa)) {
    fprintf(stderr, "attention: --isa %s: not a path this processor runs\n", o.isa);
    return 1;
  }
  for (int i = 0; harness_isa(i); i++)
    if ((!o.isa || !strcmp(o.isa, harness_isa(i))) && native_runs(harness_isa(i), o.precision)) path(&o, harness_isa(i));
  return 0;
}
