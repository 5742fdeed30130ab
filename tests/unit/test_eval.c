// The reference evaluator against known values: worked by hand, or by PyTorch in double (attention, cross entropy,
// functions). Graphs are given as text; the last output is what is compared.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "graph/eval.h"

#define HEAD "graph t\nmodel a\nmodel b\nsym T.a\nsym T.b\nsym R\nsym C.a\n"
static const int64_t extent[] = {3, 2, 2, 4};             // T.a, T.b, R, C.a

typedef struct Given {
  const char *name;
  const double *v;
  int n;
} Given;
#define GIVEN(name, ...) {name, (double[]){__VA_ARGS__}, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double))}

typedef struct Known {
  const char *text;                                       // after HEAD
  Given given[5];
  Given want;
} Known;

static const double *source(void *user, const Graph *g, NodeId id, int64_t n) {
  const Given *given = user;
  for (int i = 0; i < 5 && given[i].name; i++) {
    if (strcmp(given[i].name, g->node[id].attr.name)) continue;
    assert_int_equal(given[i].n, n);
    return given[i].v;
  }
  return NULL;
}

static EvalMask mask(void *user, const Graph *g, NodeId id) {
  static const int32_t lo[] = {0, 1, 1}, hi[] = {2, 2, 1};
  (void)user, (void)g, (void)id;
  return (EvalMask){lo, hi};
}

static const char *evaluate(Arena *a, Graph *g, const Known *k, double ***v) {
  EvalEnv env = {.sym = extent, .source = source, .mask = mask, .user = (void *)(uintptr_t)k->given};
  return graph_eval(g, &env, a, v);
}

static Graph *parse(Arena *a, const char *text) {
  const char *why;
  Graph *g = graph_parse(a, arena_printf(a, HEAD "%s", text), &why);
  if (!g) fail_msg("%s\n%s", why, text);
  why = graph_verify(g, a);
  if (why) fail_msg("%s\n%s", why, text);
  return g;
}

static void compare(const Known *known, int n) {
  for (int i = 0; i < n; i++) {
    const Known *k = &known[i];
    Arena *a = arena_new();
    Graph *g = parse(a, k->text);
    double **v;
    const char *error = evaluate(a, g, k, &v);
    if (error) fail_msg("%s\n%s", error, k->text);
    const double *got = v[(size_t)(g->n - 1) * MAX_OUT];
    for (int j = 0; j < k->want.n; j++) {
      if (got[j] != k->want.v[j] && !(fabs(got[j] - k->want.v[j]) < 1e-14))
        fail_msg("%s\n  element %d is %.17g, expected %.17g", k->text, j, got[j], k->want.v[j]);
    }
    eval_free(g, v);
    arena_free(a);
  }
}

#define X2 "%0 = input \"x\" : 2 x f32\n"
static void elementwise(void **state) {
  (void)state;
  Arena *a = arena_new();
#define UNARY(op, y0, y1) {X2 "%1 = " op " %0 : 2 x f32\n", {GIVEN("x", 0.25, 2)}, GIVEN("", y0, y1)}
  const Known known[] = {
    UNARY("neg", -0.25, -2),
    {X2 "%1 = abs %0 : 2 x f32\n", {GIVEN("x", -0.25, 2)}, GIVEN("", 0.25, 2)},
    {"%0 = input \"x\" : 3 x f32\n%1 = input \"y\" : 3 x f32\n%2 = gain %0 %1 : 3 x f32\n", {GIVEN("x", 0, 1, -2), GIVEN("y", INFINITY, 3, 5)}, GIVEN("", 0, 3, -10)},
    UNARY("exp", 1.2840254166877414, 7.38905609893065),
    UNARY("log", -1.3862943611198906, 0.6931471805599453),
    UNARY("sqrt", 0.5, 1.414213562373095),
    UNARY("rsqrt", 2, 0.7071067811865475),
    UNARY("tanh", 0.24491866240370913, 0.9640275800758169),
    UNARY("erf", 0.27632639016823696, 0.9953222650189527),
    UNARY("sigmoid", 0.5621765008857981, 0.8807970779778823),
    UNARY("cos", 0.9689124217106447, -0.4161468365471424),
    UNARY("sin", 0.24740395925452294, 0.9092974268256817),
    UNARY("float", 0.25, 2),
    UNARY("floor", 0, 2),
    {X2 "%1 = floor %0 : 2 x f32\n", {GIVEN("x", -0.25, 2.9)}, GIVEN("", -1, 2)},
    UNARY("bf16", 0.25, 2),
    {X2 "%1 = bf16 %0 : 2 x f32\n", {GIVEN("x", -1.00390625, 3.0234375)}, GIVEN("", -1, 3.03125)},      // ties, to even: 1 + 2^-8 down, 3 + 3 2^-7 up
    UNARY("stop_gradient", 0.25, 2),
    // a row's number times a shared vector; a matrix shared by rows; static only
    {"%0 = input \"x\" : T.b x 1 x f32\n%1 = input \"y\" : 3 x f32\n%2 = mul %0 %1 : T.b x 3 x f32\n",
     {GIVEN("x", 2, 3), GIVEN("y", 1, 10, 100)}, GIVEN("", 2, 20, 200, 3, 30, 300)},
    {"%0 = input \"x\" : T.b x 2 x 1 x f32\n%1 = input \"y\" : 2 x 2 x f32\n%2 = sub %0 %1 : T.b x 2 x 2 x f32\n",
     {GIVEN("x", 1, 2, 3, 4), GIVEN("y", 1, 2, 3, 4)}, GIVEN("", 0, -1, -1, -2, 2, 1, 1, 0)},
    {"%0 = input \"x\" : T.b x f32\n%1 = input \"y\" : T.b x 2 x f32\n%2 = add %0 %1 : T.b x 2 x f32\n",
     {GIVEN("x", 1, 2), GIVEN("y", 10, 20, 30, 40)}, GIVEN("", 11, 21, 32, 42)},
    {"%0 = input \"x\" : 2 x 1 x f32\n%1 = input \"y\" : 2 x f32\n%2 = div %0 %1 : 2 x 2 x f32\n",
     {GIVEN("x", 8, 4), GIVEN("y", 2, 4)}, GIVEN("", 4, 2, 2, 1)},
  };
  compare(known, sizeof known / sizeof *known);
  for (OpId op = 0; op < OP_COUNT; op++) {
    bool there = !op_is(op, T_EACH);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) there |= strstr(known[k].text, arena_printf(a, " = %s %%", op_name(op))) != NULL;
    if (!there) fail_msg("no known values of op %s: add a line above", op_name(op));
  }
  arena_free(a);
}

