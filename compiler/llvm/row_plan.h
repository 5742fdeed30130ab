// A row program arranged in loops (row_plan.c); internal to the row emitter.
#ifndef CALM_LLVM_ROW_PLAN_H
#define CALM_LLVM_ROW_PLAN_H
#include "plan/plan.h"

typedef struct RowLoop {
  int rank;                    // 0: one number
  int64_t dim[MAX_RANK];
} RowLoop;
typedef struct RowPlan {
  RowLoop *loop;               // at most one a value
  int nloop, nshared;          // the first nshared loops run once a task, before its rows
  int *of;                     // value -> loop, -1: evaluated where it is used
} RowPlan;

void row_plan(const RowProg *p, RowPlan *plan);
void row_plan_free(RowPlan *plan);
// Does a later loop, or a value evaluated elsewhere, read value i?
bool row_read_later(const RowProg *p, const RowPlan *plan, int i);
#endif
