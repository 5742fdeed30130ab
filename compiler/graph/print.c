// The printer: complete and deterministic, and read back by parse.c to an equal graph.
#include <string.h>

#include "graph/ops.h"

static void print_type(const Graph *g, const Type *t, Buf *out) {
  for (int i = 0; i < t->rank; i++) {
    if (dim_is_sym(t->dim[i])) buf_printf(out, "%s x ", g->sym[dim_sym(t->dim[i])].name);
    else buf_printf(out, "%lld x ", (long long)t->dim[i]);
  }
  buf_puts(out, dtype_name(t->dt));
}

static bool has_field(const char *spec, const char *field) {
  const char *at = strstr(spec, field);
  return at && (at == spec || at[-1] == ' ') && (at[strlen(field)] == 0 || at[strlen(field)] == ' ' || at[strlen(field)] == '=');
}

// The attributes that the op's spec names: "name", i0=…, f0=…, data […].
static void print_attrs(const Node *n, Buf *out) {
  const char *spec = op_attr_spec(n->op);
  if (has_field(spec, "n")) buf_printf(out, " \"%s\"", n->attr.name);
  for (int k = 0; k < 4; k++) {
    char field[3] = {'i', (char)('0' + k), 0};
    if (has_field(spec, field)) buf_printf(out, " %s=%lld", field, (long long)n->attr.i[k]);
  }
  for (int k = 0; k < 2; k++) {
    char field[3] = {'f', (char)('0' + k), 0};
    if (has_field(spec, field)) buf_printf(out, " %s=%.17g", field, n->attr.f[k]);
  }
  if (!has_field(spec, "d")) return;
  buf_puts(out, " [");
  for (int64_t i = 0; i < type_row_elems(&n->type); i++) buf_printf(out, "%s%.17g", i ? " " : "", n->attr.data[i]);
  buf_putc(out, ']');
}

static void print_node(const Graph *g, NodeId id, Buf *out) {
  const Node *n = &g->node[id];
  buf_printf(out, "%%%d = %s", id, op_name(n->op));
  for (int k = 0; k < n->nin; k++) buf_printf(out, " %%%d", n->in[k]);
  print_attrs(n, out);
  buf_puts(out, " : ");
  for (int k = 0; k < n->nout; k++) {
    if (k) buf_puts(out, ", ");
    print_type(g, &n->out[k], out);
  }
  if (n->backward) buf_puts(out, " backward");
  buf_putc(out, '\n');
}

void graph_print(const Graph *g, Buf *out) {
  buf_printf(out, "graph %s\n", g->name);
  for (int i = 0; i < g->nmodel; i++) buf_printf(out, "model %s\n", g->model[i].name);
  for (int i = 0; i < g->nsym; i++) buf_printf(out, "sym %s\n", g->sym[i].name);
  for (NodeId i = 0; i < g->n; i++) print_node(g, i, out);
  for (int i = 0; i < g->nout; i++) buf_printf(out, "output \"%s\" %%%d\n", g->out[i].name, g->out[i].node);
}