static void rows(void **state) {
  (void)state;
  const Known known[] = {
    {"%0 = input \"x\" : T.b x 2 x f32\n%1 = sum %0 : T.b x 1 x f32\n", {GIVEN("x", 1, 2, 3, 4)}, GIVEN("", 3, 7)},
    {"%0 = input \"x\" : T.b x 4 x f32\n%1 = rotate_half %0 : T.b x 4 x f32\n",
     {GIVEN("x", 1, 2, 3, 4, 5, 6, 7, 8)}, GIVEN("", -3, -4, 1, 2, -7, -8, 5, 6)},
    {"%0 = input \"x\" : T.a x 2 x f32\n%1 = colsum %0 : 2 x f32\n", {GIVEN("x", 1, 2, 3, 4, 5, 6)}, GIVEN("", 9, 12)},
    {"%0 = input \"x\" : 2 x 3 x f32\n%1 = colsum %0 : 3 x f32\n", {GIVEN("x", 1, 2, 3, 4, 5, 6)}, GIVEN("", 5, 7, 9)},
    {"%0 = input \"i\" : R x i32\n%1 = weight \"w\" : 3 x 2 x bf16\n%2 = lookup %0 %1 from=0 : R x 2 x f32\n",
     {GIVEN("i", 2, 0), GIVEN("w", 1, 2, 3, 4, 5, 6)}, GIVEN("", 5, 6, 1, 2)},
    {"%0 = input \"i\" : T.a x i32\n%1 = input \"y\" : T.a x 1 x f32\n"
     "%2 = lookup_dw %0 %1 rows=4 from=0 : 4 x 1 x f32 backward\n",
     {GIVEN("i", 2, 0, 2), GIVEN("y", 1, 10, 100)}, GIVEN("", 10, 0, 101, 0)},
    {"%0 = input \"x\" : T.a x 2 x f32\n%1 = input \"i\" : R x i32\n%2 = take %0 %1 : R x 2 x f32\n",
     {GIVEN("x", 1, 2, 3, 4, 5, 6), GIVEN("i", 0, 2)}, GIVEN("", 1, 2, 5, 6)},
    {"%0 = input \"y\" : R x 2 x f32\n%1 = input \"i\" : R x i32\n%2 = untake %0 %1 sym=0 : T.a x 2 x f32\n",
     {GIVEN("y", 1, 2, 3, 4), GIVEN("i", 0, 2)}, GIVEN("", 1, 2, 0, 0, 3, 4)},
    {"%0 = cache \"c\" : C.a x 1 x f32\n%1 = input \"x\" : R x 1 x f32\n%2 = input \"i\" : R x i32\n"
     "%3 = append %0 %1 %2 : C.a x 1 x f32\n",
     {GIVEN("c", 1, 2, 3, 4), GIVEN("x", 8, 9), GIVEN("i", 3, 1)}, GIVEN("", 1, 9, 3, 8)},
  };
  compare(known, sizeof known / sizeof *known);
}

