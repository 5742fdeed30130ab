// Every op of ops.def, compiled and run, against the reference evaluator: random shapes with no rows, one, primes and
// odd tails in every extent, on every instruction-set path of this machine. The table below draws an op's operands; a
// row of ops.def without an entry fails the test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/ops.h"
#include "passes/passes.h"
#include "tests/unit/plan_runner.h"

#ifdef __SANITIZE_ADDRESS__    // what it watches, the code in C, is the same in every round; LLVM's own allocations make it slow
enum { ROUNDS = 4 };
#else
enum { ROUNDS = 16 };
#endif

// ---- drawing

static int64_t width(Kit *k) {
  static const int64_t w[] = {1, 2, 3, 5, 7, 13, 15, 16, 17, 31, 33, 64, 67};
  return w[kit_pick(k, sizeof w / sizeof *w)];
}
static int64_t narrow(Kit *k) { return (int64_t[]){1, 2, 3, 5, 7, 17}[kit_pick(k, 6)]; }
static int64_t row_count(Kit *k) { return (int64_t[]){0, 1, 2, 3, 7, 13, 31, 33, 65, 97}[kit_pick(k, 10)]; }
static int tokens(Kit *k) { return kit_tokens(k, "base", k->g->nsym ? k->sym[0] : row_count(k)); }

static const char *name(Kit *k, const char *kind) {
  return arena_printf(k->arena, "%s.%s%d", k->g->name, kind, k->g->n);
}

static NodeId rows_in(Kit *k, int sym, double lo, double hi, int n, const int64_t *ext) {
  return kit_source(k, OP_input, name(k, "x"), kit_type(sym, ext, n), lo, hi);
}
static NodeId tensor_in(Kit *k, OpId op, Dtype dt, int n, const int64_t *ext) {
  Type t = kit_type(-1, ext, n);
  t.dt = dt;
  return kit_source(k, op, name(k, "w"), t, -1, 1);
}
#define EXTENTS(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__}

// A tensor that is multiplied or looked up in: frozen in any stored type, or a parameter.
static NodeId matrix(Kit *k, int n, const int64_t *ext) {
  static const Dtype dt[] = {DT_F32, DT_F16, DT_BF16};
  return kit_pick(k, 3) ? tensor_in(k, OP_weight, dt[kit_pick(k, 3)], n, ext) : tensor_in(k, OP_param, DT_F32, n, ext);
}

// The same as int8, now and then or always, where it may be.
static NodeId rounded(Kit *k, NodeId w, int inner, bool always) {
  NodeId root = w;
  while (k->g->node[root].op == OP_transpose) root = k->g->node[root].in[0];
  bool frozen = op_is(k->g->node[root].op, T_STORED);
  return frozen && (always || !kit_pick(k, 3)) ? graph_add(k->g, OP_int8, &w, 1, &(Attr){.i = {inner}}, NULL) : w;
}

static NodeId ids(Kit *k, int sym, int64_t below) { return kit_ids(k, name(k, "i"), sym, below); }

static void wanted(Kit *k, NodeId n) { graph_output(k->g, arena_printf(k->arena, "y%d", k->g->nout), n); }

static void wanted_parts(Kit *k, NodeId n, unsigned which, bool backward) {
  for (int i = 0; i < k->g->node[n].nout; i++) {
    if (!(which >> i & 1)) continue;
    NodeId part = graph_part(k->g, n, i);
    k->g->node[part].backward = backward;
    wanted(k, part);
  }
}

static NodeId backward(Kit *k, NodeId n) {
  k->g->node[n].backward = true;
  return n;
}

// A value of the backward pass as the gradient of a parameter: it is added to the flat gradient; sometimes row work
// comes between, so that the value itself needs a place.
static void gradient(Kit *k, NodeId n) {
  const char *p = name(k, "p");
  wanted(k, graph_un(k->g, OP_neg, kit_source(k, OP_param, p, k->g->node[n].type, -1, 1)));
  if (kit_pick(k, 3) == 0) n = backward(k, graph_bin(k->g, OP_mul, n, graph_const(k->g, 0.5)));
  graph_output(k->g, arena_printf(k->arena, "grad.%s", p), n);
}

