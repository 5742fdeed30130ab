// Native against reference (plan_runner.h).
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/plan_runner.h"

typedef struct Wanted {        // what the reference says of one case, output by output
  double **v, **got;           // got: what the present instruction-set path made
  int64_t *n;
} Wanted;

static Wanted reference(const NativeCase *c) {
  const Graph *g = c->meaning;
  double **value = kit_eval(c->kit, g);
  Arena *a = c->kit->arena;
  Wanted w = {ARENA_ARRAY(a, double *, g->nout + 1), ARENA_ARRAY(a, double *, g->nout + 1),
              ARENA_ARRAY(a, int64_t, g->nout + 1)};
  for (int i = 0; i < g->nout; i++) {
    const Node *x = &g->node[g->out[i].node];
    w.n[i] = kit_elems(c->kit, &x->type);
    w.v[i] = ARENA_ARRAY(a, double, w.n[i] + 1);
    w.got[i] = ARENA_ARRAY(a, double, w.n[i] + 1);
    memcpy(w.v[i], value[(size_t)g->out[i].node * MAX_OUT], (size_t)w.n[i] * sizeof(double));
  }
  eval_free(g, value);
  return w;
}

static void print_graph(const Graph *g) {
  Buf text = {0};
  graph_print(g, &text);
  fputs(text.s, stderr);       // longer than cmocka prints
  buf_free(&text);
}

static void compare(const NativeCase *c, const char *isa, int i, const double *got, const Wanted *w, double tolerance) {
  double most = 1;
  for (int64_t e = 0; e < w->n[i]; e++) {
    if (isfinite(w->v[i][e]) && fabs(w->v[i][e]) > most) most = fabs(w->v[i][e]);
  }
  for (int64_t e = 0; e < w->n[i]; e++) {
    double want = w->v[i][e];
    if (got[e] == want || fabs(got[e] - want) <= tolerance * most) continue;
    print_graph(c->meaning);
    for (int s = 0; s < c->kit->g->nsym; s++)
      print_message("%s = %lld\n", c->kit->g->sym[s].name, (long long)c->kit->sym[s]);
    fail_msg("%s, graph %s: output \"%s\"[%lld] is %.9g, expected %.9g", isa, c->graph->name, c->graph->out[i].name,
             (long long)e, got[e], want);
  }
}

static void same_bits(const NativeCase *c, const char *isa, const char *name, const double *got, const double *before,
                      int64_t n) {
  for (int64_t e = 0; e < n; e++) {
    if (!memcmp(&got[e], &before[e], sizeof *got)) continue;
    print_graph(c->meaning);
    fail_msg("%s: \"%s\"[%lld] is %a in graph %s, %a in graph %s", isa, name, (long long)e, got[e], c->graph->name,
             before[e], c[-1].graph->name);
  }
}

static void check_entry(PlanRunner *one, PlanRunner *three, int entry, const NativeCase *c, Wanted *w,
                        const char *isa, double tolerance) {
  PlanRunner *both[2] = {one, three};
  for (int i = 0; i < 2; i++) {
    runner_bind(both[i], c->kit);
    runner_pack(both[i]);
    runner_run(both[i], entry, c->kit);
  }
  for (int i = 0; i < c->graph->nout; i++) {
    assert_string_equal(c->graph->out[i].name, c->meaning->out[i].name);
    const char *name = c->graph->out[i].name;
    size_t bytes = (size_t)w->n[i] * sizeof(double);
    double *got = w->got[i], *other = malloc(bytes + 1);
    runner_output(one, entry, name, got, w->n[i]);
    runner_output(three, entry, name, other, w->n[i]);
    compare(c, isa, i, got, w, tolerance);
    if (memcmp(got, other, bytes)) fail_msg("%s, graph %s: other bits with three threads", isa, c->graph->name);
    if (c->as_before && strncmp(name, "grad.", 5)) same_bits(c, isa, name, got, w[-1].got[i], w->n[i]);
    free(other);
  }
}

