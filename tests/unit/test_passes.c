// Passes and the planner's recomputation leave the meaning of a graph alone: outputs before and after, on the reference
// evaluator. What `rows` gains is checked on the graph's shape; plans of all entries pass the planner's own checks and
// print the same every time.
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "graph/ops.h"
#include "entry_kit.h"
#include "passes/passes.h"
#include "plan/lower.h"
#include "plan/recompute.h"

enum { SEEDS = 2 * KIT_ENTRIES };

// ---- same outputs

// Sums in another order may round otherwise; nothing here reorders more than an addition of gradients.
static void same_output(Kit *k, const Graph *x, const Graph *y, double **vx, double **vy, int i, const char *what) {
  NodeId nx = x->out[i].node, ny = y->out[i].node;
  assert_string_equal(x->out[i].name, y->out[i].name);
  const char *name = x->out[i].name;
  if (!type_equal(&x->node[nx].type, &y->node[ny].type)) fail_msg("%s: output \"%s\" changed its type", what, name);
  for (int64_t e = 0; e < kit_elems(k, &x->node[nx].type); e++) {
    double a = vx[(size_t)nx * MAX_OUT][e], b = vy[(size_t)ny * MAX_OUT][e];
    if (!(fabs(a - b) <= 1e-12 * (1 + fabs(a))))
      fail_msg("%s: output \"%s\"[%lld] was %.17g, is %.17g", what, name, (long long)e, a, b);
  }
}

static void same(Kit *k, const Graph *x, const Graph *y, const char *what) {
  const char *wrong = graph_verify(y, k->arena);
  if (wrong) fail_msg("%s: %s", what, wrong);
  assert_int_equal(x->nout, y->nout);
  double **vx = kit_eval(k, x), **vy = kit_eval(k, y);
  for (int i = 0; i < x->nout; i++) same_output(k, x, y, vx, vy, i, what);
  eval_free(x, vx);
  eval_free(y, vy);
}

static void each_graph(void f(Kit *k, const Graph *g, const char *what)) {
  for (int i = 0; i < SEEDS; i++) {
    Kit *k = kit_new((uint64_t)i + 300);
    f(k, kit_entry_graph(k, i % KIT_ENTRIES), arena_printf(k->arena, "graph %d", i));
    kit_free(k);
  }
}

// ---- one pass at a time, and all

static void one_by_one(Kit *k, const Graph *g, const char *what) {
  for (const Pass *p = passes; p->name; p++)
    same(k, g, p->run(g, k->arena), arena_printf(k->arena, "%s, pass %s", what, p->name));
  same(k, g, passes_run(g, k->arena, NULL, NULL), arena_printf(k->arena, "%s, all passes", what));
}

static void again(Kit *k, const Graph *g, const char *what) {
  Graph *run = passes_run(g, k->arena, NULL, NULL);
  same(k, g, recompute(g, k->arena, RECOMPUTE_ROW_WORK, NULL), arena_printf(k->arena, "%s, recomputed", what));
  same(k, g, recompute(g, k->arena, RECOMPUTE_PRODUCTS, NULL), arena_printf(k->arena, "%s, with its products", what));
  same(k, g, recompute(run, k->arena, RECOMPUTE_ROW_WORK, NULL), arena_printf(k->arena, "%s, recomputed after the passes", what));
  same(k, g, recompute(run, k->arena, RECOMPUTE_PRODUCTS, NULL), arena_printf(k->arena, "%s, with its products after the passes", what));
}

static void keep_meaning(void **state) { (void)state; each_graph(one_by_one); }
static void recomputation(void **state) { (void)state; each_graph(again); }

static void run_twice(Kit *k, const Graph *g, const char *what) {
  Buf one = {0}, two = {0};
  Graph *first = passes_run(g, k->arena, NULL, NULL), *second = passes_run(first, k->arena, NULL, NULL);
  graph_print(first, &one);
  graph_print(second, &two);
  if (strcmp(one.s, two.s))
    fail_msg("%s: the passes find something to do in what they made:\n%s\n----\n%s", what, one.s, two.s);
  buf_free(&one);
  buf_free(&two);
}
static void fixed_point(void **state) { (void)state; each_graph(run_twice); }

// ---- dce and cse by themselves

