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

GradRule grad_none, grad_add, grad_sub, grad_mul, grad_div, grad_neg, grad_exp, grad_log, grad_sqrt, grad_rsqrt,
    grad_tanh, grad_erf, grad_sigmoid, grad_cos, grad_sin, grad_sum, grad_rotate, grad_reshape, grad_linear,
    grad_linear_dx, grad_slice, grad_unslice, grad_lookup, grad_take, grad_untake, grad_attention, grad_xent;
#endif
