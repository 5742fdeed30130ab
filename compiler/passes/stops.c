// Drops stop_gradient: it says what autodiff leaves alone, and computes nothing. Before cse, so that a value read both with it and
// without is computed once.
#include "passes/passes.h"
#include "passes/rewrite.h"

Graph *pass_stops(const Graph *g, Arena *a) {
  Rewrite r = rewrite_begin(g, a);
  for (int i = 0; i < g->n; i++) {
    if (op_is(g->node[i].op, T_GONE)) r.map[i] = r.map[g->node[i].in[0]];
    else rewrite_same(&r, i);
  }
  return rewrite_end(&r);
}