// Of a training what makes products again, as the last entry: which case's it is, -1: none's.
static int plan_lean(Plan *p, const NativeCase *c, int n) {
  for (int i = 0; i < n; i++)
    if (!strcmp(c[i].graph->name, entry_name(ENTRY_TRAIN)) && plan_add_lean(p, c[i].graph)) return i;
  return -1;
}

// It gives the bits of the entry that keeps everything, gradients too.
static void check_lean(PlanRunner *r, int entry, const NativeCase *c, Wanted *w, const char *isa) {
  runner_bind(r, c->kit);
  runner_pack(r);
  runner_run(r, entry, c->kit);
  for (int i = 0; i < c->graph->nout; i++) {
    size_t bytes = (size_t)w->n[i] * sizeof(double);
    double *got = malloc(bytes + 1);
    runner_output(r, entry, c->graph->out[i].name, got, w->n[i]);
    if (memcmp(got, w->got[i], bytes)) fail_msg("%s: \"%s\" has other bits where products are made again", isa, c->graph->out[i].name);
    free(got);
  }
}

void native_check(const NativeCase *c, int n, double tolerance, bool quick) {
  Arena *a = arena_new();
  Plan *p = plan_new(a);
  Wanted *w = ARENA_ARRAY(a, Wanted, n);
  for (int i = 0; i < n; i++) {
    assert_int_equal(c[i].meaning->nout, c[i].graph->nout);
    plan_add(p, c[i].graph);
    w[i] = reference(&c[i]);
  }
  int lean = plan_lean(p, c, n);
  plan_finish(p);
  NativeObject o = native_load(p, NULL, quick);
  for (int k = 0; native_isa(k); k++) {
    PlanRunner *one = runner_new(p, &o, native_isa(k), PRECISION_F32, 1), *three = runner_new(p, &o, native_isa(k), PRECISION_F32, 3);
    for (int i = 0; i < n; i++) check_entry(one, three, i, &c[i], &w[i], native_isa(k), tolerance);
    if (lean >= 0) check_lean(three, n, &c[lean], &w[lean], native_isa(k));
    runner_free(one);
    runner_free(three);
  }
  native_unload(&o);
  arena_free(a);
}

static bool same_in_both(const Plan *p, const NativeObject *o, const NativeCase *c, const char *isa) {
  PlanRunner *r[N_PRECISION];
  bool same = true;
  for (Precision k = 0; k < N_PRECISION; k++) {
    r[k] = runner_new(p, o, isa, k, 1);
    runner_bind(r[k], c->kit);
    runner_pack(r[k]);
    runner_run(r[k], 0, c->kit);
  }
  for (int i = 0; i < c->graph->nout; i++) {
    int64_t n = kit_elems(c->kit, &c->graph->node[c->graph->out[i].node].type);
    double *one = malloc((size_t)n * sizeof *one + 1), *two = malloc((size_t)n * sizeof *two + 1);
    runner_output(r[PRECISION_F32], 0, c->graph->out[i].name, one, n);
    runner_output(r[PRECISION_BF16], 0, c->graph->out[i].name, two, n);
    same = same && !memcmp(one, two, (size_t)n * sizeof *one);
    free(one), free(two);
  }
  for (Precision k = 0; k < N_PRECISION; k++) runner_free(r[k]);
  return same;
}

bool native_bf16_is_f32(const NativeCase *c) {
  Arena *a = arena_new();
  Plan *p = plan_new(a);
  bool same = true;
  plan_add(p, c->graph);
  plan_finish(p);
  NativeObject o = native_load(p, NULL, false);
  for (int k = 0; native_isa(k); k++)
    if (native_runs(native_isa(k), PRECISION_BF16)) same = same_in_both(p, &o, c, native_isa(k)) && same;
  native_unload(&o);
  arena_free(a);
  return same;
}