// Graphs with backward nodes give a gradient.
static void some_gradient(Kit *k, int sym) {
  gradient(k, backward(k, graph_un(k->g, OP_colsum, rows_in(k, sym, -1, 1, EXTENTS(width(k))))));
}

// ---- one case of an op; its results are outputs

typedef void Draw(Kit *k, OpId op);

static void draw_input(Kit *k, OpId op) {
  int64_t ext[3] = {narrow(k), narrow(k), width(k)};
  int n = (int)kit_pick(k, 4), sym = tokens(k);
  NodeId x = kit_source(k, op, name(k, "x"), kit_type(sym, ext + 3 - n, n), -1, 1);
  if (kit_pick(k, 2)) wanted(k, x);
  wanted(k, graph_un(k->g, OP_neg, x));
}

static void draw_cache(Kit *k, OpId op) {
  int64_t ext[2] = {narrow(k), width(k)};
  int C = kit_cached(k, "base", row_count(k));
  wanted(k, graph_un(k->g, OP_neg, kit_source(k, op, name(k, "c"), kit_type(C, ext, 2), -1, 1)));
}

static void draw_tensor(Kit *k, OpId op) {
  int64_t ext[2] = {width(k), width(k)};
  int n = (int)kit_pick(k, 3);
  NodeId w = tensor_in(k, op, DT_F32, n, ext);
  NodeId x = rows_in(k, tokens(k), -1, 1, n, ext);
  wanted(k, graph_bin(k->g, OP_sub, x, w));
  wanted(k, graph_un(k->g, OP_neg, w));
}

static void draw_const(Kit *k, OpId op) {
  (void)op;
  double v[67];
  int64_t n = width(k);
  for (int64_t i = 0; i < n; i++) v[i] = (float)kit_uniform(k, -2, 2);
  NodeId x = rows_in(k, tokens(k), -1, 1, EXTENTS(narrow(k), n));
  x = graph_bin(k->g, OP_mul, x, graph_const_vec(k->g, v, n));
  wanted(k, graph_bin(k->g, OP_add, graph_const(k->g, v[0]), x));
}

static void draw_binary(Kit *k, OpId op) {
  int T = tokens(k);
  int64_t m = narrow(k), n = width(k), l = narrow(k);
  const struct { bool rows; int rank; int64_t ext[3]; } shape[] = {
    {true, 2, {m, n}}, {true, 2, {m, 1}}, {true, 2, {1, 1}}, {true, 0, {0}}, {true, 1, {n}},
    {false, 0, {0}}, {false, 1, {n}}, {false, 2, {m, n}}, {false, 2, {m, 1}}, {false, 1, {1}}, {false, 2, {1, n}},
    {false, 3, {l, m, n}}, {false, 3, {l, 1, 1}}, {false, 3, {l, m, 1}},
  };
  NodeId x[2];
  for (int i = 0; i < 2; i++) {
    int64_t s = kit_pick(k, sizeof shape / sizeof *shape);
    bool divisor = i && op == OP_div;
    x[i] = shape[s].rows ? rows_in(k, T, divisor ? 0.5 : -1, 2, shape[s].rank, shape[s].ext)
                         : kit_source(k, kit_pick(k, 2) ? OP_param : OP_weight, name(k, "w"),
                                      kit_type(-1, shape[s].ext, shape[s].rank), divisor ? 0.5 : -1, 2);
  }
  wanted(k, graph_bin(k->g, op, x[0], x[1]));
}

static void draw_unary(Kit *k, OpId op) {
  bool positive = op == OP_log || op == OP_sqrt || op == OP_rsqrt;
  int64_t ext[2] = {narrow(k), width(k)};
  int n = (int)kit_pick(k, 3), sym = kit_pick(k, 4) ? tokens(k) : -1;
  Type t = kit_type(sym, ext + 2 - n, n);
  wanted(k, graph_un(k->g, op, kit_source(k, sym < 0 ? OP_param : OP_input, name(k, "x"), t, positive ? 0.1 : -3, 3)));
}

