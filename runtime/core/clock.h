// Time and memory of this process so far.
#ifndef CALM_RUNTIME_CLOCK_H
#define CALM_RUNTIME_CLOCK_H
#include <stdint.h>

double rt_now(void);           // seconds, monotonic
int64_t rt_peak_resident(void);    // the most memory this process had resident so far, in bytes
int64_t rt_resident(void);         // what it has now
int64_t rt_address_space(void);    // what of its address space is taken
// Processor seconds: of this process, and of the whole machine over all its processors; -1 where the system does not say.
double rt_cpu_used(void);
double rt_machine_used(int *processors);
#endif
