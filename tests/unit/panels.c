// See panels.h.
#include "tests/unit/panels.h"

#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float from_half(uint16_t h) {
  int e = h >> 10 & 31, m = h & 1023;
  float v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexpf((float)(m + 1024), e - 25) : ldexpf((float)m, -24);
  return h >> 15 ? -v : v;
}

static float from_bits(uint32_t u) {
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

// The bits of v, which the type can say, and the number of bits.
uint16_t number_bits(Dtype dt, float v) {
  uint32_t u;
  memcpy(&u, &v, sizeof u);
  if (dt == DT_BF16) return (uint16_t)(u >> 16);
  uint32_t e = u >> 23 & 255;
  return (uint16_t)(u >> 16 & 0x8000) | (uint16_t)(e < 113 ? 0 : (e - 112) << 10 | (u >> 13 & 1023));     // what numbers() gives is no subnormal half
}
float panel_number(Dtype dt, const void *p, int64_t i) {
  if (dt == DT_F32) return ((const float *)p)[i];
  uint16_t h = ((const uint16_t *)p)[i];
  return dt == DT_F16 ? from_half(h) : from_bits((uint32_t)h << 16);
}

float bf16_rounded(float v) {
  uint32_t u;
  memcpy(&u, &v, sizeof u);
  if (isnan(v)) return from_bits(u | 0x00400000);
  if (!(u & 0x7f800000)) return from_bits(u & 0x80000000);
  return from_bits((u + 0x7fff + (u >> 16 & 1)) & 0xffff0000);
}

static float step(float x, float w, float y) { return fmaf(bf16_rounded(x), bf16_rounded(w), y); }

float product_chain(Precision precision, const float *x, const float *w, int64_t stride, int64_t K) {
  return product_chain_from(precision, 0, x, 1, w, stride, K);
}

float product_chain_from(Precision precision, float y, const float *x, int64_t along, const float *w, int64_t stride, int64_t K) {
  if (precision == PRECISION_F32) {
    for (int64_t k = 0; k < K; k++) y = fmaf(x[k * along], w[k * stride], y);
    return y;
  }
  unsigned modes = _mm_getcsr();
  _mm_setcsr(modes | 1 << 15 | 1 << 6);
  for (int64_t k = 0; k < K; k += 2) {
    if (k + 1 < K) y = step(x[(k + 1) * along], w[(k + 1) * stride], y);
    y = step(x[k * along], w[k * stride], y);
  }
  _mm_setcsr(modes);
  return y;
}

// Where element [n, k] of w[N, K] lies in panels (plan.h).
int64_t panel_at(Dtype dt, int64_t K, int64_t n, int64_t k) {
  int64_t panel = n / PANEL * panel_elems(dt, K), lane = n % PANEL;
  return panel + (dt == DT_BF16 ? k / 2 * 2 * PANEL + lane * 2 + k % 2 : k * PANEL + lane);
}

static int64_t group_at(int64_t K, int64_t n, int64_t k) { return n / PANEL * panel_elems(DT_I8, K) + k / INT8_GROUP * panel_elems(DT_I8, INT8_GROUP); }

// A group of row n from k on.
static void put_group(unsigned char *panels, const float *w, int64_t K, int64_t n, int64_t k) {
  int64_t count = K - k < INT8_GROUP ? K - k : INT8_GROUP, lane = n % PANEL;
  unsigned char *group = panels + group_at(K, n, k);
  float most = 0;
  for (int64_t i = 0; i < count; i++) most = isnan(w[i]) || isnan(most) ? NAN : fmaxf(most, fabsf(w[i]));
  float scale = int8_scale(most);
  uint16_t bits = number_bits(DT_BF16, scale);
  memcpy(group + INT8_SCALE_BYTES * lane, &bits, sizeof bits);
  for (int64_t i = 0; i < count; i++) group[INT8_SCALE_BYTES * PANEL + i / 4 * 4 * PANEL + lane * 4 + i % 4] = (unsigned char)(int8_number(w[i], scale) + INT8_ZERO);
}

float *panels_say(Dtype dt, const float *w, int64_t N, int64_t K) {
  float *said = malloc((size_t)(N * K + 1) * sizeof *said);
  if (!said) abort();
  memcpy(said, w, (size_t)(N * K) * sizeof *said);
  for (int64_t n = 0; dt == DT_I8 && n < N; n++) int8_round(said + n * K, K);
  return said;
}

// w[N, K] in panels; zeros behind the last row.
void *panels_of(Fences *f, Dtype dt, const float *w, int64_t N, int64_t K) {
  int64_t n = (N + PANEL - 1) / PANEL * panel_elems(dt, K);
  void *p = fenced(f, (size_t)(n * dtype_size(dt)));
  memset(p, 0, (size_t)(n * dtype_size(dt)));
  for (int64_t i = 0; dt == DT_I8 && i < (N + PANEL - 1) / PANEL; i++)      // zeros, but for the scales
    for (int64_t k = 0; k < K; k += INT8_GROUP) {
      int64_t rows = K - k < INT8_GROUP ? (K - k + 3) / 4 * 4 : INT8_GROUP;
      memset((char *)p + group_at(K, i * PANEL, k) + INT8_SCALE_BYTES * PANEL, INT8_ZERO, (size_t)(rows * PANEL));
    }
  for (int64_t i = 0; dt == DT_I8 && i < N; i++)
    for (int64_t k = 0; k < K; k += INT8_GROUP) put_group(p, w + i * K + k, K, i, k);
  for (int64_t i = 0; dt != DT_I8 && i < N; i++)
    for (int64_t k = 0; k < K; k++) {
      int64_t at = panel_at(dt, K, i, k);
      if (dt == DT_F32) ((float *)p)[at] = w[i * K + k];
      else ((uint16_t *)p)[at] = number_bits(dt, dt == DT_BF16 ? bf16_rounded(w[i * K + k]) : w[i * K + k]);
    }
  return p;
}
