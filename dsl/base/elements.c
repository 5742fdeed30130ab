// See elements.h.
#include "dsl/base/elements.h"

bool elements_times(int64_t *n, int64_t by) {
  int64_t product;
  if (*n < 0 || by < 0 || __builtin_mul_overflow(*n, by, &product) || product > ELEMENTS_MOST) return false;
  *n = product;
  return true;
}
