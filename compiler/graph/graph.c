// Types, and a graph's models, symbols and outputs. See graph.h.
#include "graph/graph.h"

#include <string.h>

#include "dsl/base/bug.h"
#include "dsl/base/elements.h"

bool type_equal(const Type *a, const Type *b) {
  if (a->dt != b->dt || a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++) {
    if (a->dim[i] != b->dim[i]) return false;
  }
  return true;
}

int type_row_sym(const Type *t) { return t->rank > 0 && dim_is_sym(t->dim[0]) ? dim_sym(t->dim[0]) : -1; }

bool type_countable(const Type *t) {
  int64_t n = 1;
  for (int i = type_row_sym(t) >= 0; i < t->rank; i++)
    if (!elements_times(&n, t->dim[i])) return false;
  return true;
}

int64_t type_row_elems(const Type *t) {
  int64_t n = 1;
  for (int i = type_row_sym(t) >= 0; i < t->rank; i++) {
    if (!elements_times(&n, t->dim[i])) bug("a tensor of more elements than can be counted");   // type_countable was asked before it was made
  }
  return n;
}

const char *type_text(const Graph *g, const Type *t) {
  Buf b = {0};
  for (int i = 0; i < t->rank; i++) {
    if (dim_is_sym(t->dim[i])) buf_printf(&b, "%s x ", g->sym[dim_sym(t->dim[i])].name);
    else buf_printf(&b, "%lld x ", (long long)t->dim[i]);
  }
  buf_puts(&b, dtype_name(t->dt));
  char *s = arena_strdup(g->arena, b.s);
  buf_free(&b);
  return s;
}

Graph *graph_new(Arena *a, const char *name) {
  Graph *g = ARENA_NEW(a, Graph);
  g->arena = a;
  g->name = arena_strdup(a, name);
  return g;
}

void graph_expect(Graph *g, int n) {
  if (g->n || n <= g->cap) return;
  g->node = ARENA_ARRAY(g->arena, Node, n);
  g->cap = n;
}

Graph *graph_copy(const Graph *g, Arena *a, const char *name) {
  Graph *c = graph_new(a, name);
  for (int i = 0; i < g->nmodel; i++) graph_add_model(c, g->model[i].name);
  for (int i = 0; i < g->nsym; i++) graph_add_sym(c, g->sym[i].kind, g->sym[i].model);
  graph_expect(c, g->n);
  for (int i = 0; i < g->n; i++) ARENA_PUSH(a, c->node, c->n, c->cap, g->node[i]);
  for (int i = 0; i < g->nout; i++) graph_output(c, g->out[i].name, g->out[i].node);
  return c;
}

int graph_add_model(Graph *g, const char *name) {
  for (int i = 0; i < g->nmodel; i++) {
    if (!strcmp(g->model[i].name, name)) return i;
  }
  ModelInfo m = {arena_strdup(g->arena, name)};
  ARENA_PUSH(g->arena, g->model, g->nmodel, g->capmodel, m);
  return g->nmodel - 1;
}

int graph_add_sym(Graph *g, SymKind kind, int model) {
  for (int i = 0; i < g->nsym; i++) {
    if (g->sym[i].kind == kind && g->sym[i].model == model) return i;
  }
  Sym s = {.kind = kind, .model = model};
  switch (kind) {
    case SYM_TOKENS: s.name = arena_printf(g->arena, "T.%s", g->model[model].name); break;
    case SYM_CACHE: s.name = arena_printf(g->arena, "C.%s", g->model[model].name); break;
    case SYM_ROWS: s.name = "R"; break;
    case SYM_FLAT: s.name = "P"; break;
  }
  ARENA_PUSH(g->arena, g->sym, g->nsym, g->capsym, s);
  return g->nsym - 1;
}

void graph_output(Graph *g, const char *name, NodeId node) {
  Output o = {arena_strdup(g->arena, name), node};
  ARENA_PUSH(g->arena, g->out, g->nout, g->capout, o);
}
