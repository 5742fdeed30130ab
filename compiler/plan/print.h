// Text forms of the plan's parts. A kernel's text is complete: it is also its identity.
#ifndef CALM_PLAN_PRINT_H
#define CALM_PLAN_PRINT_H
#include "plan/plan.h"

void kernel_print(const Kernel *k, Buf *out);
void rowprog_print(const RowProg *p, Buf *out);
#endif
