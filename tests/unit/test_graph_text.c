// The graph's text form, its shape errors and its verifier: one golden graph holds every op; each test spoils it in one
// way.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/graph.h"
#include "graph/ops.h"

#define GOLDEN CALM_SOURCE_DIR "/tests/golden/graph/every_op.graph"

static char *read_golden(void) {
  FILE *f = fopen(GOLDEN, "rb");
  assert_non_null(f);
  char *text = calloc(1, 1 << 16);
  assert_non_null(text);
  assert_in_range(fread(text, 1, (1 << 16) - 1, f), 1, (1 << 16) - 2);
  fclose(f);
  return text;
}

static Graph *parse(Arena *a, const char *text) {
  const char *why;
  Graph *g = graph_parse(a, text, &why);
  if (!g) fail_msg("%s", why);
  return g;
}

static Graph *golden(Arena *a) {
  char *text = read_golden();
  Graph *g = parse(a, text);
  free(text);
  return g;
}

static void prints_as(const Graph *g, const char *text) {
  Buf b = {0};
  graph_print(g, &b);
  assert_string_equal(b.s, text);
  buf_free(&b);
}

static void golden_round_trip(void **state) {
  (void)state;
  char *text = read_golden();
  Arena *a = arena_new();
  Graph *g = parse(a, text);
  prints_as(g, text);
  assert_null(graph_verify(g, a));
  prints_as(graph_copy(g, a, "train"), text);
  for (int op = 0; op < OP_COUNT; op++) {
    bool there = false;
    for (int i = 0; i < g->n; i++) there |= g->node[i].op == (OpId)op;
    if (!there) fail_msg("op %s is not in %s: add a line", op_name((OpId)op), GOLDEN);
  }
  arena_free(a);
  free(text);
}

// What the columns of ops.def say goes together: who makes an op (a unit of row work, a product, a kernel of its own, nobody), and its traits.
static void columns_agree(void **state) {
  (void)state;
  static const struct { const char *grad, *lower, *lanes; } named[] = {
#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) {#grad, #lower, #lanes},
#include "graph/ops.def"
#undef X
  };
#define AGREE(x, y) do { if (!(x) != !(y)) fail_msg("op %s: %s, but not %s (or the other way round)", op_name(op), #x, #y); } while (0)
  for (OpId op = 0; op < OP_COUNT; op++) {
    OpClass c = op_class(op);
    bool row = c == OPC_ROW, own_kernel = !row && c != OPC_SOURCE && c != OPC_VIEW && c != OPC_GEMM;
    AGREE(own_kernel, strcmp(named[op].lower, "none"));
    AGREE(op_is(op, T_EACH), strcmp(named[op].lanes, "none"));
    AGREE(row, op_is(op, T_EACH | T_SUMS | T_HALVES));
    AGREE(row, op_cost(op) > 0);
    if (op_is(op, T_EPILOGUE) && !op_is(op, T_EACH)) fail_msg("op %s: in an epilogue there are the lanes of one element only", op_name(op));
    if (row && !op_is(op, T_ROWWISE)) fail_msg("op %s: row work goes row by row", op_name(op));
    if (op_is(op, T_BACKWARD) && strcmp(named[op].grad, "none")) fail_msg("op %s: there are no gradients of the backward pass", op_name(op));
    if (op_is(op, T_IN_PLACE) && op_min_in(op) < 1) fail_msg("op %s: there is no operand to write to", op_name(op));
    for (int k = 0; k < MAX_IN; k++)
      if (op_is(op, T_WHOLE(k)) && (!op_is(op, T_ROWWISE) || k >= op_max_in(op))) fail_msg("op %s: operand %d cannot stay whole", op_name(op), k);
  }
}

