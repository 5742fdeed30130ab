// Is there memory for what a command is about to do? Asked before any weight is read.
#ifndef CALM_RUNTIME_MEMORY_H
#define CALM_RUNTIME_MEMORY_H
#include "runtime/commands/command.h"

// What a run takes, this process's own so far counted in, bytes.
typedef struct MemNeed {
  int64_t certain, peak;       // resident
  int64_t address_space;       // certainly
} MemNeed;
typedef enum MemVerdict { MEM_FITS, MEM_TIGHT, MEM_OVER } MemVerdict;
enum { MEM_TEXT = LIMITS_TEXT + 200 };
// Over: what is certain does not fit a limit, or all of it not what the user allows. Tight: all of it does not, or not what is free. text says so with both numbers.
MemVerdict memory_judge(const MemLimits *l, const MemNeed *n, char text[MEM_TEXT]);

MemNeed memory_need(const App *a, const Footprint *f);
// A predicted peak with what predictions are off by: what has to fit in --memory.
static inline int64_t memory_surely(int64_t peak) { return size_sum(peak, peak / 50 + 4000000); }
// Refuses (false and an error) or warns, once for a program. Under --memory a row that nobody counted on gets what is left (Arena.most).
bool memory_check(App *a, const Options *o, const Load *l, RtError *e);
#endif
