// See int8.h: what generated code does by vectors (compiler/llvm/int8.c), here one by one, for the reference evaluator and tests.
#include "runtime/abi/int8.h"

#include <math.h>
#include <string.h>

float int8_scale(float most) {
  float s = most / INT8_MOST;
  uint32_t bits;
  memcpy(&bits, &s, sizeof bits);
  bits = (bits + 0xffff) & 0xffff0000;             // up to the next bf16
  if (!(most < 0x1p100f)) bits = 0x7fc00000;
  memcpy(&s, &bits, sizeof s);
  return s;
}

int int8_number(float w, float scale) {
  float q = rintf(w / scale);
  return fabsf(q) <= INT8_MOST ? (int)q : 0;       // else a group of zeros, or one with what is no finite number
}

void int8_round(float *w, int64_t n) {
  for (int64_t from = 0; from < n; from += INT8_GROUP) {
    int64_t count = n - from < INT8_GROUP ? n - from : INT8_GROUP;
    float most = 0;
    for (int64_t i = from; i < from + count; i++) most = isnan(w[i]) || isnan(most) ? NAN : fmaxf(most, fabsf(w[i]));
    float scale = int8_scale(most);
    for (int64_t i = from; i < from + count; i++) w[i] = scale * (float)int8_number(w[i], scale);
  }
}
