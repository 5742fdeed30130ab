// The thread pool behind rt_parallel. Work is cut by shape before it gets here, so results do not depend on the number
// of threads.
#ifndef CALM_RUNTIME_POOL_H
#define CALM_RUNTIME_POOL_H
#include <stdbool.h>
#include <stddef.h>

#include "runtime/abi/abi.h"
#include "runtime/machine/meter.h"

typedef struct RtPool RtPool;

// threads counts the caller; each thread gets scratch_bytes of its own, 64-byte aligned. Never NULL; a thread that cannot be started leaves a
// smaller pool, and a warning says so.
RtPool *pool_new(int threads, size_t scratch_bytes);
void pool_free(RtPool *p);
int pool_threads(const RtPool *p);
// Tasks 0 … ntasks-1 of fn, on all threads, the caller included; returns when all are done. Calls must not nest.
void pool_run(RtPool *p, RtKernel *fn, int64_t ntasks, const int64_t *args);
// The same of a call of generated code: kernel `kernel`, args[0] its rows (rt_abi.h); `phase` tasks at a time (rt_abi.def).
void pool_call(RtPool *p, int64_t kernel, RtKernel *fn, int64_t ntasks, int64_t phase, const int64_t *args);
// m counts calls from now on, which is as long as it is there; NULL: nobody does.
void pool_measure(RtPool *p, Meter *m);
// Who watches the calls of generated code, on the caller's thread; NULL: nobody any more.
typedef struct PoolWatch {
  bool (*before)(void *user, const int64_t *args);           // false: the call is left out
  void (*after)(void *user, const int64_t *args, int64_t done, int64_t ntasks);    // when the first `done` tasks are, after every `slice` of them and after the last
  int64_t slice;
  void *user;
} PoolWatch;
void pool_watch(RtPool *p, const PoolWatch *w);
#endif
