// What this processor can do at most, measured: the yardstick of every speed that calm states (--profile, calmc doctor, bench/roofline, the examples).
// Stands alone: neither memory nor threads of the runtime's.
#ifndef CALM_RUNTIME_RATES_H
#define CALM_RUNTIME_RATES_H
#include <stdbool.h>
#include <stdint.h>

// The i-th instruction-set path that this processor runs ("avx512", "avx2"), best first; NULL ends.
const char *rate_path(int i);
bool rate_has_bf16(void);                                // multiplies pairs of bf16 into f32
double rate_cpu(void);                                   // seconds this thread has run: other programs on its core do not count

// Operations per second of `threads` threads together over about `seconds` each, all operands in registers; a multiply-add is two.
// f32 fused multiply-adds of a path; 0 for one that is not rate_path's.
double rate_f32(const char *path, int threads, double seconds);
// Products of bf16 pairs added to f32; 0 where the processor has none.
double rate_bf16(int threads, double seconds);
// Bytes per second that they read from memory, each its own, much more than caches hold: the best of several ways to read, over about `seconds` in all. 0
// where there is no memory to read; it takes no more than `room` bytes of it.
double rate_memory(int threads, double seconds, int64_t room);
#endif
