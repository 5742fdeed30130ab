// Native against reference on whole graphs: random ones, forward and with the gradients of their parameters, and small
// language models as the entries of a program have them. Fusion, recomputation, the order of calls and the places of
// buffers are what single ops do not show.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "autodiff/autodiff.h"
#include "graph/ops.h"
#include "passes/passes.h"
#include "tests/unit/entry_kit.h"
#include "tests/unit/plan_runner.h"

enum { BATCH = 8, MOST_VALUES = 64, STEPS = 22 };
#ifdef __SANITIZE_ADDRESS__    // what it watches, the code in C, is the same for every graph; LLVM's own allocations make it slow
enum { GRAPHS = 16 };
#else
enum { GRAPHS = 48 };
#endif

// ---- random graphs: values in a pool, each step draws some and adds one

typedef struct Pool {
  Kit *k;
  int T, A, R;                 // row symbols; R: some rows of T
  NodeId rows;                 // their index
  int64_t ext[3];              // the graph's extents; the last is even
  NodeId value[MOST_VALUES];
  int n;
  NodeId mask[2][2];           // by query and key symbol
} Pool;

static const char *name(Kit *k, const char *kind) {
  return arena_printf(k->arena, "%s.%s%d", k->g->name, kind, k->g->n);
}

static NodeId un(Pool *p, OpId op, NodeId a) { return graph_un(p->k->g, op, a); }
static NodeId bin(Pool *p, OpId op, NodeId a, NodeId b) { return graph_bin(p->k->g, op, a, b); }
static NodeId num(Pool *p, double v) { return graph_const(p->k->g, v); }
static const Type *type(const Pool *p, NodeId n) { return &p->k->g->node[n].type; }
static int sym_of(const Pool *p, NodeId n) { return type_row_sym(type(p, n)); }
static int rank_of(const Pool *p, NodeId n) { return type(p, n)->rank - (sym_of(p, n) >= 0); }

static NodeId keep(Pool *p, NodeId n) {
  assert_true(p->n < MOST_VALUES);
  return p->value[p->n++] = n;
}

static NodeId tensor(Pool *p, int n, const int64_t *d, double size) {
  OpId op = kit_pick(p->k, 3) ? OP_param : OP_weight;
  return kit_source(p->k, op, name(p->k, "w"), kit_type(-1, d, n), -size, size);
}

// One that is multiplied by or looked up in: a parameter, a frozen one in any stored type, or computed from another.
static NodeId matrix(Pool *p, int n, const int64_t *d, double size) {
  static const Dtype stored[] = {DT_F32, DT_F16, DT_BF16};
  if (kit_pick(p->k, 6) == 0) return bin(p, OP_mul, tensor(p, n, d, size), tensor(p, 1, d + n - 1, 1));
  if (kit_pick(p->k, 2)) return tensor(p, n, d, size);
  Type t = kit_type(-1, d, n);
  t.dt = stored[kit_pick(p->k, 3)];
  return kit_source(p->k, OP_weight, name(p->k, "w"), t, -size, size);
}

static NodeId any(Pool *p) { return p->value[kit_pick(p->k, p->n)]; }

// A value with rows and at least one extent; later ones more often.
static NodeId rows_value(Pool *p) {
  for (;;) {
    NodeId a = any(p), b = any(p), n = a > b ? a : b;
    if (sym_of(p, n) >= 0 && rank_of(p, n) > 0 && type_row_elems(type(p, n)) <= 300) return n;
  }
}

static NodeId square_plus(Pool *p, NodeId x, double c) { return bin(p, OP_add, bin(p, OP_mul, x, x), num(p, c)); }

// All functions, on what they are tame on.
static NodeId step_unary(Pool *p) {
  static const OpId plain[] = {OP_tanh, OP_sigmoid, OP_erf, OP_sin, OP_cos, OP_neg};
  NodeId x = any(p);
  switch (kit_pick(p->k, 6)) {
    case 0: return un(p, OP_exp, un(p, OP_tanh, x));
    case 1: return un(p, OP_log, square_plus(p, x, 1));
    case 2: return un(p, OP_rsqrt, square_plus(p, x, 0.5));
    case 3: return un(p, OP_sqrt, square_plus(p, x, 0.25));
    default: return un(p, plain[kit_pick(p->k, 6)], x);
  }
}