static void values_survive(void **state) {
  (void)state;
  Arena *a = arena_new();
  Graph *g = graph_new(a, "odd");
  graph_const_vec(g, (double[]){1.0 / 3, -0.0, 5e-324, 1.7976931348623157e308, 1.0 / 0.0}, 5);
  graph_source(g, OP_weight, (Type){.dt = DT_F16, .rank = 1, .dim = {3}}, &(Attr){.name = "a \"b\" \\ c\nd"});
  Buf b = {0};
  graph_print(g, &b);
  Graph *again = parse(a, b.s);
  assert_memory_equal(again->node[0].attr.data, g->node[0].attr.data, 5 * sizeof(double));
  assert_string_equal(again->node[1].attr.name, g->node[1].attr.name);
  buf_free(&b);
  arena_free(a);
}

// ---- bad text: what follows a small prologue, and what the answer must hold

#define PROLOGUE                             \
  "graph g\nmodel base\nmodel code\nsym T.base\nsym T.code\nsym R\n"                                        \
  "%0 = input \"x\" : T.base x 64 x f32\n%1 = weight \"w\" : 128 x 96 x f32\n%2 = input \"y\" : T.code x 64 x f32\n" \
  "%3 = input \"ids\" : T.base x i32\n%4 = mask query=1 key=1 window=0 qmodel=1 : T.code x mask\n" \
  "%5 = input \"q\" : T.base x 4 x 8 x f32\n" \
  "%6 = input \"k\" : T.base x 3 x 8 x f32\n"

typedef struct Bad {
  const char *line, *answer;
} Bad;

static void refused(const Bad *bad, int n) {
  for (int i = 0; i < n; i++) {
    Arena *a = arena_new();
    const char *why = NULL;
    Graph *g = graph_parse(a, arena_printf(a, "%s%s\n", PROLOGUE, bad[i].line), &why);
    if (g) fail_msg("accepted: %s", bad[i].line);
    if (!strstr(why, bad[i].answer)) fail_msg("%s\n  answered: %s\n  expected: %s", bad[i].line, why, bad[i].answer);
    if (strncmp(why, "line 14: ", 9)) fail_msg("%s\n  wrong line: %s", bad[i].line, why);
    arena_free(a);
  }
}

static void shape_errors(void **state) {
  (void)state;
  static const Bad bad[] = {
    {"%7 = linear %0 %1 inner=1 : T.base x 128 x f32",
        "linear: x has inner extent 64, w expects 96 (x is T.base x 64 x f32, w is 128 x 96 x f32)"},
    {"%7 = linear %5 %1 inner=1 : T.base x 128 x f32", "linear: x has inner extents 4 x 8, w expects 96"},
    {"%7 = linear %1 %1 inner=1 : T.base x 128 x f32", "linear: expected token rows as first operand"},
    {"%7 = linear %0 %1 inner=2 : T.base x f32", "linear: expected a weight with outer and inner extents"},
    {"%7 = add %0 %2 : T.base x 64 x f32", "operands count different rows (only attention mixes tokens)"},
    {"%7 = add %0 %5 : T.base x 64 x f32",
        "extents differ and neither is 1; found T.base x 64 x f32, T.base x 4 x 8 x f32"},
    {"%7 = add %0 %3 : T.base x 64 x f32", "expected f32 operands"},
    {"%7 = add %0 : T.base x 64 x f32", "add takes 2 operands, found 1"},
    {"%7 = exp %3 : T.base x i32", "expected f32"},
    {"%7 = sum %3 : T.base x 1 x f32", "expected f32"},
    {"%7 = reshape %0 : T.base x 8 x 9 x f32", "reshape: T.base x 64 x f32 cannot become T.base x 8 x 9 x f32"},
    {"%7 = reshape %0 : 64 x f32", "cannot become"},
    {"%7 = part %0 k=1 : T.base x 64 x f32", "no such result"},
    {"%7 = lookup %0 %1 from=0 : T.base x 96 x f32", "expected ids and a table"},
    {"%7 = take %0 %1 : R x 64 x f32", "expected rows and an index"},
    {"%7 = untake %0 %3 sym=9 : T.base x 64 x f32", "expected rows and their index"},
    {"%7 = lookup_dw %3 %0 rows=-3 from=0 : T.base x 64 x f32", "expected ids and rows alike"},
    {"%7 = attention %5 %6 %6 %4 scale=1 softcap=0 : T.base x 4 x 8 x f32, T.base x 4 x f32",
        "the query heads are no multiple of the key heads"},
    {"%7 = attention %5 %5 %6 %4 scale=1 softcap=0 : T.base x 4 x 8 x f32, T.base x 4 x f32",
        "keys and values differ in rows or heads"},
    {"%7 = attention %5 %5 %5 %4 scale=1 softcap=0 : T.base x 4 x 8 x f32, T.base x 4 x f32",
        "the mask is of other rows than the queries"},
    {"%7 = cross_entropy %0 %1 %3 softcap=0 : T.base x f32", "expected rows and a head of their width"},
    {"%7 = mask query=0 key=7 window=0 qmodel=0 : T.base x mask", "no such row symbol"},
  };
  refused(bad, sizeof bad / sizeof *bad);
}

