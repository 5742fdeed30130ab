// The functions of the language, from the table dsl/builtins.def.
#include <math.h>
#include <string.h>

#include "build/ctx.h"
#include "dsl/base/bf16.h"
#include "runtime/abi/abi.h"

enum { MAX_ARGS = 8 };
typedef struct Args {
  const Ast *call;
  Value v[MAX_ARGS];                 // V_NONE where left out
  Loc at[MAX_ARGS];
} Args;
typedef Value Builtin(Ev *ev, Args *a);

static NodeId operand(Ev *ev, const Args *a, int i) { return t_operand(ev, a->at[i], a->v[i]); }
static Value need_tensor(Ev *ev, const Args *a, int i) {
  if (a->v[i].kind == V_TENSOR) return a->v[i];
  return v_tensor(t_operand(ev, a->at[i], a->v[i]));
}

// ---- products and attention

// Argument i, true or false, which where left out is false.
static bool flag_arg(Ev *ev, const Args *a, int i, bool *out) {
  *out = a->v[i].kind == V_BOOL && a->v[i].b;
  if (a->v[i].kind == V_BOOL || a->v[i].kind == V_NONE) return true;
  fail(ev, a->at[i], "%s: expected true or false; found %s", a->call->name, v_text(ev, &a->v[i]));
  return false;
}

// A matrix or table as it is read: as int8 where the spec says so of its model. What is computed from weights stays as it is, and so does what exact
// products read.
static NodeId as_kept(Ev *ev, Loc loc, NodeId w, int inner) {
  NodeId root = w;
  if (w == NODE_NONE || !ev->m || ev->m->pub->keep != KEEP_INT8) return w;
  while (op_is(ev->g->node[root].op, T_SAME_DATA | T_TURNED)) root = ev->g->node[root].in[0];
  return op_is(ev->g->node[root].op, T_STORED) ? t_add(ev, loc, OP_int8, &w, 1, &(Attr){.of_int8 = {inner}}) : w;
}

// A weight stored [in…, out…] as [out…, in…]. Its own extents are checked here, so that the message can show them as they are written.
static Value turn(Ev *ev, const Args *a, NodeId x, Value w) {
  const Type *tx = t_type(ev, x), *tw = t_type(ev, w.node);
  int inner = tx->rank - 1;
  bool fits = inner > 0 && tw->rank > inner;
  for (int i = 0; fits && i < inner; i++) fits = tw->dim[i] == tx->dim[1 + i];
  if (fits) return v_tensor(t_add(ev, a->at[1], OP_transpose, &w.node, 1, &(Attr){.of_transpose = {inner, 0}}));
  const char *want = show_dims(ev->b, ev->g, tx->dim + 1, inner > 0 ? inner : 0);
  return fail(ev, a->at[1], "linear: the weight before '.t' is %s, expected %.*s, out…] for x %s",
              show_type(ev->b, ev->g, tw), (int)strlen(want) - 1, want, show_type(ev->b, ev->g, tx));
}

