// The free room of a region as a list of gaps, by where they begin; the last has no end. A value takes room when it begins to live and gives it back when
// it has died: what is alive may be many, gaps are few.
#ifndef CALM_PLAN_GAPS_H
#define CALM_PLAN_GAPS_H
#include <stdbool.h>
#include <stdint.h>

#include "dsl/base/arena.h"

typedef struct Gap {
  int64_t begin, end;
} Gap;
typedef struct Gaps {          // {0}: all is free
  Gap *v;
  int n, cap;
} Gaps;

int64_t gaps_first(const Gaps *g, int64_t size);                      // where the first gap begins that holds so much
bool gaps_take(Arena *a, Gaps *g, int64_t at, int64_t size);          // false: not all of it is free
bool gaps_give(Arena *a, Gaps *g, int64_t at, int64_t size);          // false: some of it is free already
#endif
