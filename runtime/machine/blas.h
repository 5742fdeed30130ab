// OpenBLAS, opened only to train: it multiplies the weight gradients, the one product whose rows are not tokens.
#ifndef CALM_RUNTIME_BLAS_H
#define CALM_RUNTIME_BLAS_H
#include "runtime/abi/abi.h"
#include "runtime/core/core.h"

typedef struct Blas Blas;
enum { BLAS_RESIDENT = 4 << 20 };      // bytes that are resident of it while it works: libraries, and what its tiles use of a few buffers
// Opens libopenblas.so.0, one thread per call, with the core type of the instruction-set path in use ("avx512" or
// "avx2"), whatever OPENBLAS_CORETYPE says. Up to `threads` threads may multiply at a time; with memory for fewer they take turns, and a
// warning says so. NULL and an error that says how to install it, or what memory it wants.
Blas *blas_open(const char *isa, int threads, RtError *e);
void blas_close(Blas *b);
const char *blas_core(const Blas *b);
#endif
