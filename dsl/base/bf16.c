// See bf16.h.
#include "dsl/base/bf16.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

double bf16_nearest(double x) {
  float f = (float)x;
  uint32_t u;
  if (isnan(f)) return x;
  memcpy(&u, &f, sizeof u);
  u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000u;
  memcpy(&f, &u, sizeof f);
  return (double)f;
}
