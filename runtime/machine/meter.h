// What calls of generated code take: counted by kernel, and as spans of time by thread. There where somebody asked for it (--profile, --trace), else
// the pool has none. Times are rt_now's.
#ifndef CALM_RUNTIME_METER_H
#define CALM_RUNTIME_METER_H
#include <stdbool.h>
#include <stdint.h>

typedef struct MeterKernel {
  int mask, source;            // given: the word of a call that is a mask, or that says how many rows its argument 0 has; 0: none
  int64_t calls;
  double seconds, rows;
  double more;                 // pairs of a query row and a key row that the masks let through, or rows of argument 0
} MeterKernel;

typedef struct MeterSpan {
  double from, to;
  int32_t what;                // a kernel, a step's entry, a phase; whose list it is in says which
  int32_t rows, tokens;        // of a step
} MeterSpan;
enum { METER_SPANS = 1 << 19 };            // of all lists together, 16 MB: what is beyond is not kept
typedef struct MeterList {
  MeterSpan *span;
  int64_t n, most;
} MeterList;

typedef struct Meter {
  MeterKernel *kernel;         // by id
  int64_t nkernel;
  double *busy;                // [threads][nkernel]: seconds that a thread worked on a kernel
  int threads;
  MeterList *thread;           // spans of each; none where they were not asked for
  MeterList steps, phases;
  bool cut;                    // a list was full, and none has gone on since
} Meter;

// spans: whether those are kept too.
Meter *meter_new(int64_t nkernel, int threads, bool spans);
void meter_free(Meter *m);
// A span at the end of a list, unless one is full. One thread a list.
void meter_span(Meter *m, MeterList *l, const MeterSpan *s);
// The pool's: what one thread did of a call (kernel -1: of something else), and the whole call, on its caller's thread.
void meter_thread(Meter *m, int thread, int32_t kernel, double from, double to);
void meter_call(Meter *m, int64_t kernel, const int64_t *args, double from, double to);
#endif
