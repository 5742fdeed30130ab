// Reverse mode on the graph: activity first, then one gradient rule per op, each returning graph nodes.
#ifndef CALM_AUTODIFF_AUTODIFF_H
#define CALM_AUTODIFF_AUTODIFF_H
#include "graph/graph.h"

// active[n]: some node of wrt reaches n (not by way of a stop_gradient), and n reaches loss. Caller frees nothing (arena).
const bool *autodiff_activity(const Graph *g, NodeId loss, const NodeId *wrt, int nwrt);

// Appends to g the gradients of sum_r seed[r] * loss[r] with respect to each wrt node (same type as the node); seed is
// a node of the loss's type. grad[i] is NODE_NONE when wrt[i] does not reach the loss. Several contributions are added
// in one fixed order. Nodes made are marked backward. Nothing is differentiated that activity does not ask for.
void autodiff_reverse(Graph *g, NodeId loss, NodeId seed, const NodeId *wrt, int nwrt, NodeId *grad);
#endif
