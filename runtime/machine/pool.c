// A small pool for kernels of a few microseconds. One job at a time: a generation number and the next task share one
// atomic word, so that a thread arriving late can neither take a task of a finished job nor has to be waited for. Idle
// threads spin briefly, then sleep on a futex.
#include "runtime/machine/pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/core/core.h"

// pause instructions (some 10 to 40 ns each) before sleeping or yielding
enum { SPIN_IDLE = 20000, SPIN_DONE = 4000 };
#define CLOSED 0xffffffffu                         // no task may be taken: the job's fields are being written

typedef struct Worker {
  RtPool *pool;
  void *room, *scratch;        // the block, and where it is aligned
  pthread_t thread;
} Worker;

struct RtPool {
  _Alignas(64) _Atomic uint64_t state;             // generation << 32 | next task
  _Alignas(64) _Atomic uint64_t done;              // tasks finished
  _Alignas(64) _Atomic uint32_t wake;              // futex: changes with every job
  _Atomic uint32_t sleepers;
  _Atomic(RtKernel *) fn;
  _Atomic(const int64_t *) args;
  _Atomic uint32_t ntasks;
  _Atomic int64_t first;       // the number of task 0, where a call is run in slices
  _Atomic(Meter *) meter;      // NULL: nobody counts
  _Atomic int32_t kernel;      // of the job, for the meter; -1: no kernel's
  atomic_bool stop;
  int threads, started, rooms; // in use; that run, the caller included; with a room
  void *mem, *held;            // the block that the pool lies in, aligned; its threads, by the call (rt_object)
  Worker *worker;                                  // threads of them; worker[0] is the caller
  const PoolWatch *watch;      // NULL: nobody
};

static void relax(void) { __builtin_ia32_pause(); }
static long futex(_Atomic uint32_t *word, int op, uint32_t val) { return syscall(SYS_futex, word, op, val, NULL, NULL,
    0); }

// Takes tasks of the current job until there are none left.
static void drain(RtPool *p, const Worker *w) {
  uint64_t count = 0;
  double from = 0;
  Meter *meter = NULL;
  int32_t kernel = -1;
  for (;;) {
    uint64_t s = atomic_load(&p->state);
    uint32_t task = (uint32_t)s;
    if (task == CLOSED) break;
    RtKernel *fn = atomic_load(&p->fn);
    const int64_t *args = atomic_load(&p->args), first = atomic_load(&p->first);
    if (task >= atomic_load(&p->ntasks)) break;
    // Succeeds only in the very generation the fields were read in: they change only while the state is CLOSED.
    if (!atomic_compare_exchange_weak(&p->state, &s, s + 1)) continue;
    if (!count++ && (meter = atomic_load_explicit(&p->meter, memory_order_relaxed)))
      kernel = atomic_load_explicit(&p->kernel, memory_order_relaxed), from = rt_now();
    fn(first + task, args, w->scratch);
  }
  if (meter) meter_thread(meter, (int)(w - p->worker), kernel, from, rt_now());
  if (count) atomic_fetch_add(&p->done, count);
}

static bool has_work(RtPool *p) {
  uint32_t task = (uint32_t)atomic_load(&p->state);
  return task != CLOSED && task < atomic_load(&p->ntasks);
}

static void *worker_main(void *arg) {
  Worker *w = arg;
  RtPool *p = w->pool;
  while (!atomic_load(&p->stop)) {
    uint32_t seen = atomic_load(&p->wake);
    drain(p, w);
    int spin = 0;
    while (atomic_load_explicit(&p->wake, memory_order_relaxed) == seen && ++spin < SPIN_IDLE) relax();
    if (spin < SPIN_IDLE) continue;
    atomic_fetch_add(&p->sleepers, 1);
    while (atomic_load(&p->wake) == seen && !has_work(p)) futex(&p->wake, FUTEX_WAIT_PRIVATE, seen);
    atomic_fetch_sub(&p->sleepers, 1);
  }
  return NULL;
}

enum { ALIGN = 64, STACK_BYTES = 1 << 20 };
// In a block that is that much larger.
static void *aligned(void *block) { return (void *)(((uintptr_t)block + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1)); }

// The threads that there are end, whether or not all of the pool was made.
static void pool_end(void *object) {
  RtPool *p = *(RtPool **)object;
  atomic_store(&p->stop, true);
  atomic_fetch_add(&p->wake, 1);
  futex(&p->wake, FUTEX_WAKE_PRIVATE, INT32_MAX);
  for (int i = 1; i < p->started; i++) pthread_join(p->worker[i].thread, NULL);
}

static void start_threads(RtPool *p) {
  int why = 0;
  for (p->started = 1; p->started < p->threads && !why; p->started += !why)
    why = rt_thread_start(&p->worker[p->started].thread, STACK_BYTES, worker_main, &p->worker[p->started]);
  if (why) rt_warn("%d of %d threads only: another could not be started (%s; see ulimit -u and -v)", p->started, p->threads, strerror(why));
  p->threads = p->started;
}

