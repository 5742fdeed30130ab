// OpenBLAS, opened only to train: it multiplies the weight gradients, the one product whose rows are not tokens.
#ifndef CALM_RUNTIME_BLAS_H
#define CALM_RUNTIME_BLAS_H
#include "runtime/abi/rt_abi.h"
#include "runtime/core/rt_error.h"

typedef struct Blas Blas;
// Opens libopenblas.so.0, one thread per call, with the core type of the instruction-set path in use ("avx512" or
// "avx2") unless OPENBLAS_CORETYPE says another. NULL and an error that says how to install it.
Blas *blas_open(const char *isa, RtError *e);
void blas_close(Blas *b);
const char *blas_core(const Blas *b);
#endif
