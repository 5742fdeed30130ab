// See dtype.h.
#include "runtime/abi/dtype.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const DtypeInfo dtype_info[DT_NONE] = {
#define X(id, name, file, bits, use, high) [DT_##id] = {name, file, bits, DTYPE_##use, DT_##high},
#include "runtime/abi/dtype.def"
#undef X
    [DT_MASK] = {"mask", NULL, 0, DTYPE_NO_NUMBER, DT_MASK},
};

Dtype dtype_named(const char *name) {
  int t = 0;
  while (t < DT_NONE && strcmp(dtype_info[t].name, name)) t++;
  return (Dtype)t;
}

Dtype dtype_of_file(const char *name) {
  int t = 0;
  while (t < DT_NONE && (!dtype_info[t].file || strcmp(dtype_info[t].file, name))) t++;
  return (Dtype)t;
}

void dtype_stored_names(char *out, size_t n) {
  int left = 0;
  size_t at = 0;
  for (int i = 0; i < DT_NONE; i++) left += dtype_info[i].use == DTYPE_STORED;
  for (int i = 0; i < DT_NONE && at < n; i++) {
    if (dtype_info[i].use != DTYPE_STORED) continue;
    left--;
    at += (size_t)snprintf(out + at, n - at, "%s%s", dtype_info[i].file, left > 1 ? ", " : left ? " and " : "");
  }
}

static double half_number(uint32_t h) {
  int exponent = (int)(h >> 10 & 31), fraction = (int)(h & 1023);
  double x = exponent == 31 ? (fraction ? NAN : INFINITY) : exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
  return h >> 15 & 1 ? -x : x;
}

double dtype_number(Dtype t, const void *p) {
  const DtypeInfo *d = &dtype_info[t];
  uint32_t bits = 0;
  memcpy(&bits, p, (size_t)d->bits / 8);           // little-endian, as the files are
  bits <<= dtype_info[d->high].bits - d->bits;
  if (d->high == DT_F16) return half_number(bits);
  float f;
  memcpy(&f, &bits, sizeof f);
  return (double)f;
}

// Half's bits, of which the lower `cut` are rounded away: those of a type that is its upper ones.
static uint32_t half_bits(double x, int cut) {
  enum { BIAS = 15, MANTISSA = 10, INF = 31 << MANTISSA };
  double a = fabs(x);
  uint32_t sign = signbit(x) ? 1u << 15 : 0;
  if (isnan(x)) return sign | INF | 1 << (MANTISSA - 1);
  if (a >= 65536) return sign | INF;
  int e = a > 0 ? ilogb(a) : 1 - BIAS;
  if (e < 1 - BIAS) e = 1 - BIAS;
  // of a normal number the leading bit adds to the exponent, and so does one that rounding carries
  return sign | (((uint32_t)(e + BIAS - 1) << MANTISSA) + ((uint32_t)nearbyint(ldexp(a, MANTISSA - cut - e)) << cut));
}

static uint32_t float_bits(double x, int cut) {
  float f = (float)x;
  uint32_t u;
  memcpy(&u, &f, sizeof u);
  if (isnan(x)) return u | 1u << 22;
  return cut ? u + ((1u << (cut - 1)) - 1 + (u >> cut & 1)) : u;
}

bool dtype_round(Dtype t, double x, void *p) {
  const DtypeInfo *d = &dtype_info[t];
  int cut = dtype_info[d->high].bits - d->bits;
  uint32_t bits = (d->high == DT_F16 ? half_bits(x, cut) : float_bits(x, cut)) >> cut;
  memcpy(p, &bits, (size_t)d->bits / 8);
  return !isfinite(x) || isfinite(dtype_number(t, p));
}
