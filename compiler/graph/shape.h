// The shape rules named in ops.def. Each fills n->out[] (and nout when there are several results), or says what is
// wrong.
#ifndef CALM_GRAPH_SHAPE_H
#define CALM_GRAPH_SHAPE_H
#include "graph/graph.h"

// One per distinct name in ops.def.
typedef const char *ShapeRule(const Graph *g, Node *n);

// Type of operand k; an error text that shows all operands' types.
const Type *shape_in(const Graph *g, const Node *n, int k);
const char *shape_bad(const Graph *g, const Node *n, const char *what);

#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) ShapeRule shape_##shape;
#include "graph/ops.def"
#undef X
#endif
