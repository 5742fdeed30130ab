// Graph nodes with places: every shape error is answered at the expression that made it. Source nodes (inputs, masks, caches)
// exist once per name.
#include <string.h>

#include "build/ctx.h"
#include "graph/ops.h"

const Type *t_type(const Ev *ev, NodeId n) { return &ev->g->node[n].type; }

int t_model(const Ev *ev, NodeId n) {
  int sym = type_row_sym(t_type(ev, n));
  return sym < 0 ? -1 : ev->g->sym[sym].model;
}

NodeId t_memo(const Ev *ev, const char *name) {
  int n = map_find(&ev->memo, name);
  return n < 0 ? NODE_NONE : n;
}

void t_remember(Ev *ev, const char *name, NodeId n) {
  if (n != NODE_NONE) map_put(ev->b->a, &ev->memo, arena_strdup(ev->b->a, name), n);
}

static void place(Ev *ev, NodeId n, Loc loc) {
  uint32_t *at = ev->g->node[n].loc;
  if (at[0]) return;
  at[0] = loc.file;
  at[1] = loc.begin;
  at[2] = loc.end;
}

NodeId t_add(Ev *ev, Loc loc, OpId op, const NodeId *in, int nin, const Attr *attr) {
  const char *why = NULL;
  for (int i = 0; i < nin; i++)
    if (in[i] == NODE_NONE) return NODE_NONE;
  if (!spend(ev, loc, NODE_UNITS)) return NODE_NONE;
  for (int i = 0; i < nin; i++)
    if (op_reads_series(ev->g, in[i]) && op_class(op) != OPC_EXPERTS && !op_is(op, T_ROUNDED | T_TURNED)) {
      fail(ev, loc, "weights of which * is the number are read by to_experts and from_experts only");
      return NODE_NONE;
    }
  NodeId n = graph_add(ev->g, op, in, nin, attr, &why);
  if (n == NODE_NONE) fail(ev, loc, "%s: %s", op_name(op), why ? why : "shapes do not fit");
  else place(ev, n, loc);
  return n;
}

NodeId t_un(Ev *ev, Loc loc, OpId op, NodeId x) { return t_add(ev, loc, op, &x, 1, NULL); }

// Static extents align at the right, 1 stretches; the row symbol stands apart.
static bool broadcasts(const Type *x, const Type *y) {
  for (int i = 1; i <= x->rank && i <= y->rank; i++) {
    int64_t p = x->dim[x->rank - i], q = y->dim[y->rank - i];
    if (!dim_is_sym(p) && !dim_is_sym(q) && p != q && p != 1 && q != 1) return false;
  }
  return true;
}

NodeId t_bin(Ev *ev, Loc loc, OpId op, NodeId x, NodeId y) {
  if (x == NODE_NONE || y == NODE_NONE) return NODE_NONE;
  int p = type_row_sym(t_type(ev, x)), q = type_row_sym(t_type(ev, y));
  if (p >= 0 && q >= 0 && p != q) {
    fail(ev, loc, "%s and %s count different rows: only attention mixes tokens", ev->g->sym[p].name,
         ev->g->sym[q].name);
    return NODE_NONE;
  }
  if (!broadcasts(t_type(ev, x), t_type(ev, y))) {
    fail(ev, loc, "shapes %s and %s do not fit together: counted from the right, extents must be equal or 1",
         show_type(ev->b, ev->g, t_type(ev, x)), show_type(ev->b, ev->g, t_type(ev, y)));
    return NODE_NONE;
  }
  NodeId in[2] = {x, y};
  return t_add(ev, loc, op, in, 2, NULL);
}

NodeId t_operand(Ev *ev, Loc loc, Value v) {
  double x;
  if (v.kind == V_POISON) return NODE_NONE;
  if (!ev->g) {
    fail(ev, loc, "this needs a tensor, and there are none here; found %s", v_text(ev, &v));
    return NODE_NONE;
  }
  if (v_number(&v, &x)) return graph_const(ev->g, x);
  if (v.kind == V_LIST && v.n > 0) {
    if (!spend(ev, loc, v.n / 2)) return NODE_NONE;
    double *d = ARENA_ARRAY(ev->b->a, double, v.n);
    for (int i = 0; i < v.n; i++)
      if (!v_number(&v.v[i], &d[i])) {
        fail(ev, loc, "a list beside a tensor holds numbers; element %d is %s", i, v_text(ev, &v.v[i]));
        return NODE_NONE;
      }
    return graph_const_vec(ev->g, d, v.n);
  }
  if (v.kind == V_WEIGHT) {
    fail(ev, loc, "weight '%s' needs its shape here: weight(\"…\")[extents]", v.v[0].s);
    return NODE_NONE;
  }
  if (v.kind != V_TENSOR) {
    fail(ev, loc, "expected a tensor or a number; found %s", v_text(ev, &v));
    return NODE_NONE;
  }
  return t_type(ev, v.node)->dt == DT_F32 ? v.node : t_un(ev, loc, OP_float, v.node);
}

