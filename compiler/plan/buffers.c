// Buffers: where each value lives, made on first use.
#include <string.h>

#include "dsl/base/bug.h"
#include "plan/lower.h"

int plan_buf(Plan *p, const PBuf *b) {
  PBuf n = *b;
  if (!n.name) n.name = "";
  ARENA_PUSH(p->arena, p->buf, p->nbuf, p->capbuf, n);
  return p->nbuf - 1;
}

// A buffer that is found again by key, which is the arena's.
static int keyed_buf(Plan *p, const PBuf *b, const char *key) {
  int id = plan_buf(p, b);
  map_put(p->arena, &p->named[b->kind], key, id);
  return id;
}

int plan_find(const Plan *p, BufKind kind, const char *name) { return map_find(&p->named[kind], name); }

int plan_named_buf(Plan *p, BufKind kind, const char *name, const Type *t, int sym) {
  int there = plan_find(p, kind, name);
  if (there >= 0) return there;
  PBuf b = {.kind = kind, .name = arena_strdup(p->arena, name), .dt = t->dt, .sym = sym, .elems = type_row_elems(t)};
  return keyed_buf(p, &b, b.name);
}

int lower_sym(const Lower *l, const Type *t) {
  int s = type_row_sym(t);
  return s < 0 ? -1 : l->sym[s];
}

int lower_of(const Lower *l, const Type *t) {
  int s = lower_sym(l, t);
  return s < 0 ? -1 : l->p->sym[s].model;
}

int lower_new_act(Lower *l, Dtype dt, int sym, int64_t elems) {
  PBuf b = {.kind = BUF_ACT, .dt = dt, .sym = sym, .elems = elems, .act = {.entry = l->entry}};
  return plan_buf(l->p, &b);
}

static int const_buf(Lower *l, const Node *n) {
  Plan *p = l->p;
  int64_t elems = type_row_elems(&n->type);
  for (int i = 0; i < p->nbuf; i++) {
    const PBuf *b = &p->buf[i];
    if (b->kind == BUF_CONST && b->elems == elems && !memcmp(b->literals.data.v, n->attr.data, (size_t)elems * sizeof(double))) return i;
  }
  double *data = ARENA_ARRAY(p->arena, double, elems);
  memcpy(data, n->attr.data, (size_t)elems * sizeof(double));
  PBuf b = {.kind = BUF_CONST, .dt = DT_F32, .sym = -1, .elems = elems, .literals = {{(int)elems, data}}};
  return plan_buf(p, &b);
}

static int mask_buf(Lower *l, ProgMask mask) {
  Plan *p = l->p;
  for (int i = 0; i < p->nbuf; i++) {
    const ProgMask *m = &p->buf[i].mask;
    if (p->buf[i].kind == BUF_MASK && m->query == mask.query && m->key == mask.key && m->window == mask.window && m->model == mask.model) return i;
  }
  PBuf b = {.kind = BUF_MASK, .dt = DT_MASK, .sym = -1, .mask = mask};
  b.name = arena_printf(p->arena, "mask.%s.%s", p->sym[mask.query].name, p->sym[mask.key].name);
  if (mask.window) b.name = arena_printf(p->arena, "%s.w%lld", b.name, (long long)mask.window);
  return plan_buf(p, &b);
}

// A mask node, or the rows taken of one.
static int lower_mask(Lower *l, NodeId n) {
  const Node *x = &l->g->node[n];
  const Node *m = op_is(x->op, T_TAKES) ? &l->g->node[x->in[0]] : x;
  ProgMask mask = {lower_sym(l, &x->type), l->sym[m->attr.of_mask.key], m->attr.of_mask.window, (int)m->attr.of_mask.qmodel};
  return mask_buf(l, mask);
}

static int source_buf(Lower *l, NodeId n) {
  const Node *x = &l->g->node[n];
  int sym = lower_sym(l, &x->type);
  static const struct { unsigned trait; BufKind kind; } named[] = {
      {T_GIVEN, BUF_INPUT}, {T_STORED, BUF_WEIGHT}, {T_TRAINED, BUF_PARAM}, {T_CACHED, BUF_CACHE}};
  for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
    if (!op_is(x->op, named[i].trait)) continue;
    int b = plan_named_buf(l->p, named[i].kind, x->attr.name, &x->type, sym);
    if (named[i].kind == BUF_CACHE) l->p->buf[b].cached.of = l->reader[n];
    return b;
  }
  return op_is(x->op, T_LITERAL) ? const_buf(l, x) : lower_mask(l, n);
}

int lower_buf(Lower *l, NodeId n) {
  n = fuse_root(l->g, n);
  const Node *asked = &l->g->node[n];
  if (op_is(asked->op, T_PART)) n = l->part[(size_t)asked->in[0] * MAX_OUT + (size_t)asked->attr.of_part.k];      // all parts that name one result have its buffer
  if (l->buf[n] >= 0) return l->buf[n];
  const Node *x = &l->g->node[n];
  int b = -1;
  if (op_class(x->op) == OPC_SOURCE || (op_is(x->op, T_TAKES) && x->type.dt == DT_MASK)) b = source_buf(l, n);
  else if (op_is(x->op, T_IN_PLACE)) b = lower_buf(l, x->in[0]);
  else if (l->in_place[n] >= 0) b = source_buf(l, l->in_place[n]);      // an output named like an input is written in place
  if (b < 0) b = lower_new_act(l, x->type.dt, lower_sym(l, &x->type), type_row_elems(&x->type));
  return l->buf[n] = b;
}

