// Numbers that a file or a user wrote down are multiplied here, and nowhere wrap: a count of elements or bytes is in [0, INT64_MAX], or there is
// none.
#ifndef CALM_RUNTIME_SIZE_H
#define CALM_RUNTIME_SIZE_H
#include <stdbool.h>
#include <stdint.h>

// *out = a * b; false (and *out untouched) where one of them is below 0 or the product is too large.
static inline bool size_times(int64_t a, int64_t b, int64_t *out) {
  int64_t p;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &p)) return false;
  *out = p;
  return true;
}

static inline bool size_plus(int64_t a, int64_t b, int64_t *out) {
  int64_t s;
  if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &s)) return false;
  *out = s;
  return true;
}

// How many elements a tensor of these extents has; 1 where it has none. An extent of 0 makes none of the others right: strides are products too.
static inline bool size_of_shape(const int64_t *extent, int rank, int64_t *out) {
  int64_t n = 1;
  bool none = false;
  for (int i = 0; i < rank; i++) {
    none |= extent[i] == 0;
    if (!size_times(n, extent[i] ? extent[i] : 1, &n)) return false;
  }
  *out = none ? 0 : n;
  return true;
}

// What a run would take, where more than can be had is just that: INT64_MAX, which whoever is to give it refuses.
static inline int64_t size_sum(int64_t a, int64_t b) {
  int64_t n;
  return size_plus(a, b, &n) ? n : INT64_MAX;
}
static inline int64_t size_product(int64_t a, int64_t b) {
  int64_t n;
  return size_times(a, b, &n) ? n : INT64_MAX;
}
// a, rounded up to a multiple of `to`.
static inline int64_t size_round(int64_t a, int64_t to) { return a > INT64_MAX - to ? INT64_MAX : (a + to - 1) / to * to; }
#endif
