// What calls of generated code take: counted by kernel, and as spans of time by thread. There where somebody asked for it (--profile, --trace), else
// the pool has none. Times are rt_now's.
#ifndef CALM_RUNTIME_METER_H
#define CALM_RUNTIME_METER_H
#include <stdbool.h>
#include <stdint.h>

#include "runtime/abi/abi.h"

typedef struct MeterCall {     // what is known of a kernel's calls: the word that is a mask, and that says how many rows argument 0 has; 0: none
  int mask, source;
} MeterCall;
typedef struct MeterKernel {
  double seconds;
  double count[N_Per];         // by Per (abi/program.def): calls, rows, pairs …
} MeterKernel;
// Two lists of them: of packing what is frozen, and of all else, which are steps.
typedef enum MeterPart { METER_STEPS, METER_PACK, METER_PARTS } MeterPart;

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
  MeterCall *call;             // given, by kernel
  MeterKernel *kernel;         // [METER_PARTS][nkernel]
  int64_t nkernel;
  double *busy;                // [threads][METER_PARTS][nkernel]: seconds that a thread worked on a kernel
  int threads;
  MeterPart part;              // of what is called now
  double step_seconds;         // of whole steps, with what is done around their kernels
  MeterList *thread;           // spans of each; none where they were not asked for
  MeterList steps;
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
// An entry run.
void meter_step(Meter *m, int entry, int64_t rows, int64_t tokens, double from, double to);
#endif
