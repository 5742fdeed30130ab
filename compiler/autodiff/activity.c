// Activity: what has to be differentiated at all. Forwards from what is asked for, as far as no stop_gradient stands in the way,
// backwards from the loss; active is both.
#include "autodiff/autodiff.h"

const bool *autodiff_activity(const Graph *g, NodeId loss, const NodeId *wrt, int nwrt) {
  size_t n = (size_t)g->n + 1;
  bool *reached = ARENA_ARRAY(g->arena, bool, n), *reaches = ARENA_ARRAY(g->arena, bool, n);
  for (int i = 0; i < nwrt; i++) reached[wrt[i]] = true;
  for (NodeId i = 0; i < g->n; i++) {
    if (op_is(g->node[i].op, T_STOPS)) continue;
    for (int k = 0; k < g->node[i].nin; k++) reached[i] |= reached[g->node[i].in[k]];
  }
  reaches[loss] = true;
  for (NodeId i = g->n - 1; i >= 0; i--) {
    for (int k = 0; reaches[i] && k < g->node[i].nin; k++) reaches[g->node[i].in[k]] = true;
  }
  for (NodeId i = 0; i < g->n; i++) reached[i] &= reaches[i];
  return reached;
}
