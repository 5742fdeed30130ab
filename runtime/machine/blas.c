// rt_dw: w'[N, K] (+)= dy[T, N]^T x[T, K] in tiles for the pool. The tiles follow from N and K alone, and each is one
// single-threaded call, so the bits are the same for any number of threads.
//
// The core type is set before the library is opened, over whatever OPENBLAS_CORETYPE says: left alone, Debian's 0.3.21
// takes AVX2 kernels on recent AMD processors, a shell's setting does so anywhere, and bits are promised per
// instruction-set path. Measured on a Sapphire Rapids core at T = 2500, N = K = 768: SKYLAKEX 152 GF/s, HASWELL 103,
// results equally exact.
#include "runtime/machine/blas.h"

#include <dlfcn.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/machine/pool.h"

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };     // cblas.h
typedef void Sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b,
                   int ldb,
                   float beta, float *c, int ldc);

// What it takes while it works: a buffer for each call that is under way. Where that memory is refused, Debian's 0.3.21 asks again for ever
// (blas_memory_alloc); beyond MOST_BUFFERS it complains and then returns none, which its kernels write to. So its buffers are made
// when it is opened, while it is known that there is room, and no more calls run at a time than there are buffers.
enum { MOST_BUFFERS = 128 };
static const size_t BUFFER_BYTES = (128u << 20) + 4096;
// With the libraries that it brings: 40 MB mapped; the start of libgfortran ends the process where its memory is refused.
static const size_t LIBRARY_BYTES = 48u << 20;

struct Blas {
  void *lib;
  Sgemm *sgemm;
  const char *core;
  bool in_turn;                // fewer buffers than threads
  sem_t free;                  // buffers, where in_turn
};

static const char INSTALL[] = "; install it with: apt-get install libopenblas0-pthread";
static const struct { const char *isa, *core; } CORE[] = {
#define X(name, cpu, features, has, core, rows, regs, regs_per_panel, lanes, bf16, has_bf16) {#name, core},
#include "runtime/abi/isa.def"
#undef X
};

static void blas_end(void *object) {
  Blas *b = object;
  if (b->in_turn) sem_destroy(&b->free);
  if (b->lib) dlclose(b->lib);
}

static bool choose_core(const char *isa) {
  bool ok = setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0;
  for (size_t i = 0; i < sizeof CORE / sizeof CORE[0]; i++)
    if (!strcmp(isa, CORE[i].isa)) ok = ok && setenv("OPENBLAS_CORETYPE", CORE[i].core, 1) == 0;
  return ok;
}

// Makes as many buffers as there is room for; how many.
static int make_buffers(void *lib, int most) {
  void *(*take)(int) = (void *(*)(int))dlsym(lib, "blas_memory_alloc"), *made[MOST_BUFFERS];
  void (*give)(void *) = (void (*)(void *))dlsym(lib, "blas_memory_free");
  if (!take || !give) return most;                 // one that manages its memory in another way
  int n = 0;
  while (n < most && rt_has_room(BUFFER_BYTES) && (made[n] = take(0))) n++;
  for (int i = 0; i < n; i++) give(made[i]);
  return n;
}

static bool reserve(Blas *b, int threads, RtError *e) {
  int most = threads < MOST_BUFFERS ? threads : MOST_BUFFERS, n = make_buffers(b->lib, most);
  double mb = (double)BUFFER_BYTES / 1e6;
  if (n == 0) return rt_fail(e, "out of memory: OpenBLAS needs %.0f MB of address space for a buffer (see ulimit -v)", mb);
  if (n < most) rt_warn("there is memory for the buffers of %d of %d threads in OpenBLAS (%.0f MB of address space each); weight gradients use as many", n, most, mb);
  b->in_turn = n < threads && sem_init(&b->free, 0, (unsigned)n) == 0;
  return true;
}

Blas *blas_open(const char *isa, int threads, RtError *e) {
  Blas *b = rt_object(sizeof *b, blas_end);
  if (!choose_core(isa)) rt_no_memory(1);
  bool room = rt_has_room(LIBRARY_BYTES);
  if (!room) rt_fail(e, "out of memory: OpenBLAS needs %.0f MB of address space (see ulimit -v)", (double)LIBRARY_BYTES / 1e6);
  else if (!(b->lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL))) {
    const char *why = dlerror();
    rt_fail(e, "training needs OpenBLAS (libopenblas.so.0): %s%s", why, strstr(why, "No such file") ? INSTALL : "");
  } else if (!(b->sgemm = (Sgemm *)dlsym(b->lib, "cblas_sgemm"))) rt_fail(e, "libopenblas.so.0 has no cblas_sgemm%s", INSTALL);
  if (!b->sgemm || !reserve(b, threads, e)) {
    rt_end(b);
    return NULL;
  }
  void (*set_threads)(int) = (void (*)(int))dlsym(b->lib, "openblas_set_num_threads");
  if (set_threads) set_threads(1);
  char *(*corename)(void) = (char *(*)(void))dlsym(b->lib, "openblas_get_corename");
  b->core = corename ? corename() : "unknown";
  return b;
}

void blas_close(Blas *b) { rt_end(b); }

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

enum { A_T, A_BLAS, A_N, A_K, A_DY, A_X, A_DST, A_ACC, A_TN, A_TK, A_ACROSS, A_COUNT };

static void dw_tile(int64_t task, const int64_t *a, void *scratch) {
  (void)scratch;
  int64_t n0 = task / a[A_ACROSS] * a[A_TN], k0 = task % a[A_ACROSS] * a[A_TK];
  int64_t n = a[A_N] - n0 < a[A_TN] ? a[A_N] - n0 : a[A_TN], k = a[A_K] - k0 < a[A_TK] ? a[A_K] - k0 : a[A_TK];
  Blas *b = (Blas *)a[A_BLAS];
  while (b->in_turn && sem_wait(&b->free) != 0) continue;     // a signal
  b->sgemm(ROW_MAJOR, TRANS, NO_TRANS, (int)n, (int)k, (int)a[A_T], 1.0f, (const float *)a[A_DY] + n0,
                        (int)a[A_N],
                        (const float *)a[A_X] + k0, (int)a[A_K], a[A_ACC] ? 1.0f : 0.0f,
                        (float *)a[A_DST] + n0 * a[A_K] + k0, (int)a[A_K]);
  if (b->in_turn) sem_post(&b->free);
}

void rt_dw(const RtCtx *ctx, int64_t kernel, int64_t T, int64_t N, int64_t K, const float *dy, const float *x, float *dst,
           int64_t accumulate) {
  if (N == 0 || K == 0) return;
  if (T == 0) {
    if (!accumulate) memset(dst, 0, (size_t)(N * K) * sizeof *dst);
    return;
  }
  const Blas *b = ctx->blas;
  if (!b) {
    fputs("calm: bug: a weight gradient was asked for and no BLAS is open\n", stderr);
    abort();
  }
  Cut c = cut_for(N, K);
  int64_t args[A_COUNT] = {T, (int64_t)b, N, K, (int64_t)dy, (int64_t)x, (int64_t)dst, accumulate, c.tn, c.tk,
                           c.across};
  pool_call(ctx->pool, kernel, dw_tile, c.tiles, args);
}
