// Recomputation policy. Of row work is kept from the forward pass: row sums, and whatever the forward pass stores anyway for a kernel of its own.
// Everything else that the backward pass reads is elementwise work on those, and is done again where it is needed: SiLU's sigmoid, rsqrt of a mean
// square, a gate's product.
//
// Where products are made again too, what is kept are the results of other heavy ops (attention, lookups), row sums, and the residual stream: sums of two
// values of which one rests on a product since what is kept, and the other does not. So of a block a training keeps two states and what attention gave,
// and makes queries, keys, values and the inner products of its feed-forward again, each once. Elementwise work on that is not stored for the backward pass.
#include "plan/recompute.h"

#include "plan/fuse.h"

typedef struct Recompute {
  const Graph *from;
  Graph *to;
  const Fusion *f;
  Recomputed what;
  int *rests;                  // old node -> products that it rests on since what is kept
  NodeId *map, *again;         // old node -> its copy; -> its backward copy
  int products;                // made again
} Recompute;

// A chain of more products than this is cut, so that what is made again lives shortly.
enum { MOST_CHAINED = 2 };

static bool has_rows(const Graph *g, NodeId n) { return type_row_sym(&g->node[n].type) >= 0; }

static bool is_product(const Node *x) { return op_class(x->op) == OPC_GEMM || op_class(x->op) == OPC_EXPERTS; }

static int rests(const Recompute *r, const Node *x) {
  int most = 0;
  for (int k = 0; k < x->nin; k++)
    if (r->rests[x->in[k]] > most) most = r->rests[x->in[k]];
  return most;
}

// A residual stream: something that is there, with something added that rests on a product.
static bool is_stream(const Recompute *r, const Node *x) {
  return op_is(x->op, T_SUM_OF_TWO) && has_rows(r->from, x->in[0]) && has_rows(r->from, x->in[1]) && (r->rests[x->in[0]] == 0) != (r->rests[x->in[1]] == 0);
}

static bool kept(const Recompute *r, NodeId n) {
  const Node *x = &r->from->node[n];
  OpClass c = op_class(x->op);
  if (x->backward || c == OPC_SOURCE || !has_rows(r->from, n)) return true;
  if (r->what == RECOMPUTE_ROW_WORK) return c != OPC_ROW || op_is(x->op, T_SUMS) || r->f->stored[n];
  if (is_product(x)) return rests(r, x) >= MOST_CHAINED;
  if (op_is(x->op, T_SAME_DATA)) return kept(r, x->in[0]);
  return c != OPC_ROW || op_is(x->op, T_SUMS) || is_stream(r, x);
}

// In the graph's order.
static void find_rests(Recompute *r) {
  for (NodeId i = 0; i < r->from->n; i++) {
    const Node *x = &r->from->node[i];
    r->rests[i] = kept(r, i) ? 0 : rests(r, x) + is_product(x);
  }
}

static NodeId push(Recompute *r, NodeId old, const NodeId *in) {
  Node n = r->from->node[old];
  for (int k = 0; k < n.nin; k++) n.in[k] = in[k];
  ARENA_PUSH(r->to->arena, r->to->node, r->to->n, r->to->cap, n);
  return r->to->n - 1;
}

static NodeId backward_copy(Recompute *r, NodeId old) {
  if (kept(r, old)) return r->map[old];
  if (r->again[old] >= 0) return r->again[old];
  const Node *n = &r->from->node[old];
  NodeId in[MAX_IN];
  for (int k = 0; k < n->nin; k++) in[k] = backward_copy(r, n->in[k]);
  NodeId made = push(r, old, in);
  r->to->node[made].backward = true;
  r->products += is_product(n);
  return r->again[old] = made;
}

Graph *recompute(const Graph *g, Arena *a, Recomputed what, int *products) {
  Recompute r = {.from = g, .f = fuse(g, a, true), .what = what, .rests = ARENA_ARRAY(a, int, g->n + 1)};
  r.to = graph_new(a, g->name);
  for (int i = 0; i < g->nmodel; i++) graph_add_model(r.to, g->model[i].name);
  for (int i = 0; i < g->nsym; i++) graph_add_sym(r.to, g->sym[i].kind, g->sym[i].model);
  r.map = ARENA_ARRAY(a, NodeId, g->n + 1);
  r.again = ARENA_ARRAY(a, NodeId, g->n + 1);
  for (NodeId i = 0; i < g->n; i++) r.again[i] = NODE_NONE;
  find_rests(&r);
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    NodeId in[MAX_IN];
    for (int k = 0; k < n->nin; k++) in[k] = n->backward ? backward_copy(&r, n->in[k]) : r.map[n->in[k]];
    r.map[i] = push(&r, i, in);
  }
  for (int i = 0; i < g->nout; i++) graph_output(r.to, g->out[i].name, r.map[g->out[i].node]);
  if (products) *products = r.products;
  return r.to;
}
