// What this process may use of the machine: processors and memory, and who says so. Read once, before work is cut.
#ifndef CALM_RUNTIME_LIMITS_H
#define CALM_RUNTIME_LIMITS_H
#include <sched.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/core.h"

enum { LIMITS_TEXT = 320, LIMITS_THREADS = 1024 };        // text of a limit; most threads of a pool

typedef struct CpuLimits {
  int processors;              // that the affinity mask has
  int cores;                   // of them that are cores of their own; equal to processors where the system does not say
  bool pinned;                 // the mask leaves processors of the machine out
  int64_t quota, period;       // the smallest CPU quota, microseconds a period; period 0: none
  char quota_of[LIMITS_TEXT];  // the cgroup
} CpuLimits;

void limits_cpu(CpuLimits *l);
// The same of another machine (tests): its files below root, and a mask of `bytes` bytes.
void limits_cpu_of(CpuLimits *l, const char *root, const cpu_set_t *mask, size_t bytes);

typedef struct MemLimits {
  int64_t limit;               // bytes, the smallest that a control group sets; 0: none
  char limit_of[LIMITS_TEXT];  // the file that says so
  int64_t asked;               // the user's own, by --memory, for all that this process takes; 0: none. Not read here
  int64_t available;           // free for new programs without swapping, page cache counted in; 0: the system does not say
  int64_t address_space;       // that this process may have (ulimit -v); 0: no limit
} MemLimits;

void limits_memory(MemLimits *l);
// Bytes that this process can take besides what it has, by all of that; INT64_MAX where nothing says.
int64_t limits_memory_room(void);
void limits_memory_of(MemLimits *l, const char *root);     // without address_space, which is this process's

// Threads where nobody asks for a number: a core each, no more than the quota pays for, one at least. What decided it is in why ("2 cores").
int limits_threads(const CpuLimits *l, char why[LIMITS_TEXT]);
// The same of this process, or what CALM_THREADS says. False and an error where that is no number of threads.
bool limits_threads_here(int *threads, char why[LIMITS_TEXT], RtError *e);
// A number of threads that somebody gave as text. False and an error that names what it was given by.
bool limits_threads_given(const char *by, const char *text, int *threads, RtError *e);
#endif