static void draw_stop(Kit *k, OpId op) {
  NodeId x = rows_in(k, tokens(k), -3, 3, EXTENTS(narrow(k), width(k))), y = graph_un(k->g, OP_tanh, x);
  wanted(k, graph_bin(k->g, OP_mul, x, graph_un(k->g, op, y)));
  if (kit_pick(k, 2)) wanted(k, graph_un(k->g, op, graph_un(k->g, op, y)));
}

static void draw_float(Kit *k, OpId op) {
  static const Dtype dt[] = {DT_F16, DT_BF16, DT_I32};
  NodeId w = tensor_in(k, OP_weight, dt[kit_pick(k, 2)], EXTENTS(width(k)));
  int T = tokens(k);
  int64_t n = k->g->node[w].type.dim[0];
  wanted(k, graph_bin(k->g, OP_mul, rows_in(k, T, -1, 1, 1, &n), graph_un(k->g, op, w)));
  if (kit_pick(k, 2)) wanted(k, graph_un(k->g, op, w));
  wanted(k, graph_un(k->g, op, ids(k, T, 1000)));
}

static void draw_last_axis(Kit *k, OpId op) {
  int64_t n = width(k), ext[2] = {narrow(k), op == OP_rotate ? 2 * n : n};
  int sym = kit_pick(k, 4) ? tokens(k) : -1;
  Type t = kit_type(sym, ext, 2);
  NodeId x = kit_source(k, sym < 0 ? OP_param : OP_input, name(k, "x"), t, -1, 1);
  NodeId y = graph_un(k->g, op, x);
  wanted(k, y);
  wanted(k, graph_bin(k->g, OP_mul, y, graph_un(k->g, op, graph_bin(k->g, OP_add, x, y))));
}

static void draw_reshape(Kit *k, OpId op) {
  (void)op;
  int64_t m = narrow(k), n = width(k);
  NodeId x = rows_in(k, tokens(k), -1, 1, EXTENTS(m, n));
  NodeId y = graph_reshape(k->g, graph_un(k->g, OP_exp, x), (int64_t[]){n, 1, m}, 3, NULL);
  wanted(k, graph_un(k->g, OP_sum, y));
  wanted(k, y);
}

static NodeId some_attention(Kit *k, OpId op, int *T);

static void draw_part(Kit *k, OpId op) {
  int T;
  NodeId n = some_attention(k, OP_attention, &T), part = graph_part(k->g, n, (int)kit_pick(k, 2));
  assert_int_equal(k->g->node[part].op, op);
  wanted(k, graph_un(k->g, OP_neg, graph_un(k->g, OP_exp, part)));
}

// w stored [in…, out…], as [out…, in…].
static NodeId turned(Kit *k, int outer, int inner, const int64_t *ext) {
  int64_t stored[4];
  for (int i = 0; i < outer + inner; i++) stored[i] = ext[(i + outer) % (outer + inner)];
  NodeId w = matrix(k, outer + inner, stored);
  return graph_add(k->g, OP_transpose, &w, 1, &(Attr){.i = {inner}}, NULL);
}

static void draw_product(Kit *k, OpId op) {
  int outer = 1 + (int)kit_pick(k, 2), inner = 1 + (int)kit_pick(k, 2);
  int64_t ext[4] = {narrow(k), narrow(k), narrow(k), narrow(k)};
  ext[outer - 1] = width(k);
  ext[outer + inner - 1] = width(k);
  bool int8 = op == OP_int8, turn = op == OP_transpose || (!int8 && !kit_pick(k, 3));
  if (op == OP_transpose || int8) op = kit_pick(k, 2) ? OP_linear : OP_linear_dx;
  bool forward = op == OP_linear;
  NodeId x = rows_in(k, tokens(k), -1, 1, forward ? inner : outer, forward ? ext + outer : ext);
  NodeId w = turn ? turned(k, outer, inner, ext) : int8 ? tensor_in(k, OP_weight, DT_BF16, outer + inner, ext) : matrix(k, outer + inner, ext);
  bool computed = !turn && kit_pick(k, 4) == 0 && k->g->node[w].type.dt == DT_F32;
  if (computed) w = graph_bin(k->g, OP_add, w, graph_const(k->g, 1));   // a matrix that stands nowhere yet
  else w = rounded(k, w, inner, int8);
  NodeId y = graph_add(k->g, op, (NodeId[]){x, w}, 2, &(Attr){.of_linear = {inner, kit_pick(k, 4) == 0}}, NULL);
  wanted(k, y);
  if (kit_pick(k, 2)) wanted(k, graph_un(k->g, OP_tanh, graph_bin(k->g, OP_mul, y, y)));
}