static NodeId step_binary(Pool *p) {
  Graph *g = p->k->g;
  for (int tries = 0; tries < 20; tries++) {
    NodeId in[2] = {any(p), any(p)};
    const char *why;
    if (type_row_elems(type(p, in[0])) * type_row_elems(type(p, in[1])) > 3000) continue;
    NodeId sum = graph_add(g, kit_pick(p->k, 2) ? OP_add : OP_sub, in, 2, NULL, &why);
    if (sum == NODE_NONE) continue;
    if (kit_pick(p->k, 2)) return sum;
    return kit_pick(p->k, 3) ? bin(p, OP_mul, un(p, OP_tanh, in[0]), in[1])
                             : bin(p, OP_div, in[0], square_plus(p, in[1], 1));
  }
  return step_unary(p);
}

static NodeId step_axis(Pool *p) {
  NodeId x = rows_value(p);
  const Type *t = type(p, x);
  if (t->dim[t->rank - 1] % 2 == 0 && kit_pick(p->k, 2)) return un(p, OP_rotate, x);
  if (kit_pick(p->k, 2)) return kit_rmsnorm(p->k, x, tensor(p, 1, &t->dim[t->rank - 1], 1), 0.1);
  return bin(p, OP_mul, un(p, OP_sum, x), num(p, 1 / (double)t->dim[t->rank - 1]));
}

static NodeId step_reshape(Pool *p) {
  NodeId x = rows_value(p);
  int64_t n = type_row_elems(type(p, x)), half = n % 2 ? 1 : 2, d[3] = {half, 1, n / half};
  int rank = 1 + (int)kit_pick(p->k, 3);
  if (rank == 1) d[0] = n;
  if (rank == 2) d[1] = n / half;
  return graph_reshape(p->k->g, x, d, rank, NULL);
}

static NodeId step_slice(Pool *p) {
  NodeId x = rows_value(p);
  const Type *t = type(p, x);
  int64_t axis = 1 + kit_pick(p->k, t->rank - 1), from = kit_pick(p->k, t->dim[axis]);
  Attr attr = {.i = {axis, from, 1 + kit_pick(p->k, t->dim[axis] - from)}};
  return graph_add(p->k->g, OP_slice, &x, 1, &attr, NULL);
}

// A product's matrix, sometimes stored the other way round.
static NodeId product_matrix(Pool *p, int outer, int inner, const int64_t *d, double size) {
  int64_t turned[MAX_RANK];
  if (kit_pick(p->k, 4)) return matrix(p, outer + inner, d, size);
  for (int i = 0; i < outer + inner; i++) turned[i] = d[(i + outer) % (outer + inner)];
  NodeId w = tensor(p, outer + inner, turned, size);
  return graph_add(p->k->g, OP_transpose, &w, 1, &(Attr){.i = {inner}}, NULL);
}

static NodeId linear(Pool *p, NodeId x, int outer, const int64_t *out) {
  const Type *t = type(p, x);
  int64_t d[MAX_RANK];
  int inner = t->rank - 1;
  for (int i = 0; i < outer; i++) d[i] = out[i];
  for (int i = 0; i < inner; i++) d[outer + i] = t->dim[1 + i];
  NodeId w = product_matrix(p, outer, inner, d, 1.5 / sqrt((double)type_row_elems(t)));
  return graph_add(p->k->g, OP_linear, (NodeId[]){x, w}, 2, &(Attr){.i = {inner}}, NULL);
}

