// Precisions of products, from rows of precision.def, and what they make of panels: what the compiler emits for and the runtime makes room for.
#ifndef CALM_ABI_PRECISION_H
#define CALM_ABI_PRECISION_H
#include <stdbool.h>
#include <stdint.h>

#include "runtime/abi/dtype.h"
#include "runtime/abi/int8.h"

typedef enum Precision {
#define X(id, name, what) PRECISION_##id,
#include "runtime/abi/precision.def"
#undef X
  N_PRECISION
} Precision;
extern const char *const precision_words[N_PRECISION + 1];           // their names, NULL behind them
static inline const char *precision_name(Precision p) { return precision_words[p]; }

// Packed matrices: panels [ceil(N / PANEL)][K][PANEL], the last padded with zeros, in the dtype that the matrix is stored in where that is f32, f16 or
// bf16, else f32. Of bf16 two of a column along k lie side by side, [K / 2][PANEL][2], an odd K padded with zeros: what a product of pairs takes,
// and each half is an f32 by one operation. Of int8 the elements are bytes: of every group (int8.h) PANEL scales as bf16, then its numbers,
// above zero by INT8_ZERO, [rows / 4][PANEL][4]: four of a column fill a word, of which each is an f32 by few operations. The last four are padded.
enum { PANEL = 16 };
static inline Dtype panel_dtype(Dtype stored) { return stored == DT_F16 || stored == DT_BF16 ? stored : DT_F32; }
// What panels of a dtype are under a precision. bf16 rounds those of f32 once, when they are packed. It does not take those of f16
// (precision_takes): their 11 bits are no bf16.
static inline Dtype panel_under(Dtype panel, Precision p) { return p == PRECISION_BF16 && panel == DT_F32 ? DT_BF16 : panel; }
static inline bool precision_takes(Precision p, Dtype panel) { return p != PRECISION_BF16 || panel != DT_F16; }
// Rows of a cache, keys and values, are what products of the precision take: rounded once, when they are made.
static inline Dtype cache_dtype(Precision p) { return panel_under(DT_F32, p); }
static inline int64_t panel_elems(Dtype dt, int64_t K) {
  if (dt == DT_I8) return PANEL * ((K + INT8_QUAD - 1) / INT8_QUAD * INT8_QUAD + INT8_SCALE_BYTES * int8_groups(K));
  return PANEL * (K + (dt == DT_BF16 && K % 2));
}
static inline int64_t panels_elems(Dtype dt, int64_t N, int64_t K) { return (N + PANEL - 1) / PANEL * panel_elems(dt, K); }    // of a matrix
#endif