static void draw_linear_dw(Kit *k, OpId op) {
  int T = tokens(k), inner = 1 + (int)kit_pick(k, 2);
  NodeId dy = rows_in(k, T, -1, 1, EXTENTS(narrow(k), width(k)));
  NodeId x = rows_in(k, T, -1, 1, inner, (int64_t[]){width(k), narrow(k)});
  gradient(k, backward(k, graph_add(k->g, op, (NodeId[]){dy, x}, 2, &(Attr){.i = {inner}}, NULL)));
}

static void draw_slice(Kit *k, OpId op) {
  int64_t ext[3] = {narrow(k), width(k), narrow(k)}, axis = 1 + kit_pick(k, 3), n = ext[axis - 1];
  NodeId x = rows_in(k, tokens(k), -1, 1, 3, ext);
  int64_t from = kit_pick(k, n), piece = 1 + kit_pick(k, n - from);
  Attr attr = {.i = {axis, from, op == OP_slice ? piece : n + from + kit_pick(k, 20)}};
  NodeId y = graph_add(k->g, op, &x, 1, &attr, NULL);
  wanted(k, y);
  if (kit_pick(k, 2)) wanted(k, graph_un(k->g, OP_neg, y));
}

static void draw_lookup(Kit *k, OpId op) {
  int64_t ext[3] = {width(k), narrow(k), width(k)};
  int64_t from = kit_pick(k, 2) ? kit_pick(k, ext[0]) : 0;
  NodeId i = ids(k, tokens(k), ext[0] - from);
  int n = 1 + (int)kit_pick(k, 3);
  NodeId table = matrix(k, n, ext);
  NodeId in[2] = {i, n > 1 ? rounded(k, table, n - 1, false) : table};
  wanted(k, graph_add(k->g, op, in, 2, &(Attr){.of_lookup = {from}}, NULL));
}

static void draw_lookup_dw(Kit *k, OpId op) {
  int64_t V = width(k), from = kit_pick(k, V);
  int T = tokens(k);
  NodeId in[2] = {ids(k, T, V - from), rows_in(k, T, -1, 1, EXTENTS(width(k)))};
  gradient(k, backward(k, graph_add(k->g, op, in, 2, &(Attr){.of_lookup_dw = {V, from}}, NULL)));
}

// ---- experts

static NodeId chosen(Kit *k, int T, int64_t E, int64_t n) {
  NodeId x = rows_in(k, T, -1, 1, EXTENTS(E));
  return graph_add(k->g, OP_largest, &x, 1, &(Attr){.of_largest = {n}}, NULL);
}

static void draw_largest(Kit *k, OpId op) {
  int T = tokens(k);
  int64_t E = width(k), n = 1 + kit_pick(k, E);
  NodeId x = rows_in(k, T, -1, 1, EXTENTS(E));
  if (kit_pick(k, 2)) x = graph_un(k->g, OP_floor, graph_bin(k->g, OP_mul, x, graph_const(k->g, 2)));     // many are equal
  wanted(k, graph_add(k->g, op, &x, 1, &(Attr){.of_largest = {n}}, NULL));
}

static void draw_pick(Kit *k, OpId op) {
  int T = tokens(k);
  int64_t E = width(k), n = 1 + kit_pick(k, E);
  NodeId in[2] = {rows_in(k, T, -1, 1, EXTENTS(op == OP_pick ? E : n)), chosen(k, T, E, n)};
  wanted(k, graph_add(k->g, op, in, 2, &(Attr){.of_unpick = {op == OP_pick ? 0 : E}}, NULL));
}