// A product, two that meet in a gate, or one that is added to what it came from.
static NodeId step_linear(Pool *p) {
  NodeId x = rows_value(p);
  int outer = 1 + (int)kit_pick(p->k, 2);
  const int64_t *out = p->ext + (outer == 1 ? 1 + kit_pick(p->k, 2) : kit_pick(p->k, 2));
  NodeId y = linear(p, x, outer, out);
  if (kit_pick(p->k, 3) == 0) return bin(p, OP_mul, kit_silu(p->k, y), linear(p, x, outer, out));
  if (kit_pick(p->k, 3) == 0) return bin(p, OP_add, x, linear(p, y, type(p, x)->rank - 1, type(p, x)->dim + 1));
  if (kit_pick(p->k, 3) == 0) keep(p, linear(p, x, 1, p->ext + 1));
  return y;
}

static NodeId rows_over(Pool *p, int sym) {
  for (int tries = 0; tries < 30; tries++) {
    NodeId n = rows_value(p);
    if (sym_of(p, n) == sym) return n;
  }
  return p->value[sym == p->A];                             // the first two are over T and A
}

// Attention of rows over T to rows over T or A; keys and values are products.
static NodeId step_attention(Pool *p) {
  bool other = kit_pick(p->k, 2);
  int key = other ? p->A : p->T;
  NodeId x = rows_over(p, p->T), y = rows_over(p, key), *mask = &p->mask[0][other];
  int64_t heads = 1 + kit_pick(p->k, 2), group = 1 + kit_pick(p->k, 2), D = p->ext[1], E = p->ext[2];
  NodeId q = linear(p, x, 2, (int64_t[]){heads * group, D});
  NodeId in[4] = {q, linear(p, y, 2, (int64_t[]){heads, D}), linear(p, y, 2, (int64_t[]){heads, E})};
  if (*mask == NODE_NONE) *mask = kit_intervals(p->k, p->T, key);
  in[3] = *mask;
  Attr attr = {.f = {0.5, kit_pick(p->k, 2) ? 2 : 0}};
  NodeId n = graph_add(p->k->g, OP_attention, in, 4, &attr, NULL), out = graph_part(p->k->g, n, 0);
  if (kit_pick(p->k, 2)) return out;
  NodeId share = un(p, OP_sigmoid, bin(p, OP_sub, graph_part(p->k->g, n, 1), tensor(p, 1, (int64_t[]){heads * group}, 1)));      // with sinks
  return bin(p, OP_mul, out, graph_reshape(p->k->g, share, (int64_t[]){heads * group, 1}, 2, NULL));
}

static NodeId step_take(Pool *p) { return bin(p, OP_take, rows_over(p, p->T), p->rows); }

static NodeId step_lookup(Pool *p) {
  int64_t d[3] = {7, p->ext[1], p->ext[2]};
  NodeId ids = kit_ids(p->k, name(p->k, "i"), kit_pick(p->k, 2) ? p->T : p->A, d[0]);
  return bin(p, OP_lookup, ids, matrix(p, 2 + (int)kit_pick(p->k, 2), d, 1));
}

static NodeId step_loss(Pool *p) {
  NodeId h = linear(p, rows_value(p), 1, p->ext + 2);
  NodeId w = matrix(p, 2, (int64_t[]){23, p->ext[2]}, 1), in[3] = {h, w};
  in[2] = kit_ids(p->k, name(p->k, "l"), sym_of(p, h), 23);
  return graph_add(p->k->g, OP_xent, in, 3, &(Attr){.f = {0, kit_pick(p->k, 2) ? 3 : 0}}, NULL);
}

static NodeId step_static(Pool *p) {
  static const OpId f[] = {OP_tanh, OP_exp, OP_neg};
  NodeId w = tensor(p, 1 + (int)kit_pick(p->k, 2), p->ext + 1, 1);
  return kit_pick(p->k, 2) ? w : bin(p, OP_add, num(p, 1), un(p, f[kit_pick(p->k, 3)], w));
}

typedef NodeId Step(Pool *p);
static Step *const step[] = {
  step_unary, step_unary, step_binary, step_binary, step_binary, step_axis, step_axis, step_reshape, step_linear,
  step_linear, step_linear, step_slice, step_attention, step_take, step_lookup, step_loss, step_static, step_static,
};

