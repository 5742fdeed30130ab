// What this machine can do at most, measured: the yardstick of every speed that calm states. `rates` prints it, bench/roofline stands on it.
#ifndef CALM_EXAMPLES_PEAK_H
#define CALM_EXAMPLES_PEAK_H

int peak_cores(void);                                    // cores this process may run on
// Name of the i-th instruction-set path of calm that this processor runs ("avx512", "avx2"), best first; NULL ends.
const char *peak_isa(int i);
double peak_now(void);                                   // seconds
double peak_cpu(void);                                   // seconds this thread has run: other programs on its core do not count
// f32 fused multiply-adds (two operations each) per second of one instruction-set path, all operands in registers,
// on `threads` threads at once for about `seconds`; operations/s of all together. 0 for a path unknown here.
double peak_fma(const char *isa, int threads, double seconds);
// Bytes/s read from memory by `threads` threads, each over an array much larger than any cache.
double peak_read(int threads, double seconds);
#endif