static void text_errors(void **state) {
  (void)state;
  static const Bad bad[] = {
    {"%7 = frobnicate %0 : T.base x 64 x f32", "no op 'frobnicate'"},
    {"%9 = exp %0 : T.base x 64 x f32", "expected node %7"},
    {"%7 = exp %7 : T.base x 64 x f32", "node %7 does not come before this"},
    {"%7 = exp %-1 : T.base x 64 x f32", "node %-1 does not come before this"},
    {"%7 = exp %0 : T.base x 65 x f32", "exp gives T.base x 64 x f32, the text says T.base x 65 x f32"},
    {"%7 = exp %0 : T.base x 64 x f32, T.base x 64 x f32", "exp has 1 results"},
    {"%7 = exp %0", "expected ':'"},
    {"%7 = exp %0 : T.base x 64", "expected 'x' after an extent"},
    {"%7 = exp %0 : T.what x 64 x f32", "expected an extent or an element type, found 'T.what'"},
    {"%7 = input \"z\" : 64 x T.base x f32", "found 'T.base'"},
    {"%7 = input \"z\" : 4294967296 x 4294967296 x f32", "expected an extent"},
    {"%7 = input \"z\" : 1 x 1 x 1 x 1 x 1 x 1 x f32", "too many extents"},
    {"%7 = input \"z : T.base x f32", "expected '\"' before the end of the line"},
    {"%7 = linear %0 %1 outer=1 : T.base x 128 x f32", "expected inner="},
    {"%7 = linear %0 %1 inner=x : T.base x 128 x f32", "expected an integer"},
    {"%7 = linear %0 %1 inner=1 exact=0 : T.base x 128 x f32", "expected exact=1"},
    {"%7 = const [1 2] : 3 x f32", "3 x f32, but 2 values"},
    {"%7 = const [1 two] : 2 x f32", "expected a number"},
    {"%7 = exp %0 : T.base x 64 x f32 forward", "unexpected 'forward'"},
    {"%7 = add %0 %0 %0 %0 %0 %0 %0 %0 %0 : T.base x 64 x f32", "too many operands"},
    {"output \"nll\" %7", "node %7 does not come before this"},
    {"sym T.none", "no row symbol 'T.none'"},
    {"sym Q", "no row symbol 'Q'"},
    {"what", "expected model, sym, %node or output"},
  };
  refused(bad, sizeof bad / sizeof *bad);
}

// Spoilt golden texts are read or refused, never worse; what is read prints and reads the same again.
static void hostile_text(void **state) {
  (void)state;
  char *text = read_golden();
  size_t n = strlen(text);
  uint64_t random = 12345;
  for (int round = 0; round < 3000; round++) {
    Arena *a = arena_new();
    char *bad = arena_strdup(a, text);
    for (int k = 0; k <= round % 3; k++) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      const char *with = "0123456789-%\"\n x:=[].\\,Tf";
      bad[(random >> 33) % n] = with[(random >> 20) % strlen(with)];
    }
    const char *why;
    Graph *g = graph_parse(a, bad, &why);
    if (g) {
      Buf b = {0};
      graph_print(g, &b);
      prints_as(parse(a, b.s), b.s);
      graph_verify(g, a);
      buf_free(&b);
    } else {
      assert_non_null(why);
    }
    arena_free(a);
  }
  free(text);
}