// The extents of x that are not rows are the inner ones of w.
static Value call_linear(Ev *ev, Args *a) {
  Build *b = ev->b;
  NodeId x = operand(ev, a, 0);
  bool turned = a->v[1].kind == V_TURNED, exact;
  if (!flag_arg(ev, a, 3, &exact)) return v_poison();
  Value w = x != NODE_NONE && turned ? turn(ev, a, x, a->v[1]) : need_tensor(ev, a, 1);
  if (x == NODE_NONE || w.kind != V_TENSOR) return v_poison();
  Type tx = *t_type(ev, x), tw = *t_type(ev, w.node);
  if (type_row_sym(&tx) < 0) return fail(ev, a->at[0], "linear takes rows of tokens; found %s", v_text(ev, &a->v[0]));
  if (type_row_sym(&tw) >= 0)
    return fail(ev, a->at[1], "linear takes a weight or a parameter; found %s", v_text(ev, &w));
  int inner = tx.rank - 1;
  bool fits = tw.rank > inner;
  for (int i = 0; fits && i < inner; i++) fits = tw.dim[tw.rank - inner + i] == tx.dim[1 + i];
  if (!fits) {
    const char *want = show_dims(b, ev->g, tx.dim + 1, inner);
    return fail(ev, a->at[1], "linear: the weight is %s, expected [out…, %s for x %s", show_type(b, ev->g, &tw),
                want + 1, show_type(b, ev->g, &tx));
  }
  if (turned) param_turned(ev, w.node, inner);
  else param_used(ev, w.node, inner);
  NodeId in[2] = {x, exact ? w.node : as_kept(ev, a->at[1], w.node, inner)};
  NodeId y = t_add(ev, a->call->loc, OP_linear, in, 2, &(Attr){.of_linear = {inner, exact}});
  if (a->v[2].kind == V_NONE) return v_tensor(adapt_product(ev, x, w.node, y, exact));
  NodeId bias = operand(ev, a, 2);
  if (y == NODE_NONE || bias == NODE_NONE) return v_poison();
  const Type *tb = t_type(ev, bias), *ty = t_type(ev, y);
  fits = tb->rank == ty->rank - 1;
  for (int i = 0; fits && i < tb->rank; i++) fits = tb->dim[i] == ty->dim[i + 1];
  if (!fits)
    return fail(ev, a->at[2], "linear: the bias is %s, expected %s", show_type(b, ev->g, tb),
                show_dims(b, ev->g, ty->dim + 1, ty->rank - 1));
  return v_tensor(adapt_product(ev, x, w.node, t_bin(ev, a->call->loc, OP_add, y, bias), exact));
}

// A compile-time number, or `other` where the argument is none.
static bool number_or(Ev *ev, const Args *a, int i, double other, double *out) {
  *out = other;
  if (a->v[i].kind == V_NONE && !a->v[i].s) return true;
  if (v_number(&a->v[i], out)) return true;
  if (a->v[i].kind == V_NONE) return true;                     // a config key that is not there
  fail(ev, a->at[i], "expected a number or none; found %s", v_text(ev, &a->v[i]));
  return false;
}

static bool heads(Ev *ev, const Args *a, int i, NodeId n) {
  const Type *t = t_type(ev, n);
  if (t->rank == 3 && type_row_sym(t) >= 0) return true;
  fail(ev, a->at[i],
       "attention takes [tokens, heads, width]; found %s: declare the heads, as in q[T, H, D] = linear(…)",
       show_type(ev->b, ev->g, t));
  return false;
}

// What a head attends to with a score of its own, sinks[H], beside its keys, and which gives nothing: the result without it, times the keys' share.
static Value beside_sinks(Ev *ev, const Args *a, int i, NodeId attention) {
  NodeId s = operand(ev, a, i), out = graph_part(ev->g, attention, 0), lse = graph_part(ev->g, attention, 1);
  if (s == NODE_NONE) return v_poison();
  const Type *t = t_type(ev, s);
  int64_t H = t_type(ev, lse)->dim[1], dim[3] = {t_type(ev, lse)->dim[0], H, 1};
  if (t->rank != 1 || t->dim[0] != H) return fail(ev, a->at[i], "attention: sinks is %s, expected [%lld], a number a head of q", show_type(ev->b, ev->g, t), (long long)H);
  Loc loc = a->call->loc;
  NodeId share = t_un(ev, loc, OP_sigmoid, t_bin(ev, loc, OP_sub, lse, s));
  return v_tensor(t_bin(ev, loc, OP_mul, out, t_reshape(ev, loc, share, dim, 3)));
}