// Matrices of all stored types, of a tensor each or of one, turned or not, as int8 now and then, with extents in several parts. Few shapes: a kernel of these
// takes long to compile, and tests/unit/test_llvm_experts.c has more.
static void draw_experts(Kit *k, OpId op) {
  static const struct Drawn { Dtype dt; int64_t E, n; int outer, inner; int64_t side[2][2]; } some[] = {
    {DT_BF16, 5, 2, 1, 2, {{17}, {3, 11}}}, {DT_F32, 1, 1, 1, 1, {{1}, {5}}}, {DT_F16, 7, 3, 2, 1, {{13, 3}, {64}}},
  };
  const struct Drawn *d = &some[kit_pick(k, 3)];
  bool series = op == OP_weights || !kit_pick(k, 3), turned = kit_pick(k, 2);
  if (op == OP_weights) op = OP_to_experts;
  bool slots = op == OP_from_experts || op == OP_to_experts_dx, back = op_is(op, T_BY_OUTER);
  int T = tokens(k), first = turned ? d->inner : d->outer, second = turned ? d->outer : d->inner, summed = back ? d->outer : d->inner;
  int64_t ext[5] = {d->E}, x[3] = {d->n};
  memcpy(ext + 1, d->side[turned], (size_t)first * sizeof *ext);
  memcpy(ext + 1 + first, d->side[!turned], (size_t)second * sizeof *ext);
  memcpy(x + slots, d->side[!back], (size_t)summed * sizeof *x);
  Type tw = kit_type(-1, ext, 1 + d->inner + d->outer);
  tw.dt = d->dt;
  NodeId w = kit_source(k, series ? OP_weights : OP_weight, series ? arena_printf(k->arena, "%s.*", name(k, "w")) : name(k, "w"), tw, -1, 1);
  if (turned) w = graph_add(k->g, OP_transpose, &w, 1, &(Attr){.of_transpose = {d->inner, 1}}, NULL);
  NodeId in[3] = {rows_in(k, T, -1, 1, slots + summed, x), rounded(k, w, d->inner, false), chosen(k, T, d->E, d->n)};
  NodeId y = graph_add(k->g, op, in, 3, &(Attr){.of_to_experts = {d->inner, 0}}, NULL);
  wanted(k, y);
  if (kit_pick(k, 2)) wanted(k, graph_un(k->g, OP_neg, y));
}

static int labelled(Kit *k, int T) { return kit_rows(k, kit_pick(k, k->sym[T] + 1)); }

static void draw_take(Kit *k, OpId op) {
  int T = tokens(k), R = labelled(k, T);
  NodeId x = rows_in(k, T, -1, 1, EXTENTS(narrow(k), width(k)));
  NodeId rows = kit_index(k, "rows", R, k->sym[T]);
  wanted(k, graph_bin(k->g, op, x, rows));
  wanted(k, graph_bin(k->g, op, ids(k, T, 100), rows));
}

static void draw_untake(Kit *k, OpId op) {
  int T = tokens(k), R = labelled(k, T);
  NodeId in[2] = {rows_in(k, R, -1, 1, EXTENTS(width(k))), kit_index(k, "rows", R, k->sym[T])};
  wanted(k, graph_add(k->g, op, in, 2, &(Attr){.i = {T}}, NULL));
}

static void draw_append(Kit *k, OpId op) {
  int T = tokens(k), C = kit_cached(k, "base", k->sym[T] + row_count(k));
  int64_t ext[2] = {narrow(k), width(k)};
  NodeId cache = kit_source(k, OP_cache, name(k, "c"), kit_type(C, ext, 2), -1, 1);
  NodeId in[3] = {cache, rows_in(k, T, -1, 1, 2, ext), kit_index(k, name(k, "s"), T, k->sym[C])};
  wanted(k, graph_add(k->g, op, in, 3, NULL, NULL));
}