static int count(const Graph *g, OpId op) {
  int n = 0;
  for (NodeId i = 0; i < g->n; i++) n += g->node[i].op == op;
  return n;
}

static void dead_code(void **state) {
  (void)state;
  Kit *k = kit_new(1);
  int64_t d[1] = {3};
  int sym = kit_tokens(k, "base", 2);
  NodeId x = kit_source(k, OP_input, "x", kit_type(sym, d, 1), -1, 1);
  NodeId unused = kit_source(k, OP_param, "p", kit_type(-1, d, 1), -1, 1);
  graph_un(k->g, OP_exp, graph_bin(k->g, OP_mul, x, unused));
  graph_output(k->g, "y", graph_un(k->g, OP_tanh, x));
  Graph *g = pass_dce(k->g, k->arena);
  assert_int_equal(g->n, 2);
  assert_int_equal(count(g, OP_exp) + count(g, OP_param), 0);
  same(k, k->g, g, "dce");
  kit_free(k);
}

// A value read with stop_gradient and without is one once the stops are gone.
static void stops(void **state) {
  (void)state;
  Kit *k = kit_new(4);
  int64_t d[1] = {3};
  NodeId x = kit_source(k, OP_input, "x", kit_type(kit_tokens(k, "base", 2), d, 1), -1, 1);
  NodeId y = graph_un(k->g, OP_stop_gradient, graph_un(k->g, OP_stop_gradient, graph_un(k->g, OP_exp, x)));
  graph_output(k->g, "y", graph_bin(k->g, OP_mul, y, graph_un(k->g, OP_exp, x)));
  graph_output(k->g, "z", y);
  Graph *g = passes_run(k->g, k->arena, NULL, NULL);
  assert_int_equal(count(g, OP_stop_gradient), 0);
  assert_int_equal(g->n, 3);
  same(k, k->g, g, "stops");
  kit_free(k);
}

static void common(void **state) {
  (void)state;
  Kit *k = kit_new(2);
  int64_t d[1] = {4};
  int sym = kit_tokens(k, "base", 3);
  NodeId x = kit_source(k, OP_input, "x", kit_type(sym, d, 1), -1, 1), y = x;
  for (int i = 0; i < 3; i++) {                              // three times the same value; constants alike and not
    NodeId e = graph_un(k->g, OP_exp, graph_bin(k->g, OP_mul, x, graph_const(k->g, 2)));
    y = graph_bin(k->g, OP_add, y, graph_bin(k->g, OP_mul, e, graph_const(k->g, 1 + i / 2)));
  }
  y = graph_bin(k->g, OP_add, y, graph_reshape(k->g, graph_reshape(k->g, x, (int64_t[]){2, 2}, 2, NULL), d, 1, NULL));
  y = graph_bin(k->g, OP_add, y, graph_reshape(k->g, graph_reshape(k->g, x, (int64_t[]){4, 1}, 2, NULL), d, 1, NULL));
  NodeId back = graph_un(k->g, OP_exp, graph_bin(k->g, OP_mul, x, graph_const(k->g, 2)));
  NodeId p = kit_source(k, OP_param, "p", kit_type(-1, d, 1), -1, 1), grad = graph_un(k->g, OP_colsum, back);
  k->g->node[back].backward = k->g->node[grad].backward = true;          // stay apart from the forward ones
  graph_output(k->g, "y", graph_bin(k->g, OP_mul, y, p));
  graph_output(k->g, "grad.p", grad);
  Graph *g = pass_cse(k->g, k->arena);
  assert_int_equal(count(g, OP_exp), 2);
  assert_int_equal(count(g, OP_const), 2);
  assert_int_equal(count(g, OP_reshape), 4);
  double **vx = kit_eval(k, k->g), **vy = kit_eval(k, g);
  for (int i = 0; i < 2; i++) same_output(k, k->g, g, vx, vy, i, "cse");
  eval_free(k->g, vx);
  eval_free(g, vy);
  kit_free(k);
}

