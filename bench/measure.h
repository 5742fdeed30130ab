// What the measuring programs share.
#ifndef CALM_BENCH_MEASURE_H
#define CALM_BENCH_MEASURE_H
#include "runtime/machine/machine.h"

double median(double *v, int n);         // sorts v; of n > 0
// Operations a second that products of a precision can reach at most on one core; where bf16 is emulated, those of f32.
double peak_rate(const char *isa, Precision precision, double seconds);
#endif