// q, k, v, mask and attributes; of one row symbol or two.
static NodeId some_attention(Kit *k, OpId op, int *T) {
  int Q = *T = tokens(k), K = kit_pick(k, 2) ? Q : kit_tokens(k, "code", row_count(k));
  int64_t heads = 1 + kit_pick(k, 3), group = 1 + kit_pick(k, 3), D = width(k), E = width(k);
  NodeId in[7];
  in[0] = rows_in(k, Q, -2, 2, EXTENTS(heads * group, D));
  in[1] = rows_in(k, K, -1, 1, EXTENTS(heads, D));
  in[2] = rows_in(k, K, -1, 1, EXTENTS(heads, E));
  in[3] = K == Q && kit_pick(k, 2) ? kit_causal(k, Q, K, kit_pick(k, 2) ? 5 : 0) : kit_intervals(k, Q, K);
  Attr attr = {.f = {kit_uniform(k, 0.1, 1), kit_pick(k, 2) ? kit_uniform(k, 1, 4) : 0}};
  attr.scale = (float)attr.scale, attr.softcap = (float)attr.softcap;
  NodeId n = graph_add(k->g, OP_attention, in, 4, &attr, NULL);
  if (op == OP_attention) return n;
  bool shifted = kit_pick(k, 2);
  NodeId back[8] = {rows_in(k, Q, -1, 1, EXTENTS(heads * group, E)), in[0], in[1], in[2], in[3],
                    graph_part(k->g, n, 0), graph_part(k->g, n, 1)};
  if (shifted) back[7] = rows_in(k, Q, -1, 1, EXTENTS(heads * group));
  return backward(k, graph_add(k->g, op, back, 7 + shifted, &attr, NULL));
}

static void draw_attention(Kit *k, OpId op) {
  int T;
  wanted_parts(k, some_attention(k, op, &T), 1 + (unsigned)kit_pick(k, 3), false);
}

static void draw_attention_grad(Kit *k, OpId op) {
  int T;
  wanted_parts(k, some_attention(k, op, &T), 1 + (unsigned)kit_pick(k, 7), true);
  some_gradient(k, T);
}

static void draw_mask(Kit *k, OpId op) {
  int T = tokens(k), R = labelled(k, T);
  int64_t D = width(k);
  NodeId mask = kit_causal(k, T, T, kit_pick(k, 2) ? 1 + kit_pick(k, 9) : 0);
  assert_int_equal(k->g->node[mask].op, op);
  NodeId x = rows_in(k, T, -1, 1, EXTENTS(1, D)), rows = kit_index(k, "rows", R, k->sym[T]);
  if (kit_pick(k, 2)) mask = graph_bin(k->g, OP_take, mask, rows);       // the intervals of some rows
  int Q = type_row_sym(&k->g->node[mask].type);
  NodeId in[4] = {rows_in(k, Q, -1, 1, EXTENTS(2, D)), x, x, mask};
  wanted_parts(k, graph_add(k->g, OP_attention, in, 4, &(Attr){.f = {0.5}}, NULL), 1, false);
}

// The loss and its gradients: h, w, labels, nll', nll; every other one with a bias behind.
static void draw_loss(Kit *k, OpId op) {
  int R = kit_rows(k, row_count(k));
  int64_t D = width(k), V = (int64_t[]){1, 2, 17, 127, 128, 129, 300}[kit_pick(k, 7)], head[2] = {V, D};
  NodeId in[6] = {rows_in(k, R, -1, 1, 1, &D), rounded(k, matrix(k, 2, head), 1, false), ids(k, R, V)};
  bool biased = kit_pick(k, 2);
  NodeId bias = biased ? tensor_in(k, OP_param, DT_F32, 1, &V) : NODE_NONE;
  Attr attr = {.f = {0, kit_pick(k, 2) ? (float)kit_uniform(k, 1, 4) : 0}};
  if (op == OP_xent) {
    in[3] = bias;
    wanted(k, graph_add(k->g, op, in, 3 + biased, &attr, NULL));
    return;
  }
  in[3] = rows_in(k, R, -1, 1, 0, NULL), in[4] = bias;
  NodeId grad = backward(k, graph_add(k->g, OP_xent_grad, in, 4 + biased, &attr, NULL));
  if (op == OP_xent_grad) {
    wanted_parts(k, grad, 1 + (unsigned)kit_pick(k, 3), true);
    some_gradient(k, R);
    return;
  }
  if (!biased || kit_pick(k, 2)) in[1] = tensor_in(k, OP_param, DT_F32, 2, head);      // else the bias alone is trained
  grad = backward(k, graph_add(k->g, OP_xent_grad, in, 4 + biased, &attr, NULL));
  in[4] = backward(k, graph_part(k->g, grad, 1)), in[5] = bias;
  grad = backward(k, graph_add(k->g, op, in, 5 + biased, &attr, NULL));
  if (!biased) gradient(k, grad);
  else for (int i = 0; i < 2; i++) gradient(k, backward(k, graph_part(k->g, grad, i)));
}