static Value call_attention(Ev *ev, Args *a) {
  NodeId in[4];
  double scale, softcap, window;
  for (int i = 0; i < 3; i++) {
    in[i] = operand(ev, a, i);
    if (in[i] == NODE_NONE || !heads(ev, a, i, in[i])) return v_poison();
  }
  Type q = *t_type(ev, in[0]), k = *t_type(ev, in[1]), v = *t_type(ev, in[2]);
  if (k.dim[0] != v.dim[0] || k.dim[1] != v.dim[1] || q.dim[2] != k.dim[2] || q.dim[1] % k.dim[1])
    return fail(
        ev, a->call->loc,
        "attention: q %s, k %s and v %s do not fit: expected q[Tq, H, D], k[Tk, K, D], v[Tk, K, E], H a multiple of K",
        show_type(ev->b, ev->g, &q), show_type(ev->b, ev->g, &k), show_type(ev->b, ev->g, &v));
  if (!number_or(ev, a, 3, 1 / sqrt((double)q.dim[2]), &scale) || !number_or(ev, a, 4, 0, &softcap) ||
      !number_or(ev, a, 5, 0, &window))
    return v_poison();
  if (softcap < 0 || window < 0 || window != floor(window) || window > INT32_MAX)
    return fail(ev, a->call->loc, "attention: softcap is positive and window a whole number of tokens");
  if (ev->entry == ENTRY_STEP) {
    in[1] = t_cache(ev, in[1]);
    in[2] = t_cache(ev, in[2]);
  }
  in[3] = t_mask(ev, type_row_sym(&q), type_row_sym(t_type(ev, in[1])), (int64_t)window);
  NodeId n = t_add(ev, a->call->loc, OP_attention, in, 4, &(Attr){.scale = scale, .softcap = softcap});
  if (n == NODE_NONE) return v_poison();
  return a->v[6].kind == V_NONE ? v_tensor(graph_part(ev->g, n, 0)) : beside_sinks(ev, a, 6, n);
}

static Value call_lookup(Ev *ev, Args *a) {
  Value ids = need_tensor(ev, a, 0), table = need_tensor(ev, a, 1);
  if (ids.kind != V_TENSOR || table.kind != V_TENSOR) return v_poison();
  Type ti = *t_type(ev, ids.node), tt = *t_type(ev, table.node);
  if (ti.dt != DT_I32 || ti.rank != 1) return fail(ev, a->at[0], "lookup takes ids; found %s", v_text(ev, &ids));
  if (tt.rank < 2 || type_row_sym(&tt) >= 0)
    return fail(ev, a->at[1], "lookup takes a table [V, …]; found %s", v_text(ev, &table));
  int64_t from = 0;
  if (a->v[2].kind != V_NONE && (!v_whole(&a->v[2], &from) || from < 0 || from >= tt.dim[0]))
    return fail(ev, a->at[2], "lookup: the row of id 0 is one of 0 to %lld; found %s", (long long)tt.dim[0] - 1, v_text(ev, &a->v[2]));
  const Node *id = &ev->g->node[ids.node];
  const char *model;
  bool tokens = id->op == OP_input && prog_name_is(InputKind_names, INPUT_IDS, id->attr.name, &model);
  if (ev->m && tokens && (!ev->m->pub->vocab || tt.dim[0] - from < ev->m->pub->vocab))
    ev->m->pub->vocab = tt.dim[0] - from;
  param_used(ev, table.node, 0);
  NodeId in[2] = {ids.node, as_kept(ev, a->at[1], table.node, tt.rank - 1)};
  return v_tensor(t_add(ev, a->call->loc, OP_lookup, in, 2, &(Attr){.of_lookup = {from}}));
}

