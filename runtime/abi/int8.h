// Weights kept in 8 bits (`as int8`): w[n, k] is scale[n, k / INT8_GROUP] * q[n, k] with q from -127 to 127, symmetric, of every output row and group of
// k that follow each other. The scale is the group's largest |w| over 127, rounded up to bf16: 8 bits times 7 bits, so the product is an f32 without
// rounding, and whoever reads the matrix, forward, transposed, in the loss or by ids, reads the same numbers; of small groups a bf16 has f32's range, and
// up, so that none is cut off. A group that holds what is no finite number, or one of 2^100 or more, reads as NaN.
// Groups of 64, 8.25 bits a weight: groups of 32, 64, 128 raise the loss of two real models on 16 WikiText windows by 0.03, 0.07, 0.15 % and by 0.12, 0.19,
// 0.00 % (bench/int8, which names them); they take 8.5, 8.25, 8.125 bits.
#ifndef CALM_ABI_INT8_H
#define CALM_ABI_INT8_H
#include <stdint.h>

enum { INT8_GROUP = 64, INT8_MOST = 127, INT8_ZERO = 128, INT8_QUAD = 4, INT8_SCALE_BYTES = 2 };     // in panels q is kept as q + INT8_ZERO
static inline int64_t int8_groups(int64_t K) { return (K + INT8_GROUP - 1) / INT8_GROUP; }
// The scale of a group whose largest magnitude is `most` (NaN: one of them is).
float int8_scale(float most);
// What of w is kept under a scale that int8_scale gave.
int int8_number(float w, float scale);
// n numbers that follow each other along k, from the first of a group on, as they are read; in place.
void int8_round(float *w, int64_t n);
#endif
