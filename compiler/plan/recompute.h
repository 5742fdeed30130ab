// Recomputation: a backward node that reads cheap forward row work gets its own copy of it, so that the value is not kept in memory
// from the forward pass on.
#ifndef CALM_PLAN_RECOMPUTE_H
#define CALM_PLAN_RECOMPUTE_H
#include "graph/graph.h"

Graph *recompute(const Graph *g, Arena *a);
#endif
