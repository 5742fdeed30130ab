// Gradients of products, rows by index, attention and the loss.

#include "autodiff/rules.h"

#include "dsl/base/bug.h"
#include "graph/ops.h"

static NodeId in(const Reverse *r, NodeId id, int k) { return r->g->node[id].in[k]; }

_Noreturn static void refuse(const Reverse *r, NodeId id) {
  bug("gradient of op %s asked for", op_name(r->g->node[id].op));
}

void grad_none(Reverse *r, NodeId y, NodeId dy) {
  (void)dy;
  refuse(r, y);
}

// Gives sum_r out[r] in[r]^T to the matrix of product y; one that is read transposed gets it the way it is stored: the operands change
// places.
static void give_matrix(Reverse *r, NodeId y, NodeId out, NodeId inner) {
  NodeId w = in(r, y, 1);
  int n = (int)r->g->node[y].attr.of_linear.inner;              // and of its transpose, linear_dx
  int64_t exact = r->g->node[y].attr.of_linear.exact;
  bool turned = r->g->node[w].op == OP_transpose;
  Attr attr = {.of_linear_dw = {turned ? r->g->node[w].type.rank - n : n, exact}};
  NodeId dw = graph_add(r->g, OP_linear_dw, turned ? (NodeId[]){inner, out} : (NodeId[]){out, inner}, 2, &attr, NULL);
  grad_give(r, turned ? w : y, !turned, dw);
}

void grad_linear(Reverse *r, NodeId y, NodeId dy) {
  NodeId x = in(r, y, 0), w = in(r, y, 1);
  const OpInts_linear *a = &r->g->node[y].attr.of_linear;
  Attr inner = {.of_linear_dx = {a->inner, a->exact}};
  if (grad_wanted(r, y, 0)) grad_give(r, y, 0, graph_add(r->g, OP_linear_dx, (NodeId[]){dy, w}, 2, &inner, NULL));
  if (grad_wanted(r, y, 1)) give_matrix(r, y, dy, x);
}

// y = x W (W[out, in], x over out): x' = linear(dy, W), W' = x^T dy
void grad_linear_dx(Reverse *r, NodeId y, NodeId dy) {
  NodeId x = in(r, y, 0), w = in(r, y, 1);
  const OpInts_linear_dx *a = &r->g->node[y].attr.of_linear_dx;
  Attr inner = {.of_linear = {a->inner, a->exact}};
  if (grad_wanted(r, y, 0)) grad_give(r, y, 0, graph_add(r->g, OP_linear, (NodeId[]){dy, w}, 2, &inner, NULL));
  if (grad_wanted(r, y, 1)) give_matrix(r, y, x, dy);
}

void grad_slice(Reverse *r, NodeId y, NodeId dy) {
  const OpInts_slice *a = &r->g->node[y].attr.of_slice;
  Attr whole = {.of_unslice = {a->axis, a->from, r->g->node[in(r, y, 0)].type.dim[a->axis]}};
  grad_give(r, y, 0, graph_add(r->g, OP_unslice, &dy, 1, &whole, NULL));
}

void grad_unslice(Reverse *r, NodeId y, NodeId dy) {
  const OpInts_unslice *a = &r->g->node[y].attr.of_unslice;
  Attr piece = {.of_slice = {a->axis, a->from, r->g->node[in(r, y, 0)].type.dim[a->axis]}};
  grad_give(r, y, 0, graph_add(r->g, OP_slice, &dy, 1, &piece, NULL));
}

void grad_pick(Reverse *r, NodeId y, NodeId dy) {
  Attr whole = {.of_unpick = {r->g->node[in(r, y, 0)].type.dim[1]}};
  grad_give(r, y, 0, graph_add(r->g, OP_unpick, (NodeId[]){dy, in(r, y, 1)}, 2, &whole, NULL));
}

void grad_unpick(Reverse *r, NodeId y, NodeId dy) { grad_give(r, y, 0, graph_bin(r->g, OP_pick, dy, in(r, y, 1))); }