// ---- the verifier: one thing spoilt in the golden graph

static NodeId find(const Graph *g, OpId op) {
  for (int i = 0; i < g->n; i++) {
    if (g->node[i].op == op) return i;
  }
  fail_msg("no %s", op_name(op));
  return NODE_NONE;
}

static Node *first(Graph *g, OpId op) { return &g->node[find(g, op)]; }

static void spoil_input_order(Graph *g) { first(g, OP_exp)->in[0] = find(g, OP_log); }
static void spoil_input_none(Graph *g) { first(g, OP_exp)->in[0] = NODE_NONE; }
static void spoil_type(Graph *g) {
  Node *n = first(g, OP_exp);
  n->type.dim[1] = n->out[0].dim[1] = 7;
}
static void spoil_result_count(Graph *g) { first(g, OP_attention)->nout = 1; }
static void spoil_first_type(Graph *g) { first(g, OP_attention)->type.dim[1] = 9; }
static void spoil_symbol(Graph *g) {
  first(g, OP_input)->type.dim[0] = first(g, OP_input)->out[0].dim[0] = sym_dim(20);
}
static void spoil_square(Graph *g) {         // tokens times tokens
  Node *n = first(g, OP_exp);
  n->type.dim[1] = n->out[0].dim[1] = n->type.dim[0];
}
static void spoil_name(Graph *g) { first(g, OP_weight)->attr.name = NULL; }
static void spoil_values(Graph *g) { first(g, OP_const)->attr.data = NULL; }
static void spoil_part(Graph *g) { first(g, OP_part)->attr.of_part.k = 2; }
static void spoil_direct_read(Graph *g) { first(g, OP_linear_dw)->in[1] = find(g, OP_attention); }
static void spoil_backward(Graph *g) { first(g, OP_linear_dw)->backward = false; }
static void spoil_rows(Graph *g) { first(g, OP_xent)->in[2] = 0; }
static void spoil_gradient_type(Graph *g) { g->out[2].node = g->out[3].node; }
static void spoil_gradient_name(Graph *g) { g->out[2].name = "grad.nobody"; }
static void spoil_gradient_of_weight(Graph *g) { g->out[4].name = "grad.base.model.\"embed\".weight"; }
static void spoil_no_gradients(Graph *g) {
  g->nout = 1;
  g->out[0].node = find(g, OP_untake);
}
static void spoil_output(Graph *g) { g->out[0].node = g->n; }
static void spoil_frozen_head(Graph *g) { first(g, OP_xent_dw)->in[1] = find(g, OP_weight); }
static void freeze(Graph *g, const char *name) {
  for (int i = 0; i < g->n; i++) {
    if (g->node[i].op == OP_param && !strcmp(g->node[i].attr.name, name)) g->node[i].op = OP_weight;
  }
}
static void without_output(Graph *g, const char *name) {
  int n = 0;
  for (int i = 0; i < g->nout; i++) {
    if (strcmp(g->out[i].name, name)) g->out[n++] = g->out[i];
  }
  g->nout = n;
}
static void spoil_frozen_table(Graph *g) {
  freeze(g, "base.embed");
  without_output(g, "grad.base.embed");
}
static void spoil_frozen_matrix(Graph *g) {
  freeze(g, "code.2->base.1.wo");
  without_output(g, "grad.code.2->base.1.wo");
}
static void spoil_below(Graph *g) {          // nothing below wo learns, and yet its input is differentiated
  freeze(g, "code.2->base.1.wq");
  without_output(g, "grad.code.2->base.1.wq");
}

