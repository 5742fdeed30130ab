// The verifier: what must hold of every graph, whoever made it.
#include <string.h>

#include "dsl/base/map.h"
#include "graph/ops.h"
#include "graph/verify.h"

static const char *wrong(Arena *a, const Graph *g, NodeId id, const char *what) {
  return arena_printf(a, "node %%%d (%s): %s", id, op_name(g->node[id].op), what);
}

// Row by row: all operands that have rows have the same rows.
static const char *check_rows(const Graph *g, Arena *a, NodeId id) {
  const Node *n = &g->node[id];
  int sym = -1;
  for (int k = 0; k < n->nin && !op_is(n->op, T_OWN_ROWS); k++) {
    int s = type_row_sym(&g->node[n->in[k]].type);
    if (s >= 0 && sym >= 0 && s != sym) return wrong(a, g, id, "mixes rows; only attention may");
    if (s >= 0) sym = s;
  }
  return NULL;
}

static const char *check_types(const Graph *g, Arena *a, NodeId id) {
  const Node *n = &g->node[id];
  Node again = *n;
  const char *error = op_infer(g, &again);
  if (error) return wrong(a, g, id, error);
  if (again.nout != n->nout || !type_equal(&n->type, &n->out[0]))
    return wrong(a, g, id, "has another number of results than its op");
  for (int k = 0; k < n->nout; k++) {
    if (type_equal(&again.out[k], &n->out[k])) continue;
    const char *has = type_text(g, &n->out[k]), *gives = type_text(g, &again.out[k]);
    return wrong(a, g, id, arena_printf(a, "has type %s, its op gives %s", has, gives));
  }
  return NULL;
}

// Names, values and what an operand may be, beyond its type.
static const char *check_parts(const Graph *g, Arena *a, NodeId id) {
  const Node *n = &g->node[id];
  AttrFields fields = op_attr_fields(n->op);
  AttrField f;
  while (op_attr_field(&fields, &f)) {
    if (f.kind == 'n' && (!n->attr.name || !*n->attr.name)) return wrong(a, g, id, "has no name");
    if (f.kind == 'd' && (!n->attr.data || type_row_sym(&n->type) >= 0))
      return wrong(a, g, id, "is a literal without values");
  }
  for (int k = 0; k < n->nin; k++) {
    if (op_reads_series(g, n->in[k]) && op_class(n->op) != OPC_EXPERTS && !op_is(n->op, T_SAME_DATA | T_ROUNDED | T_TURNED)) return wrong(a, g, id, "reads weights of experts");
  }
  for (int k = 0; k < n->nin && !op_is(n->op, T_PART); k++) {
    if (g->node[n->in[k]].nout > 1) return wrong(a, g, id, "reads a node with several results, and not through part");
  }
  return NULL;
}

static const char *check_node(const Graph *g, Arena *a, NodeId id) {
  const Node *n = &g->node[id];
  if ((int)n->op < 0 || n->op >= OP_COUNT) return arena_printf(a, "node %%%d: no such op", id);
  for (int k = 0; k < n->nin; k++) {
    if (n->in[k] < 0 || n->in[k] >= id) return wrong(a, g, id, "uses a node that does not come before it");
  }
  for (int k = 0; k < n->type.rank; k++) {
    if (dim_is_sym(n->type.dim[k]) && (k || dim_sym(n->type.dim[k]) >= g->nsym))
      return wrong(a, g, id, "has a bad row symbol");
  }
  if (op_is(n->op, T_BACKWARD) && !n->backward) return wrong(a, g, id, "is a gradient outside the backward pass");
  const char *error = check_types(g, a, id);
  if (!error) error = check_parts(g, a, id);
  return error ? error : check_rows(g, a, id);
}

static bool output_is(const Output *o, OutputKind k) {
  const char *of;
  return prog_name_is(OutputKind_names, (int)k, o->name, &of) && *of;
}

// A gradient by a state is one of an f32 input "hidden.…" that the runtime gives, and of its type.
static const char *check_state_gradient(const Graph *g, Arena *a, const Output *o) {
  const char *of = "";
  prog_name_is(OutputKind_names, OUTPUT_STATE_GRAD, o->name, &of);
  const char *state = arena_printf(a, "%s.%s", input_name(INPUT_HIDDEN), of);
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    if (op_is(n->op, T_GIVEN) && !strcmp(n->attr.name, state) && type_equal(&n->type, &g->node[o->node].type)) return NULL;
  }
  return arena_printf(a, "output \"%s\" names no input of its type", o->name);
}

// A gradient is one of a parameter that the graph has, and of its type: nothing frozen has one. named: parameters and frozen weights by name.
static const char *check_gradient(const Graph *g, Arena *a, const Map *named, const Output *o) {
  const char *param = "";
  prog_name_is(OutputKind_names, OUTPUT_GRAD, o->name, &param);
  NodeId i = map_find(named, param);
  if (i < 0) return arena_printf(a, "output \"%s\" names no parameter", o->name);
  if (op_is(g->node[i].op, T_STORED)) return arena_printf(a, "output \"%s\" is the gradient of a frozen weight", o->name);
  if (type_equal(&g->node[i].type, &g->node[o->node].type)) return NULL;
  return arena_printf(a, "output \"%s\" has another type than its parameter", o->name);
}

// A graph that gives no gradients computes none.
static const char *check_purpose(const Graph *g, Arena *a) {
  bool *used = ARENA_ARRAY(a, bool, g->n + 1);
  for (int i = 0; i < g->nout; i++) {
    if (output_is(&g->out[i], OUTPUT_GRAD) || output_is(&g->out[i], OUTPUT_STATE_GRAD)) return NULL;
    used[g->out[i].node] = true;
  }
  for (NodeId i = g->n - 1; i >= 0; i--) {
    if (used[i] && g->node[i].backward) return wrong(a, g, i, "is a backward node in a graph without gradients");
    for (int k = 0; k < g->node[i].nin; k++) used[g->node[i].in[k]] |= used[i];
  }
  return NULL;
}

const char *graph_verify(const Graph *g, Arena *a) {
  Map named = {0};
  for (NodeId i = 0; i < g->n; i++) {
    const char *error = check_node(g, a, i);
    if (error) return error;
    if (op_is(g->node[i].op, T_TRAINED) || op_is(g->node[i].op, T_STORED)) map_first(a, &named, g->node[i].attr.name, i);
  }
  for (int i = 0; i < g->nout; i++) {
    if (g->out[i].node < 0 || g->out[i].node >= g->n)
      return arena_printf(a, "output \"%s\" names no node", g->out[i].name);
    const char *error = output_is(&g->out[i], OUTPUT_GRAD) ? check_gradient(g, a, &named, &g->out[i]) : NULL;
    if (!error && output_is(&g->out[i], OUTPUT_STATE_GRAD)) error = check_state_gradient(g, a, &g->out[i]);
    if (error) return error;
  }
  const char *error = check_purpose(g, a);
  if (!error) error = verify_live(g, a);
  return error ? error : verify_growth(g, a);
}