// Panels are shared by all entries when the matrix is a tensor or a parameter; a computed matrix is packed where it is computed.
int lower_packed(Lower *l, NodeId w, int64_t N, int64_t K, bool exact, int of) {
  Plan *p = l->p;
  NodeId r = fuse_root(l->g, w);
  if (exact) of = -1;
  bool rounded = op_is(l->g->node[r].op, T_ROUNDED);         // of a tensor
  if (rounded) r = fuse_root(l->g, l->g->node[r].in[0]);
  bool turned = op_is(l->g->node[r].op, T_TURNED);           // of a tensor or a parameter, never of a computed matrix
  int source = lower_buf(l, turned ? l->g->node[r].in[0] : r);
  BufKind from = p->buf[source].kind;
  Dtype dt = rounded ? DT_I8 : panel_dtype(p->buf[source].dt);
  int64_t elems = panels_elems(dt, N, K);
  if (from == BUF_ACT) {
    const char *key = arena_printf(l->arena, "%d.%d.%d", r, exact, of);
    int b = map_find(&l->dup, key);
    if (b >= 0) return b;
    map_put(l->arena, &l->dup, key, b = lower_new_act(l, dt, -1, elems));
    KernelDraft d = {.k = {.cls = K_PACK, .PACK = {.N = N, .K = K}, .exact = exact}};
    draft_arg_rows(l, &d, source, false, false, N * K);
    draft_arg_rows(l, &d, b, true, true, panel_elems(dt, K));
    lower_call(l, &d, -1, (N + PANEL - 1) / PANEL)->of = of;
    return b;
  }
  BufKind kind = from == BUF_PARAM ? BUF_LIVE : BUF_PACKED;
  const char *key = arena_printf(p->arena, "%d.%lld.%d.%s.%d%s", source, (long long)K, turned, dtype_name(dt), of, exact ? ".exact" : "");
  int there = map_find(&p->named[kind], key);
  if (there >= 0) return there;
  PBuf b = {.kind = kind, .name = p->buf[source].name, .dt = dt, .sym = -1, .elems = elems,
            .packed = {.source = source, .N = N, .K = K, .turned = turned, .exact = exact, .of = of}};
  return keyed_buf(p, &b, key);
}

// Expert e's tensor: one of a series, or a part of one that holds them all.
static int stacked_source(Lower *l, const Node *w, int64_t e, int64_t E, int64_t elems) {
  Plan *p = l->p;
  const Type *t = &w->type;
  if (op_is(w->op, T_SERIES)) {
    const char *star = strchr(w->attr.name, '*'), *name = arena_printf(p->arena, "%.*s%lld%s", (int)(star - w->attr.name), w->attr.name, (long long)e, star + 1);
    Type one = {.dt = t->dt, .rank = 1, .dim = {elems}};
    return plan_named_buf(p, BUF_WEIGHT, name, &one, -1);
  }
  const char *key = arena_printf(p->arena, "%s#%lld of %lld", w->attr.name, (long long)e, (long long)E);
  int there = plan_find(p, BUF_WEIGHT, key);
  PBuf b = {.kind = BUF_WEIGHT, .name = arena_strdup(p->arena, w->attr.name), .dt = t->dt, .sym = -1, .elems = elems, .stored = {.part = e, .parts = E}};
  return there >= 0 ? there : keyed_buf(p, &b, key);
}

// Panels lie in the order of their buffers, each from a multiple of RT_BUF_ALIGN on, so that a kernel finds those of matrix e from the first's.
int lower_stack(Lower *l, NodeId w, int64_t N, int64_t K, bool exact, int of) {
  Plan *p = l->p;
  NodeId r = fuse_root(l->g, w);
  if (exact) of = -1;
  bool rounded = op_is(l->g->node[r].op, T_ROUNDED);
  if (rounded) r = fuse_root(l->g, l->g->node[r].in[0]);
  bool turned = op_is(l->g->node[r].op, T_TURNED);
  if (turned) r = fuse_root(l->g, l->g->node[r].in[0]);
  const Node *x = &l->g->node[r];
  int64_t E = l->g->node[w].type.dim[0];
  if (!op_is(x->op, T_STORED)) bug("experts of %s: their matrices are frozen tensors", op_name(x->op));
  Dtype dt = rounded ? DT_I8 : panel_dtype(x->type.dt);
  const char *key = arena_printf(p->arena, "stack %s.%lld.%lld.%d.%s.%d%s", x->attr.name, (long long)E, (long long)K, turned, dtype_name(dt), of,
                                 exact ? ".exact" : "");
  int there = map_find(&p->named[BUF_PACKED], key);
  if (there >= 0) return there;
  int *source = ARENA_ARRAY(l->arena, int, E);
  for (int64_t e = 0; e < E; e++) source[e] = stacked_source(l, x, e, E, N * K);
  for (int64_t e = 0; e < E; e++) {
    PBuf b = {.kind = BUF_PACKED, .name = p->buf[source[e]].name, .dt = dt, .sym = -1, .elems = panels_elems(dt, N, K),
              .packed = {.source = source[e], .N = N, .K = K, .turned = turned, .exact = exact, .of = of, .stack = e ? 0 : E}};
    int made = e ? plan_buf(p, &b) : keyed_buf(p, &b, key);
    if (!e) there = made;
  }
  return there;
}