static void verifier_catches(void **state) {
  (void)state;
  static const struct {
    void (*spoil)(Graph *g);
    const char *answer;
  } test[] = {
    {spoil_input_order, "(exp): uses a node that does not come before it"},
    {spoil_input_none, "(exp): uses a node that does not come before it"},
    {spoil_type, "(exp): has type T.base x 7 x f32, its op gives T.base x 6 x f32"},
    {spoil_result_count, "has another number of results than its op"},
    {spoil_first_type, "has another number of results than its op"},
    {spoil_symbol, "has a bad row symbol"},
    {spoil_square, "(exp): has a bad row symbol"},
    {spoil_name, "(weight): has no name"},
    {spoil_values, "(const): is a literal without values"},
    {spoil_part, "(part): part: no such result"},
    {spoil_direct_read, "reads a node with several results, and not through part"},
    {spoil_backward, "(linear_dw): is a gradient outside the backward pass"},
    {spoil_rows, "(cross_entropy): cross_entropy: expected one label a row"},
    {spoil_gradient_type, "output \"grad.code.2->base.1.wo\" has another type than its parameter"},
    {spoil_gradient_name, "output \"grad.nobody\" names no parameter"},
    {spoil_gradient_of_weight, "is the gradient of a frozen weight"},
    {spoil_no_gradients, "is a backward node in a graph without gradients"},
    {spoil_output, "output \"nll\" names no node"},
    {spoil_frozen_head, "(cross_entropy_dw): a gradient of what nothing trainable reaches"},
    {spoil_frozen_table, "(lookup_dw): a gradient of what nothing trainable reaches"},
    {spoil_frozen_matrix, "(linear_dw): a gradient of what nothing trainable reaches"},
    {spoil_below, "(linear_dx): a gradient of what nothing trainable reaches"},
  };
  for (size_t i = 0; i < sizeof test / sizeof *test; i++) {
    Arena *a = arena_new();
    Graph *g = golden(a);
    test[i].spoil(g);
    const char *wrong = graph_verify(g, a);
    if (!wrong) fail_msg("passed, expected: %s", test[i].answer);
    if (!strstr(wrong, test[i].answer)) fail_msg("answered: %s\n  expected: %s", wrong, test[i].answer);
    arena_free(a);
  }
}

// ---- rules that stages and sizes rest on: graphs that break one, and the same graph without that

#define HEAD \
  "model base\nmodel code\nsym T.base\nsym T.code\nsym R\n" \
  "%0 = input \"ids.code\" : T.code x i32\n%1 = weight \"code.embed\" : 9 x 4 x f32\n" \
  "%2 = lookup %0 %1 from=0 : T.code x 4 x f32\n%3 = reshape %2 : T.code x 2 x 2 x f32\n" \
  "%4 = mask query=1 key=1 window=0 qmodel=1 : T.code x mask\n" \
  "%5 = attention %3 %3 %3 %4 scale=1 softcap=0 : T.code x 2 x 2 x f32, T.code x 2 x f32\n" \
  "%6 = part %5 k=0 : T.code x 2 x 2 x f32\n%7 = part %5 k=1 : T.code x 2 x f32\n" \
  "%8 = weight \"code.wo\" : 4 x 2 x 2 x f32\n%9 = linear %6 %8 inner=2 : T.code x 4 x f32\n" \
  "%10 = param \"proj\" : 4 x 4 x f32\n%11 = linear %9 %10 inner=1 : T.code x 4 x f32\n" \
  "%12 = input \"rows\" : R x i32\n%13 = take %11 %12 : R x 4 x f32\n%14 = input \"labels\" : R x i32\n" \
  "%15 = weight \"base.head\" : 7 x 4 x f32\n%16 = add %15 %15 : 7 x 4 x f32\n" \
  "%17 = cross_entropy %13 %16 %14 softcap=0 : R x f32\n"
#define GRADIENT \
  "%18 = input \"gscale\" : R x f32\n" \
  "%19 = cross_entropy_grad %13 %16 %14 %18 softcap=0 : R x 4 x f32, R x f32 backward\n" \
  "%20 = part %19 k=0 : R x 4 x f32 backward\n%21 = untake %20 %12 sym=1 : T.code x 4 x f32 backward\n" \
  "%22 = linear_dw %21 %9 inner=1 : 4 x 4 x f32 backward\n"
#define OUTPUTS "output \"nll\" %17\noutput \"grad.proj\" %22\n"

