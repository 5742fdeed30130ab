// See measure.h.
#include "bench/measure.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double median(double *v, int n) {
  qsort(v, (size_t)n, sizeof *v, ascending);
  return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double peak_rate(const char *isa, Precision precision, double seconds) {
  return precision == PRECISION_BF16 && isa_multiplies(isa, PRECISION_BF16) ? rate_bf16(1, seconds) : rate_f32(isa, 1, seconds);
}