static void products(void **state) {
  (void)state;
  const Known known[] = {
    {"%0 = input \"x\" : T.b x 2 x f32\n%1 = weight \"w\" : 3 x 2 x f32\n%2 = linear %0 %1 inner=1 : T.b x 3 x f32\n",
     {GIVEN("x", 1, 2, 3, 4), GIVEN("w", 1, 0, 0, 1, 1, 1)}, GIVEN("", 1, 2, 3, 3, 4, 7)},
    {"%0 = input \"x\" : T.b x 2 x 1 x f32\n%1 = weight \"w\" : 1 x 2 x 1 x f32\n"
     "%2 = linear %0 %1 inner=2 : T.b x 1 x f32\n",
     {GIVEN("x", 1, 2, 3, 4), GIVEN("w", 10, 100)}, GIVEN("", 210, 430)},
    {"%0 = input \"y\" : T.b x 2 x f32\n%1 = weight \"w\" : 2 x 3 x f32\n"
     "%2 = linear_dx %0 %1 inner=1 : T.b x 3 x f32\n",
     {GIVEN("y", 1, 10, 0, 1), GIVEN("w", 1, 2, 3, 4, 5, 6)}, GIVEN("", 41, 52, 63, 4, 5, 6)},
    {"%0 = input \"y\" : T.b x 2 x f32\n%1 = input \"x\" : T.b x 1 x f32\n"
     "%2 = linear_dw %0 %1 inner=1 : 2 x 1 x f32 backward\n",
     {GIVEN("y", 1, 2, 3, 4), GIVEN("x", 10, 1)}, GIVEN("", 13, 24)},
  };
  compare(known, sizeof known / sizeof *known);
}

// Two query heads over one key head; rows see keys [0, 2), [1, 2), none. scale 0.5, softcap 2.
#define ATTENTION(k, type) \
  "%0 = input \"q\" : T.a x 2 x 2 x f32\n%1 = input \"k\" : T.b x 1 x 2 x f32\n%2 = input \"v\" : T.b x 1 x 3 x f32\n" \
  "%3 = mask query=0 key=1 window=0 qmodel=0 : T.a x mask\n" \
  "%4 = attention %0 %1 %2 %3 scale=0.5 softcap=2 : T.a x 2 x 3 x f32, T.a x 2 x f32\n" \
  "%5 = part %4 k=" k " : T.a x 2" type "\n"
#define QKV \
  {GIVEN("q", -1.5, 0.25, 1.75, 0, 1.5, -0.25, -0.25, 2, -0.75, -0.75, 2, -1.5), GIVEN("k", -1, -0.5, -1.75, 1.5), \
   GIVEN("v", 1, -0.5, -2, -1, 1.75, -2)}

static void attention(void **state) {
  (void)state;
  const Known known[] = {
    {ATTENTION("0", " x 3 x f32"), QKV,
     GIVEN("", -0.29526816246036924, 0.9571766827679153, -2, 0.22869139243854608, 0.36772218350663566, -2, -1, 1.75,
           -2, -1, 1.75, -2, 0, 0, 0, 0, 0, 0)},
    {ATTENTION("1", " x f32"), QKV,
     GIVEN("", 1.7047273363611684, -0.3359426252334036, -1.2702979047745746, 1.391871033511303, -INFINITY, -INFINITY)},
  };
  compare(known, sizeof known / sizeof *known);
}

#define XENT(cap) \
  "%0 = input \"h\" : R x 3 x f32\n%1 = weight \"w\" : 4 x 3 x f32\n%2 = input \"labels\" : R x i32\n" \
  "%3 = cross_entropy %0 %1 %2 softcap=" cap " : R x f32\n"
#define HW \
  {GIVEN("h", -0.75, -0.25, -1.75, -1, 0, 1.25), \
   GIVEN("w", 1.75, 1.25, -2, 0.5, 0.75, 1.25, 1.75, -0.25, 0.75, 0.5, -2, 0.25), \
   GIVEN("labels", 3, 0)}

static void loss(void **state) {
  (void)state;
  const Known known[] = {
    {XENT("0"), HW, GIVEN("", 2.313097763917862, 5.680463533108477)},
    {XENT("3"), HW, GIVEN("", 2.1440481895304337, 4.083733379573542)},
  };
  compare(known, sizeof known / sizeof *known);
}

static void errors(void **state) {
  (void)state;
  const struct {
    Known k;
    const char *answer;
  } test[] = {
    {{X2, {GIVEN("y", 1)}, {0}}, "no value for input \"x\""},
    {{"%0 = input \"i\" : R x i32\n%1 = weight \"w\" : 3 x 2 x f32\n%2 = lookup %0 %1 from=0 : R x 2 x f32\n",
      {GIVEN("i", 2, 3), GIVEN("w", 1, 2, 3, 4, 5, 6)}, {0}}, "node %2 (lookup): index 3 of row 1 is not in 0 … 2"},
    {{XENT("0"), {GIVEN("h", 0, 0, 0, 0, 0, 0), GIVEN("w", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
                  GIVEN("labels", -100, 0)}, {0}},
     "node %3 (cross_entropy): index -100 of row 0 is not in 0 … 3"},
  };
  for (size_t i = 0; i < sizeof test / sizeof *test; i++) {
    Arena *a = arena_new();
    Graph *g = parse(a, test[i].k.text);
    double **v;
    const char *error = evaluate(a, g, &test[i].k, &v);
    assert_non_null(error);
    assert_string_equal(error, test[i].answer);
    eval_free(g, v);
    arena_free(a);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(elementwise), cmocka_unit_test(rows), cmocka_unit_test(products),
    cmocka_unit_test(attention),   cmocka_unit_test(loss), cmocka_unit_test(errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
