// Nodes: appended once their types are inferred. See graph.h.
#include <string.h>

#include "dsl/base/bug.h"
#include "graph/ops.h"

static NodeId push(Graph *g, const Node *n) {
  ARENA_PUSH(g->arena, g->node, g->n, g->cap, *n);
  return g->n - 1;
}

// A node that cannot be: the caller's error to report, or a bug.
static NodeId refused(const Graph *g, const char *error, const char **why) {
  if (!why) bug("graph %s, node %%%d: %s", g->name, g->n, error);
  *why = error;
  return NODE_NONE;
}

NodeId graph_add(Graph *g, OpId op, const NodeId *in, int nin, const Attr *attr, const char **why) {
  Node n = {.op = op, .nin = nin};
  if (attr) n.attr = *attr;
  for (int i = 0; i < nin; i++) n.in[i] = in[i];
  const char *error = op_infer(g, &n);
  if (!error) return push(g, &n);
  return refused(g, error, why);
}

NodeId graph_source(Graph *g, OpId op, Type type, const Attr *attr) {
  Node n = {.op = op, .type = type, .nout = 1};
  n.out[0] = type;
  if (attr) n.attr = *attr;
  if (n.attr.name) n.attr.name = arena_strdup(g->arena, n.attr.name);
  return push(g, &n);
}

static NodeId constant(Graph *g, Type t, const double *v) {
  int64_t n = type_row_elems(&t);
  double *data = ARENA_ARRAY(g->arena, double, n);
  memcpy(data, v, (size_t)n * sizeof *v);
  return graph_source(g, OP_const, t, &(Attr){.data = data});
}

NodeId graph_const(Graph *g, double v) { return constant(g, (Type){.dt = DT_F32}, &v); }

NodeId graph_const_vec(Graph *g, const double *v, int64_t n) {
  return constant(g, (Type){.dt = DT_F32, .rank = 1, .dim = {n}}, v);
}

NodeId graph_un(Graph *g, OpId op, NodeId a) { return graph_add(g, op, &a, 1, NULL, NULL); }

NodeId graph_bin(Graph *g, OpId op, NodeId a, NodeId b) {
  NodeId in[2] = {a, b};
  return graph_add(g, op, in, 2, NULL, NULL);
}

NodeId graph_part(Graph *g, NodeId n, int k) { return graph_add(g, OP_part, &n, 1, &(Attr){.of_part = {k}}, NULL); }

NodeId graph_reshape(Graph *g, NodeId n, const int64_t *ext, int rank, const char **why) {
  const Type *t = &g->node[n].type;
  Node r = {.op = OP_reshape, .nin = 1, .in = {n}};
  r.type.dt = t->dt;
  if (type_row_sym(t) >= 0) r.type.dim[r.type.rank++] = t->dim[0];
  for (int i = 0; i < rank && r.type.rank < MAX_RANK; i++) r.type.dim[r.type.rank++] = ext[i];
  const char *error = op_infer(g, &r);
  if (!error) return push(g, &r);
  return refused(g, error, why);
}
