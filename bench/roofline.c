// roofline: what one core and all cores of this machine can do at most, and what share of it calm's matrix kernels reach. For every path
// and shape a kernel is compiled as in a program and run on one core, in turn with the peak loop; the share is the median of the ratios.
//   roofline [--rows M] [--rounds N] [--isa NAME] [--shape KxN] [--dtype f32|bf16|f16|i8] [--precision f32|bf16] [--cold]
// --dtype: what the weights are stored in, or i8: kept as int8 (in a spec `as int8`). --precision: of the products; bf16 goes with bf16, or f32 rounded to it.
// --cold: a copy of the weights each time, from memory, as in a model larger than the caches; of 16 rows or fewer what counts is how fast the weights are
// read, as a share of the best that one core reads, measured beside.
// Times are of the thread, not of the clock on the wall: another program on the same core does not count as a slow kernel.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/measure.h"
#include "runtime/core/core.h"
#include "runtime/machine/machine.h"
#include "tests/unit/kernel_harness.h"
#include "tests/unit/native_object.h"

typedef struct Shape {
  int64_t K, N;
  const char *what;
} Shape;
static const Shape SHAPES[] = {
    {128, 128, "experiment: projections"}, {128, 352, "experiment: feed-forward up"}, {352, 128, "experiment: feed-forward down"},
    {576, 576, "135M: projections"},       {576, 1536, "135M: feed-forward up"},      {1536, 576, "135M: feed-forward down"},
    {768, 768, "small: projections"},      {768, 2048, "small: feed-forward up"},     {2048, 768, "small: feed-forward down"},
    {768, 8192, "small: a quarter of the head"}, {2048, 2048, "1B: projections"},
};

enum {
  COLD_BYTES = 1 << 28,        // --cold: copies of the weights so many that they come from memory (256 MB)
  BIG_BYTES = 1 << 20,         // matrices of models large enough for huge pages
};

typedef struct Options {
  int64_t rows;
  int rounds;
  const char *isa;
  bool cold;
  Dtype dt;                    // of the weights
  Precision precision;
  int64_t K, N;                // only this shape, unless 0
} Options;

// Memory as a program has it: a model's packed weights lie in one region of huge pages (runtime/engine/region.c), activations do not.
static float *fill(int64_t n, bool huge) {
  enum { HUGE_PAGE = 2 << 20 };
  size_t unit = huge ? HUGE_PAGE : 64, bytes = ((size_t)n * sizeof(float) + unit - 1) / unit * unit;
  float *p = aligned_alloc(unit, bytes);
  if (!p) perror("roofline"), exit(1);
  if (huge) madvise(p, bytes, MADV_HUGEPAGE);
  for (int64_t i = 0; i < n; i++) p[i] = (float)(i % 13) / 13 - 0.5f;
  return p;
}

typedef struct Work {          // a kernel and what it runs on
  Kernel k;
  KArg karg[6];
  int64_t rows;
  double operations;           // of a run; or
  double bytes;                // that it reads from memory
  void *arg[6];
  int narg, copies;            // --cold: argument 1 is one of so many, `step` bytes apart
  int64_t step;
} Work;

static bool few_rows(const Options *o) { return o->cold && o->rows <= 16; }
static double limit_of(const Options *o, const char *isa, const Work *w) { return w->bytes > 0 ? rate_memory(1, 0.05, INT64_MAX) : peak_rate(isa, o->precision, 0.01); }

// Median share of the peak, and the kernel's median rate.
static double share(const Options *o, const char *isa, Work *w, double *rate) {
  HarnessKernel *h = harness_compile_in(&w->k, isa, o->precision);
  double *ratio = calloc((size_t)o->rounds, sizeof *ratio), *own = calloc((size_t)o->rounds, sizeof *own);
  char *first = w->arg[1];
  harness_bare(h);
  harness_run(h, w->rows, w->arg, w->narg);
  int next = 0;
  for (int r = 0; r < o->rounds; r++) {
    double took = 0, done = 0, peak = limit_of(o, isa, w);
    while (took < 0.03) {
      w->arg[1] = first + (int64_t)(next++ % w->copies) * w->step;
      double start = rate_cpu();
      harness_run(h, w->rows, w->arg, w->narg);
      took += rate_cpu() - start, done += w->bytes > 0 ? w->bytes : w->operations;
    }
    peak = (peak + limit_of(o, isa, w)) / 2;
    own[r] = done / took, ratio[r] = own[r] / peak;
  }
  *rate = median(own, o->rounds);
  double m = median(ratio, o->rounds);
  w->arg[1] = first;
  harness_free(h);
  free(ratio), free(own);
  return m;
}

