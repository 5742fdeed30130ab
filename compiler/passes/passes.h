// Graph to graph passes, one file each, one row each in passes.def. A pass takes a graph and returns a new one (same arena);
// it never prints and never exits. pass_run verifies after each, and aborts naming the pass when a graph is malformed.
#ifndef CALM_PASSES_PASSES_H
#define CALM_PASSES_PASSES_H
#include "graph/graph.h"

typedef struct Pass {
  const char *name;
  const char *what;                          // one line for --help
  Graph *(*run)(const Graph *g, Arena *a);
} Pass;
extern const Pass passes[];                  // in order; name NULL ends the table

// Each by name, for use apart from the sequence.
#define X(fn, name, what) Graph *pass_##fn(const Graph *g, Arena *a);
#include "passes/passes.def"
#undef X

typedef void PassDump(void *user, const Pass *p, const Graph *g);
Graph *passes_run(const Graph *g, Arena *a, PassDump *dump, void *user);

// Stage analysis: one Stage per node (arena).
const Stage *stage_analyse(const Graph *g, Arena *a);
#endif
