// The shape rules named in ops.def. Each fills n->out[] (and nout when there are several results), or says what is
// wrong.
#ifndef CALM_GRAPH_SHAPE_H
#define CALM_GRAPH_SHAPE_H
#include "graph/ops.h"

// Type of operand k; an error text that shows all operands' types.
const Type *shape_in(const Graph *g, const Node *n, int k);
const char *shape_bad(const Graph *g, const Node *n, const char *what);

ShapeRule shape_source, shape_mask, shape_broadcast, shape_same, shape_float, shape_reduce_last, shape_rotate,
    shape_reshape, shape_part, shape_linear, shape_linear_dx, shape_linear_dw, shape_lookup, shape_lookup_dw,
    shape_take, shape_untake, shape_append, shape_attention, shape_attention_grad, shape_xent, shape_xent_grad,
    shape_xent_dw, shape_colsum, shape_transpose, shape_slice, shape_unslice;
#endif
