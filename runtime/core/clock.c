// See clock.h.
#include "runtime/core/clock.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

double rt_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// Fields of /proc/self/statm: address space, resident, …, in pages.
static int64_t pages(int field) {
  long long n[2] = {0, 0};
  FILE *f = fopen("/proc/self/statm", "re");
  if (!f) return 0;
  int got = fscanf(f, "%lld %lld", &n[0], &n[1]);
  fclose(f);
  return got == 2 ? n[field] * sysconf(_SC_PAGESIZE) : 0;
}

int64_t rt_address_space(void) { return pages(0); }
int64_t rt_resident(void) { return pages(1); }

int64_t rt_peak_resident(void) {
  struct rusage use;
  return getrusage(RUSAGE_SELF, &use) ? 0 : (int64_t)use.ru_maxrss * 1024;
}

static double seconds(struct timeval t) { return (double)t.tv_sec + 1e-6 * (double)t.tv_usec; }

double rt_cpu_used(void) {
  struct rusage use;
  return getrusage(RUSAGE_SELF, &use) ? -1 : seconds(use.ru_utime) + seconds(use.ru_stime);
}

// The first line of /proc/stat: ticks of user, nice, system, idle, iowait, irq, softirq, steal.
double rt_machine_used(int *processors) {
  enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, N };
  double t[N];
  FILE *f = fopen("/proc/stat", "re");
  if (!f) return -1;
  int got = fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &t[USER], &t[NICE], &t[SYSTEM], &t[IDLE], &t[IOWAIT], &t[IRQ], &t[SOFTIRQ], &t[STEAL]);
  fclose(f);
  *processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
  return got == N ? (t[USER] + t[NICE] + t[SYSTEM] + t[IRQ] + t[SOFTIRQ] + t[STEAL]) / (double)sysconf(_SC_CLK_TCK) : -1;
}