static Value call_positions(Ev *ev, Args *a) {
  Value x = need_tensor(ev, a, 0);
  if (x.kind != V_TENSOR) return x;
  Type t = *t_type(ev, x.node);
  int sym = type_row_sym(&t);
  if (sym < 0) return fail(ev, a->at[0], "positions takes rows of tokens; found %s", v_text(ev, &x));
  int model = ev->g->sym[sym].model;
  Type ids = {.dt = DT_I32, .rank = 1, .dim = {sym_dim(graph_add_sym(ev->g, SYM_TOKENS, model))}};
  NodeId pos = t_input_of(ev, INPUT_POS, model, &ids);
  if (ev->g->sym[sym].kind == SYM_ROWS) {
    NodeId in[2] = {pos, ev->rows};
    pos = t_add(ev, a->call->loc, OP_take, in, 2, NULL);
  }
  if (t.rank == 1) return v_tensor(pos);                         // whole numbers, as a lookup takes them
  pos = t_un(ev, a->call->loc, OP_float, pos);
  for (int i = 1; i < t.rank; i++) t.dim[i] = 1;
  return v_tensor(t_reshape(ev, a->call->loc, pos, t.dim, t.rank));
}

// A piece of a static extent of rows; the extent is counted with the rows, so 1 is the first behind them.
static Value call_slice(Ev *ev, Args *a) {
  NodeId x = operand(ev, a, 0);
  int64_t i[3] = {0, 0, 1};
  if (x == NODE_NONE) return v_poison();
  for (int k = 0; k < 3; k++)
    if (a->v[k + 1].kind != V_NONE && !v_whole(&a->v[k + 1], &i[k]))
      return fail(ev, a->at[k + 1], "slice takes whole numbers known at compile time; found %s", v_text(ev, &a->v[k + 1]));
  Type t = *t_type(ev, x);
  if (type_row_sym(&t) < 0 || i[0] < 1 || i[0] >= t.rank)
    return fail(ev, a->at[1], "slice takes rows and the number of a further extent; found %s and %lld",
                show_type(ev->b, ev->g, &t), (long long)i[0]);
  if (i[1] < 0 || i[2] < 1 || i[2] > t.dim[i[0]] || i[1] > t.dim[i[0]] - i[2])
    return fail(ev, a->at[2], "slice: elements %lld to %lld of an extent of %lld", (long long)i[1],
                (long long)(i[1] + i[2] - 1), (long long)t.dim[i[0]]);
  NodeId y = t_add(ev, a->call->loc, OP_slice, &x, 1, &(Attr){.of_slice = {i[0], i[1], i[2]}});
  if (a->v[3].kind != V_NONE) return v_tensor(y);
  t.rank--;                                                     // one element: its extent goes
  memmove(t.dim + i[0], t.dim + i[0] + 1, (size_t)(t.rank - i[0]) * sizeof *t.dim);
  return v_tensor(t_reshape(ev, a->call->loc, y, t.dim, t.rank));
}

// The sum of both, each with zeros where the other stands.
static Value call_concat(Ev *ev, Args *a) {
  NodeId in[2] = {operand(ev, a, 0), operand(ev, a, 1)};
  if (in[0] == NODE_NONE || in[1] == NODE_NONE) return v_poison();
  Type t = *t_type(ev, in[0]), u = *t_type(ev, in[1]);
  int64_t axis = t.rank - 1;
  if (a->v[2].kind != V_NONE && !v_whole(&a->v[2], &axis)) return fail(ev, a->at[2], "concat takes the number of an extent; found %s", v_text(ev, &a->v[2]));
  bool fits = type_row_sym(&t) >= 0 && type_row_sym(&t) == type_row_sym(&u) && t.rank == u.rank && axis >= 1 && axis < t.rank;
  for (int i = 1; fits && i < t.rank; i++) fits = i == axis || t.dim[i] == u.dim[i];
  if (!fits)
    return fail(ev, a->call->loc, "concat takes rows that differ in one further extent at most; found %s and %s, extent %lld", show_type(ev->b, ev->g, &t),
                show_type(ev->b, ev->g, &u), (long long)axis);
  int64_t n = t.dim[axis], both = n + u.dim[axis];
  for (int k = 0; k < 2; k++) in[k] = t_add(ev, a->call->loc, OP_unslice, &in[k], 1, &(Attr){.of_unslice = {axis, k ? n : 0, both}});
  return in[0] == NODE_NONE || in[1] == NODE_NONE ? v_poison() : v_tensor(t_bin(ev, a->call->loc, OP_add, in[0], in[1]));
}

