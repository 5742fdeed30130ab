// One entry graph to calls: recomputation, fusion, then every unit in its order.
#include "plan/lower.h"

#include <string.h>

#include "dsl/base/bug.h"
#include "plan/recompute.h"

static int entry_sym(Plan *p, const Graph *g, int s) {
  for (int i = 0; i < p->nsym; i++) {
    if (!strcmp(p->sym[i].name, g->sym[s].name)) return i;
  }
  Sym *all = ARENA_ARRAY(p->arena, Sym, p->nsym + 1);
  if (p->nsym) memcpy(all, p->sym, (size_t)p->nsym * sizeof *all);
  all[p->nsym] = g->sym[s];
  all[p->nsym].name = arena_strdup(p->arena, g->sym[s].name);
  p->sym = all;
  return p->nsym++;
}

static void row_unit(Lower *l, const Unit *u) {
  KernelDraft d = {.k = {.cls = K_ROW}};
  ProgBuilder b = prog_begin(l, &d, u, 0);
  for (int i = 0; i < u->n; i++) prog_value(&b, u->node[i]);
  for (int i = 0; i < u->n; i++) {
    if (l->f->stored[u->node[i]]) prog_store(&b, u->node[i]);
  }
  lower_call(l, &d, l->sym[u->sym], 0);
}

// Row work over static tensors alone: the leading extent counts the rows, a vector or a scalar is one row.
static void static_unit(Lower *l, const Unit *u) {
  const Type *t = &l->g->node[u->node[0]].type;
  KernelDraft d = {.k = {.cls = K_ROW}};
  ProgBuilder b = prog_begin(l, &d, u, 0);
  b.lead_rank = t->rank >= 2 ? t->rank : 0;
  b.lead = t->dim[0];
  prog_value(&b, u->node[0]);
  prog_store(&b, u->node[0]);
  lower_call(l, &d, -1, b.lead_rank ? b.lead : 1);
}

// Addends of gradients, by the unit that makes them and in the order of the outputs.
typedef struct GradLeaf {
  NodeId leaf;
  const char *param;
} GradLeaf;
typedef struct UnitGrads {
  GradLeaf *v;
  int n, cap;
} UnitGrads;

typedef struct GradUse {
  Lower *l;
  const char *param;
} GradUse;

static void grad_leaf(void *user, NodeId leaf) {
  GradUse *x = user;
  Lower *l = x->l;
  NodeId made = fuse_root(l->g, leaf);
  if (op_is(l->g->node[made].op, T_PART)) made = l->g->node[made].in[0];
  if (l->f->unit[made] < 0) return;
  UnitGrads *of = &l->grads[l->f->unit[made]];
  ARENA_PUSH(l->arena, of->v, of->n, of->cap, ((GradLeaf){leaf, x->param}));
}

static void find_grads(Lower *l) {
  l->grads = ARENA_ARRAY(l->arena, UnitGrads, l->f->n + 1);
  for (int i = 0; i < l->g->nout; i++) {
    GradUse x = {.l = l};
    if (fuse_grad_param(&l->g->out[i], &x.param)) fuse_grad_leaves(l->g, l->g->out[i].node, grad_leaf, &x);
  }
}

// What lowering asks of a node again and again.
static void find_nodes(Lower *l) {
  const Graph *g = l->g;
  Arena *a = l->arena;
  l->part = ARENA_ARRAY(a, NodeId, (size_t)g->n * MAX_OUT + 1);
  l->in_place = ARENA_ARRAY(a, int, g->n + 1);
  l->value = ARENA_ARRAY(a, int, g->n + 1);
  l->stamp = ARENA_ARRAY(a, int, g->n + 1);
  for (size_t i = 0; i < (size_t)g->n * MAX_OUT; i++) l->part[i] = NODE_NONE;
  for (NodeId i = g->n - 1; i >= 0; i--) {
    l->in_place[i] = -1;
    if (op_is(g->node[i].op, T_PART)) l->part[(size_t)g->node[i].in[0] * MAX_OUT + (size_t)g->node[i].attr.of_part.k] = i;
  }
  for (NodeId k = 0; k < g->n; k++) {
    if (!op_is(g->node[k].op, T_GIVEN)) continue;
    for (int i = 0; i < g->nout; i++)
      if (!strcmp(g->node[k].attr.name, g->out[i].name)) l->in_place[fuse_root(g, g->out[i].node)] = k;
  }
}