RtPool *pool_new(int threads, size_t scratch_bytes) {
  void *mem = rt_alloc(1, sizeof(RtPool) + ALIGN);
  RtPool *p = aligned(mem), **held = rt_object(sizeof *held, pool_end);
  *held = p;
  *p = (RtPool){.mem = mem, .held = held, .state = CLOSED, .kernel = -1, .threads = threads < 1 ? 1 : threads};
  p->worker = rt_alloc((size_t)p->threads, sizeof *p->worker);
  for (int i = 0; i < p->threads; i++) {
    void *room = rt_alloc(1, scratch_bytes + ALIGN);
    p->worker[i] = (Worker){.pool = p, .room = room, .scratch = aligned(room)};
  }
  p->rooms = p->threads;
  start_threads(p);
  return p;
}

void pool_free(RtPool *p) {
  if (!p) return;
  rt_end(p->held);
  for (int i = 0; i < p->rooms; i++) rt_free(p->worker[i].room);
  rt_free(p->worker);
  rt_free(p->mem);
}

int pool_threads(const RtPool *p) { return p->threads; }

static void run_alone(RtPool *p, int32_t kernel, RtKernel *fn, int64_t first, int64_t ntasks, const int64_t *args) {
  Meter *m = atomic_load_explicit(&p->meter, memory_order_relaxed);
  double from = m ? rt_now() : 0;
  for (int64_t t = 0; t < ntasks; t++) fn(first + t, args, p->worker[0].scratch);
  if (m && ntasks) meter_thread(m, 0, kernel, from, rt_now());
}

static void run(RtPool *p, int32_t kernel, RtKernel *fn, int64_t first, int64_t ntasks, const int64_t *args) {
  if (ntasks <= 1 || p->threads == 1) {
    run_alone(p, kernel, fn, first, ntasks, args);
    return;
  }
  if (ntasks >= CLOSED) {
    fprintf(stderr, "calm: bug: a kernel of %lld tasks\n", (long long)ntasks);
    abort();
  }
  uint64_t next = ((atomic_load(&p->state) >> 32) + 1) << 32;
  atomic_store(&p->state, next | CLOSED);
  atomic_store(&p->fn, fn);
  atomic_store(&p->args, args);
  atomic_store(&p->ntasks, (uint32_t)ntasks);
  atomic_store(&p->first, first);
  atomic_store_explicit(&p->kernel, kernel, memory_order_relaxed);
  atomic_store(&p->done, 0);
  atomic_store(&p->state, next);
  atomic_fetch_add(&p->wake, 1);
  if (atomic_load(&p->sleepers)) futex(&p->wake, FUTEX_WAKE_PRIVATE, ntasks > p->threads ? p->threads : (int)ntasks);
  drain(p, &p->worker[0]);
  for (int spin = 0; atomic_load(&p->done) != (uint64_t)ntasks; spin++) {
    relax();
    if (spin > SPIN_DONE) sched_yield();           // more threads than processors: let the others finish
  }
}

void pool_run(RtPool *p, RtKernel *fn, int64_t ntasks, const int64_t *args) { run(p, -1, fn, 0, ntasks, args); }

void pool_call(RtPool *p, int64_t kernel, RtKernel *fn, int64_t ntasks, int64_t phase, const int64_t *args) {
  Meter *m = atomic_load_explicit(&p->meter, memory_order_relaxed);
  double from = m ? rt_now() : 0;
  const PoolWatch *w = p->watch;
  if (w && !w->before(w->user, args)) return;
  int64_t slice = w ? w->slice : ntasks;
  for (int64_t done = 0, n; done < ntasks; done += n) {
    int64_t left = phase - done % phase, rest = ntasks - done < left ? ntasks - done : left;
    n = rest < slice ? rest : slice;
    run(p, (int32_t)kernel, fn, done, n, args);
    if (w) w->after(w->user, args, done + n, ntasks);
  }
  if (m) meter_call(m, kernel, args, from, rt_now());
}

void pool_measure(RtPool *p, Meter *m) { atomic_store(&p->meter, m); }

void pool_watch(RtPool *p, const PoolWatch *w) { p->watch = w; }

// Measured by what runs: a kernel that is the same in every precision is one, of the first.
void rt_parallel(const RtCtx *ctx, int64_t of, int64_t kernel, int64_t ntasks, int64_t phase, const int64_t *args) {
  int64_t p = ctx->precision[of];
  RtKernel *fn = ctx->kernel[p][kernel];
  if (fn == ctx->kernel[0][kernel]) p = 0;
  pool_call(ctx->pool, p * ctx->nkernel + kernel, fn, ntasks, phase, args);
}
