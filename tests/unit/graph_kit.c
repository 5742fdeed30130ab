// See graph_kit.h.
#include "graph_kit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/ops.h"

Kit *kit_new(uint64_t seed) {
  Arena *a = arena_new();
  Kit *k = ARENA_NEW(a, Kit);
  k->arena = a;
  k->g = graph_new(a, "test");
  k->random = seed * 0x9e3779b97f4a7c15u + 1;
  k->base_rows = 7, k->code_rows = 5, k->wanted_rows = 3, k->cached_rows = 9;
  return k;
}

void kit_free(Kit *k) { arena_free(k->arena); }

// ---- random numbers
static uint64_t next(Kit *k) {                               // splitmix64
  uint64_t z = k->random += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

int64_t kit_pick(Kit *k, int64_t n) { return (int64_t)(next(k) % (uint64_t)n); }
double kit_uniform(Kit *k, double lo, double hi) { return lo + (hi - lo) * (double)(next(k) >> 11) * 0x1p-53; }

int64_t kit_extent(Kit *k) {
  static const int64_t extent[] = {1, 2, 3, 5, 7, 9, 11};
  return extent[kit_pick(k, sizeof extent / sizeof *extent)];
}

int64_t kit_row_count(Kit *k) { return kit_pick(k, 6) ? kit_extent(k) : 0; }

// ---- symbols and types
static int symbol(Kit *k, SymKind kind, int model, int64_t rows) {
  int s = graph_add_sym(k->g, kind, model);
  assert_true(s < KIT_MAX_SYMS);
  k->sym[s] = rows;
  return s;
}

int kit_tokens(Kit *k, const char *model, int64_t rows) {
  return symbol(k, SYM_TOKENS, graph_add_model(k->g, model), rows);
}

int kit_rows(Kit *k, int64_t rows) { return symbol(k, SYM_ROWS, k->g->nmodel ? 0 : -1, rows); }

int kit_cached(Kit *k, const char *model, int64_t rows) {
  return symbol(k, SYM_CACHE, graph_add_model(k->g, model), rows);
}

Type kit_type(int sym, const int64_t *d, int n) {
  Type t = {.dt = DT_F32};
  if (sym >= 0) t.dim[t.rank++] = sym_dim(sym);
  for (int i = 0; i < n; i++) t.dim[t.rank++] = d[i];
  return t;
}

int64_t kit_elems(const Kit *k, const Type *t) {
  int s = type_row_sym(t);
  return type_row_elems(t) * (s < 0 ? 1 : k->sym[s]);
}

// ---- sources
static double *new_value(Kit *k, const char *name, int64_t n) {
  assert_true(k->nvalue < KIT_MAX_VALUES);
  KitValue *v = &k->value[k->nvalue++];
  *v = (KitValue){arena_strdup(k->arena, name), ARENA_ARRAY(k->arena, double, n + 1), n};
  return v->v;
}

double *kit_values(const Kit *k, const char *name, int64_t *n) {
  for (int i = 0; i < k->nvalue; i++) {
    if (strcmp(k->value[i].name, name)) continue;
    if (n) *n = k->value[i].n;
    return k->value[i].v;
  }
  return NULL;
}

// A number that the type holds exactly, so that compiled code starts from the same.
static double stored(Dtype dt, double v) {
  if (dt == DT_F32) return (float)v;
  if (dt == DT_I32) return floor(v);
  return floor(v * 64) / 64;                                 // 16 bits: |v| <= 2
}

NodeId kit_source(Kit *k, OpId op, const char *name, Type t, double lo, double hi) {
  int64_t n = kit_elems(k, &t);
  double *v = new_value(k, name, n);
  for (int64_t i = 0; i < n; i++) v[i] = stored(t.dt, kit_uniform(k, lo, hi));
  return graph_source(k->g, op, t, &(Attr){.name = name});
}

NodeId kit_var(Kit *k, OpId op, const char *name, Type t, double lo, double hi) {
  return k->var[k->nvar++] = kit_source(k, op, name, t, lo, hi);
}

static NodeId index_source(Kit *k, const char *name, int sym) {
  return graph_source(k->g, OP_input, (Type){.dt = DT_I32, .rank = 1, .dim = {sym_dim(sym)}}, &(Attr){.name = name});
}

static void give_ids(Kit *k, const char *name, int64_t n, int64_t below) {
  double *v = new_value(k, name, n);
  for (int64_t i = 0; i < n; i++) v[i] = (double)kit_pick(k, below);
}

static void give_index(Kit *k, const char *name, int64_t n, int64_t below) {
  int64_t got = 0;
  assert_true(n <= below);
  double *v = new_value(k, name, n);
  for (int64_t i = 0; i < below && got < n; i++) {           // i is chosen with chance (wanted) / (left)
    if (kit_pick(k, below - i) < n - got) v[got++] = (double)i;
  }
}

static void give_positions(Kit *k, const char *name, int64_t n) {
  double *v = new_value(k, name, n);
  for (int64_t i = 0; i < n; i++) v[i] = (double)i;
}

NodeId kit_ids(Kit *k, const char *name, int sym, int64_t below) {
  give_ids(k, name, k->sym[sym], below);
  return index_source(k, name, sym);
}

NodeId kit_index(Kit *k, const char *name, int sym, int64_t below) {
  give_index(k, name, k->sym[sym], below);
  return index_source(k, name, sym);
}

NodeId kit_positions(Kit *k, const char *name, int sym) {
  give_positions(k, name, k->sym[sym]);
  return index_source(k, name, sym);
}

static void give_intervals(Kit *k, const int64_t *key, int32_t *lo, int32_t *hi) {
  assert_true(k->nmask < KIT_MAX_MASKS);
  memcpy(k->mask[k->nmask].key, key, sizeof k->mask[0].key);
  k->mask[k->nmask++].m = (EvalMask){lo, hi};
}

static NodeId mask_source(Kit *k, int query, int key, int64_t window, int32_t *lo, int32_t *hi) {
  Attr attr = {.i = {query, key, window, k->g->sym[query].model}};
  give_intervals(k, attr.i, lo, hi);
  return graph_source(k->g, OP_mask, (Type){.dt = DT_MASK, .rank = 1, .dim = {sym_dim(query)}}, &attr);
}

NodeId kit_causal(Kit *k, int query, int key, int64_t window) {
  int64_t n = k->sym[query];
  int32_t *lo = ARENA_ARRAY(k->arena, int32_t, n + 1), *hi = ARENA_ARRAY(k->arena, int32_t, n + 1);
  for (int64_t i = 0; i < n; i++) {
    hi[i] = (int32_t)(i + 1 < k->sym[key] ? i + 1 : k->sym[key]);
    lo[i] = window && hi[i] > window ? hi[i] - (int32_t)window : 0;
  }
  return mask_source(k, query, key, window, lo, hi);
}

static void draw_intervals(Kit *k, int query, int key, int32_t **lo, int32_t **hi) {
  int64_t n = k->sym[query], rows = k->sym[key];
  *lo = ARENA_ARRAY(k->arena, int32_t, n + 1);
  *hi = ARENA_ARRAY(k->arena, int32_t, n + 1);
  for (int64_t i = 0; i < n; i++) {
    (*lo)[i] = (int32_t)kit_pick(k, rows + 1);
    (*hi)[i] = (*lo)[i] + (kit_pick(k, 4) ? (int32_t)kit_pick(k, rows - (*lo)[i] + 1) : 0);
  }
}

NodeId kit_intervals(Kit *k, int query, int key) {
  int32_t *lo, *hi;
  draw_intervals(k, query, key, &lo, &hi);
  return mask_source(k, query, key, 0, lo, hi);
}

// ---- graphs made elsewhere
enum { FLAT_ROWS = 3 };
static void adopt_symbols(Kit *k, const Graph *g) {
  assert_true(g->nsym <= KIT_MAX_SYMS);
  for (int s = 0; s < g->nsym; s++) {
    switch (g->sym[s].kind) {
      case SYM_TOKENS: k->sym[s] = k->base_rows; break;
      case SYM_ROWS: k->sym[s] = k->wanted_rows; break;
      case SYM_CACHE: k->sym[s] = k->cached_rows; break;
      case SYM_FLAT: k->sym[s] = FLAT_ROWS; break;
    }
  }
}

static bool called(const char *name, const char *what) { return !strncmp(name, what, strlen(what)); }

static void adopt_index(Kit *k, const char *name, int64_t n, int64_t vocab) {
  if (called(name, "pos")) give_positions(k, name, n);
  else if (called(name, "rows")) give_index(k, name, n, k->base_rows);
  else if (called(name, "slots")) give_index(k, name, n, k->cached_rows);
  else give_ids(k, name, n, vocab);                          // ids, labels
}

// Matrices of about 1 / sqrt(fan-in); vectors near 1; an optimizer's second moments and factors between 0 and 1.
static void adopt_numbers(Kit *k, const Node *x, int64_t n) {
  const char *name = x->attr.name;
  double lo = -1, hi = 1;
  if (x->op == OP_weight || x->op == OP_param) {
    hi = x->type.rank > 1 ? 1.5 / sqrt((double)x->type.dim[x->type.rank - 1]) : 1.5;
    lo = x->type.rank > 1 ? -hi : 0.5;
  } else if (!strcmp(name, "v") || called(name, "adamw.")) {
    lo = 0.1;
  }
  double *v = new_value(k, name, n);
  for (int64_t i = 0; i < n; i++) v[i] = stored(x->type.dt, kit_uniform(k, lo, hi));
}

static void adopt_mask(Kit *k, const Node *x) {
  int32_t *lo, *hi;
  for (int i = 0; i < k->nmask; i++) {
    if (!memcmp(k->mask[i].key, x->attr.i, sizeof k->mask[i].key)) return;
  }
  draw_intervals(k, (int)x->attr.of_mask.query, (int)x->attr.of_mask.key, &lo, &hi);
  give_intervals(k, x->attr.i, lo, hi);
}

void kit_adopt(Kit *k, Graph *g, int64_t vocab) {
  k->g = g;
  adopt_symbols(k, g);
  for (NodeId i = 0; i < g->n; i++) {
    const Node *x = &g->node[i];
    if (op_class(x->op) != OPC_SOURCE || x->op == OP_const) continue;
    if (x->op == OP_mask) adopt_mask(k, x);
    else if (kit_values(k, x->attr.name, NULL)) continue;    // another source of the same name
    else if (x->type.dt == DT_I32) adopt_index(k, x->attr.name, kit_elems(k, &x->type), vocab);
    else adopt_numbers(k, x, kit_elems(k, &x->type));
  }
}

// ---- evaluation
static const double *give_source(void *user, const Graph *g, NodeId id, int64_t n) {
  int64_t have = -1;
  const double *v = kit_values(user, g->node[id].attr.name, &have);
  assert_non_null(v);
  assert_int_equal(have, n);
  return v;
}

static EvalMask give_mask(void *user, const Graph *g, NodeId id) {
  Kit *k = user;
  for (int i = 0; i < k->nmask; i++) {
    if (!memcmp(k->mask[i].key, g->node[id].attr.i, sizeof k->mask[i].key)) return k->mask[i].m;
  }
  fail_msg("mask %%%d is none of the kit's", id);
  return (EvalMask){0};
}

double **kit_eval(Kit *k, const Graph *g) {
  EvalEnv env = {.sym = k->sym, .source = give_source, .mask = give_mask, .user = k};
  double **value;
  const char *why = graph_verify(g, k->arena);
  if (why) fail_msg("malformed graph: %s", why);
  why = graph_eval(g, &env, k->arena, &value);
  if (why) fail_msg("evaluation: %s", why);
  return value;
}

// ---- language models in small
static NodeId mul(Kit *k, NodeId a, NodeId b) { return graph_bin(k->g, OP_mul, a, b); }
static NodeId add(Kit *k, NodeId a, NodeId b) { return graph_bin(k->g, OP_add, a, b); }
static const Type *type_of(const Kit *k, NodeId n) { return &k->g->node[n].type; }

static NodeId linear(Kit *k, NodeId x, NodeId w) {
  return graph_add(k->g, OP_linear, (NodeId[]){x, w}, 2, &(Attr){.i = {type_of(k, x)->rank - 1}}, NULL);
}

NodeId kit_rmsnorm(Kit *k, NodeId x, NodeId w, double eps) {
  const Type *t = type_of(k, x);
  double n = (double)t->dim[t->rank - 1];
  NodeId mean = graph_bin(k->g, OP_div, graph_un(k->g, OP_sum, mul(k, x, x)), graph_const(k->g, n));
  return mul(k, mul(k, x, graph_un(k->g, OP_rsqrt, add(k, mean, graph_const(k->g, eps)))), w);
}

NodeId kit_rope(Kit *k, NodeId x, NodeId pos) {
  int64_t n = type_of(k, x)->dim[2];
  double *freq = ARENA_ARRAY(k->arena, double, n);
  for (int64_t i = 0; i < n; i++) freq[i] = pow(100, -(double)(i % (n / 2)) / (double)n);
  NodeId at = graph_reshape(k->g, graph_un(k->g, OP_float, pos), (int64_t[]){1, 1}, 2, NULL);
  NodeId angle = mul(k, at, graph_const_vec(k->g, freq, n));
  NodeId turned = mul(k, graph_un(k->g, OP_rotate, x), graph_un(k->g, OP_sin, angle));
  return add(k, mul(k, x, graph_un(k->g, OP_cos, angle)), turned);
}

NodeId kit_silu(Kit *k, NodeId x) { return mul(k, x, graph_un(k->g, OP_sigmoid, x)); }

// A tensor of the model, values of about 1 / sqrt(fan-in); "base.4.wq".
static NodeId tensor(Kit *k, OpId op, const char *name, const int64_t *d, int n, int64_t fan_in) {
  double r = 1.5 / sqrt((double)fan_in);
  Type t = kit_type(-1, d, n);
  return op == OP_param ? kit_var(k, op, name, t, -r, r) : kit_source(k, op, name, t, -r, r);
}

static NodeId layer_tensor(Kit *k, const KitModel *m, int layer, const char *what, const int64_t *d, int n,
                           int64_t fan_in) {
  return tensor(k, m->op, arena_printf(k->arena, "%s.%d.%s", m->name, layer, what), d, n, fan_in);
}

static NodeId model_tensor(Kit *k, const KitModel *m, const char *what, const int64_t *d, int n, int64_t fan_in) {
  return tensor(k, m->op, arena_printf(k->arena, "%s.%s", m->name, what), d, n, fan_in);
}

NodeId kit_embed(Kit *k, KitModel *m) {
  m->pos = kit_positions(k, arena_printf(k->arena, "pos.%s", m->name), m->sym);
  m->mask = m->cache ? kit_intervals(k, m->sym, m->cache) : kit_causal(k, m->sym, m->sym, 0);
  if (m->cache) m->slots = kit_index(k, arena_printf(k->arena, "slots.%s", m->name), m->sym, k->sym[m->cache]);
  NodeId table = model_tensor(k, m, "embed", (int64_t[]){m->V, m->D}, 2, 1);
  NodeId ids = kit_ids(k, arena_printf(k->arena, "ids.%s", m->name), m->sym, m->V);
  return graph_bin(k->g, OP_lookup, ids, table);
}

static NodeId attend(Kit *k, NodeId q, NodeId keys, NodeId values, NodeId mask, double softcap) {
  Attr attr = {.f = {1 / sqrt((double)type_of(k, q)->dim[2]), softcap}};
  return graph_part(k->g, graph_add(k->g, OP_attention, (NodeId[]){q, keys, values, mask}, 4, &attr, NULL), 0);
}

// Keys or values together with those of earlier steps.
static NodeId cached(Kit *k, const KitModel *m, int layer, const char *what, NodeId x) {
  if (!m->cache) return x;
  Type t = *type_of(k, x);
  t.dim[0] = sym_dim(m->cache);
  NodeId cache = kit_source(k, OP_cache, arena_printf(k->arena, "cache.%s.%d.%s", m->name, layer, what), t, -1, 1);
  return graph_add(k->g, OP_append, (NodeId[]){cache, x, m->slots}, 3, NULL, NULL);
}

NodeId kit_block(Kit *k, KitModel *m, int layer, NodeId x) {
  NodeId n = kit_rmsnorm(k, x, layer_tensor(k, m, layer, "norm1", (int64_t[]){m->D}, 1, 1), 0.1);
  NodeId q = linear(k, n, layer_tensor(k, m, layer, "wq", (int64_t[]){m->H, m->Dh, m->D}, 3, m->D));
  NodeId keys = linear(k, n, layer_tensor(k, m, layer, "wk", (int64_t[]){m->K, m->Dh, m->D}, 3, m->D));
  NodeId values = linear(k, n, layer_tensor(k, m, layer, "wv", (int64_t[]){m->K, m->Dh, m->D}, 3, m->D));
  q = kit_rmsnorm(k, q, layer_tensor(k, m, layer, "qnorm", (int64_t[]){m->Dh}, 1, 1), 0.1);
  keys = cached(k, m, layer, "k", kit_rope(k, keys, m->pos));
  NodeId a = attend(k, kit_rope(k, q, m->pos), keys, cached(k, m, layer, "v", values), m->mask, 0);
  x = add(k, x, linear(k, a, layer_tensor(k, m, layer, "wo", (int64_t[]){m->D, m->H, m->Dh}, 3, m->H * m->Dh)));
  NodeId w = add(k, graph_const(k->g, 1), layer_tensor(k, m, layer, "norm2", (int64_t[]){m->D}, 1, 1));
  n = kit_rmsnorm(k, x, w, 0.1);
  NodeId gate = linear(k, n, layer_tensor(k, m, layer, "gate", (int64_t[]){m->F, m->D}, 2, m->D));
  NodeId up = linear(k, n, layer_tensor(k, m, layer, "up", (int64_t[]){m->F, m->D}, 2, m->D));
  NodeId down = layer_tensor(k, m, layer, "down", (int64_t[]){m->D, m->F}, 2, m->F);
  return add(k, x, linear(k, mul(k, kit_silu(k, gate), up), down));
}

static NodeId cross_param(Kit *k, const char *name, const char *what, const int64_t *d, int n, int64_t fan_in) {
  return tensor(k, OP_param, arena_printf(k->arena, "%s.%s", name, what), d, n, fan_in);
}

NodeId kit_cross(Kit *k, const char *name, NodeId x, NodeId h, int64_t D, int64_t E) {
  enum { HEADS = 2, WIDTH = 3 };
  NodeId q = linear(k, x, cross_param(k, name, "wq", (int64_t[]){HEADS, WIDTH, D}, 3, D));
  NodeId keys = linear(k, h, cross_param(k, name, "wk", (int64_t[]){HEADS, WIDTH, E}, 3, E));
  NodeId values = linear(k, h, cross_param(k, name, "wv", (int64_t[]){HEADS, WIDTH, E}, 3, E));
  NodeId mask = kit_intervals(k, type_row_sym(type_of(k, x)), type_row_sym(type_of(k, h)));
  NodeId a = attend(k, q, keys, values, mask, 0);
  return add(k, x, linear(k, a, cross_param(k, name, "wo", (int64_t[]){D, HEADS, WIDTH}, 3, HEADS * WIDTH)));
}

NodeId kit_pair(Kit *k, bool trained) {
  KitModel base = {.name = "base", .op = trained ? OP_param : OP_weight, .D = 6, .H = 4, .K = 2, .Dh = 4, .F = 7};
  base.V = 11;
  KitModel code = {.name = "code", .op = OP_weight, .D = 5, .H = 3, .K = 1, .Dh = 2, .F = 3, .V = 7};
  base.sym = kit_tokens(k, "base", k->base_rows);
  code.sym = kit_tokens(k, "code", k->code_rows);
  int r = kit_rows(k, k->wanted_rows);
  NodeId h = kit_block(k, &code, 0, kit_embed(k, &code));
  NodeId x = kit_block(k, &base, 0, kit_embed(k, &base));
  NodeId mid = kit_cross(k, "code.1->base.1", x, h, base.D, code.D);
  x = kit_block(k, &base, 1, mid);
  x = graph_bin(k->g, OP_take, x, kit_index(k, "rows", r, k->sym[base.sym]));
  x = kit_rmsnorm(k, x, model_tensor(k, &base, "norm", (int64_t[]){base.D}, 1, 1), 0.1);
  NodeId head = NODE_NONE;
  for (NodeId i = 0; trained && i < k->g->n; i++) {
    if (k->g->node[i].op == OP_param && !strcmp(k->g->node[i].attr.name, "base.embed")) head = i;
  }
  if (!trained) head = model_tensor(k, &base, "head", (int64_t[]){base.V, base.D}, 2, base.D);
  NodeId loss = graph_add(k->g, OP_xent, (NodeId[]){x, head, kit_ids(k, "labels", r, base.V)}, 3, NULL, NULL);
  graph_output(k->g, "nll", loss);
  return loss;
}

NodeId kit_step(Kit *k) {
  KitModel base = {.name = "base", .op = OP_weight, .D = 6, .H = 4, .K = 2, .Dh = 4, .F = 7, .V = 11};
  base.sym = kit_tokens(k, "base", k->base_rows);
  base.cache = kit_cached(k, "base", k->cached_rows);
  int r = kit_rows(k, k->wanted_rows);
  NodeId x = kit_block(k, &base, 1, kit_block(k, &base, 0, kit_embed(k, &base)));
  x = graph_bin(k->g, OP_take, x, kit_index(k, "rows", r, k->sym[base.sym]));
  x = kit_rmsnorm(k, x, model_tensor(k, &base, "norm", (int64_t[]){base.D}, 1, 1), 0.1);
  NodeId logits = linear(k, x, model_tensor(k, &base, "head", (int64_t[]){base.V, base.D}, 2, base.D));
  graph_output(k->g, "logits", logits);
  return logits;
}
