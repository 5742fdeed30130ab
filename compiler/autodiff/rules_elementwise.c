// Gradients of elementwise and last-axis work. Each is written with the forward value y where that is shorter.
#include "autodiff/rules.h"

static NodeId in(const Reverse *r, NodeId id, int k) { return r->g->node[id].in[k]; }
static NodeId mul(Reverse *r, NodeId a, NodeId b) { return graph_bin(r->g, OP_mul, a, b); }
static NodeId scaled(Reverse *r, NodeId a, double s) { return mul(r, a, graph_const(r->g, s)); }

void grad_add(Reverse *r, NodeId y, NodeId dy) {
  grad_give_summed(r, y, 0, dy);
  grad_give_summed(r, y, 1, dy);
}

void grad_sub(Reverse *r, NodeId y, NodeId dy) {
  grad_give_summed(r, y, 0, dy);
  if (grad_wanted(r, y, 1)) grad_give_summed(r, y, 1, graph_un(r->g, OP_neg, dy));
}

void grad_mul(Reverse *r, NodeId y, NodeId dy) {
  NodeId a = in(r, y, 0), b = in(r, y, 1);
  if (grad_wanted(r, y, 0)) grad_give_summed(r, y, 0, mul(r, dy, b));
  if (grad_wanted(r, y, 1)) grad_give_summed(r, y, 1, mul(r, dy, a));
}

// y = a / b: a' = dy / b, b' = -dy y / b
void grad_div(Reverse *r, NodeId y, NodeId dy) {
  NodeId b = in(r, y, 1);
  NodeId q = graph_bin(r->g, OP_div, dy, b);
  grad_give_summed(r, y, 0, q);
  if (grad_wanted(r, y, 1)) grad_give_summed(r, y, 1, graph_un(r->g, OP_neg, mul(r, q, y)));
}

void grad_neg(Reverse *r, NodeId y, NodeId dy) { grad_give(r, y, 0, graph_un(r->g, OP_neg, dy)); }

// x / (|x| + 2^-126): the sign, which is 0 at 0, and falls off to it below the smallest normal number
void grad_abs(Reverse *r, NodeId y, NodeId dy) {
  NodeId size = graph_bin(r->g, OP_add, y, graph_const(r->g, 0x1p-126));
  grad_give(r, y, 0, mul(r, dy, graph_bin(r->g, OP_div, in(r, y, 0), size)));
}

void grad_exp(Reverse *r, NodeId y, NodeId dy) { grad_give(r, y, 0, mul(r, dy, y)); }

void grad_log(Reverse *r, NodeId y, NodeId dy) { grad_give(r, y, 0, graph_bin(r->g, OP_div, dy, in(r, y, 0))); }

void grad_sqrt(Reverse *r, NodeId y, NodeId dy) { grad_give(r, y, 0, graph_bin(r->g, OP_div, scaled(r, dy, 0.5), y)); }

// y = x^(-1/2): x' = -1/2 y^3 dy
void grad_rsqrt(Reverse *r, NodeId y, NodeId dy) {
  grad_give(r, y, 0, mul(r, dy, scaled(r, mul(r, mul(r, y, y), y), -0.5)));
}

// 1 - y^2
void grad_tanh(Reverse *r, NodeId y, NodeId dy) {
  grad_give(r, y, 0, mul(r, dy, graph_bin(r->g, OP_sub, graph_const(r->g, 1), mul(r, y, y))));
}

// 2 / sqrt(pi) exp(-x^2)
void grad_erf(Reverse *r, NodeId y, NodeId dy) {
  NodeId x = in(r, y, 0);
  NodeId e = graph_un(r->g, OP_exp, graph_un(r->g, OP_neg, mul(r, x, x)));
  grad_give(r, y, 0, mul(r, dy, scaled(r, e, 1.1283791670955126)));
}

// y (1 - y)
void grad_sigmoid(Reverse *r, NodeId y, NodeId dy) {
  grad_give(r, y, 0, mul(r, dy, mul(r, y, graph_bin(r->g, OP_sub, graph_const(r->g, 1), y))));
}

void grad_cos(Reverse *r, NodeId y, NodeId dy) {
  grad_give(r, y, 0, graph_un(r->g, OP_neg, mul(r, dy, graph_un(r->g, OP_sin, in(r, y, 0)))));
}

void grad_sin(Reverse *r, NodeId y, NodeId dy) { grad_give(r, y, 0, mul(r, dy, graph_un(r->g, OP_cos, in(r, y, 0)))); }

// Every addend gets the sum's gradient: dy [.., 1] stretched over the last extent of x.
void grad_sum(Reverse *r, NodeId y, NodeId dy) {
  const Type *t = &r->g->node[in(r, y, 0)].type;
  int64_t n = t->dim[t->rank - 1];
  double *one = ARENA_ARRAY(r->g->arena, double, n ? n : 1);
  for (int64_t i = 0; i < n; i++) one[i] = 1;
  grad_give(r, y, 0, n == 1 ? dy : mul(r, dy, graph_const_vec(r->g, one, n)));
}

// The rotation's transpose is its negative.
void grad_rotate(Reverse *r, NodeId y, NodeId dy) {
  grad_give(r, y, 0, graph_un(r->g, OP_neg, graph_un(r->g, OP_rotate, dy)));
}

void grad_reshape(Reverse *r, NodeId y, NodeId dy) {
  const Type *t = &r->g->node[in(r, y, 0)].type;
  int from = type_row_sym(t) >= 0;
  grad_give(r, y, 0, graph_reshape(r->g, dy, t->dim + from, t->rank - from, NULL));
}