// Panels of w[N, K], once or often.
static void *weights(const Options *o, int64_t K, int64_t N, Work *w) {
  Dtype dt = panel_under(o->dt, o->precision);
  w->step = panels_elems(dt, N, K) * dtype_size(dt);
  w->copies = o->cold ? (int)(COLD_BYTES / w->step) + 1 : 1;
  w->karg[1].dt = o->dt;
  w->k.arg = w->karg, w->k.narg = w->narg;
  int64_t floats = w->step * w->copies / (int64_t)sizeof(float);
  float *p = fill(floats, w->copies > 1 || w->step >= BIG_BYTES);
  for (int64_t i = 0; dt != DT_F32 && i < 2 * floats; i++) ((uint16_t *)p)[i] = (uint16_t)(0x3800 + i % 64);      // numbers of a common size in both
  return p;
}

static double product(const Options *o, const char *isa, KernelClass cls, const Shape *s, double *rate) {
  int64_t from = cls == K_GEMM ? s->K : s->N, to = cls == K_GEMM ? s->N : s->K;      // gemm_t goes back from N to K
  Work w = {.k = {.cls = cls, .dim = {from}, .nmat = 1, .N = {to}}, .rows = o->rows, .narg = 3};
  w.operations = 2.0 * (double)o->rows * (double)s->K * (double)s->N;
  w.arg[0] = fill(o->rows * from, false), w.arg[1] = weights(o, s->K, s->N, &w), w.arg[2] = fill(o->rows * to, false);
  if (few_rows(o)) w.bytes = (double)w.step;
  double m = share(o, isa, &w, rate);
  for (int i = 0; i < 3; i++) free(w.arg[i]);
  return m;
}

// The loss over a head [V, D], with the gradient of its input: two products and the exponentials.
static double loss(const Options *o, const char *isa, int64_t D, int64_t V, double *rate) {
  int64_t R = o->rows;
  Work w = {.k = {.cls = K_XENT_GRAD, .dim = {D, V}}, .rows = R, .narg = 6};
  w.operations = 4.0 * (double)R * (double)D * (double)V;
  int32_t *label = calloc((size_t)R, sizeof *label);
  for (int64_t i = 0; i < R; i++) label[i] = (int32_t)(i * 7 % V);
  w.arg[0] = fill(R * D, false), w.arg[1] = weights(o, D, V, &w), w.arg[2] = label, w.arg[3] = fill(R, false);
  w.arg[4] = fill(R * D, false), w.arg[5] = fill(R, false);
  double m = share(o, isa, &w, rate);
  for (int i = 0; i < 6; i++) free(w.arg[i]);
  return m;
}

// Packing a bf16 matrix, as at every start of a program: bytes written per second.
static void packing(const Options *o, const char *isa) {
  enum { N = 2048, K = 2048 };
  KArg arg[2] = {{.dt = DT_BF16, .elems = N * K}, {.dt = DT_BF16, .per_row = true, .written = true, .elems = PANEL * K}};
  Work w = {.k = {.cls = K_PACK, .arg = arg, .narg = 2, .dim = {N, K}}, .rows = N / PANEL, .narg = 2, .copies = 1};
  w.operations = 2.0 * N * K;
  w.arg[0] = fill(N * K / 2, true), w.arg[1] = fill(N * K, true);
  double rate;
  share(o, isa, &w, &rate);
  printf("packing bf16: %.1f GB/s written\n", rate / 1e9);
  free(w.arg[0]), free(w.arg[1]);
}

// Of few rows.
static void reading(const Options *o, const char *isa) {
  printf("\n%s, %s: products of %lld row%s, one core; GB/s of weights and share of what a core reads, measured beside each\n", isa, precision_name(o->precision),
         (long long)o->rows, o->rows == 1 ? "" : "s");
  for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
    if (o->K && (o->K != SHAPES[i].K || o->N != SHAPES[i].N)) continue;
    double rate, s = product(o, isa, K_GEMM, &SHAPES[i], &rate);
    printf("%6lld %6lld  %-30s %7.1f  %4.0f %%\n", (long long)SHAPES[i].K, (long long)SHAPES[i].N, SHAPES[i].what, rate / 1e9, 100 * s);
    fflush(stdout);
  }
}