typedef struct Broken {
  const char *text, *answer;   // NULL: nothing is wrong
} Broken;

static void rules(void **state) {
  (void)state;
  static const Broken test[] = {
    {"graph train\n" HEAD GRADIENT OUTPUTS, NULL},
    {"graph loss\n" HEAD "output \"nll\" %17\n", NULL},
    {"graph loss\n" HEAD GRADIENT "output \"nll\" %17\noutput \"d\" %22\n",
     "%22 (linear_dw): is a backward node in a graph without gradients"},
    // below the lowest connection, and in a model that nothing live feeds, nothing is differentiated
    {"graph train\n" HEAD GRADIENT "%23 = linear_dx %21 %10 inner=1 : T.code x 4 x f32 backward\n" OUTPUTS,
     "%23 (linear_dx): a gradient of what nothing trainable reaches"},
    {"graph train\n" HEAD GRADIENT "%23 = linear_dx %21 %8 inner=2 : T.code x 2 x 2 x f32 backward\n" OUTPUTS,
     "%23 (linear_dx): a gradient of what nothing trainable reaches"},
    {"graph train\n" HEAD "%18 = reshape %9 : T.code x 2 x 2 x f32\n"
     "%19 = attention_grad %18 %3 %3 %3 %4 %6 %7 scale=1 softcap=0 : "
     "T.code x 2 x 2 x f32, T.code x 2 x 2 x f32, T.code x 2 x 2 x f32 backward\noutput \"nll\" %17\n",
     "%19 (attention_grad): a gradient of what nothing trainable reaches"},
    {"graph train\n" HEAD "%18 = lookup_dw %0 %9 rows=9 from=0 : 9 x 4 x f32 backward\noutput \"nll\" %17\n",
     "%18 (lookup_dw): a gradient of what nothing trainable reaches"},
    {"graph train\n" HEAD "%18 = linear_dw %9 %6 inner=2 : 4 x 2 x 2 x f32 backward\noutput \"nll\" %17\n",
     "%18 (linear_dw): a gradient of what nothing trainable reaches"},
    {"graph train\n" HEAD "%18 = linear_dw %9 %6 inner=2 : 4 x 2 x 2 x f32 backward\noutput \"grad.code.wo\" %18\n",
     "output \"grad.code.wo\" is the gradient of a frozen weight"},
    // all logits, however the head's matrix is reached; elsewhere they may stand
    {"graph loss\n" HEAD "%18 = linear %13 %15 inner=1 : R x 7 x f32\noutput \"nll\" %17\noutput \"l\" %18\n",
     "%18 (linear): holds a row of logits per token, in 'loss'"},
    {"graph train\n" HEAD "%18 = neg %15 : 7 x 4 x f32\n%19 = linear %11 %18 inner=1 : T.code x 7 x f32\n"
     "%20 = sum %19 : T.code x 1 x f32\noutput \"nll\" %17\noutput \"s\" %20\n",
     "%19 (linear): holds a row of logits per token, in 'train'"},
    {"graph score\n" HEAD "%18 = linear %13 %15 inner=1 : R x 7 x f32\noutput \"nll\" %17\noutput \"logits\" %18\n",
     NULL},
  };
  for (size_t i = 0; i < sizeof test / sizeof *test; i++) {
    Arena *a = arena_new();
    const char *wrong = graph_verify(parse(a, test[i].text), a), *want = test[i].answer;
    if (wrong && !want) fail_msg("refused a sound graph: %s\n%s", wrong, test[i].text);
    if (want && !wrong) fail_msg("passed, expected: %s", want);
    if (want && !strstr(wrong, want)) fail_msg("answered: %s\n  expected: %s", wrong, want);
    arena_free(a);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(golden_round_trip), cmocka_unit_test(columns_agree), cmocka_unit_test(values_survive), cmocka_unit_test(shape_errors),
    cmocka_unit_test(text_errors),       cmocka_unit_test(hostile_text),   cmocka_unit_test(verifier_catches),
    cmocka_unit_test(rules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
