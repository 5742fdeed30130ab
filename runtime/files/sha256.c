// SHA-256 (FIPS 180-4): in plain C, and with the processor's instructions where it has them. See sha256.h.
#include "runtime/files/sha256.h"

#include <cpuid.h>
#include <immintrin.h>
#include <stdio.h>
#include <string.h>

static const _Alignas(16) uint32_t K[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
  0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
  0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
  0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
  0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
  0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void block_plain(uint32_t h[8], const uint8_t *p) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++) w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + (ror(x, 7) ^ ror(x, 18) ^ x >> 3) + w[i - 7] + (ror(y, 17) ^ ror(y, 19) ^ y >> 10);
  }
  uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
  for (int i = 0; i < 64; i++) {
    uint32_t t1 = k + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + (g ^ (e & (f ^ g))) + K[i] + w[i];
    uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & b) | (c & (a | b)));
    k = g, g = f, f = e, e = d + t1;
    d = c, c = b, b = a, a = t1 + t2;
  }
  uint32_t v[8] = {a, b, c, d, e, f, g, k};
  for (int i = 0; i < 8; i++) h[i] += v[i];
}

static void blocks_plain(uint32_t h[8], const uint8_t *p, size_t n) {
  for (; n; n--, p += 64) block_plain(h, p);
}

// The processor's own rounds (SHA extensions). It wants the state as words ABEF and CDGH, highest first, and takes four words of the schedule at
// a time; w holds the last sixteen.
__attribute__((target("sha,sse4.1"))) static void blocks_sha(uint32_t h[8], const uint8_t *p, size_t n) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h), 0xB1), efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h + 1), 0x1B);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
  for (; n; n--, p += 64) {
    __m128i w[4], abef0 = abef, cdgh0 = cdgh;
    for (int i = 0; i < 4; i++) w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p + i), swap);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
      __m128i wk = _mm_add_epi32(w[i % 4], _mm_load_si128((const __m128i *)K + i));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0E));
      if (i >= 12) continue;
      __m128i next = _mm_add_epi32(_mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]), _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4));
      w[i % 4] = _mm_sha256msg2_epu32(next, w[(i + 3) % 4]);
    }
    abef = _mm_add_epi32(abef, abef0), cdgh = _mm_add_epi32(cdgh, cdgh0);
  }
  __m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128((__m128i *)h, _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128((__m128i *)h + 1, _mm_alignr_epi8(dchg, feba, 8));
}

static bool has_plain(void) { return true; }
static bool has_sha(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

static const Sha256Path PATH[] = {{"sha", has_sha, blocks_sha}, {"plain", has_plain, blocks_plain}};

const Sha256Path *sha256_path(int i) { return i >= 0 && i < (int)(sizeof PATH / sizeof PATH[0]) ? &PATH[i] : NULL; }

void sha256_init_on(Sha256 *s, const Sha256Path *path) {
  *s = (Sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}, .path = path};
}

void sha256_init(Sha256 *s) {
  int i = 0;
  while (!PATH[i].here()) i++;
  sha256_init_on(s, &PATH[i]);
}

void sha256_add(Sha256 *s, const void *data, size_t n) {
  const uint8_t *p = data;
  size_t have = s->bytes % 64;
  if (!n) return;              // data may be NULL then
  s->bytes += n;
  if (have) {
    size_t k = n < 64 - have ? n : 64 - have;
    memcpy(s->block + have, p, k);
    p += k;
    n -= k;
    if (have + k < 64) return;
    s->path->blocks(s->h, s->block, 1);
  }
  s->path->blocks(s->h, p, n / 64);
  if (n % 64) memcpy(s->block, p + n / 64 * 64, n % 64);
}

void sha256_end(Sha256 *s, uint8_t out[SHA256_BYTES]) {
  uint64_t bits = s->bytes * 8;
  uint8_t pad[72] = {0x80}, n = (uint8_t)((s->bytes % 64 < 56 ? 56 : 120) - s->bytes % 64);
  for (int i = 0; i < 8; i++) pad[n + i] = (uint8_t)(bits >> (56 - 8 * i));
  sha256_add(s, pad, n + 8u);
  for (int i = 0; i < SHA256_BYTES; i++) out[i] = (uint8_t)(s->h[i / 4] >> (24 - i % 4 * 8));
}

void sha256_hex(Sha256 *s, char out[SHA256_HEX]) {
  uint8_t sum[SHA256_BYTES];
  sha256_end(s, sum);
  for (int i = 0; i < SHA256_BYTES; i++) snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

void sha256_of(const void *data, size_t n, char out[SHA256_HEX]) {
  Sha256 s;
  sha256_init(&s);
  sha256_add(&s, data, n);
  sha256_hex(&s, out);
}