// Equal but for an attribute: nothing is merged.
static void attributes_differ(void **state) {
  (void)state;
  Kit *k = kit_new(4);
  int sym = kit_tokens(k, "base", 5);
  int64_t d[2] = {2, 3};
  NodeId x = kit_source(k, OP_input, "x", kit_type(sym, d, 2), -1, 1);
  for (int i = 0; i < 3; i++) {
    NodeId in[4] = {x, x, x, kit_causal(k, sym, sym, i / 2)};
    NodeId y = graph_part(k->g, graph_add(k->g, OP_attention, in, 4, &(Attr){.f = {0.5, i % 2 ? 0 : 0.25}}, NULL), 0);
    graph_output(k->g, arena_printf(k->arena, "y%d", i), y);
  }
  Graph *g = pass_cse(k->g, k->arena);
  same(k, k->g, g, "cse");
  assert_int_equal(count(g, OP_mask), 2);
  assert_int_equal(count(g, OP_attention), 3);
  kit_free(k);
}

// What is done again is row work on rows, once for all its users; heavy work and row sums are kept.
static void recomputes_cheap_work_once(void **state) {
  (void)state;
  Kit *k = kit_new(11);
  Graph *g = passes_run(kit_train_graph(k, true, true), k->arena, NULL, NULL), *again_g = recompute(g, k->arena, RECOMPUTE_ROW_WORK, NULL);
  assert_true(again_g->n > g->n);
  for (int op = 0; op < OP_COUNT; op++) {
    int before = count(g, (OpId)op), after = count(again_g, (OpId)op);
    if (op_class((OpId)op) != OPC_ROW || op == OP_sum) assert_int_equal(before, after);
  }
  assert_int_equal(pass_cse(again_g, k->arena)->n, again_g->n);
  assert_int_equal(recompute(again_g, k->arena, RECOMPUTE_ROW_WORK, NULL)->n, again_g->n);
  kit_free(k);
}

// Where products are done again, each is once; attention, lookups and sums are kept.
static void recomputes_products_once(void **state) {
  (void)state;
  Kit *k = kit_new(11);
  int products;
  Graph *g = passes_run(kit_train_graph(k, true, true), k->arena, NULL, NULL), *lean = recompute(g, k->arena, RECOMPUTE_PRODUCTS, &products);
  int forward = 0, more = 0;
  for (NodeId i = 0; i < g->n; i++) forward += !g->node[i].backward && op_class(g->node[i].op) == OPC_GEMM;
  for (int op = 0; op < OP_COUNT; op++) {
    int before = count(g, (OpId)op), after = count(lean, (OpId)op);
    if (op_class((OpId)op) == OPC_GEMM) more += after - before;
    else if ((op_class((OpId)op) != OPC_ROW && op_class((OpId)op) != OPC_VIEW) || op == OP_sum) assert_int_equal(before, after);
  }
  assert_true(products > 0 && products == more && products <= forward);
  assert_int_equal(pass_cse(lean, k->arena)->n, lean->n);
  kit_free(k);
}

// ---- rows

// Nodes from which a key or a value of some attention is reached: what all tokens need.
static const bool *feeds_keys(const Graph *g, Arena *a) {
  bool *feeds = ARENA_ARRAY(a, bool, g->n);
  for (NodeId i = g->n - 1; i >= 0; i--) {
    const Node *n = &g->node[i];
    for (int k = 0; k < n->nin; k++) feeds[n->in[k]] |= feeds[i] || (n->op == OP_attention && (k == 1 || k == 2));
  }
  return feeds;
}

// All forward products and attention over all tokens lie on the way to a key or a value; some work is over rows.
static void rows_moved(Kit *k, const Graph *g, const char *what) {
  const bool *feeds = feeds_keys(g, k->arena);
  int of_rows = 0;
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    if (n->backward || (n->op != OP_linear && n->op != OP_attention)) continue;
    bool all_tokens = g->sym[type_row_sym(&n->type)].kind == SYM_TOKENS;
    of_rows += !all_tokens;
    if (all_tokens && !feeds[i])
      fail_msg("%s: %%%d (%s) is over all tokens, but no key or value needs it", what, i, op_name(n->op));
  }
  assert_int_equal(of_rows, 6);                              // the last block: wq, attention, wo, gate, up, down
}