static void begin(Pool *p, Kit *k) {
  static const int64_t rows[] = {0, 1, 2, 5, 17, 33, 70}, odd[] = {1, 3, 5, 7, 17}, even[] = {2, 6, 16, 18, 34};
  *p = (Pool){.k = k, .mask = {{NODE_NONE, NODE_NONE}, {NODE_NONE, NODE_NONE}}};
  p->T = kit_tokens(k, "base", rows[kit_pick(k, 7)]);
  p->A = kit_tokens(k, "code", rows[kit_pick(k, 7)]);
  p->R = kit_rows(k, kit_pick(k, k->sym[p->T] + 1));
  p->rows = kit_index(k, "rows", p->R, k->sym[p->T]);
  p->ext[0] = 1 + kit_pick(k, 3);
  p->ext[1] = odd[kit_pick(k, 5)];
  p->ext[2] = even[kit_pick(k, 5)];
  for (int i = 0; i < 2; i++)
    keep(p, kit_source(k, OP_input, name(k, "x"), kit_type(i ? p->A : p->T, p->ext + 1, 2), -1, 1));
  keep(p, kit_source(k, OP_input, name(k, "x"), kit_type(p->T, p->ext + 2, 1), -1, 1));
  keep(p, kit_source(k, OP_input, name(k, "x"), kit_type(p->T, NULL, 0), -1, 1));
}

static void outputs(Pool *p) {
  for (int i = 0; i < 3; i++) {
    NodeId n = i ? any(p) : p->value[p->n - 1];
    graph_output(p->k->g, arena_printf(p->k->arena, "y%d", i), n);
  }
}

// Gradients of all parameters that the last value with rows rests on.
static void gradients(Pool *p) {
  Graph *g = p->k->g;
  NodeId y = p->value[p->n - 1], wrt[KIT_MAX_VALUES], grad[KIT_MAX_VALUES];
  int n = 0;
  for (int i = p->n - 1; sym_of(p, y) < 0; i--) y = p->value[i];
  for (NodeId i = 0; i < g->n; i++) {
    if (g->node[i].op == OP_param) wrt[n++] = i;
  }
  if (!n) return;
  graph_output(g, "loss", y);
  NodeId seed = kit_source(p->k, OP_input, name(p->k, "seed"), g->node[y].type, -1, 1);
  autodiff_reverse(g, y, seed, wrt, n, grad);
  for (int i = 0; i < n; i++) {
    if (grad[i] != NODE_NONE) graph_output(g, arena_printf(p->k->arena, "grad.%s", g->node[wrt[i]].attr.name), grad[i]);
  }
}

static Kit *random_graph(int seed) {
  Kit *k = kit_new((uint64_t)seed + 4000);
  Pool p;
  k->g->name = arena_printf(k->arena, "random.%d", seed);
  begin(&p, k);
  for (int i = 0; i < STEPS; i++) keep(&p, step[kit_pick(k, sizeof step / sizeof *step)](&p));
  outputs(&p);
  if (seed % 3) gradients(&p);
  return k;
}

// Each graph as it is and after all passes: what is fused, merged and moved to fewer rows keeps its bits.
static void random_graphs(void **state) {
  (void)state;
  for (int first = 0; first < GRAPHS; first += BATCH) {
    NativeCase c[2 * BATCH];
    for (int i = 0; i < BATCH; i++) {
      Kit *k = random_graph(first + i);
      Graph *after = graph_copy(passes_run(k->g, k->arena, NULL, NULL), k->arena,
                                arena_printf(k->arena, "%s.after", k->g->name));
      c[2 * i] = (NativeCase){k, k->g, k->g, false};
      c[2 * i + 1] = (NativeCase){k, k->g, after, true};
    }
    native_check(c, 2 * BATCH, 1e-4, first / BATCH % 3 != 0);
    for (int i = 0; i < BATCH; i++) kit_free(c[2 * i].kit);
  }
}

// ---- the entries of small models

typedef struct Rows {
  int64_t base, code, wanted, cached;
} Rows;

