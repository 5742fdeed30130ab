// See rng.h.
#include "runtime/core/rng.h"

static uint64_t mix(uint64_t z) {      // splitmix64 (Steele, Lea & Flood 2014)
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
uint64_t rng_at(uint64_t key, uint64_t counter) { return mix(mix(key + counter * 0x9e3779b97f4a7c15u) ^ key); }
double rng_unit(uint64_t key, uint64_t counter) { return (double)(rng_at(key, counter) >> 11) * 0x1p-53; }
uint64_t rng_key(uint64_t seed, const char *purpose) {
  uint64_t h = 0xcbf29ce484222325u;    // FNV-1a
  for (const char *c = purpose; *c; c++) h = (h ^ (uint8_t)*c) * 0x100000001b3u;
  return mix(mix(seed + 0x9e3779b97f4a7c15u) ^ h);
}