static void rows(void **state) {
  (void)state;
  for (int i = 0; i < SEEDS; i++) {
    Kit *k = kit_new((uint64_t)i + 500);
    kit_pair(k, i % 2);
    Graph *g = pass_rows(k->g, k->arena);
    same(k, k->g, g, "rows");
    rows_moved(k, g, "rows");
    assert_int_equal(count(k->g, OP_take), 1);
    kit_free(k);
  }
}

// The backward pass gains, too: all products with the last block's matrices but wk and wv are over rows.
static void rows_backward(void **state) {
  (void)state;
  Kit *k = kit_new(9);
  Graph *g = passes_run(kit_train_graph(k, false, true), k->arena, NULL, NULL);
  int tokens = 0, of_rows = 0;
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    if (n->op != OP_linear_dx) continue;
    bool all = g->sym[type_row_sym(&n->type)].kind == SYM_TOKENS;
    tokens += all;
    of_rows += !all;
  }
  assert_int_equal(of_rows, 5);                              // wq, wo, gate, up, down
  assert_int_equal(tokens, 3);                               // wk, wv; wo of the cross attention
  kit_free(k);
}

// A value that is wanted both whole and taken is computed once, for all rows.
static void rows_wanted_both_ways(void **state) {
  (void)state;
  Kit *k = kit_new(10);
  Graph *g = pass_rows(kit_score_graph(k), k->arena);
  same(k, k->g, g, "hidden state wanted whole");
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    if (n->op == OP_attention) assert_int_equal(g->sym[type_row_sym(&n->type)].kind, SYM_TOKENS);
  }
  kit_free(k);
}

// ---- stages

static void stages(void **state) {
  (void)state;
  Kit *k = kit_new(3);
  int64_t d[1] = {4};
  NodeId x = kit_source(k, OP_input, "x", kit_type(kit_tokens(k, "base", 3), d, 1), -1, 1);
  NodeId w = kit_source(k, OP_weight, "w", kit_type(-1, d, 1), -1, 1);
  NodeId p = kit_source(k, OP_param, "p", kit_type(-1, d, 1), -1, 1);
  NodeId constant = graph_bin(k->g, OP_add, graph_const(k->g, 1), w), frozen = graph_bin(k->g, OP_mul, x, constant);
  NodeId live = graph_bin(k->g, OP_mul, frozen, p), scaled = graph_bin(k->g, OP_add, p, w);
  const Stage *s = stage_analyse(k->g, k->arena);
  assert_int_equal(s[constant], STAGE_CONSTANT);
  assert_int_equal(s[frozen], STAGE_FROZEN);
  assert_int_equal(s[live], STAGE_LIVE);
  assert_int_equal(s[scaled], STAGE_LIVE);
  kit_free(k);
}

// ---- plans

static void plan_text(Kit *k, const Graph *g, Buf *out) {
  Plan *p = plan_new(k->arena);
  plan_add(p, passes_run(g, k->arena, NULL, NULL));
  plan_finish(p);                                            // aborts when its own checks fail
  plan_print(p, out);
}

static void plan_of(Kit *k, const Graph *g, const char *what) {
  Buf one = {0}, two = {0};
  plan_text(k, g, &one);
  plan_text(k, g, &two);
  if (strcmp(one.s, two.s)) fail_msg("%s: two plans of one graph differ", what);
  buf_free(&one);
  buf_free(&two);
}
static void plans(void **state) { (void)state; each_graph(plan_of); }

// SiLU's derivative, made again from what the forward pass kept, stands behind the product that brings the gradient; a norm's square is taken where it is
// summed. Left alone, wide matrices would be written and read once more for each.
static void row_work_goes_where_its_operands_are(void **state) {
  (void)state;
  Kit *k = kit_new(11);
  Plan *p = plan_new(k->arena);
  plan_add(p, passes_run(kit_train_graph(k, true, true), k->arena, NULL, NULL));
  plan_finish(p);
  int backward = 0;
  for (int i = 0; i < p->nkernel; i++) {
    const Kernel *kernel = &p->kernel[i];
    for (int m = 0; m < MAX_MATS; m++)
      for (int v = 0; v < kernel->prog[m].n; v++) {
        const RowVal *x = &kernel->prog[m].v[v];
        if (x->src != RV_OP) continue;
        if (x->op == OP_sigmoid && kernel->cls == K_ROW) fail_msg("kernel %d: sigmoid in a row kernel", i);
        backward += x->op == OP_sigmoid && kernel->cls == K_GEMM_T;
        if (x->op == OP_mul && x->in[0] == x->in[1] && kernel->cls != K_ROW) fail_msg("kernel %d: a square in an epilogue", i);
      }
  }
  assert_true(backward > 0);
  kit_free(k);
}

