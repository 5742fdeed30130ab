// Panels of packed matrices (compiler/plan/plan.h) by naive loops, for the tests of kernels that read or write them.
#ifndef CALM_TESTS_PANELS_H
#define CALM_TESTS_PANELS_H
#include <stdint.h>

#include "plan/plan.h"
#include "tests/unit/fence.h"

// The 16 bits of v in f16 or bf16, which can say it and not as a subnormal half.
uint16_t number_bits(Dtype dt, float v);
// v as products in bf16 take it: to the nearest, ties to even, subnormals to 0.
float bf16_rounded(float v);
// sum over k in order of x[k] * w[k * stride], each step rounded once. In bf16: numbers rounded, the odd of two steps first, subnormals counting 0.
float product_chain(Precision precision, const float *x, const float *w, int64_t stride, int64_t K);
// The same from y on, of x[k * along].
float product_chain_from(Precision precision, float y, const float *x, int64_t along, const float *w, int64_t stride, int64_t K);
// Element i of an array of f32, f16 or bf16.
float panel_number(Dtype dt, const void *p, int64_t i);
// Where element [n, k] of w[N, K] lies in panels, in elements.
int64_t panel_at(Dtype dt, int64_t K, int64_t n, int64_t k);
// The numbers of w[N, K] as panels of dt hold them, which can say them, or rounds them (int8). Freed by the caller.
float *panels_say(Dtype dt, const float *w, int64_t N, int64_t K);
// w[N, K], whose numbers dt can say or is rounded to as bf16_rounded, or int8 (runtime/abi/int8.h), does, in panels; zeros behind the last row. Fenced.
void *panels_of(Fences *f, Dtype dt, const float *w, int64_t N, int64_t K);
#endif
