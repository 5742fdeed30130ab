// Autodiff against central differences, in double. Every op of ops.def that has a gradient rule is drawn at random
// shapes (no rows, one, primes, odd widths) by a generator found in a table; a new row without one fails the test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "autodiff/autodiff.h"
#include "graph/eval.h"
#include "graph/ops.h"

enum { MAX_NODES = 512, MAX_WRT = 24, ROUNDS = 24 };

// ---- a case: a graph, values of its sources, and what to differentiate by

typedef struct Case {
  Arena *a;
  Graph *g;
  uint64_t seed;
  int64_t sym[8];
  double *value[MAX_NODES];                  // of sources
  EvalMask mask[MAX_NODES];
  NodeId wrt[MAX_WRT];
  int nwrt;
} Case;

static uint64_t next(Case *c) {
  uint64_t z = c->seed += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
static int64_t below(Case *c, int64_t n) { return (int64_t)(next(c) % (uint64_t)n); }
static double uniform(Case *c, double lo, double hi) { return lo + (hi - lo) * (double)(next(c) >> 11) * 0x1p-53; }
static int64_t width(Case *c) { return (int64_t[]){1, 2, 3, 5, 7, 9}[below(c, 6)]; }
static int64_t even(Case *c) { return (int64_t[]){2, 4, 6, 10}[below(c, 4)]; }
static int64_t rows(Case *c) { return (int64_t[]){0, 1, 2, 3, 5, 7}[below(c, 6)]; }

static void begin(Case *c, uint64_t seed) {
  *c = (Case){.a = arena_new(), .seed = seed};
  c->g = graph_new(c->a, "test");
  graph_add_model(c->g, "base");
  graph_add_model(c->g, "code");
}

static int new_sym(Case *c, SymKind kind, int model, int64_t extent) {
  int s = graph_add_sym(c->g, kind, model);
  c->sym[s] = extent;
  return s;
}

static int tokens(Case *c) { return new_sym(c, SYM_TOKENS, 0, rows(c)); }

static Type make_type(Dtype dt, int sym, int n, const int64_t *ext) {
  Type t = {.dt = dt};
  if (sym >= 0) t.dim[t.rank++] = sym_dim(sym);
  for (int i = 0; i < n; i++) t.dim[t.rank++] = ext[i];
  return t;
}

static int64_t elems(const Case *c, const Type *t) {
  int s = type_row_sym(t);
  return type_row_elems(t) * (s >= 0 ? c->sym[s] : 1);
}

static NodeId source(Case *c, OpId op, Type t, const char *prefix, double lo, double hi) {
  NodeId id = graph_source(c->g, op, t, &(Attr){.name = arena_printf(c->a, "%s%d", prefix, c->g->n)});
  int64_t n = elems(c, &t);
  c->value[id] = ARENA_ARRAY(c->a, double, n + 1);
  for (int64_t i = 0; i < n; i++) c->value[id][i] = uniform(c, lo, hi);
  return id;
}

// A value to differentiate by: rows of a symbol, or a parameter when sym < 0.
static NodeId wanted_in(Case *c, int sym, double lo, double hi, int n, const int64_t *ext) {
  NodeId id = source(c, sym >= 0 ? OP_input : OP_param, make_type(DT_F32, sym, n, ext), sym >= 0 ? "x" : "p", lo, hi);
  assert_true(c->nwrt < MAX_WRT);
  return c->wrt[c->nwrt++] = id;
}
#define WANTED(c, sym, ...) \
  wanted_in(c, sym, -1, 1, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static NodeId frozen(Case *c, int64_t m, int64_t n) {
  return source(c, OP_weight, make_type(DT_F32, -1, 2, (int64_t[]){m, n}), "w", -1, 1);
}

static NodeId index_into(Case *c, int sym, int64_t limit) {
  NodeId id = source(c, OP_input, make_type(DT_I32, sym, 0, NULL), "i", 0, 1);
  for (int64_t i = 0; i < c->sym[sym]; i++) c->value[id][i] = (double)below(c, limit);
  return id;
}

// Distinct, ascending rows.
static NodeId subset(Case *c, int sym, int64_t limit) {
  NodeId id = index_into(c, sym, limit);
  int64_t left = c->sym[sym], k = 0;
  for (int64_t i = 0; i < limit; i++) {
    if (below(c, limit - i) < left) {
      c->value[id][k++] = (double)i;
      left--;
    }
  }
  return id;
}

static NodeId interval(Case *c, int query, int key) {
  NodeId id = graph_source(c->g, OP_mask, make_type(DT_MASK, query, 0, NULL), &(Attr){.i = {query, key, 0, 0}});
  int32_t *lo = ARENA_ARRAY(c->a, int32_t, c->sym[query] + 1), *hi = ARENA_ARRAY(c->a, int32_t, c->sym[query] + 1);
  for (int64_t t = 0; t < c->sym[query]; t++) {
    lo[t] = (int32_t)below(c, c->sym[key] + 1);
    hi[t] = lo[t] + (int32_t)below(c, c->sym[key] - lo[t] + 1);            // often empty
  }
  c->mask[id] = (EvalMask){lo, hi};
  return id;
}

static const double *source_value(void *user, const Graph *g, NodeId id, int64_t n) {
  (void)g, (void)n;
  return ((Case *)user)->value[id];
}
static EvalMask mask_value(void *user, const Graph *g, NodeId id) {
  (void)g;
  return ((Case *)user)->mask[id];
}

static double **evaluate(Case *c, const Graph *g) {
  EvalEnv env = {.sym = c->sym, .source = source_value, .mask = mask_value, .user = c};
  double **v;
  const char *error = graph_eval(g, &env, c->a, &v);
  if (error) fail_msg("%s", error);
  return v;
}

// ---- the check

static double dot_with_seed(Case *c, const Graph *g, NodeId y, NodeId seed) {
  double **v = evaluate(c, g), sum = 0;
  for (int64_t i = 0; i < elems(c, &g->node[y].type); i++) sum += v[y * MAX_OUT][i] * c->value[seed][i];
  eval_free(g, v);
  return sum;
}

static void round_trip(Case *c) {
  Buf one = {0}, two = {0};
  const char *why;
  graph_print(c->g, &one);
  Graph *again = graph_parse(c->a, one.s, &why);
  if (!again) fail_msg("%s in\n%s", why, one.s);
  graph_print(again, &two);
  assert_string_equal(one.s, two.s);
  buf_free(&one);
  buf_free(&two);
}

static void compare(Case *c, const Graph *forward, NodeId y, NodeId seed, NodeId x, const double *grad,
                    const char *what) {
  int64_t n = elems(c, &c->g->node[x].type), step = n > 48 ? n / 48 : 1;
  for (int64_t i = 0; i < n; i += step) {
    double at = c->value[x][i], h = 1e-5;
    c->value[x][i] = at + h;
    double up = dot_with_seed(c, forward, y, seed);
    c->value[x][i] = at - h;
    double down = dot_with_seed(c, forward, y, seed), want = (up - down) / (2 * h);
    c->value[x][i] = at;
    double tolerance = 1e-6 * fmax(1, fmax(fabs(want), fabs(up)));
    if (!(fabs(grad[i] - want) <= tolerance))
      fail_msg("%s: gradient of %%%d[%lld] is %.12g, differences say %.12g", what, x, (long long)i, grad[i], want);
  }
}

// What stop_gradient gave stands as an input of the same values, so that differences, too, take it as a constant.
static void hold_stopped(Case *c, Graph *forward) {
  double **v = evaluate(c, forward);
  for (NodeId i = 0; i < forward->n; i++) {
    Node *n = &forward->node[i];
    if (n->op != OP_stop_gradient) continue;
    int64_t size = elems(c, &n->type);
    c->value[i] = ARENA_ARRAY(c->a, double, size + 1);
    memcpy(c->value[i], v[i * MAX_OUT], (size_t)size * sizeof(double));
    n->op = OP_input;
    n->nin = 0;
    n->attr.name = "held";
  }
  eval_free(forward, v);
}

// Differentiates sum(seed * y) by all wanted sources, and compares each with central differences.
static void check(Case *c, NodeId y, const char *what) {
  NodeId seed = source(c, OP_input, c->g->node[y].type, "seed", -1, 1), grad[MAX_WRT];
  Graph *forward = graph_copy(c->g, c->a, "forward");
  hold_stopped(c, forward);
  autodiff_reverse(c->g, y, seed, c->wrt, c->nwrt, grad);
  assert_true(c->g->n < MAX_NODES);
  for (int i = 0; i < c->nwrt; i++) {
    if (grad[i] < 0) fail_msg("%s: no gradient of %%%d", what, c->wrt[i]);
    if (c->g->node[c->wrt[i]].op == OP_param)
      graph_output(c->g, arena_printf(c->a, "grad.%s", c->g->node[c->wrt[i]].attr.name), grad[i]);
  }
  const char *wrong = graph_verify(c->g, c->a);
  if (wrong) fail_msg("%s: %s", what, wrong);
  round_trip(c);
  double **v = evaluate(c, c->g);
  for (int i = 0; i < c->nwrt; i++) compare(c, forward, y, seed, c->wrt[i], v[grad[i] * MAX_OUT], what);
  eval_free(c->g, v);
}

// ---- generators: one case of an op

typedef NodeId Generator(Case *c, OpId op);

static NodeId gen_binary(Case *c, OpId op) {
  int T = tokens(c);
  int64_t m = width(c), n = width(c), k = width(c);
  const struct { int rows; int64_t ext[3]; int rank; } shape[] = {
    {1, {m, n}, 2}, {1, {m, 1}, 2}, {1, {1, 1}, 2}, {1, {0}, 0},                               // of rows
    {0, {0}, 0}, {0, {n}, 1}, {0, {m, n}, 2}, {0, {m, 1}, 2}, {0, {1}, 1}, {0, {1, n}, 2},     // shared by rows
    {0, {k, m, n}, 3}, {0, {k, 1, 1}, 3}, {0, {k, m, 1}, 3},
  };
  enum { N = sizeof shape / sizeof *shape };
  int64_t i = below(c, N), j = below(c, N);
  NodeId a = wanted_in(c, shape[i].rows ? T : -1, -1, 1, shape[i].rank, shape[i].ext);
  NodeId b = wanted_in(c, shape[j].rows ? T : -1, op == OP_div ? 0.5 : -1, 2, shape[j].rank, shape[j].ext);
  return below(c, 2) && op != OP_div ? graph_bin(c->g, op, b, a) : graph_bin(c->g, op, a, b);
}

static NodeId gen_unary(Case *c, OpId op) {
  bool positive = op == OP_log || op == OP_sqrt || op == OP_rsqrt;
  int sym = below(c, 4) ? tokens(c) : -1;
  int64_t ext[2] = {width(c), width(c)};
  return graph_un(c->g, op, wanted_in(c, sym, positive ? 0.5 : -2, 2, (int)below(c, 3), ext));
}

static NodeId gen_sum(Case *c, OpId op) {
  return graph_un(c->g, op, WANTED(c, below(c, 4) ? tokens(c) : -1, width(c), width(c)));
}

static NodeId gen_rotate(Case *c, OpId op) {
  return graph_un(c->g, op, WANTED(c, below(c, 4) ? tokens(c) : -1, width(c), even(c)));
}

static NodeId gen_reshape(Case *c, OpId op) {
  (void)op;
  int64_t m = width(c), n = width(c);
  NodeId x = WANTED(c, below(c, 4) ? tokens(c) : -1, m, n);
  return graph_reshape(c->g, x, (int64_t[]){n, 1, m}, 3, NULL);
}

// The same matrix, stored the other way round.
static NodeId turned(Case *c, int outer, int inner, const int64_t *ext) {
  int64_t stored[4];
  memcpy(stored, ext + outer, (size_t)inner * sizeof *ext);
  memcpy(stored + inner, ext, (size_t)outer * sizeof *ext);
  NodeId w = wanted_in(c, -1, -1, 1, outer + inner, stored);
  return graph_add(c->g, OP_transpose, &w, 1, &(Attr){.i = {inner}}, NULL);
}

static NodeId product(Case *c, OpId op, int outer, int inner) {
  int64_t ext[4] = {width(c), width(c), width(c), width(c)};
  int T = tokens(c);
  NodeId x = op == OP_linear ? wanted_in(c, T, -1, 1, inner, ext + outer) : wanted_in(c, T, -1, 1, outer, ext);
  NodeId in[2] = {x, below(c, 3) ? wanted_in(c, -1, -1, 1, outer + inner, ext) : turned(c, outer, inner, ext)};
  return graph_add(c->g, op, in, 2, &(Attr){.of_linear = {inner, below(c, 2)}}, NULL);
}

static NodeId gen_linear(Case *c, OpId op) { return product(c, op, 1 + (int)below(c, 2), 1 + (int)below(c, 2)); }

static NodeId gen_slice(Case *c, OpId op) {
  int64_t ext[3] = {width(c), width(c), width(c)}, axis = 1 + below(c, 3), n = ext[axis - 1];
  NodeId x = wanted_in(c, tokens(c), -1, 1, 3, ext);
  int64_t from = below(c, n), piece = 1 + below(c, n - from);
  Attr attr = {.i = {axis, from, op == OP_slice ? piece : n + from + below(c, 3)}};
  return graph_add(c->g, op, &x, 1, &attr, NULL);
}

static NodeId gen_lookup(Case *c, OpId op) {
  int64_t V = width(c), n = width(c), from = below(c, V);
  NodeId in[2] = {index_into(c, tokens(c), V - from), WANTED(c, -1, V, n)};
  return graph_add(c->g, op, in, 2, &(Attr){.of_lookup = {from}}, NULL);
}

static int labelled(Case *c, int T) { return new_sym(c, SYM_ROWS, -1, below(c, c->sym[T] + 1)); }

static NodeId gen_take(Case *c, OpId op) {
  int T = tokens(c), R = labelled(c, T);
  NodeId x = WANTED(c, T, width(c), width(c));
  return graph_bin(c->g, op, x, subset(c, R, c->sym[T]));
}

static NodeId gen_untake(Case *c, OpId op) {
  int T = tokens(c), R = labelled(c, T);
  NodeId in[2] = {WANTED(c, R, width(c)), subset(c, R, c->sym[T])};
  return graph_add(c->g, op, in, 2, &(Attr){.i = {T}}, NULL);
}

static NodeId gen_attention(Case *c, OpId op) {
  int Q = tokens(c), K = below(c, 2) ? Q : new_sym(c, SYM_TOKENS, 1, rows(c));
  int64_t kv = 1 + below(c, 3), group = 1 + below(c, 3), D = width(c), E = width(c);
  NodeId in[4] = {WANTED(c, Q, kv * group, D), WANTED(c, K, kv, D), WANTED(c, K, kv, E), interval(c, Q, K)};
  Attr attr = {.f = {uniform(c, 0.2, 2), below(c, 2) ? uniform(c, 0.5, 3) : 0}};
  NodeId n = graph_add(c->g, op, in, 4, &attr, NULL);
  NodeId out = graph_part(c->g, n, 0);
  if (below(c, 2)) {                                                                          // with sinks: the log-sum-exp is read too
    NodeId share = graph_un(c->g, OP_sigmoid, graph_bin(c->g, OP_sub, graph_part(c->g, n, 1), WANTED(c, -1, kv * group)));
    return graph_bin(c->g, OP_mul, out, graph_reshape(c->g, share, (int64_t[]){kv * group, 1}, 2, NULL));
  }
  return below(c, 3) ? out : graph_bin(c->g, OP_mul, out, graph_part(c->g, n, 0));             // read twice
}

static NodeId chosen(Case *c, int T, int64_t E, int64_t n) {
  NodeId x = source(c, OP_input, make_type(DT_F32, T, 1, &E), "s", -1, 1);
  return graph_add(c->g, OP_largest, &x, 1, &(Attr){.of_largest = {n}}, NULL);
}

static NodeId gen_pick(Case *c, OpId op) {
  int T = tokens(c);
  int64_t E = width(c), n = 1 + below(c, E);
  NodeId in[2] = {WANTED(c, T, op == OP_pick ? E : n), chosen(c, T, E, n)};
  return graph_add(c->g, op, in, 2, &(Attr){.of_unpick = {op == OP_pick ? 0 : E}}, NULL);
}

static NodeId gen_experts(Case *c, OpId op) {
  int T = tokens(c), inner = 1 + (int)below(c, 2), outer = 1 + (int)below(c, 2);
  bool slots = op == OP_from_experts || op == OP_to_experts_dx, back = op_is(op, T_BY_OUTER), turned = below(c, 2);
  int64_t E = 1 + below(c, 5), n = 1 + below(c, E), side[2][2] = {{width(c), width(c)}, {width(c), width(c)}}, ext[5] = {E}, x[3] = {n};      // outer, inner
  int first = turned ? inner : outer, second = turned ? outer : inner;
  memcpy(ext + 1, side[turned], (size_t)first * sizeof *ext);
  memcpy(ext + 1 + first, side[!turned], (size_t)second * sizeof *ext);
  memcpy(x + slots, side[!back], (size_t)(back ? outer : inner) * sizeof *x);
  NodeId w = source(c, OP_weight, make_type(DT_F32, -1, 1 + inner + outer, ext), "w", -1, 1);
  if (turned) w = graph_add(c->g, OP_transpose, &w, 1, &(Attr){.of_transpose = {inner, 1}}, NULL);
  NodeId in[3] = {wanted_in(c, T, -1, 1, slots + (back ? outer : inner), x), w, chosen(c, T, E, n)};
  return graph_add(c->g, op, in, 3, &(Attr){.of_to_experts = {inner, below(c, 2)}}, NULL);
}

static NodeId gen_xent(Case *c, OpId op) {
  int R = new_sym(c, SYM_ROWS, -1, rows(c));
  int64_t V = width(c), D = width(c);
  NodeId in[4] = {WANTED(c, R, D), WANTED(c, -1, V, D), index_into(c, R, V)};
  bool biased = below(c, 2);
  if (biased) in[3] = WANTED(c, -1, V);
  return graph_add(c->g, op, in, 3 + biased, &(Attr){.f = {0, below(c, 2) ? uniform(c, 0.5, 3) : 0}}, NULL);
}

// Functions of numbers are drawn by their traits; others are listed.
static Generator *const generator[OP_COUNT] = {
  [OP_sum] = gen_sum, [OP_rotate] = gen_rotate, [OP_reshape] = gen_reshape,
  [OP_linear] = gen_linear, [OP_linear_dx] = gen_linear, [OP_slice] = gen_slice, [OP_unslice] = gen_slice,
  [OP_lookup] = gen_lookup,
  [OP_pick] = gen_pick, [OP_unpick] = gen_pick,
  [OP_to_experts] = gen_experts, [OP_to_experts_dx] = gen_experts, [OP_from_experts] = gen_experts, [OP_from_experts_dx] = gen_experts,
  [OP_take] = gen_take, [OP_untake] = gen_untake, [OP_attention] = gen_attention, [OP_xent] = gen_xent,
};

static const char *const rule_name[] = {
#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) #grad,
#include "graph/ops.def"
#undef X
};

static void every_op(void **state) {
  (void)state;
  for (int op = 0; op < OP_COUNT; op++) {
    if (!strcmp(rule_name[op], "none")) continue;
    Generator *gen = generator[op] ? generator[op] : !op_is((OpId)op, T_EACH) ? NULL : op_min_in((OpId)op) == 2 ? gen_binary : gen_unary;
    if (!gen) fail_msg("no generator for op %s: add one to the table above", op_name((OpId)op));
    for (uint64_t round = 0; round < ROUNDS; round++) {
      Case c;
      begin(&c, (uint64_t)op << 32 | round);
      NodeId y = gen(&c, (OpId)op);
      check(&c, y, arena_printf(c.a, "%s, round %d", op_name((OpId)op), (int)round));
      arena_free(c.a);
    }
  }
}

// ---- composites, as specs write them

static NodeId linear(Case *c, NodeId x, NodeId w, int inner) {
  return graph_add(c->g, OP_linear, (NodeId[]){x, w}, 2, &(Attr){.i = {inner}}, NULL);
}
static NodeId mul(Case *c, NodeId a, NodeId b) { return graph_bin(c->g, OP_mul, a, b); }
static NodeId plus(Case *c, NodeId a, NodeId b) { return graph_bin(c->g, OP_add, a, b); }

static NodeId rmsnorm(Case *c, NodeId x, NodeId gain) {
  const Type *t = &c->g->node[x].type;
  NodeId n = graph_const(c->g, 1 / (double)t->dim[t->rank - 1]);
  NodeId mean = mul(c, graph_un(c->g, OP_sum, mul(c, x, x)), n);
  return mul(c, mul(c, x, graph_un(c->g, OP_rsqrt, plus(c, mean, graph_const(c->g, 1e-5)))), gain);
}

static NodeId silu(Case *c, NodeId x) { return mul(c, x, graph_un(c->g, OP_sigmoid, x)); }

// x[T, H, Dh] turned by pos[T] * 100^(-j / Dh)
static NodeId rope(Case *c, NodeId x, NodeId pos, int64_t Dh) {
  double f[16];
  for (int64_t j = 0; j < Dh; j++) f[j] = pow(100, -(double)(j % (Dh / 2)) / (double)Dh);
  NodeId p = graph_reshape(c->g, graph_un(c->g, OP_float, pos), (int64_t[]){1, 1}, 2, NULL);
  NodeId angle = mul(c, p, graph_const_vec(c->g, f, Dh));
  NodeId turned = mul(c, graph_un(c->g, OP_rotate, x), graph_un(c->g, OP_sin, angle));
  return plus(c, mul(c, x, graph_un(c->g, OP_cos, angle)), turned);
}

static NodeId attend(Case *c, NodeId q, NodeId k, NodeId v, NodeId mask, int64_t Dh) {
  NodeId n = graph_add(c->g, OP_attention, (NodeId[]){q, k, v, mask}, 4, &(Attr){.f = {1 / sqrt((double)Dh)}}, NULL);
  return graph_part(c->g, n, 0);
}

static void composite(void **state) {
  (void)state;
  for (uint64_t round = 0; round < ROUNDS; round++) {
    Case c;
    begin(&c, 77 + round);
    int T = tokens(&c);
    int64_t H = width(&c), Dh = even(&c);
    NodeId x = WANTED(&c, T, H, Dh);
    NodeId n = rmsnorm(&c, x, plus(&c, graph_const(c.g, 1), WANTED(&c, -1, Dh)));              // scaled by 1 + w
    NodeId y = rope(&c, n, index_into(&c, T, 50), Dh);
    check(&c, mul(&c, silu(&c, y), WANTED(&c, T, H, Dh)), "norm, rope, gate");
    arena_free(c.a);
  }
}

// One block of a language model, all weights wanted or none; K key heads, H query heads.
static NodeId block(Case *c, NodeId x, NodeId pos, NodeId mask, bool want) {
  enum { D = 6, H = 4, K = 2, Dh = 4, F = 5 };
#define W(...) (want ? WANTED(c, -1, __VA_ARGS__) : source(c, OP_weight, make_type(DT_F32, -1, \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__}), "w", -1, 1))
  NodeId n = rmsnorm(c, x, W(D));
  NodeId q = rope(c, linear(c, n, W(H, Dh, D), 1), pos, Dh), k = rope(c, linear(c, n, W(K, Dh, D), 1), pos, Dh);
  x = plus(c, x, linear(c, attend(c, q, k, linear(c, n, W(K, Dh, D), 1), mask, Dh), W(D, H, Dh), 2));
  n = rmsnorm(c, x, W(D));
  return plus(c, x, linear(c, mul(c, silu(c, linear(c, n, W(F, D), 1)), linear(c, n, W(F, D), 1)), W(D, F), 1));
#undef W
}

// The paper's op between two models: b[Tb, 6] reads a[Ta, 6].
static NodeId cross(Case *c, NodeId b, NodeId a, NodeId mask) {
  enum { D = 6, H = 2, Dh = 3 };
  NodeId p = linear(c, a, WANTED(c, -1, D, D), 1), q = linear(c, b, WANTED(c, -1, H, Dh, D), 1);
  NodeId k = linear(c, p, WANTED(c, -1, H, Dh, D), 1), v = linear(c, p, WANTED(c, -1, H, Dh, D), 1);
  return plus(c, b, linear(c, attend(c, q, k, v, mask, Dh), WANTED(c, -1, D, H, Dh), 2));
}

// Two models of two blocks each, one connection after the first block of the anchor, loss on some rows.
static NodeId composition(Case *c, bool models_wanted) {
  enum { D = 6, V = 7 };
  int T = new_sym(c, SYM_TOKENS, 0, 5), A = new_sym(c, SYM_TOKENS, 1, 4), R = new_sym(c, SYM_ROWS, -1, 3);
  NodeId a = graph_bin(c->g, OP_lookup, index_into(c, A, V), frozen(c, V, D));
  NodeId b = graph_bin(c->g, OP_lookup, index_into(c, T, V), models_wanted ? WANTED(c, -1, V, D) : frozen(c, V, D));
  NodeId posa = index_into(c, A, 9), posb = index_into(c, T, 9), maskb = interval(c, T, T);
  a = block(c, a, posa, interval(c, A, A), false);
  b = block(c, b, posb, maskb, models_wanted);
  b = cross(c, b, a, interval(c, T, A));
  b = block(c, b, posb, maskb, false);
  NodeId taken = graph_bin(c->g, OP_take, b, subset(c, R, c->sym[T]));
  NodeId in[3] = {taken, models_wanted ? WANTED(c, -1, V, D) : frozen(c, V, D), index_into(c, R, V)};
  return graph_add(c->g, OP_xent, in, 3, &(Attr){0}, NULL);
}

static void whole_composition(void **state) {
  (void)state;
  for (uint64_t round = 0; round < 4; round++) {
    Case c;
    begin(&c, 900 + round);
    NodeId loss = composition(&c, round % 2);
    check(&c, loss, "composition");
    arena_free(c.a);
  }
}

static int count_backward(const Graph *g, OpId op) {
  int n = 0;
  for (int i = 0; i < g->n; i++) n += g->node[i].backward && g->node[i].op == op;
  return n;
}

// What is frozen costs nothing: the augmenting model and what lies below the connection are not differentiated.
static void only_what_is_asked(void **state) {
  (void)state;
  Case c;
  begin(&c, 5);
  NodeId loss = composition(&c, false);
  NodeId seed = source(&c, OP_input, c.g->node[loss].type, "seed", 1, 1), grad[MAX_WRT];
  autodiff_reverse(c.g, loss, seed, c.wrt, c.nwrt, grad);
  assert_int_equal(c.nwrt, 5);
  assert_int_equal(count_backward(c.g, OP_linear_dw), 5);                 // one a parameter
  assert_int_equal(count_backward(c.g, OP_attention_grad), 2);            // the connection's and the block's above it
  assert_int_equal(count_backward(c.g, OP_lookup_dw), 0);
  assert_int_equal(count_backward(c.g, OP_xent_dw), 0);
  // the block above; wo, wk, wv of the connection
  assert_int_equal(count_backward(c.g, OP_linear_dx), 7 + 3);
  arena_free(c.a);
}

// A product scaled to the state it is added to, the scale taken as a constant: what lies above the stop is not differentiated.
static void stopped(void **state) {
  (void)state;
  for (uint64_t round = 0; round < ROUNDS; round++) {
    Case c;
    begin(&c, 300 + round);
    int T = tokens(&c);
    int64_t n = width(&c);
    NodeId x = WANTED(&c, T, n), w = WANTED(&c, -1, n, n);
    NodeId square = plus(&c, graph_un(c.g, OP_sum, mul(&c, x, x)), graph_const(c.g, 0.5));
    NodeId scale = graph_un(c.g, OP_stop_gradient, graph_un(c.g, OP_sqrt, square));
    check(&c, plus(&c, x, mul(&c, scale, linear(&c, x, w, 1))), "scaled by a stopped value");
    for (NodeId i = 0; i < c.g->n; i++)
      assert_false(c.g->node[i].backward && (c.g->node[i].op == OP_div || c.g->node[i].op == OP_stop_gradient));
    arena_free(c.a);
  }
}

// The gradient of |x| is the sign of x, 0 at 0; among the smallest numbers of f32 it falls off to that.
static void sign_of_abs(void **state) {
  (void)state;
  static const double x[] = {-2, -1e-30, -0.0, 0, 1e-30, 0x1p-125, 3}, want[] = {-1, -1, 0, 0, 1, 2.0 / 3, 1};
  enum { N = sizeof x / sizeof *x };
  Case c;
  begin(&c, 7);
  NodeId in = WANTED(&c, -1, N), y = graph_un(c.g, OP_abs, in), grad;
  memcpy(c.value[in], x, sizeof x);
  NodeId seed = source(&c, OP_input, c.g->node[y].type, "seed", 1, 1);
  autodiff_reverse(c.g, y, seed, &in, 1, &grad);
  double **v = evaluate(&c, c.g);
  for (int i = 0; i < N; i++) assert_true(fabs(v[(size_t)grad * MAX_OUT][i] - want[i]) < 1e-6);
  eval_free(c.g, v);
  arena_free(c.a);
}

static void unreached_has_none(void **state) {
  (void)state;
  Case c;
  begin(&c, 6);
  NodeId used = WANTED(&c, -1, 3), unused = WANTED(&c, -1, 3), grad[2];
  NodeId y = graph_un(c.g, OP_exp, used);
  y = graph_bin(c.g, OP_mul, y, graph_un(c.g, OP_stop_gradient, graph_un(c.g, OP_exp, unused)));
  NodeId seed = source(&c, OP_input, c.g->node[y].type, "seed", 1, 1);
  autodiff_reverse(c.g, y, seed, c.wrt, 2, grad);
  assert_true(grad[0] >= 0);
  assert_int_equal(grad[1], NODE_NONE);
  arena_free(c.a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_op),           cmocka_unit_test(composite),         cmocka_unit_test(whole_composition),
    cmocka_unit_test(only_what_is_asked), cmocka_unit_test(unreached_has_none),
    cmocka_unit_test(stopped), cmocka_unit_test(sign_of_abs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
