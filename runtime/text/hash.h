// Hashing for the tables of this room. Files and texts choose the keys, so hashes depend on a seed that they cannot know: where the table lies.
#ifndef CALM_RUNTIME_TEXT_HASH_H
#define CALM_RUNTIME_TEXT_HASH_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t tk_mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}

static inline uint64_t tk_seed(const void *table) { return (uint64_t)(uintptr_t)table * 0x9E3779B97F4A7C15u; }

static inline uint64_t tk_hash(const char *s, size_t n, uint64_t seed) {
  uint64_t h = seed ^ n * 0x9E3779B97F4A7C15u, w;
  for (; n >= 8; s += 8, n -= 8) {
    memcpy(&w, s, 8);
    h = tk_mix(h ^ w);
  }
  w = 0;
  memcpy(&w, s, n);
  return tk_mix(h ^ w);
}

// Slots of an open-addressing table that is at most half full.
static inline size_t tk_table_size(size_t entries) {
  size_t size = 16;
  while (size < entries * 2) size *= 2;
  return size;
}
#endif
