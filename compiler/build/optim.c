// The optimizer as graphs over the flat parameter vector in rows of FLAT_WIDTH: the sum of squares for clipping, and AdamW
// (Loshchilov & Hutter, arXiv 1711.05101) in the order of operations of torch.optim.AdamW.
#include "build/ctx.h"

static NodeId flat(Graph *g, InputKind what) {
  Type t = {.dt = DT_F32, .rank = 2, .dim = {sym_dim(graph_add_sym(g, SYM_FLAT, -1)), FLAT_WIDTH}};
  return graph_source(g, OP_input, t, &(Attr){.name = input_name(what)});
}
static NodeId scalar(Graph *g, InputKind what) {
  return graph_source(g, OP_input, (Type){.dt = DT_F32}, &(Attr){.name = input_name(what)});
}
static NodeId mul(Graph *g, NodeId x, NodeId y) { return graph_bin(g, OP_mul, x, y); }
static NodeId plus(Graph *g, NodeId x, NodeId y) { return graph_bin(g, OP_add, x, y); }

Graph *graph_norm(Arena *a) {
  Graph *g = graph_new(a, entry_name(ENTRY_NORM));
  NodeId x = flat(g, INPUT_GRAD);
  graph_output(g, output_name(OUTPUT_NORM2), graph_un(g, OP_colsum, graph_un(g, OP_sum, mul(g, x, x))));
  return g;
}

// g = clip grad; m = beta1 m + rest1 g; v = beta2 v + rest2 g g; theta = decay theta - step m / (sqrt(v) bias2 + eps)
Graph *graph_update(Arena *a) {
  Graph *g = graph_new(a, entry_name(ENTRY_UPDATE));
  NodeId theta = flat(g, INPUT_THETA), grad = flat(g, INPUT_GRAD), m = flat(g, INPUT_M), v = flat(g, INPUT_V);
  // one node a line: the order of nodes must not hang on the order in which C evaluates arguments
  NodeId clip = scalar(g, INPUT_CLIP), decay = scalar(g, INPUT_DECAY), step = scalar(g, INPUT_STEP),
         eps = scalar(g, INPUT_EPS);
  NodeId beta1 = scalar(g, INPUT_BETA1), rest1 = scalar(g, INPUT_REST1), beta2 = scalar(g, INPUT_BETA2);
  NodeId rest2 = scalar(g, INPUT_REST2), bias2 = scalar(g, INPUT_BIAS2);
  grad = mul(g, clip, grad);
  NodeId m_old = mul(g, beta1, m), m_new = mul(g, rest1, grad);
  m = plus(g, m_old, m_new);
  NodeId v_old = mul(g, beta2, v), v_grad = mul(g, rest2, grad), v_new = mul(g, v_grad, grad);
  v = plus(g, v_old, v_new);
  NodeId root = graph_un(g, OP_sqrt, v);
  root = mul(g, root, bias2);
  root = plus(g, root, eps);
  NodeId move = mul(g, step, m), kept = mul(g, decay, theta);
  move = graph_bin(g, OP_div, move, root);
  theta = graph_bin(g, OP_sub, kept, move);
  graph_output(g, output_name(OUTPUT_THETA), theta);
  graph_output(g, output_name(OUTPUT_M), m);
  graph_output(g, output_name(OUTPUT_V), v);
  return g;
}