// Who looks at each cache: one model's tokens, whose precision the cache is in, or several models'.
static void find_readers(Lower *l) {
  const Graph *g = l->g;
  bool *looked = ARENA_ARRAY(l->arena, bool, g->n + 1);
  l->reader = ARENA_ARRAY(l->arena, int, g->n + 1);
  for (NodeId i = 0; i < g->n; i++) l->reader[i] = -1;
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    for (int k = 1; k < n->nin; k++) {
      NodeId c = fuse_root(g, n->in[k]);
      while (op_is(g->node[c].op, T_IN_PLACE)) c = fuse_root(g, g->node[c].in[0]);
      if (!op_is(g->node[c].op, T_CACHED)) continue;
      int of = lower_of(l, &g->node[n->in[0]].type);
      l->reader[c] = !looked[c] || l->reader[c] == of ? of : -1;
      looked[c] = true;
    }
  }
}

// As soon as an addend of a gradient is there it goes to the flat gradient, so that its own buffer lives shortly.
static void unit_grads(Lower *l, const Unit *u) {
  const UnitGrads *of = &l->grads[u - l->f->u];
  for (int i = 0; i < of->n; i++) lower_grad(l, of->v[i].leaf, of->v[i].param);
}

static bool direct_grad(const Lower *l, NodeId n) { return op_class(l->g->node[n].op) == OPC_DW && !l->f->stored[n]; }

static void lower_unit(Lower *l, const Unit *u) {
  l->live = u->live;
  switch (u->kind) {
    case UNIT_ROW: row_unit(l, u); break;
    case UNIT_STATIC: static_unit(l, u); break;
    case UNIT_GEMM: lower_gemm(l, u); break;
    case UNIT_HEAVY:
      if (!direct_grad(l, u->node[0])) lower_heavy(l, u->node[0]);
      break;
  }
  l->live = true;
  unit_grads(l, u);
}

static void outputs(Lower *l) {
  PlanEntry *e = &l->p->entry[l->entry];
  e->out = ARENA_ARRAY(l->p->arena, ProgOutput, l->g->nout ? l->g->nout : 1);
  for (int i = 0; i < l->g->nout; i++) {
    const char *param;
    if (fuse_grad_param(&l->g->out[i], &param)) continue;
    e->out[e->nout++] = (ProgOutput){.name = arena_strdup(l->p->arena, l->g->out[i].name), .buf = lower_buf(l, l->g->out[i].node)};
  }
}

static void must_hold(const Graph *g, Arena *a, const char *what) {
  const char *wrong = graph_verify(g, a);
  if (wrong) bug("plan of graph '%s', as %s: %s", g->name, what, wrong);
}

static void take_models(Plan *p, const Graph *g) {
  if (p->nmodel) return;
  p->model = ARENA_ARRAY(p->arena, ModelInfo, g->nmodel + 1);
  for (int i = 0; i < g->nmodel; i++) p->model[p->nmodel++] = (ModelInfo){arena_strdup(p->arena, g->model[i].name)};
}

static void add_entry(Plan *p, Arena *a, const Graph *g, const char *name) {
  must_hold(g, a, "recomputed");
  PlanEntry e = {.name = arena_strdup(p->arena, name)};
  ARENA_PUSH(p->arena, p->entry, p->nentry, p->capentry, e);
  Lower l = {.p = p, .arena = a, .g = g, .f = fuse(g, a, false), .entry = p->nentry - 1};
  l.sym = ARENA_ARRAY(a, int, g->nsym + 1);
  for (int i = 0; i < g->nsym; i++) l.sym[i] = entry_sym(p, g, i);
  l.buf = ARENA_ARRAY(a, int, g->n + 1);
  for (NodeId i = 0; i < g->n; i++) l.buf[i] = -1;
  find_nodes(&l);
  find_readers(&l);
  find_grads(&l);
  for (NodeId i = 0; i < g->n; i++) {                       // parameters keep the graph's order in the flat vector
    if (op_is(g->node[i].op, T_TRAINED)) lower_buf(&l, i);
  }
  for (int i = 0; i < l.f->n; i++) lower_unit(&l, &l.f->u[l.f->order[i]]);
  outputs(&l);
}

void plan_add(Plan *p, const Graph *graph) {
  Arena *a = arena_new();                                   // graphs of large models are large, and of use for one entry
  take_models(p, graph);
  must_hold(graph, a, "given");
  add_entry(p, a, recompute(graph, a, RECOMPUTE_ROW_WORK, NULL), graph->name);
  arena_free(a);
}

bool plan_add_lean(Plan *p, const Graph *train) {
  Arena *a = arena_new();
  int products;
  const Graph *lean = recompute(train, a, RECOMPUTE_PRODUCTS, &products);
  if (products) add_entry(p, a, lean, entry_name(ENTRY_LEAN));
  arena_free(a);
  return products > 0;
}
