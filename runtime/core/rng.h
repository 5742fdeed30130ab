// Random numbers that follow from what they are for, never from the order of asking.
#ifndef CALM_RUNTIME_RNG_H
#define CALM_RUNTIME_RNG_H
#include <stdint.h>

// A counter-based generator (splitmix64's finalizer over key and counter): the same number for the same key and
// counter, always.
uint64_t rng_at(uint64_t key, uint64_t counter);
double rng_unit(uint64_t key, uint64_t counter);               // in [0, 1), 53 bits
uint64_t rng_key(uint64_t seed, const char *purpose);
#endif
