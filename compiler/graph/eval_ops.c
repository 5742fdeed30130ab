// The reference evaluator: node by node. See eval.h.
#include "graph/eval_ops.h"

#include <stdlib.h>
#include <string.h>

#include "dsl/base/alloc.h"

static EvalRule *const rule[] = {
#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) eval_##eval,
#include "graph/ops.def"
#undef X
};

int64_t eval_rows(const Eval *e, const Type *t) {
  int s = type_row_sym(t);
  return s < 0 ? 1 : e->env->sym[s];
}

int64_t eval_elems(const Eval *e, const Type *t) { return eval_rows(e, t) * type_row_elems(t); }

const double *eval_in(const Eval *e, NodeId id, int k) { return e->value[(size_t)e->g->node[id].in[k] * MAX_OUT]; }

const Type *eval_type(const Eval *e, NodeId id, int k) { return &e->g->node[e->g->node[id].in[k]].type; }

double *eval_out(Eval *e, NodeId id, int k) {
  double **slot = &e->value[(size_t)id * MAX_OUT + (size_t)k];
  int64_t n = eval_elems(e, &e->g->node[id].out[k]);
  if (!*slot) *slot = need_alloc((size_t)n + 1, sizeof **slot);
  return *slot;
}

const char *graph_eval(const Graph *g, const EvalEnv *env, Arena *a, double ***value) {
  Eval e = {.g = g, .env = env, .arena = a};
  e.value = need_alloc((size_t)g->n * MAX_OUT + 1, sizeof *e.value);
  e.mask = ARENA_ARRAY(a, EvalMask, g->n + 1);
  for (NodeId i = 0; i < g->n && !e.error; i++) rule[g->node[i].op](&e, i);
  *value = e.value;
  return e.error;
}

void eval_free(const Graph *g, double **value) {
  for (size_t i = 0; value && i < (size_t)g->n * MAX_OUT; i++) free(value[i]);
  free(value);
}

// ---- sources
static void source(Eval *e, NodeId id) {
  const Node *n = &e->g->node[id];
  int64_t elems = eval_elems(e, &n->type);
  if (n->type.dt == DT_MASK) {
    e->mask[id] = e->env->mask(e->env->user, e->g, id);
    return;
  }
  const double *v = e->env->source(e->env->user, e->g, id, elems);
  if (!v) {
    e->error = arena_printf(e->arena, "no value for %s \"%s\"", op_name(n->op), n->attr.name ? n->attr.name : "");
    return;
  }
  memcpy(eval_out(e, id, 0), v, (size_t)elems * sizeof *v);
}

void eval_input(Eval *e, NodeId id) { source(e, id); }
void eval_weight(Eval *e, NodeId id) { source(e, id); }
void eval_param(Eval *e, NodeId id) { source(e, id); }

void eval_const(Eval *e, NodeId id) {
  const Node *n = &e->g->node[id];
  memcpy(eval_out(e, id, 0), n->attr.data, (size_t)type_row_elems(&n->type) * sizeof(double));
}