// ---- experts

// Numbers [T, n] of some of an extent, as largest gives them.
static bool ids_arg(Ev *ev, const Args *a, int i, NodeId x) {
  const Type *t = a->v[i].kind == V_TENSOR ? t_type(ev, a->v[i].node) : NULL, *tx = t_type(ev, x);
  if (type_row_sym(tx) < 0) {
    fail(ev, a->at[0], "%s takes rows of tokens; found %s", a->call->name, v_text(ev, &a->v[0]));
    return false;
  }
  if (t && t->dt == DT_I32 && t->rank == 2 && t->dim[0] == tx->dim[0]) return true;
  fail(ev, a->at[i], "%s takes numbers [tokens, n] as largest gives them, of the same rows; found %s", a->call->name, v_text(ev, &a->v[i]));
  return false;
}

static Value call_largest(Ev *ev, Args *a) {
  NodeId x = operand(ev, a, 0);
  int64_t n;
  if (x == NODE_NONE) return v_poison();
  const Type *t = t_type(ev, x);
  if (type_row_sym(t) < 0 || t->rank != 2) return fail(ev, a->at[0], "largest takes rows of one extent, [tokens, E]; found %s", show_type(ev->b, ev->g, t));
  if (!v_size(&a->v[1], t->dim[1], &n)) return fail(ev, a->at[1], "largest takes a whole number from 1 to %lld; found %s", (long long)t->dim[1], v_text(ev, &a->v[1]));
  return v_tensor(t_add(ev, a->call->loc, OP_largest, &x, 1, &(Attr){.of_largest = {n}}));
}

static Value call_pick(Ev *ev, Args *a) {
  NodeId x = operand(ev, a, 0);
  if (x == NODE_NONE || !ids_arg(ev, a, 1, x)) return v_poison();
  return v_tensor(t_add(ev, a->call->loc, OP_pick, (NodeId[]){x, a->v[1].node}, 2, NULL));
}

// x has `lead` extents before those that the matrices sum over.
static Value experts(Ev *ev, Args *a, OpId op, int lead) {
  NodeId x = operand(ev, a, 0);
  bool turned = a->v[1].kind == V_TURNED, exact;
  if (x == NODE_NONE || a->v[1].kind == V_POISON || a->v[2].kind == V_POISON || !ids_arg(ev, a, 2, x) || !flag_arg(ev, a, 3, &exact)) return v_poison();
  if (!turned && a->v[1].kind != V_TENSOR) return v_tensor(operand(ev, a, 1));
  NodeId w = a->v[1].node, root = w;
  const Type *tx = t_type(ev, x), *tw = t_type(ev, w), *ids = t_type(ev, a->v[2].node);
  while (op_is(ev->g->node[root].op, T_SAME_DATA)) root = ev->g->node[root].in[0];
  if (!op_is(ev->g->node[root].op, T_STORED))
    return fail(ev, a->at[1], "%s takes the weights of a model's file, which stay as they are; found %s", a->call->name, v_text(ev, &a->v[1]));
  if (op_is(ev->g->node[root].op, T_SERIES) && t_type(ev, root)->dim[0] != tw->dim[0])
    return fail(ev, a->at[1], "%s: the first extent of the weights counts the experts; it is %lld, declared %lld", a->call->name, (long long)t_type(ev, root)->dim[0], (long long)tw->dim[0]);
  int inner = tx->rank - lead, from = turned ? 1 : tw->rank - inner;
  bool fits = inner > 0 && tw->rank > 1 + inner && ids->dim[1] <= tw->dim[0] && (lead == 1 || tx->dim[1] == ids->dim[1]);
  for (int i = 0; fits && i < inner; i++) fits = tw->dim[from + i] == tx->dim[lead + i];
  if (!fits)
    return fail(ev, a->call->loc, "%s: x %s, weights %s%s and ids %s do not fit: expected x[T, %sin…], w[E, %s], ids[T, n], n at most E", a->call->name, show_type(ev->b, ev->g, tx),
                show_type(ev->b, ev->g, tw), turned ? ".t" : "", show_type(ev->b, ev->g, ids), lead == 1 ? "" : "n, ", turned ? "in…, out…].t" : "out…, in…]");
  if (turned) w = t_add(ev, a->at[1], OP_transpose, &w, 1, &(Attr){.of_transpose = {inner, 1}});
  NodeId in[3] = {x, exact ? w : as_kept(ev, a->at[1], w, inner), a->v[2].node};
  return v_tensor(t_add(ev, a->call->loc, op, in, 3, &(Attr){.of_to_experts = {inner, exact}}));
}
static Value call_to_experts(Ev *ev, Args *a) { return experts(ev, a, OP_to_experts, 1); }
static Value call_from_experts(Ev *ev, Args *a) { return experts(ev, a, OP_from_experts, 2); }

