// See clock.h.
#include "runtime/core/clock.h"

#include <sys/resource.h>
#include <time.h>

double rt_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int64_t rt_peak_resident(void) {
  struct rusage use;
  return getrusage(RUSAGE_SELF, &use) ? 0 : (int64_t)use.ru_maxrss * 1024;
}
