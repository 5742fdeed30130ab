// See openblas.h. Left alone, Debian's 0.3.21 takes AVX2 kernels on recent AMD processors, and a shell's setting does so anywhere: so the core type is
// set before the library is opened.
#include "tests/unit/openblas.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_MAJOR = 101, NO_TRANS = 111, TRANS = 112 };     // cblas.h

bool openblas_open(OpenBlas *b, const char *isa) {
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  setenv("OPENBLAS_CORETYPE", strcmp(isa, "avx512") ? "HASWELL" : "SKYLAKEX", 1);
  void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL), *sgemm = lib ? dlsym(lib, "cblas_sgemm") : NULL;
  char *(*core)(void) = lib ? (char *(*)(void))dlsym(lib, "openblas_get_corename") : NULL;
  memcpy(&b->sgemm, &sgemm, sizeof sgemm);
  b->core = core ? core() : "unknown";
  return sgemm;
}

void openblas_dw(const OpenBlas *b, int T, int n, int k, const float *dy, int N, const float *x, int K, float *dw, bool adds) {
  b->sgemm(ROW_MAJOR, TRANS, NO_TRANS, n, k, T, 1.0f, dy, N, x, K, adds ? 1.0f : 0.0f, dw, K);
}