// ---- rows

static Value call_rotate_half(Ev *ev, Args *a) {
  NodeId x = operand(ev, a, 0);
  return v_tensor(x == NODE_NONE ? x : t_un(ev, a->call->loc, OP_rotate, x));
}

static Value call_sum(Ev *ev, Args *a) {
  if (a->v[0].kind == V_LIST) {
    double s = 0, x;
    for (int i = 0; i < a->v[0].n; i++) {
      if (!v_number(&a->v[0].v[i], &x))
        return fail(ev, a->at[0], "sum takes numbers; element %d is %s", i, v_text(ev, &a->v[0].v[i]));
      s += x;
    }
    return v_float(s);
  }
  NodeId x = operand(ev, a, 0);
  return v_tensor(x == NODE_NONE ? x : t_un(ev, a->call->loc, OP_sum, x));
}

static Value call_mean(Ev *ev, Args *a) {
  NodeId x = operand(ev, a, 0);
  if (x == NODE_NONE) return v_poison();
  const Type *t = t_type(ev, x);
  if (t->rank == 0 || dim_is_sym(t->dim[t->rank - 1]))
    return fail(ev, a->at[0], "mean runs over the last extent; found %s", show_type(ev->b, ev->g, t));
  double n = (double)t->dim[t->rank - 1];
  NodeId s = t_un(ev, a->call->loc, OP_sum, x);
  return v_tensor(t_bin(ev, a->call->loc, OP_div, s, graph_const(ev->g, n)));
}

static Value call_stop_gradient(Ev *ev, Args *a) {
  if (a->v[0].kind != V_TENSOR) return a->v[0];                 // a number or a list has no gradient
  NodeId x = operand(ev, a, 0);
  return v_tensor(x == NODE_NONE ? x : t_un(ev, a->call->loc, OP_stop_gradient, x));
}

// ---- compile-time values

static bool number_arg(Ev *ev, const Args *a, int i, double *x) {
  if (v_number(&a->v[i], x)) return true;
  fail(ev, a->at[i], "%s takes numbers known at compile time; found %s", a->call->name, v_text(ev, &a->v[i]));
  return false;
}

static Value smaller(Ev *ev, Args *a, bool want_min) {
  double x, y;
  if (!number_arg(ev, a, 0, &x) || !number_arg(ev, a, 1, &y)) return v_poison();
  return a->v[(x <= y) == want_min ? 0 : 1];
}
static Value call_min(Ev *ev, Args *a) { return smaller(ev, a, true); }
static Value call_max(Ev *ev, Args *a) { return smaller(ev, a, false); }

