// Recomputation policy. Kept from the forward pass: results of heavy ops, row sums, and whatever the forward pass stores anyway for a
// kernel of its own. Everything else that the backward pass reads is elementwise work on those, and is done again where it is needed:
// SiLU's sigmoid, rsqrt of a mean square, a gate's product.
#include "plan/recompute.h"

#include "plan/fuse.h"

typedef struct Recompute {
  const Graph *from;
  Graph *to;
  const Fusion *f;
  NodeId *map, *again;         // old node -> its copy; -> its backward copy
} Recompute;

static bool kept(const Recompute *r, NodeId n) {
  const Node *x = &r->from->node[n];
  return x->backward || op_class(x->op) != OPC_ROW || op_is(x->op, T_SUMS) || type_row_sym(&x->type) < 0 || r->f->stored[n];
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
  return r->again[old] = made;
}

Graph *recompute(const Graph *g, Arena *a) {
  Recompute r = {.from = g, .f = fuse(g, a, true)};
  r.to = graph_new(a, g->name);
  for (int i = 0; i < g->nmodel; i++) graph_add_model(r.to, g->model[i].name);
  for (int i = 0; i < g->nsym; i++) graph_add_sym(r.to, g->sym[i].kind, g->sym[i].model);
  r.map = ARENA_ARRAY(a, NodeId, g->n + 1);
  r.again = ARENA_ARRAY(a, NodeId, g->n + 1);
  for (NodeId i = 0; i < g->n; i++) r.again[i] = NODE_NONE;
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    NodeId in[MAX_IN];
    for (int k = 0; k < n->nin; k++) in[k] = n->backward ? backward_copy(&r, n->in[k]) : r.map[n->in[k]];
    r.map[i] = push(&r, i, in);
  }
  for (int i = 0; i < g->nout; i++) graph_output(r.to, g->out[i].name, r.map[g->out[i].node]);
  return r.to;
}