// The matrices of experts are frozen (build/weight.c), and which of them a row goes to has no gradient. What goes back through them is the other
// product of the pair.
void grad_experts(Reverse *r, NodeId y, NodeId dy) {
  static const OpId back[OP_COUNT] = {[OP_to_experts] = OP_to_experts_dx, [OP_to_experts_dx] = OP_to_experts,
                                      [OP_from_experts] = OP_from_experts_dx, [OP_from_experts_dx] = OP_from_experts};
  if (grad_wanted(r, y, 1)) refuse(r, y);
  if (grad_wanted(r, y, 0)) grad_give(r, y, 0, graph_add(r->g, back[r->g->node[y].op], (NodeId[]){dy, in(r, y, 1), in(r, y, 2)}, 3, &r->g->node[y].attr, NULL));
}

void grad_lookup(Reverse *r, NodeId y, NodeId dy) {
  Attr rows = {.of_lookup_dw = {r->g->node[in(r, y, 1)].type.dim[0], r->g->node[y].attr.of_lookup.from}};
  if (grad_wanted(r, y, 1))
    grad_give(r, y, 1, graph_add(r->g, OP_lookup_dw, (NodeId[]){in(r, y, 0), dy}, 2, &rows, NULL));
}

void grad_take(Reverse *r, NodeId y, NodeId dy) {
  Attr sym = {.of_untake = {type_row_sym(&r->g->node[in(r, y, 0)].type)}};
  grad_give(r, y, 0, graph_add(r->g, OP_untake, (NodeId[]){dy, in(r, y, 1)}, 2, &sym, NULL));
}

void grad_untake(Reverse *r, NodeId y, NodeId dy) {
  grad_give(r, y, 0, graph_bin(r->g, OP_take, dy, in(r, y, 1)));
}

// The log-sum-exp (result 1) is for the backward pass, and read beside result 0 where there are sinks (build/builtins.c).
void grad_attention(Reverse *r, NodeId y, NodeId dy) {
  Graph *g = r->g;
  NodeId dlse = r->part[1][y];
  if (r->part[0][y] < 0) refuse(r, y);
  NodeId out = graph_part(g, y, 0), lse = graph_part(g, y, 1);
  g->node[out].backward = g->node[lse].backward = false;    // they name forward values
  NodeId inputs[8] = {dy, in(r, y, 0), in(r, y, 1), in(r, y, 2), in(r, y, 3), out, lse, dlse};
  Attr attr = {.scale = g->node[y].attr.scale, .softcap = g->node[y].attr.softcap};
  NodeId d = graph_add(g, OP_attention_grad, inputs, 7 + (dlse >= 0), &attr, NULL);
  for (int k = 0; k < 3; k++) {
    if (grad_wanted(r, y, k)) grad_give(r, y, k, graph_part(g, d, k));
  }
}

// The gradient's second result is the loss again; the head's gradient needs it.
void grad_xent(Reverse *r, NodeId y, NodeId dy) {
  bool biased = r->g->node[y].nin == op_max_in(OP_xent);
  NodeId bias = biased ? in(r, y, 3) : NODE_NONE, inputs[6] = {in(r, y, 0), in(r, y, 1), in(r, y, 2), dy, bias};
  Attr attr = {.softcap = r->g->node[y].attr.softcap};
  NodeId d = graph_add(r->g, OP_xent_grad, inputs, 4 + biased, &attr, NULL);
  inputs[4] = graph_part(r->g, d, 1), inputs[5] = bias;
  if (grad_wanted(r, y, 0)) grad_give(r, y, 0, graph_part(r->g, d, 0));
  bool w = grad_wanted(r, y, 1), b = biased && grad_wanted(r, y, 3);
  if (!w && !b) return;
  d = graph_add(r->g, OP_xent_dw, inputs, 5 + biased, &attr, NULL);
  if (w) grad_give(r, y, 1, biased ? graph_part(r->g, d, 0) : d);
  if (b) grad_give(r, y, 3, graph_part(r->g, d, 1));
}
