// Copying a graph node by node. See rewrite.h.
#include "passes/rewrite.h"

#include "dsl/base/bug.h"

Rewrite rewrite_begin(const Graph *g, Arena *a) {
  Rewrite r = {.from = g, .to = graph_new(a, g->name)};
  for (int i = 0; i < g->nmodel; i++) graph_add_model(r.to, g->model[i].name);
  for (int i = 0; i < g->nsym; i++) {
    if (graph_add_sym(r.to, g->sym[i].kind, g->sym[i].model) != i) bug("graph '%s': symbols keep their numbers", g->name);
  }
  graph_expect(r.to, g->n);
  r.map = ARENA_ARRAY(a, NodeId, g->n ? g->n : 1);
  for (int i = 0; i < g->n; i++) r.map[i] = NODE_NONE;
  return r;
}

NodeId rewrite_copy(Rewrite *r, NodeId old, const NodeId *in) {
  const Node *o = &r->from->node[old];
  Graph *g = r->to;
  Node n = *o;
  for (int i = 0; i < n.nin; i++) {
    if (in[i] < 0) bug("graph '%s': a pass dropped %%%d, which %%%d still uses", g->name, o->in[i], old);
    n.in[i] = in[i];
  }
  ARENA_PUSH(g->arena, g->node, g->n, g->cap, n);
  return g->n - 1;
}

NodeId rewrite_same(Rewrite *r, NodeId old) {
  const Node *o = &r->from->node[old];
  NodeId in[MAX_IN];
  for (int i = 0; i < o->nin; i++) in[i] = r->map[o->in[i]];
  return r->map[old] = rewrite_copy(r, old, in);
}

Graph *rewrite_end(Rewrite *r) {
  for (int i = 0; i < r->from->nout; i++) graph_output(r->to, r->from->out[i].name, r->map[r->from->out[i].node]);
  return r->to;
}
