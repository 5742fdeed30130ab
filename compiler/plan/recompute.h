// Recomputation: a backward node that reads forward values which are not kept gets its own copy of what makes them, so that they are not in memory from
// the forward pass on. Cheap row work is always made again; RECOMPUTE_PRODUCTS also makes products again (entry `lean`).
#ifndef CALM_PLAN_RECOMPUTE_H
#define CALM_PLAN_RECOMPUTE_H
#include "graph/graph.h"

typedef enum Recomputed { RECOMPUTE_ROW_WORK, RECOMPUTE_PRODUCTS } Recomputed;
// *products (may be NULL): how many products are made again.
Graph *recompute(const Graph *g, Arena *a, Recomputed what, int *products);
#endif
