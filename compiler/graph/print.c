// The printer: complete and deterministic, and read back by parse.c to an equal graph.
#include "graph/ops.h"

static void print_type(const Graph *g, const Type *t, Buf *out) {
  for (int i = 0; i < t->rank; i++) {
    if (dim_is_sym(t->dim[i])) buf_printf(out, "%s x ", g->sym[dim_sym(t->dim[i])].name);
    else buf_printf(out, "%lld x ", (long long)t->dim[i]);
  }
  buf_puts(out, dtype_name(t->dt));
}

static void print_quoted(const char *s, Buf *out) {
  buf_putc(out, '"');
  for (; *s; s++) {
    if (*s == '"' || *s == '\\') buf_putc(out, '\\');
    if (*s == '\n') buf_puts(out, "\\n");
    else buf_putc(out, *s);
  }
  buf_putc(out, '"');
}

static void print_data(const Node *n, Buf *out) {
  buf_puts(out, " [");
  for (int64_t i = 0; i < type_row_elems(&n->type); i++) buf_printf(out, "%s%.17g", i ? " " : "", n->attr.data[i]);
  buf_putc(out, ']');
}

// The attributes that the op's row names: "name", key=…, [data].
static void print_attrs(const Node *n, Buf *out) {
  AttrFields fields = op_attr_fields(n->op);
  AttrField f;
  while (op_attr_field(&fields, &f)) {
    switch (f.kind) {
      case 'n':
        buf_putc(out, ' ');
        print_quoted(n->attr.name ? n->attr.name : "", out);
        break;
      case 'd': print_data(n, out); break;
      case 'i':
        if (f.flag && !n->attr.i[f.index]) break;
        buf_printf(out, " %s=%lld", f.key, (long long)n->attr.i[f.index]);
        break;
      default: buf_printf(out, " %s=%.17g", f.key, n->attr.f[f.index]); break;
    }
  }
}

static void print_sym(const Graph *g, int64_t sym, Buf *out) { buf_printf(out, " %s", g->sym[sym].name); }

void graph_print_meaning(const Graph *g, NodeId id, Buf *out) {
  const Node *n = &g->node[id];
  buf_puts(out, op_name(n->op));
  if (n->op == OP_mask) {                          // its attributes are places in this graph's lists
    print_sym(g, n->attr.of_mask.query, out), print_sym(g, n->attr.of_mask.key, out);
    buf_printf(out, " window=%lld %s", (long long)n->attr.of_mask.window, g->model[n->attr.of_mask.qmodel].name);
  } else {
    print_attrs(n, out);
  }
  for (int i = 0; i < n->type.rank; i++) {
    buf_puts(out, i ? " x" : " :");
    if (dim_is_sym(n->type.dim[i])) print_sym(g, dim_sym(n->type.dim[i]), out);
    else buf_printf(out, " %lld", (long long)n->type.dim[i]);
  }
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
  for (int i = 0; i < g->nout; i++) {
    buf_puts(out, "output ");
    print_quoted(g->out[i].name, out);
    buf_printf(out, " %%%d\n", g->out[i].node);
  }
}