// All row counts in one plan, with and without passes: they share their kernels.
static void entries(void **state) {
  (void)state;
  static const Rows rows[] = {{7, 5, 3, 9},       {7, 5, 3, 9},    {0, 0, 0, 0},       {1, 1, 1, 1},
                              {37, 41, 13, 50}, {70, 0, 70, 97}, {131, 257, 0, 131}, {33, 1, 2, 64}};
  enum { N = sizeof rows / sizeof *rows };
  for (int kind = 0; kind < KIT_ENTRIES; kind++) {
    NativeCase c[N];
    for (int i = 0; i < N; i++) {
      Kit *k = kit_new((uint64_t)(kind * 1000 + i));
      k->base_rows = rows[i].base, k->code_rows = rows[i].code;
      k->wanted_rows = rows[i].wanted, k->cached_rows = rows[i].cached;
      const Graph *g = kit_entry_graph(k, kind);
      const Graph *run = i ? passes_run(g, k->arena, NULL, NULL) : g;
      c[i] = (NativeCase){k, g, graph_copy(run, k->arena, arena_printf(k->arena, "%s.%d", g->name, i)), false};
    }
    native_check(c, N, 1e-4, false);
    for (int i = 0; i < N; i++) kit_free(c[i].kit);
  }
}

// ---- exact products

// Rows routed by scores and multiplied, forward and backward, by what is trained, frozen and computed; all products exact, or none.
static Kit *routed(bool exact) {
  Kit *k = kit_new(71);
  Graph *g = k->g;
  enum { D = 37, E = 5, F = 18 };
  int T = kit_tokens(k, "base", 23);
  g->name = exact ? "exact" : "as_said";
  NodeId scale = kit_source(k, OP_param, "scale", kit_type(-1, (int64_t[]){D}, 1), 0.5, 1), wrt[2] = {scale}, grad[2];
  NodeId x = graph_bin(g, OP_mul, kit_source(k, OP_input, "x", kit_type(T, (int64_t[]){D}, 1), -1, 1), scale);
  NodeId w = wrt[1] = kit_source(k, OP_param, "w", kit_type(-1, (int64_t[]){E, D}, 2), -1, 1), made = graph_un(g, OP_tanh, w), in[3] = {x, w};
  Attr inner = {.of_linear = {1, exact}};
  NodeId scores = graph_add(g, OP_linear, in, 2, &inner, NULL);
  in[1] = made;
  NodeId others = graph_add(g, OP_linear, in, 2, &inner, NULL);
  in[1] = kit_source(k, OP_weight, "up", kit_type(-1, (int64_t[]){E, F, D}, 3), -1, 1);
  in[2] = graph_add(g, OP_largest, &scores, 1, &(Attr){.of_largest = {2}}, NULL);
  in[0] = graph_add(g, OP_to_experts, in, 3, &(Attr){.of_to_experts = {1, exact}}, NULL);
  in[1] = kit_source(k, OP_weight, "down", kit_type(-1, (int64_t[]){E, E, F}, 3), -1, 1);
  NodeId y = graph_add(g, OP_from_experts, in, 3, &(Attr){.of_from_experts = {1, exact}}, NULL);
  y = graph_un(g, OP_sum, graph_bin(g, OP_mul, graph_bin(g, OP_add, y, others), scores));
  graph_output(g, "chosen", in[2]);
  graph_output(g, "y", y);
  autodiff_reverse(g, y, kit_source(k, OP_input, "seed", g->node[y].type, -1, 1), wrt, 2, grad);
  graph_output(g, "grad.scale", grad[0]);
  graph_output(g, "grad.w", grad[1]);
  return k;
}

static void exact_products(void **state) {
  (void)state;
  for (int exact = 0; exact < 2; exact++) {
    Kit *k = routed(exact);
    NativeCase c = {k, k->g, k->g, false};
    native_check(&c, 1, 1e-5, false);
    assert_int_equal(native_bf16_is_f32(&c), exact);
    kit_free(k);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs), cmocka_unit_test(entries), cmocka_unit_test(exact_products)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