Value t_binary(Ev *ev, const Ast *e, Value x, Value y) {
  static const struct { char c; OpId op; } ops[] = {{'+', OP_add}, {'-', OP_sub}, {'*', OP_mul}, {'/', OP_div}};
  double p;
  if (e->str[0] == '^' && x.kind == V_TENSOR && v_number(&y, &p)) {
    NodeId n = t_operand(ev, e->loc, x);
    if (p == 2) return v_tensor(t_bin(ev, e->loc, OP_mul, n, n));
    if (p == 0.5) return v_tensor(t_un(ev, e->loc, OP_sqrt, n));
    if (p == -0.5) return v_tensor(t_un(ev, e->loc, OP_rsqrt, n));
    return fail(ev, e->loc, "a tensor can be raised to 2, 0.5 or -0.5 only; found %s", v_text(ev, &y));
  }
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
    if (e->str[0] == ops[i].c && !e->str[1]) {
      NodeId left = t_operand(ev, e->kid[0]->loc, x), right = t_operand(ev, e->kid[1]->loc, y);
      return v_tensor(t_bin(ev, e->loc, ops[i].op, left, right));
    }
  return fail(ev, e->loc, "'%s' is not defined for tensors", e->str);
}

Value t_unary(Ev *ev, const Ast *e, Value x) {
  if (e->str[0] != '-') return fail(ev, e->loc, "'%s' is not defined for tensors", e->str);
  return v_tensor(t_un(ev, e->loc, OP_neg, t_operand(ev, e->kid[0]->loc, x)));
}

// The row symbol stays; the static extents may be cut differently.
NodeId t_reshape(Ev *ev, Loc loc, NodeId x, const int64_t *dim, int n) {
  if (x == NODE_NONE) return x;
  Type t = *t_type(ev, x);
  bool same = n == t.rank, rows = true;
  int64_t have = 1, want = 1;
  for (int i = 0; same && i < n; i++) same = dim[i] == t.dim[i];
  if (same) return x;
  for (int i = 0; i < t.rank; i++)
    if (!dim_is_sym(t.dim[i])) have *= t.dim[i];
  for (int i = 0; i < n; i++) {
    if (dim_is_sym(dim[i]) && (i > 0 || t.rank == 0 || dim[0] != t.dim[0])) rows = false;
    if (!dim_is_sym(dim[i]) && __builtin_mul_overflow(want, dim[i], &want)) rows = false;
  }
  if (t.rank > 0 && dim_is_sym(t.dim[0]) && (n == 0 || dim[0] != t.dim[0])) rows = false;
  if (!rows || have != want) {
    fail(ev, loc, "declared %s = %s; the value is a tensor %s", source_text(ev->b, loc),
         show_dims(ev->b, ev->g, dim, n), show_type(ev->b, ev->g, &t));
    return NODE_NONE;
  }
  int lead = n > 0 && dim_is_sym(dim[0]);
  NodeId r = graph_reshape(ev->g, x, dim + lead, n - lead, NULL);
  place(ev, r, loc);
  return r;
}

// x.t: the weight or parameter x is stored [in…, out…].
Value t_turned(Ev *ev, Loc loc, Value x) {
  NodeId root = x.node;
  while (ev->g->node[root].op == OP_reshape) root = ev->g->node[root].in[0];
  if (!op_is(ev->g->node[root].op, T_STORED | T_TRAINED))
    return fail(ev, loc, "'.t' is for weights and parameters stored as [in…, out…]; found %s", v_text(ev, &x));
  x.kind = V_TURNED;
  return x;
}

NodeId t_input(Ev *ev, const char *name, const Type *t) {
  NodeId n = t_memo(ev, name);
  if (n != NODE_NONE) return n;
  Attr attr = {.name = arena_strdup(ev->b->a, name)};
  n = graph_source(ev->g, OP_input, *t, &attr);
  t_remember(ev, name, n);
  return n;
}

NodeId t_input_of(Ev *ev, InputKind what, int model, const Type *t) {
  return t_input(ev, arena_printf(ev->b->a, "%s.%s", input_name(what), ev->g->model[model].name), t);
}

NodeId t_mask(Ev *ev, int q, int k, int64_t window) {
  int model = ev->g->sym[q].model;
  const char *key = arena_printf(ev->b->a, "mask %d %d %lld", q, k, (long long)window);
  NodeId n = t_memo(ev, key);
  if (n != NODE_NONE) return n;
  Attr attr = {.of_mask = {q, k, window, model}};
  Type t = {.dt = DT_MASK, .rank = 1, .dim = {sym_dim(q)}};
  n = graph_source(ev->g, OP_mask, t, &attr);
  t_remember(ev, key, n);
  return n;
}

NodeId t_cache(Ev *ev, NodeId x) {
  const char *key = arena_printf(ev->b->a, "cached %d", x);
  NodeId n = t_memo(ev, key);
  if (n != NODE_NONE) return n;
  int model = t_model(ev, x);
  Type t = *t_type(ev, x);
  Type slots = {.dt = DT_I32, .rank = 1, .dim = {t.dim[0]}};
  NodeId at = t_input_of(ev, INPUT_SLOTS, model, &slots);
  t.dim[0] = sym_dim(graph_add_sym(ev->g, SYM_CACHE, model));
  Attr attr = {.name = arena_printf(ev->b->a, "cache.%d", ev->ncaches++)};
  NodeId in[3] = {graph_source(ev->g, OP_cache, t, &attr), x, at};
  n = graph_add(ev->g, OP_append, in, 3, NULL, NULL);
  t_remember(ev, key, n);
  return n;
}