static void kernels(const Options *o, const char *isa) {
  double fma = peak_rate(isa, o->precision, 0.3);
  printf("\n%s, %s: one core %.1f GF/s; products of %lld rows, one core, GF/s and share of the peak measured beside each\n", isa, precision_name(o->precision), fma / 1e9,
         (long long)o->rows);
  printf("%6s %6s  %-30s %15s %15s\n", "K", "N", "", "forward", "backward (dX)");
  for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
    if (o->K && (o->K != SHAPES[i].K || o->N != SHAPES[i].N)) continue;
    double f, b, fs = product(o, isa, K_GEMM, &SHAPES[i], &f), bs = product(o, isa, K_GEMM_T, &SHAPES[i], &b);
    printf("%6lld %6lld  %-30s %7.1f  %4.0f %% %7.1f  %4.0f %%\n", (long long)SHAPES[i].K, (long long)SHAPES[i].N, SHAPES[i].what, f / 1e9,
           100 * fs, b / 1e9, 100 * bs);
    fflush(stdout);
  }
  static const int64_t HEAD[][2] = {{128, 128}, {768, 32000}, {576, 49152}, {2048, 128256}};
  for (size_t i = 0; i < sizeof HEAD / sizeof HEAD[0]; i++) {
    if (o->K && (o->K != HEAD[i][0] || o->N != HEAD[i][1])) continue;
    double rate, s = loss(o, isa, HEAD[i][0], HEAD[i][1], &rate);
    printf("%6lld %6lld  %-30s %7.1f  %4.0f %%\n", (long long)HEAD[i][0], (long long)HEAD[i][1], "loss over a head, both ways",
           rate / 1e9, 100 * s);
    fflush(stdout);
  }
  if (!o->K) packing(o, isa);
}

static void limits(void) {
  CpuLimits cpu;
  limits_cpu(&cpu);
  char why[LIMITS_TEXT];
  int cores = limits_threads(&cpu, why);
  for (int i = 0; harness_isa(i); i++)
    printf("%s f32: one core %.1f GF/s, %d core%s %.1f GF/s\n", harness_isa(i), rate_f32(harness_isa(i), 1, 0.5) / 1e9, cores, plural(cores),
           rate_f32(harness_isa(i), cores, 0.5) / 1e9);
  if (rate_has_bf16()) printf("bf16: one core %.1f GF/s, %d core%s %.1f GF/s\n", rate_bf16(1, 0.5) / 1e9, cores, plural(cores), rate_bf16(cores, 0.5) / 1e9);
  printf("memory read: one core %.1f GB/s, %d core%s %.1f GB/s\n", rate_memory(1, 0.5, INT64_MAX) / 1e9, cores, plural(cores), rate_memory(cores, 0.5, INT64_MAX) / 1e9);
}

static int usage(void) {
  fprintf(stderr, "usage: roofline [--rows M] [--rounds N] [--isa NAME] [--shape KxN] [--dtype f32|bf16|f16|i8] [--precision f32|bf16] [--cold]\n");
  return 2;
}

int main(int argc, char **argv) {
  Options o = {.rows = 256, .rounds = 7, .isa = NULL};
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--cold")) o.cold = true;
    else if (i + 1 == argc) return usage();
    else if (!strcmp(argv[i], "--shape")) {
      long long K, N;
      if (sscanf(argv[++i], "%lldx%lld", &K, &N) != 2) return usage();
      o.K = K, o.N = N;
    }
    else if (!strcmp(argv[i], "--rows")) o.rows = atoll(argv[++i]);
    else if (!strcmp(argv[i], "--rounds")) o.rounds = atoi(argv[++i]);
    else if (!strcmp(argv[i], "--isa")) o.isa = argv[++i];
    else if (!strcmp(argv[i], "--dtype")) o.dt = dtype_named(argv[++i]);
    else if (!strcmp(argv[i], "--precision")) {
      for (o.precision = 0, i++; o.precision < N_PRECISION && strcmp(argv[i], precision_name(o.precision)); o.precision++) continue;
      if (o.precision == N_PRECISION) return usage();
    }
    else return usage();
  }
  if (o.dt == DT_NONE || (panel_dtype(o.dt) != o.dt && o.dt != DT_I8) || !precision_takes(o.precision, o.dt) || o.rows < 1 || o.rows > 1 << 16 || o.rounds < 1 || o.rounds > 10000) return usage();
  if (o.isa && !isa_supported(o.isa)) {
    fprintf(stderr, "roofline: --isa %s: not a path this processor runs\n", o.isa);
    return 1;
  }
  limits();
  for (int i = 0; harness_isa(i); i++)
    if ((!o.isa || !strcmp(o.isa, harness_isa(i))) && native_runs(harness_isa(i), o.precision)) (few_rows(&o) ? reading : kernels)(&o, harness_isa(i));
  return 0;
}