static void draw_colsum(Kit *k, OpId op) {
  int sym = kit_pick(k, 3) ? tokens(k) : -1;
  int64_t ext[3] = {width(k), narrow(k), width(k)};
  NodeId x = sym < 0 ? tensor_in(k, OP_param, DT_F32, 2, ext) : rows_in(k, sym, -1, 1, (int)kit_pick(k, 4), ext);
  wanted(k, graph_un(k->g, op, x));
}

// Functions of numbers are drawn by their traits; others are listed.
static Draw *const draw[OP_COUNT] = {
  [OP_input] = draw_input, [OP_mask] = draw_mask, [OP_weight] = draw_tensor, [OP_param] = draw_tensor,
  [OP_cache] = draw_cache, [OP_const] = draw_const,
  [OP_float] = draw_float, [OP_stop_gradient] = draw_stop, [OP_sum] = draw_last_axis, [OP_rotate] = draw_last_axis,
  [OP_reshape] = draw_reshape, [OP_part] = draw_part,
  [OP_linear] = draw_product, [OP_linear_dx] = draw_product, [OP_linear_dw] = draw_linear_dw,
  [OP_transpose] = draw_product, [OP_int8] = draw_product, [OP_slice] = draw_slice, [OP_unslice] = draw_slice,
  [OP_lookup] = draw_lookup, [OP_lookup_dw] = draw_lookup_dw, [OP_take] = draw_take, [OP_untake] = draw_untake,
  [OP_append] = draw_append, [OP_attention] = draw_attention, [OP_attention_grad] = draw_attention_grad,
  [OP_largest] = draw_largest, [OP_pick] = draw_pick, [OP_unpick] = draw_pick, [OP_weights] = draw_experts,
  [OP_to_experts] = draw_experts, [OP_to_experts_dx] = draw_experts, [OP_from_experts] = draw_experts, [OP_from_experts_dx] = draw_experts,
  [OP_xent] = draw_loss, [OP_xent_grad] = draw_loss, [OP_xent_dw] = draw_loss, [OP_colsum] = draw_colsum,
};

static bool has_op(const Graph *g, OpId op) {
  for (NodeId i = 0; i < g->n; i++) {
    if (g->node[i].op == op) return true;
  }
  return false;
}

// Every other round as the driver does it, after all passes.
static void one_op(OpId op, Draw *draw_op) {
  NativeCase c[ROUNDS];
  for (int i = 0; i < ROUNDS; i++) {
    Kit *k = kit_new((uint64_t)op * 1000 + (uint64_t)i + 1);
    k->g->name = arena_printf(k->arena, "%s.%d", op_name(op), i);
    draw_op(k, op);
    if (!has_op(k->g, op)) fail_msg("a case of op %s has no such node", op_name(op));
    c[i] = (NativeCase){k, k->g, i % 2 ? passes_run(k->g, k->arena, NULL, NULL) : k->g, false};
  }
  native_check(c, ROUNDS, 1e-5, false);
  for (int i = 0; i < ROUNDS; i++) kit_free(c[i].kit);
}

static void every_op(void **state) {
  (void)state;
  for (int op = 0; op < OP_COUNT; op++) {
    Draw *draw_op = draw[op] ? draw[op] : !op_is((OpId)op, T_EACH) ? NULL : op_min_in((OpId)op) == 2 ? draw_binary : draw_unary;
    if (!draw_op) fail_msg("op %s has no case: add one to the table above", op_name((OpId)op));
    one_op((OpId)op, draw_op);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_op)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