static Value call_len(Ev *ev, Args *a) {
  if (a->v[0].kind == V_LIST) return v_int(a->v[0].n);
  return fail(ev, a->at[0], "len takes a list; found %s", v_text(ev, &a->v[0]));
}

static Value call_said(Ev *ev, Args *a) {
  (void)ev;
  return v_bool(a->v[0].kind != V_NONE || a->v[0].n == NONE_SAID);
}

static Value distribution(Ev *ev, Args *a, InitKind init) {
  double x = 1;
  if (a->v[0].kind != V_NONE && !number_arg(ev, a, 0, &x)) return v_poison();
  if (x < 0) return fail(ev, a->at[0], "%s takes a number that is not negative", init_name(init));
  return (Value){.kind = V_DIST, .n = init, .f = x};
}
#define X(id, word, bare, called, params, what) INIT_##called(id, word)
#define INIT_CALLED(id, word) static Value call_##word(Ev *ev, Args *a) { return distribution(ev, a, INIT_##id); }
#define INIT_UNCALLED(id, word)
#include "runtime/abi/init.def"
#undef X
#undef INIT_CALLED
#undef INIT_UNCALLED

// ---- functions of one number, or of a tensor's every element

static double number_rsqrt(double x) { return 1 / sqrt(x); }
static double number_sigmoid(double x) { return 1 / (1 + exp(-x)); }

#define OP_none OP_COUNT                                       // an E row without an op: not of tensors
typedef enum ResultKind { REAL, WHOLE, KEPT } ResultKind;

static Value elementwise(Ev *ev, Args *a, OpId op, ResultKind result, double f(double)) {
  double x;
  if (op == OP_none && !number_arg(ev, a, 0, &x)) return v_poison();
  if (!v_number(&a->v[0], &x)) {
    NodeId n = operand(ev, a, 0);
    return v_tensor(n == NODE_NONE ? n : t_un(ev, a->call->loc, op, n));
  }
  double y = f(x);
  if (!isfinite(y))
    return fail(ev, a->call->loc, "%s of %s is not a finite number", a->call->name, v_text(ev, &a->v[0]));
  bool whole = result == WHOLE || (result == KEPT && a->v[0].kind == V_INT);
  return whole && fabs(y) < 9e15 ? v_int((int64_t)y) : v_float(y);
}
#define F(name, params, takes, what)
#define E(name, number, result, op, what) \
  static Value call_##name(Ev *ev, Args *a) { return elementwise(ev, a, OP_##op, result, number); }
#include "dsl/builtins.def"
#undef F
#undef E

// ---- the table and its use

typedef enum Takes { TENSORS, NUMBERS, BOTH } Takes;
static const struct {
  const char *name, *params;
  Takes takes;
  Builtin *call;
} table[] = {
#define F(name, params, takes, what) {#name, params, takes, call_##name},
#define E(name, number, result, op, what) {#name, "x", OP_##op == OP_none ? NUMBERS : BOTH, call_##name},
#include "dsl/builtins.def"
#undef F
#undef E
};
enum { N_BUILTINS = sizeof table / sizeof *table };

bool builtin_constant(const char *name, Value *v) {
  const struct { const char *name; Value v; } constants[] = {
      {"pi", v_float(3.14159265358979323846)},
#define BARE(value) true, value
#define NO_WORD false, 0
#define ROW(id, word, bare, value) {(bare) ? #word : NULL, {.kind = V_DIST, .n = INIT_##id, .f = value}},
#define X(id, word, bare, called, params, what) ROW_OF(ROW, id, word, bare)
#define ROW_OF(row, id, word, ...) row(id, word, __VA_ARGS__)
#include "runtime/abi/init.def"
#undef X
#undef ROW
#undef ROW_OF
#undef BARE
#undef NO_WORD
  };
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
    if (constants[i].name && !strcmp(constants[i].name, name)) {
      *v = constants[i].v;
      return true;
    }
  return false;
}

