// OpenBLAS as a check of calm's own weight gradients: tests compare the numbers, bench/dw the speed. No program of calm's opens it.
#ifndef CALM_TESTS_OPENBLAS_H
#define CALM_TESTS_OPENBLAS_H
#include <stdbool.h>

typedef struct OpenBlas {
  void (*sgemm)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float beta, float *c,
                int ldc);
  const char *core;            // whose kernels it took
} OpenBlas;
// Opens libopenblas.so.0 for one thread, with the kernels that go with an instruction-set path ("avx512", "avx2"), whatever OPENBLAS_CORETYPE says;
// the first path of a process stays. false where it is not installed.
bool openblas_open(OpenBlas *b, const char *isa);
// dw[n, k] (+)= dy[T, n]^T x[T, k], rows of N, K, K floats.
void openblas_dw(const OpenBlas *b, int T, int n, int k, const float *dy, int N, const float *x, int K, float *dw, bool adds);
#endif