// A plan whose entry `loss` multiplies rows with the head's matrix is refused: all logits would stand in memory.
static void plan_refuses_logits(void **state) {
  (void)state;
  Kit *k = kit_new(12);
  Plan *p = plan_new(k->arena);
  plan_add(p, passes_run(kit_score_graph(k), k->arena, NULL, NULL));
  p->entry[0].name = "loss";
  pid_t child = fork();
  assert_true(child >= 0);
  if (!child) {
    if (!freopen("/dev/null", "w", stderr)) _exit(1);
    signal(SIGABRT, SIG_DFL);
    plan_finish(p);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  p->entry[0].name = "score";
  plan_finish(p);
  kit_free(k);
}

// All entries of a program in one plan: they share kernels, packed matrices and parameters.
static void plan_of_all(void **state) {
  (void)state;
  static const char *const entry[] = {"train", "loss", "step", "score"};
  Kit *k[4];
  Graph *g[4];
  int64_t kernels = 0;
  for (int i = 0; i < 4; i++) k[i] = kit_new((uint64_t)i);
  g[0] = kit_train_graph(k[0], false, true);
  g[1] = kit_loss_graph(k[1], false);
  g[2] = kit_step_graph(k[2]);
  g[3] = kit_score_graph(k[3]);
  Plan *all = plan_new(k[0]->arena);
  for (int i = 0; i < 4; i++) {
    Plan *one = plan_new(k[i]->arena);
    g[i] = passes_run(graph_copy(g[i], k[i]->arena, entry[i]), k[i]->arena, NULL, NULL);
    plan_add(one, g[i]);
    plan_add(all, g[i]);
    kernels += one->nkernel;
  }
  plan_finish(all);
  assert_true(all->nkernel < kernels);
  const PlanEntry *train = NULL, *frozen = NULL, *live = NULL;      // train in two: of its own calls, what is given by none to the other
  for (int i = 0; i < all->nentry; i++) {
    const PlanEntry *e = &all->entry[i];
    *(!strcmp(e->name, "train") ? &train : !strcmp(e->name, "frozen") ? &frozen : !strcmp(e->name, "live") ? &live : &(const PlanEntry *){NULL}) = e;
  }
  assert_true(frozen && live && frozen->nout > 0 && live->nout == train->nout);
  assert_true(live->ncall < train->ncall && frozen->ncall < train->ncall && frozen->ncall + live->ncall >= train->ncall);
  for (int c = 0; c < frozen->ncall; c++) assert_false(frozen->call[c].live);
  for (int c = 0; c < train->ncall; c++) {
    int heavy[2] = {0};
    for (int i = 0; i < frozen->ncall; i++) heavy[0] += frozen->call[i].kernel == train->call[c].kernel;
    for (int i = 0; i < live->ncall; i++) heavy[1] += live->call[i].kernel == train->call[c].kernel;
    assert_true(heavy[0] + heavy[1] > 0);                    // no kernel of train is lost, and none is new
  }
  int parts = 0;                                             // loss in two as well
  for (int i = 0; i < all->nentry; i++) parts += !strcmp(all->entry[i].name, "loss_frozen") || !strcmp(all->entry[i].name, "loss_live");
  assert_int_equal(parts, 2);
  for (int i = 0; i < all->nbuf; i++) {                      // what has a name is there once
    const PBuf *b = &all->buf[i];
    for (int j = 0; j < i && *b->name; j++)
      assert_false(b->kind == all->buf[j].kind && !strcmp(b->name, all->buf[j].name));
  }
  for (int i = 0; i < 4; i++) kit_free(k[3 - i]);
}

// Whatever tells two kernels apart makes two of them: every extent, also behind one that is 0, every field of an argument and of a value.
static void kernels_are_told_apart(void **state) {
  (void)state;
  KArg arg[2] = {{.dt = DT_F32, .elems = 8}, {.dt = DT_F32, .written = true, .elems = 8}};
  RowVal v[2] = {{.src = RV_LOAD, .in = {-1, -1}, .rank = 1, .dim = {8}, .store = -1}, {.src = RV_OP, .op = OP_neg, .in = {0, -1}, .rank = 1, .dim = {8}, .arg = 1}};
  const Kernel base = {.cls = K_GEMM, .arg = arg, .narg = 2, .nmat = 1, .N = {8}, .prog = {{v, 2}}};
  Kernel k = base;
  assert_true(kernel_equal(&base, &k));
#define DIFFERS(what) do { what; assert_false(kernel_equal(&base, &k)); assert_false(kernel_equal(&k, &base)); k = base; } while (0)
  for (int i = 0; i < 8; i++) DIFFERS(k.dim[i] = 3);
  for (int i = 0; i < 2; i++) DIFFERS(k.f[i] = -0.0);
  for (int i = 0; i < MAX_MATS; i++) DIFFERS(k.N[i] += 8);
  DIFFERS(k.cls = K_DW);
  DIFFERS(k.nmat = 2);
  DIFFERS(k.narg = 1);
  DIFFERS(k.paired = true);
  DIFFERS(k.prog[0].n = 1);
  DIFFERS(k.prog[1] = base.prog[0]);
  for (int i = 0; i < 2; i++) {
    KArg other[2] = {arg[0], arg[1]};
#define ARG_DIFFERS(what) do { k.arg = other; DIFFERS(what); memcpy(other, arg, sizeof other); } while (0)
    ARG_DIFFERS(other[i].dt = DT_BF16);
    ARG_DIFFERS(other[i].per_row = true);
    ARG_DIFFERS(other[i].written ^= true);
    ARG_DIFFERS(other[i].elems = 9);
    RowVal w[2] = {v[0], v[1]};
#define VALUE_DIFFERS(what) do { k.prog[0].v = w; DIFFERS(what); memcpy(w, v, sizeof w); } while (0)
    VALUE_DIFFERS(w[i].src = RV_ACC);
    VALUE_DIFFERS(w[i].op = OP_exp);
    VALUE_DIFFERS(w[i].in[0] = 7);
    VALUE_DIFFERS(w[i].in[1] = 7);
    VALUE_DIFFERS(w[i].rank = 2);
    for (int d = 0; d < MAX_RANK; d++) VALUE_DIFFERS(w[i].dim[d] += 2);
    VALUE_DIFFERS(w[i].shared = true);
    VALUE_DIFFERS(w[i].arg = 5);
    VALUE_DIFFERS(w[i].imm = -0.0);
    VALUE_DIFFERS(w[i].store = 1);
  }
}

// Calls of kernels that differ only in an extent behind a zero are calls of two.
static void kernels_behind_a_zero(void **state) {
  (void)state;
  Arena *a = arena_new();
  Plan *p = plan_new(a);
  PlanEntry e = {.name = "score"};
  ARENA_PUSH(a, p->entry, p->nentry, p->capentry, e);
  for (int i = 0; i < 4; i++) {
    KernelDraft d = {.k = {.cls = K_SLICE, .SLICE = {.A = 4, .B = 0, .C = 1 + i / 2, .from = i % 2}}};
    for (int times = 0; times < 2; times++) plan_call(p, 0, &d, -1, 1, false);
    assert_int_equal(p->nkernel, i + 1);
  }
  assert_int_equal(p->entry[0].ncall, 8);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keep_meaning), cmocka_unit_test(recomputation), cmocka_unit_test(fixed_point),
      cmocka_unit_test(dead_code), cmocka_unit_test(common), cmocka_unit_test(stops), cmocka_unit_test(rows),
      cmocka_unit_test(rows_backward), cmocka_unit_test(rows_wanted_both_ways), cmocka_unit_test(attributes_differ),
      cmocka_unit_test(recomputes_cheap_work_once), cmocka_unit_test(recomputes_products_once), cmocka_unit_test(stages), cmocka_unit_test(plans),
      cmocka_unit_test(row_work_goes_where_its_operands_are), cmocka_unit_test(plan_of_all), cmocka_unit_test(plan_refuses_logits),
      cmocka_unit_test(kernels_are_told_apart), cmocka_unit_test(kernels_behind_a_zero),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