const char *nearest_name(Build *b, const Scope *s, const char *name) {
  Near near = near_begin(name);
  if (b->mute || !diags_shown(b->d)) return NULL;
  for (; s; s = s->up)
    for (int i = 0; i < s->n; i++) near_offer(&near, s->v[i].name);
  for (int i = 0; i < N_BUILTINS; i++) near_offer(&near, table[i].name);
  static const char *const values[] = {"true", "false", "none"};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) near_offer(&near, values[i]);
  for (int f = 0; f <= b->spec->nlib; f++) {
    const Ast *file = f ? b->spec->lib[f - 1] : b->spec->file;
    for (int i = 0; i < file->nkid; i++)
      if (file->kid[i]->kind == AST_FN) near_offer(&near, file->kid[i]->name);
  }
  return near.best;
}

// Place of parameter `name` (n bytes) in a parameter list, -1; *count is the length of the list.
static int param_slot(const char *params, const char *name, int *count, unsigned *optional) {
  int slot = -1, i = 0;
  *optional = 0;
  for (const char *p = params; *p; i++) {
    size_t n = strcspn(p, " ");
    size_t bare = n && p[n - 1] == '?' ? n - 1 : n;
    if (bare < n) *optional |= 1u << i;
    if (name && strlen(name) == bare && !strncmp(p, name, bare)) slot = i;
    p += n + (p[n] == ' ');
  }
  *count = i;
  return slot;
}

static bool read_args(Ev *ev, Scope *s, const Ast *e, const char *params, Args *a) {
  int count, next = 0;
  unsigned optional, given = 0;
  bool bad = false;
  param_slot(params, NULL, &count, &optional);
  for (int i = 0; i < e->nkid; i++) {
    const Ast *k = e->kid[i];
    bool named = k->kind == AST_NAMED;
    unsigned ignored;
    int slot = named ? param_slot(params, k->name, &count, &ignored) : next++;
    if (slot < 0 || slot >= count || (given >> slot & 1)) {
      fail(ev, k->loc,
           named && slot < 0 ? "'%s' takes no such argument; its arguments are: %s"
           : slot >= count   ? "'%s' takes fewer arguments: %s"
                             : "'%s': this argument is given twice; its arguments are: %s",
           e->name, params);
      return false;
    }
    a->v[slot] = eval(ev, s, named ? k->kid[0] : k);
    a->at[slot] = k->loc;
    given |= 1u << slot;
    bad |= a->v[slot].kind == V_POISON;
  }
  unsigned need = ((1u << count) - 1) & ~optional;
  if ((given & need) == need) return !bad;
  lack(ev, e->loc, "'%s' needs more arguments: %s", e->name, params);
  return false;
}

Value call_builtin(Ev *ev, Scope *s, const Ast *e) {
  for (int i = 0; i < N_BUILTINS; i++) {
    if (strcmp(table[i].name, e->name)) continue;
    Args a = {.call = e};
    for (int k = 0; k < MAX_ARGS; k++) {
      a.v[k] = v_none(NULL);
      a.at[k] = e->loc;
    }
    const bool within = ev->constant;
    ev->constant |= table[i].call == call_stop_gradient;
    const bool read = read_args(ev, s, e, table[i].params, &a);
    ev->constant = within;
    if (!read) return v_poison();
    for (int k = 0; k < MAX_ARGS; k++)
      if (table[i].takes == NUMBERS && a.v[k].kind == V_TENSOR)
        return fail(ev, a.at[k], "%s is of values known at compile time; found %s", e->name, v_text(ev, &a.v[k]));
    return table[i].call(ev, &a);
  }
  const char *near = nearest_name(ev->b, s, e->name);
  return lack(ev, e->loc, "no function '%s'%s%s%s", e->name, near ? "; did you mean '" : "", near ? near : "",
              near ? "'?" : "");
}
