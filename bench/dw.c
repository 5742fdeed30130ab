// dw: weight gradients, calm's kernel and OpenBLAS side by side on one core: dw[N, K] = dy[rows, N]^T x[rows, K]. For every shape and number of rows both
// and the peak loop run in turn; what is printed are medians of the shares of the peak beside, of calm's rate over OpenBLAS's, and how far they differ.
//   dw [--isa NAME] [--precision f32|bf16] [--rows T] [--rounds N] [--shape NxK]
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "runtime/machine/machine.h"
#include "tests/unit/kernel_harness.h"
#include "tests/unit/openblas.h"

static const int64_t SHAPES[][2] = {{17, 33}, {64, 128}, {128, 128}, {352, 128}, {128, 352}, {768, 256}, {576, 576}, {768, 768}, {2048, 768}, {768, 2048}, {2048, 2048}};
static const int64_t ROWS[] = {256, 1024, 4096};
enum { BLAS_TILE = 256, MOST_ROUNDS = 101 };         // what the pool gave OpenBLAS at a time

typedef struct Options {
  const char *isa;
  int64_t rows, N, K;          // 0: all
  int rounds;
  Precision precision;         // of calm's; OpenBLAS multiplies f32
} Options;

static float *fill(int64_t n, uint32_t seed) {
  float *p = aligned_alloc(64, ((size_t)n * sizeof *p + 63) / 64 * 64 + 64);
  if (!p) perror("dw"), exit(1);
  for (int64_t i = 0; i < n; i++) p[i] = (float)((seed = seed * 1664525u + 1013904223u) >> 8) / (1 << 23) - 1;
  return p;
}

typedef struct Side {          // one product, by either
  HarnessKernel *own;          // or
  const OpenBlas *blas;
  int64_t T, N, K;
  float *dy, *x, *dw;
} Side;

static void multiply(const Side *s) {
  if (s->own) {
    void *arg[] = {s->dy, s->x, s->dw};
    harness_run(s->own, s->T, arg, 3);
    return;
  }
  for (int64_t n = 0; n < s->N; n += BLAS_TILE)
    for (int64_t k = 0; k < s->K; k += BLAS_TILE) {
      int64_t rows = s->N - n < BLAS_TILE ? s->N - n : BLAS_TILE, cols = s->K - k < BLAS_TILE ? s->K - k : BLAS_TILE;
      openblas_dw(s->blas, (int)s->T, (int)rows, (int)cols, s->dy + n, (int)s->N, s->x + k, (int)s->K, s->dw + n * s->K + k, false);
    }
}

static double rate(const Side *s) {
  double took = 0, done = 0;
  while (took < 0.02) {
    double start = rate_cpu();
    multiply(s);
    took += rate_cpu() - start, done += 2.0 * (double)s->T * (double)s->N * (double)s->K;
  }
  return done / took;
}

static double largest_difference(const float *a, const float *b, int64_t n) {
  double most = 0, size = 0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs((double)a[i] - b[i])), size = fmax(size, fabs((double)b[i]));
  return size > 0 ? most / size : most;
}

static void compare(const Options *o, const OpenBlas *blas, int64_t T, int64_t N, int64_t K) {
  Kernel k = {.cls = K_DW, .DW = {.N = N, .K = K}};
  float *dy = fill(T * N, 1), *x = fill(T * K, 2), *dw[2] = {fill(N * K, 3), fill(N * K, 4)};
  Side own = {.own = harness_compile_in(&k, o->isa, o->precision), .T = T, .N = N, .K = K, .dy = dy, .x = x, .dw = dw[0]}, theirs = own;
  theirs.own = NULL, theirs.blas = blas, theirs.dw = dw[1];
  harness_bare(own.own);
  multiply(&own), multiply(&theirs);
  double far = largest_difference(dw[0], dw[1], N * K), share[MOST_ROUNDS], share_theirs[MOST_ROUNDS], over[MOST_ROUNDS];
  for (int r = 0; r < o->rounds; r++) {
    double peak = peak_rate(o->isa, o->precision, 0.01), a = rate(&own), b = rate(&theirs);
    peak = (peak + peak_rate(o->isa, o->precision, 0.01)) / 2;
    share[r] = a / peak, share_theirs[r] = b / peak, over[r] = a / b;
  }
  printf("%6lld %6lld %6lld  %4.0f %%  %4.0f %%  %5.2f  %.1e\n", (long long)T, (long long)N, (long long)K, 100 * median(share, o->rounds),
         100 * median(share_theirs, o->rounds), median(over, o->rounds), far);
  fflush(stdout);
  harness_free(own.own);
  free(dy), free(x), free(dw[0]), free(dw[1]);
}

static int usage(void) {
  fprintf(stderr, "usage: dw [--isa NAME] [--precision f32|bf16] [--rows T] [--rounds N] [--shape NxK]\n");
  return 2;
}

int main(int argc, char **argv) {
  Options o = {.isa = harness_isa(0), .rounds = 7};
  for (int i = 1; i < argc; i++) {
    long long N, K;
    if (i + 1 == argc) return usage();
    if (!strcmp(argv[i], "--isa")) o.isa = argv[++i];
    else if (!strcmp(argv[i], "--precision")) {
      for (o.precision = 0, i++; o.precision < N_PRECISION && strcmp(argv[i], precision_name(o.precision)); o.precision++) continue;
      if (o.precision == N_PRECISION) return usage();
    }
    else if (!strcmp(argv[i], "--rows")) o.rows = atoll(argv[++i]);
    else if (!strcmp(argv[i], "--rounds")) o.rounds = atoi(argv[++i]);
    else if (!strcmp(argv[i], "--shape") && sscanf(argv[++i], "%lldx%lld", &N, &K) == 2) o.N = N, o.K = K;
    else return usage();
  }
  bool known = false;
  for (int i = 0; harness_isa(i); i++) known |= !strcmp(harness_isa(i), o.isa);
  if (!known || o.rounds < 1 || o.rounds > MOST_ROUNDS || o.rows < 0 || o.rows > 1 << 20 || o.N < 0 || o.K < 0 || o.N > 1 << 16 || o.K > 1 << 16)
    return usage();
  OpenBlas blas;
  if (!openblas_open(&blas, o.isa)) {
    fprintf(stderr, "dw: libopenblas.so.0 is not installed: apt-get install libopenblas0-pthread\n");
    return 1;
  }
  printf("%s in %s, OpenBLAS's kernels %s; one core, shares of the peak beside\n%6s %6s %6s  %6s  %6s  %5s  %s\n", o.isa, precision_name(o.precision), blas.core, "rows", "N", "K", "calm", "BLAS",
         "ratio", "largest difference");
  for (size_t s = 0; s < sizeof SHAPES / sizeof SHAPES[0]; s++)
    for (size_t t = 0; t < sizeof ROWS / sizeof ROWS[0]; t++) {
      int64_t T = o.rows ? o.rows : ROWS[t], N = o.N ? o.N : SHAPES[s][0], K = o.N ? o.K : SHAPES[s][1];
      if ((o.rows && t) || (o.N && s)) continue;
      compare(&o, &blas, T, N, K);
    }
  return 0;
}
