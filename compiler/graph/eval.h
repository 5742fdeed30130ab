// The reference evaluator: naive loops in double. It is the oracle of every numeric test.
#ifndef CALM_GRAPH_EVAL_H
#define CALM_GRAPH_EVAL_H
#include "graph/graph.h"

// A mask at run time, per query row: key rows [lo, hi), absolute row numbers of the key symbol.
typedef struct EvalMask {
  const int32_t *lo, *hi;
} EvalMask;

typedef struct EvalEnv {
  const int64_t *sym;                                       // extent of each row symbol
  // Values of a source node (input, weight, param, cache): n elements, as double. NULL = not given (an error).
  const double *(*source)(void *user, const Graph *g, NodeId id, int64_t n);
  EvalMask (*mask)(void *user, const Graph *g, NodeId id);
  void *user;
} EvalEnv;

// Evaluates all nodes; result k of node n is (*value)[n * MAX_OUT + k] (malloc'ed arrays, free with eval_free).
// Returns NULL or what went wrong.
const char *graph_eval(const Graph *g, const EvalEnv *env, Arena *a, double ***value);
void eval_free(const Graph *g, double **value);
#endif
