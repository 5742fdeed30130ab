// rt_dw: w'[N, K] (+)= dy[T, N]^T x[T, K] in tiles for the pool. The tiles follow from N and K alone, and each is one
// single-threaded call, so the bits are the same for any number of threads.
//
// The core type is set before the library is opened, over whatever OPENBLAS_CORETYPE says: left alone, Debian's 0.3.21
// takes AVX2 kernels on recent AMD processors, a shell's setting does so anywhere, and bits are promised per
// instruction-set path. Measured on a Sapphire Rapids core at T = 2500, N = K = 768: SKYLAKEX 152 GF/s, HASWELL 103,
// results equally exact.
#include "runtime/machine/blas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/machine/pool.h"

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };     // cblas.h
typedef void Sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b,
                   int ldb,
                   float beta, float *c, int ldc);

struct Blas {
  void *lib;
  Sgemm *sgemm;
  const char *core;
};

static const struct { const char *isa, *core; } CORE[] = {{"avx512", "SKYLAKEX"}, {"avx2", "HASWELL"}};

Blas *blas_open(const char *isa, RtError *e) {
  for (size_t i = 0; i < sizeof CORE / sizeof CORE[0]; i++)
    if (!strcmp(isa, CORE[i].isa)) setenv("OPENBLAS_CORETYPE", CORE[i].core, 1);
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    rt_fail(e, "training needs OpenBLAS (libopenblas.so.0): %s; install it with: apt-get install libopenblas0-pthread",
            dlerror());
    return NULL;
  }
  Sgemm *sgemm = (Sgemm *)dlsym(lib, "cblas_sgemm");
  if (!sgemm) {
    rt_fail(e, "libopenblas.so.0 has no cblas_sgemm; install it with: apt-get install libopenblas0-pthread");
    dlclose(lib);
    return NULL;
  }
  void (*set_threads)(int) = (void (*)(int))dlsym(lib, "openblas_set_num_threads");
  if (set_threads) set_threads(1);
  char *(*corename)(void) = (char *(*)(void))dlsym(lib, "openblas_get_corename");
  Blas *b = rt_alloc(1, sizeof *b);
  *b = (Blas){.lib = lib, .sgemm = sgemm, .core = corename ? corename() : "unknown"};
  return b;
}

void blas_close(Blas *b) {
  if (b) dlclose(b->lib);
  rt_free(b);
}

const char *blas_core(const Blas *b) { return b->core; }

typedef struct Cut {
  int64_t tn, tk, across;        // tile extents (multiples of 16) and tiles along K
  int64_t tiles;
} Cut;

static int64_t part(int64_t n, int64_t parts) { return ((n + parts - 1) / parts + 15) / 16 * 16; }

// Tiles of at most 256 x 256; an odd number of them is doubled, so that two threads share even the smallest matrix.
static Cut cut_for(int64_t N, int64_t K) {
  int64_t pn = (N + 255) / 256, pk = (K + 255) / 256;
  if (pn * pk % 2 && (N > 16 || K > 16)) {
    if (N >= K) pn *= 2;
    else pk *= 2;
  }
  Cut c = {.tn = part(N, pn), .tk = part(K, pk)};
  c.across = (K + c.tk - 1) / c.tk;
  c.tiles = (N + c.tn - 1) / c.tn * c.across;
  return c;
}

enum { A_SGEMM, A_T, A_N, A_K, A_DY, A_X, A_DST, A_ACC, A_TN, A_TK, A_ACROSS, A_COUNT };

static void dw_tile(int64_t task, const int64_t *a, void *scratch) {
  (void)scratch;
  int64_t n0 = task / a[A_ACROSS] * a[A_TN], k0 = task % a[A_ACROSS] * a[A_TK];
  int64_t n = a[A_N] - n0 < a[A_TN] ? a[A_N] - n0 : a[A_TN], k = a[A_K] - k0 < a[A_TK] ? a[A_K] - k0 : a[A_TK];
  ((Sgemm *)a[A_SGEMM])(ROW_MAJOR, TRANS, NO_TRANS, (int)n, (int)k, (int)a[A_T], 1.0f, (const float *)a[A_DY] + n0,
                        (int)a[A_N],
                        (const float *)a[A_X] + k0, (int)a[A_K], a[A_ACC] ? 1.0f : 0.0f,
                        (float *)a[A_DST] + n0 * a[A_K] + k0, (int)a[A_K]);
}

void rt_dw(const RtCtx *ctx, int64_t T, int64_t N, int64_t K, const float *dy, const float *x, float *dst,
           int64_t accumulate) {
  if (N == 0 || K == 0) return;
  if (T == 0) {
    if (!accumulate) memset(dst, 0, (size_t)(N * K) * sizeof *dst);
    return;
  }
  const Blas *b = pool_blas(ctx->pool);
  if (!b) {
    fputs("calm: bug: a weight gradient was asked for and no BLAS is open\n", stderr);
    abort();
  }
  Cut c = cut_for(N, K);
  int64_t args[A_COUNT] = {(int64_t)b->sgemm, T, N, K, (int64_t)dy, (int64_t)x, (int64_t)dst, accumulate, c.tn, c.tk,
                           c.across};
  pool_run(ctx->pool, dw_tile, c.tiles, args);
}
