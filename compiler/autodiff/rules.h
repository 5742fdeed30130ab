// Gradient rules: one per distinct name in ops.def's gradient column. Given a node and the gradient of its result, a
// rule adds the gradient of each input that is asked for.
#ifndef CALM_AUTODIFF_RULES_H
#define CALM_AUTODIFF_RULES_H
#include "graph/graph.h"

typedef struct Reverse {
  Graph *g;
  const bool *active;          // per node of the graph as it was before differentiation
  NodeId *grad;                // node -> its gradient so far, NODE_NONE
  NodeId *part[MAX_OUT];       // node -> gradient of result k of a node with several
} Reverse;

typedef void GradRule(Reverse *r, NodeId id, NodeId dy);

bool grad_wanted(const Reverse *r, NodeId id, int input);     // is that input active?
void grad_give(Reverse *r, NodeId id, int input, NodeId dx);  // dx has the input's type; added to what is there
NodeId sum_to(Graph *g, NodeId dx, const Type *to);           // undoes broadcasting: sums dx down to that type
// Sums dx down to the input's type, then gives it.
void grad_give_summed(Reverse *r, NodeId id, int input, NodeId dx);

#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) GradRule grad_##grad;
#include "graph/ops.def"
#undef X
#endif
