// Weights and parameters as source nodes. A weight of a file is checked against its header; one that is tuned becomes a parameter that begins as the
// file has it, a weight of a model made from nothing one with an initial distribution.
#include <string.h>

#include "build/ctx.h"
#include "dsl/base/glob.h"
#include "runtime/core/core.h"

// ---- names

// All names a spelling may mean, in the order they are tried: prefixes of the arch, then of the block; "/x" stands outside both.
static void add_names(Ev *ev, Loc loc, const char *name, Value *out, int *n, int cap) {
  const Ast *prefix = ev->m->prefix;
  int np = prefix && name[0] != '/' ? prefix->nkid : 0;
  for (int i = 0; i < (np ? np : 1) && *n < cap; i++) {
    if (!spend_text(ev, loc, name) || (np && !spend_text(ev, loc, prefix->kid[i]->str)) || (ev->under && !spend_text(ev, loc, ev->under))) return;
    const char *full = name[0] == '/' ? name + 1
                                      : arena_printf(ev->b->a, "%s%s%s", np ? prefix->kid[i]->str : "",
                                                     ev->under ? ev->under : "", name);
    out[(*n)++] = v_string(full);
  }
}

// The name of tensor i of those in whose name * is the number; of others the name itself.
static const char *numbered(Build *b, const char *name, int64_t i) {
  const char *star = strchr(name, '*');
  return star ? arena_printf(b->a, "%.*s%lld%s", (int)(star - name), name, (long long)i, star + 1) : name;
}

Value weight_named(Ev *ev, Scope *s, const Ast *call) {
  enum { MAX_NAMES = 32 };
  if (ev->survey) {
    for (int i = 0; i < call->nkid; i++) eval(ev, s, call->kid[i]);
    return v_poison();
  }
  if (!ev->g) return fail(ev, call->loc, "weights can be used in embed, layers, tap and head only");
  if (!ev->m) return fail(ev, call->loc, "an op has no weights of its own: declare a 'param'");
  if (call->nkid != 1 || call->kid[0]->kind == AST_NAMED)
    return fail(ev, call->loc, "weight takes one argument: the tensor's name");
  Value x = eval(ev, s, call->kid[0]);
  if (x.kind == V_POISON) return x;
  if (x.kind != V_STRING && x.kind != V_NAMES)
    return fail(ev, call->kid[0]->loc, "a weight's name is a string; found %s", v_text(ev, &x));
  Value *name = ARENA_ARRAY(ev->b->a, Value, MAX_NAMES);
  int n = 0;
  if (x.kind == V_STRING) add_names(ev, call->loc, x.s, name, &n, MAX_NAMES);
  for (int i = 0; x.kind == V_NAMES && i < x.n; i++) add_names(ev, call->loc, x.v[i].s, name, &n, MAX_NAMES);
  if (!n) return silent(ev);                       // nothing is left to spend
  bool optional = call->str && call->str[0] == '?';
  Value w = {.kind = V_WEIGHT, .v = name, .n = n, .b = optional};
  if (optional) {
    bool there = false;
    for (int i = 0; ev->m->file && i < n; i++) there = there || st_find(ev->m->file->st, numbered(ev->b, name[i].s, 0));
    if (!there) return v_none(NULL);
  }
  return w;
}

// ---- parameters

static ParamInfo *param_find(Build *b, const char *name) {
  int i = map_find(&b->params, name);
  return i < 0 ? NULL : &b->param[i];
}

NodeId param_node(Ev *ev, const char *name, const int64_t *dim, int n, const Value *init, int model, Loc loc) {
  Build *b = ev->b;
  Type t = {.dt = DT_F32, .rank = n};
  memcpy(t.dim, dim, (size_t)n * sizeof *dim);
  for (int i = 0; i < n; i++)
    if (dim_is_sym(dim[i])) {
      fail(ev, loc, "parameter '%s' has the extent %s, known only at run time", name, ev->g->sym[dim_sym(dim[i])].name);
      return NODE_NONE;
    }
  NodeId node = t_memo(ev, name);
  if (node != NODE_NONE) return t_reshape(ev, loc, node, dim, n);
  if (!param_find(b, name)) {
    ParamInfo p = {.pub = {.name = name,
                           .model = model,
                           .rank = n,
                           .fan_in = n ? dim[n - 1] : 1,
                           .init = init ? (InitKind)init->n : INIT_FAN_IN,
                           .a = init ? init->f : 1},
                   .loc = loc};
    memcpy(p.pub.dim, dim, (size_t)n * sizeof *dim);
    map_put(b->a, &b->params, name, b->nparam);
    ARENA_PUSH(b->a, b->param, b->nparam, b->capparam, p);
  }
  Attr attr = {.name = name};
  node = graph_source(ev->g, OP_param, t, &attr);
  t_remember(ev, name, node);
  return node;
}

void param_used(Ev *ev, NodeId w, int inner) {
  const Node *node = &ev->g->node[w];
  ParamInfo *p = node->op == OP_param ? param_find(ev->b, node->attr.name) : NULL;
  if (p && !inner) p->table = true;
  if (!p || p->inner || !inner) return;
  p->inner = inner;
  p->pub.fan_in = 1;
  for (int i = node->type.rank - inner; i < node->type.rank; i++) p->pub.fan_in *= node->type.dim[i];
}

void param_turned(Ev *ev, NodeId w, int inner) {
  NodeId root = ev->g->node[w].in[0];
  while (ev->g->node[root].op == OP_reshape) root = ev->g->node[root].in[0];
  const Node *node = &ev->g->node[root];
  ParamInfo *p = node->op == OP_param ? param_find(ev->b, node->attr.name) : NULL;
  if (!p || p->inner) return;
  p->inner = inner;
  p->turned = true;
  p->pub.fan_in = 1;
  for (int i = 0; i < inner; i++) p->pub.fan_in *= ev->g->node[ev->g->node[w].in[0]].type.dim[i];
}

// ---- a model made from nothing

static const Ast *init_rule(const Ast *rules, const char *name) {
  for (int i = 0; rules && i < rules->nkid; i++)
    if (glob_matches(rules->kid[i]->str, name)) return rules->kid[i]->kid[0];
  return NULL;
}

static bool init_value(Ev *ev, const char *name, Value *out) {
  for (int i = 0; i < 2; i++) {
    const Ast *rules = i ? ev->m->init : ev->m->own_init;
    if (rules && !spend(ev, rules->loc, 1 + rules->nkid / 8)) return false;
  }
  const Ast *e = init_rule(ev->m->own_init, name);
  if (!e) e = init_rule(ev->m->init, name);
  if (!e) {
    *out = (Value){.kind = V_DIST, .n = INIT_FAN_IN, .f = 1};
    return true;
  }
  double x;
  *out = eval(ev, ev->m->scope, e);
  if (v_number(out, &x)) *out = (Value){.kind = V_DIST, .n = INIT_CONSTANT, .f = x};
  if (out->kind == V_DIST) return true;
  if (out->kind != V_POISON)
    fail(ev, e->loc, "an initial value is zeros, ones, normal(s), uniform(a), fan_in(gain) or a number; found %s",
         v_text(ev, out));
  return false;
}

static Value weight_made(Ev *ev, const Ast *e, const char *name, const int64_t *dim, int n) {
  Value init;
  if (!init_value(ev, name, &init)) return v_poison();
  const char *full = arena_printf(ev->b->a, "%s.%s", ev->m->pub->name, name);
  return v_tensor(param_node(ev, full, dim, n, &init, ev->m->index, e->loc));
}

// ---- a weight of a file

static const char *shape_text(Build *b, const int64_t *dim, int n) {
  Buf t = {0};
  buf_puts(&t, n ? "" : "a scalar");
  for (int i = 0; i < n; i++) buf_printf(&t, "%s%lld", i ? "x" : "", (long long)dim[i]);
  const char *s = arena_strdup(b->a, t.s);
  buf_free(&t);
  return s;
}

// In place of a weight that is not as declared: what reads it can still be looked at. The graph is never used.
static Value stand_in(Ev *ev, const int64_t *dim, int n) {
  Type t = {.dt = DT_F32, .rank = n};
  memcpy(t.dim, dim, (size_t)n * sizeof *dim);
  return v_tensor(graph_source(ev->g, OP_weight, t, &(Attr){.name = "?"}));
}

// What the text calls the weight `full` whose block and prefix stand in its name.
static const char *local_name(const Ev *ev, const char *full) {
  const char *at = ev->under && ev->under[0] ? strstr(full, ev->under) : NULL;
  return at ? at + strlen(ev->under) : full;
}

// Training frameworks wrap a model in others, whose names then begin those of all its tensors.
static const char *also_begins(Ev *ev, const Value *w) {
  size_t n;
  for (int i = 0; i < w->n; i++) {
    const char *t = model_prefix_of(ev->m->file, w->v[i].s, &n);
    if (t) return arena_printf(ev->b->a, "; there is '%s', with '%.*s' before it: save the model that is inside of that wrapper, or let the arch's prefix begin so", t, (int)n, t);
  }
  return NULL;
}

static void not_there(Ev *ev, const Ast *e, const Value *w) {
  bool shown = !ev->b->mute && diags_shown(ev->b->d);
  const char *wrapped = shown ? also_begins(ev, w) : NULL, *near = shown && !wrapped ? model_nearest_tensor(ev->m->file, w->v[0].s) : NULL, *also = "";
  for (int i = 1; i < w->n; i++) also = arena_printf(ev->b->a, "%s%s'%s'", also, i > 1 ? ", " : "", w->v[i].s);
  ev->b->about = local_name(ev, w->v[0].s);
  fail(ev, e->loc, "model '%s' has no weight '%s' in %s%s%s%s%s%s%s%s", ev->m->pub->name, w->v[0].s,
              ev->m->file->shown, w->n > 1 ? " (nor " : "", also, w->n > 1 ? ")" : "",
              near ? "; the nearest name there is '" : "", near ? near : "", near ? "'" : "", wrapped ? wrapped : "");
}

// Each extent of the file is several neighbouring declared ones joined, or a declared one several of the file's: a matrix that lies the other way
// round has as many elements, and does not fit. A product that cannot be counted joins nothing.
static bool joins(const int64_t *stored, int rank, const int64_t *dim, int n) {
  int i = 0, j = 0;
  while (i < rank || j < n) {
    int64_t p = i < rank ? stored[i++] : 1, q = j < n ? dim[j++] : 1;
    if (p < q) {
      while (p < q)
        if (i == rank || p <= 0 || !size_times(p, stored[i++], &p)) return false;
    } else {
      while (q < p)
        if (j == n || q <= 0 || !size_times(q, dim[j++], &q)) return false;
    }
    if (p != q) return false;
  }
  return true;
}

static const char *turned_hint(const StTensor *t, const int64_t *dim, int n) {
  if (t->rank != 2 || !joins((int64_t[]){t->shape[1], t->shape[0]}, 2, dim, n)) return "";
  return "; it is stored the other way round: linear takes weight(…)[in…, out…].t";
}

static bool stored_dtype(const StTensor *t, Dtype *out) {
  *out = t->dtype;
  return t->dtype != DT_NONE && dtype_info[t->dtype].use == DTYPE_STORED;
}

// The tensor of the file that the spelling w means, if it is as declared, and the number of its name; NULL when not, which was told.
static const StTensor *stored_tensor(Ev *ev, const Ast *e, const Value *w, const int64_t *dim, int n, Dtype *dt, int *at) {
  Build *b = ev->b;
  const StTensor *t = NULL;
  for (*at = 0; *at < w->n && !(t = model_tensor(ev->m->file, w->v[*at].s)); ++*at) {}
  if (!t) {
    not_there(ev, e, w);
    ev->m->lacks_weight = true;
    return NULL;
  }
  b->about = local_name(ev, t->name);
  if (!joins(t->shape, t->rank, dim, n)) {
    int64_t elems = 0;
    const char *count = !size_of_shape(dim, n, &elems) ? "more elements than can be counted"
                                                       : arena_printf(b->a, "%lld element%s", (long long)elems, plural(elems));
    fail(ev, e->loc, "weight '%s' of model '%s' is %s in %s, expected %s = %s (%s)%s", t->name,
                ev->m->pub->name, shape_text(b, t->shape, t->rank), model_file_of(ev->m->file, b->a, t),
                source_text(b, (Loc){e->loc.file, e->kid[0]->loc.end, e->loc.end}), shape_text(b, dim, n), count, turned_hint(t, dim, n));
    return NULL;
  }
  if (!stored_dtype(t, dt)) {
    char stored[128];
    dtype_stored_names(stored, sizeof stored);
    fail(ev, e->loc,
         "weight '%s' of model '%s' is stored as %s; %s are supported, and transformers writes them: "
         "AutoModelForCausalLM.from_pretrained(DIR, dtype=torch.bfloat16).save_pretrained(OUT)",
         t->name, ev->m->pub->name, dtype_info[t->dtype].file, stored);
    return NULL;
  }
  b->about = NULL;
  return t;
}

// ---- tune

static bool is_tuned(Ev *ev, const char *name) {
  const Ast *t = ev->m->tune;
  if (ev->unread || ev->constant) return false;
  bool any = t && !t->nkid;
  if (t && !spend(ev, t->loc, 1 + t->nkid / 8)) return false;
  for (int i = 0; t && i < t->nkid; i++)
    if (glob_matches(t->kid[i]->str, name)) any = ev->m->tunes[i] = true;
  return any;
}

static Value constant_too(Ev *ev, const Ast *e, const StTensor *t) {
  return fail(ev, e->loc, "weight '%s' of model '%s' is tuned, and read as a constant, within stop_gradient(…), as well; bind it to a name and take that for both", t->name, ev->m->pub->name);
}

static Value weight_tuned(Ev *ev, const Ast *e, const StTensor *t, const char *name, const int64_t *dim, int n) {
  static const Value stored = {.kind = V_DIST, .n = INIT_STORED};
  NodeId read = t_memo(ev, name);
  if (read != NODE_NONE && ev->g->node[read].op == OP_weight) return constant_too(ev, e, t);
  NodeId node = param_node(ev, name, dim, n, &stored, ev->m->index, e->loc);
  ParamInfo *p = param_find(ev->b, name);
  if (p && t->rank <= MAX_RANK) {
    p->pub.rank = t->rank, p->stored = true;
    memcpy(p->pub.dim, t->shape, (size_t)t->rank * sizeof *t->shape);
  }
  return node == NODE_NONE ? v_poison() : v_tensor(node);
}

// A word alone that is one of a weight's name, as "q_proj" is: the pattern that would fit, and the name; "" else.
static const char *with_word(Build *b, const MInst *m, const char *word) {
  if (strchr(word, '*')) return "";
  const char *dotted = arena_printf(b->a, ".%s.", word);
  for (int64_t i = 0; i < st_count(m->file->st); i++)
    if (strstr(st_at(m->file->st, i)->name, dotted)) return arena_printf(b->a, "; did you mean \"*%s*\", as in '%s'?", dotted, st_at(m->file->st, i)->name);
  return "";
}

void check_tunes(Build *b, MInst *m) {
  if (!m->tune || !m->sound || m->erred) return;
  for (int i = 0; i < m->tune->nkid; i++)
    if (!m->tunes[i])
      fail_at(b, m->tune->kid[i]->loc, "no weight that is read of model '%s' has a name like \"%s\": names are those of its file, such as '%s'%s",
              m->pub->name, m->tune->kid[i]->str, st_count(m->file->st) ? st_at(m->file->st, 0)->name : "", with_word(b, m, m->tune->kid[i]->str));
}

// Of the names that a weight's spelling may mean (add_names), the one by the arch's first prefix that stands for the same as name `at`.
static int canonical(const Ev *ev, int at) { return ev->m->prefix && ev->m->prefix->nkid ? at - at % ev->m->prefix->nkid : at; }

// ---- experts' weights: tensors in whose name * is the number

// All that the spelling w means are of one shape and type, that of the first; none is tuned.
static Value weight_series(Ev *ev, const Ast *e, const Value *w, const int64_t *dim, int n) {
  Build *b = ev->b;
  Value *zero = ARENA_ARRAY(b->a, Value, w->n);
  for (int i = 0; i < w->n; i++) zero[i] = v_string(numbered(b, w->v[i].s, 0));
  if (!ev->m->file) return fail(ev, e->loc, "experts' weights are those of a file: a model made from nothing has none, and none are trained");
  if (n < 2 || dim[0] < 1) return fail(ev, e->loc, "weight '%s' needs the number of its tensors and their extents: [E, …]", w->v[0].s);
  int at = 0;
  while (at < w->n && !st_find(ev->m->file->st, zero[at].s)) at++;
  at = at < w->n ? at : 0;
  const char *name = arena_printf(b->a, "%s.%s", ev->m->pub->name, w->v[at].s);
  NodeId node = t_memo(ev, name);
  if (node != NODE_NONE) return v_tensor(t_reshape(ev, e->loc, node, dim, n));
  Type type = {.rank = n};
  memcpy(type.dim, dim, (size_t)n * sizeof *dim);
  for (int64_t i = 0; i < dim[0]; i++) {
    const Value name_of = v_string(numbered(b, w->v[at].s, i)), one = {.kind = V_WEIGHT, .v = &name_of, .n = 1};
    Dtype dt;
    int only;
    if (!spend(ev, e->loc, 1)) return v_poison();
    const StTensor *t = stored_tensor(ev, e, &one, dim + 1, n - 1, &dt, &only);
    if (!t) return stand_in(ev, dim, n);
    if (is_tuned(ev, t->name)) return fail(ev, ev->m->tune->loc, "weight '%s' of model '%s' is one of its experts': they are not trained; tune others by their names", t->name, ev->m->pub->name);
    if (i && dt != type.dt) return fail(ev, e->loc, "weight '%s' of model '%s' is stored as %s, that of expert 0 as %s", t->name, ev->m->pub->name, dtype_name(dt), dtype_name(type.dt));
    type.dt = dt;
  }
  node = graph_source(ev->g, OP_weights, type, &(Attr){.name = name});
  t_remember(ev, name, node);
  return v_tensor(node);
}

Value weight_shaped(Ev *ev, const Ast *e, Value w, const int64_t *dim, int n) {
  Build *b = ev->b;
  for (int i = 0; i < n; i++)
    if (dim_is_sym(dim[i]))
      return fail(ev, e->loc, "a weight's extents are fixed; %s is known only at run time",
                  ev->g->sym[dim_sym(dim[i])].name);
  if (strchr(w.v[0].s, '*')) return weight_series(ev, e, &w, dim, n);
  if (!ev->m->file) return weight_made(ev, e, w.v[0].s, dim, n);
  Type type = {.rank = n};
  int at;
  const StTensor *t = stored_tensor(ev, e, &w, dim, n, &type.dt, &at);
  if (!t) return stand_in(ev, dim, n);
  memcpy(type.dim, dim, (size_t)n * sizeof *dim);
  const char *name = arena_printf(b->a, "%s.%s", ev->m->pub->name, t->name);
  adapt_meets(ev, t->name, w.v[canonical(ev, at)].s);
  if (is_tuned(ev, t->name)) return weight_tuned(ev, e, t, name, dim, n);
  if (ev->constant && param_find(b, name)) return constant_too(ev, e, t);
  NodeId node = t_memo(ev, name);
  if (node != NODE_NONE) return v_tensor(t_reshape(ev, e->loc, node, dim, n));
  Attr attr = {.name = name};
  node = graph_source(ev->g, OP_weight, type, &attr);
  t_remember(ev, name, node);
  return v_tensor(node);
}

// ---- tensors that nothing asked for: an error under a block's prefix. Elsewhere a warning, for the anchor only (what an augmenting
// model has above its blocks is not read).

// Does the arch say that a tensor of this name changes nothing?
static bool arch_ignores(const MInst *m, const char *name) {
  for (int i = 0; i < m->config->nkid; i++)
    for (int k = 0; m->config->kid[i]->kind == AST_IGNORE && k < m->config->kid[i]->nkid; k++) {
      const Ast *x = m->config->kid[i]->kid[k];
      if (x->kind == AST_STRING && glob_matches(x->str, name)) return true;
    }
  return false;
}

void check_unused_tensors(Build *b, MInst *m) {
  if (!m->file || !m->sound || m->erred) return;
  const char *first = NULL, *stray = NULL;
  int count = 0;
  for (int i = 0; i < st_count(m->file->st); i++) {
    const char *name = st_at(m->file->st, i)->name;
    if (m->file->used[i] || inert_tensor(name) || arch_ignores(m, name)) continue;
    if (!first) first = name;
    count++;
    for (int k = 0; k < m->nunder && !stray; k++)
      if (!strncmp(name, m->under[k], strlen(m->under[k]))) stray = name;
  }
  if (stray)
    fail_at(b, m->decl->loc,
            "weight '%s' of model '%s' is not used by arch '%s', which serves it: the result would not be the model's",
            stray, m->pub->name, m->arch->name);
  else if (count && m->index == b->anchor)
    diag_warn(b->d, m->decl->loc, "%d tensor%s of model '%s' %s not used by arch '%s' ('%s'%s)", count,
              count == 1 ? "" : "s", m->pub->name, count == 1 ? "is" : "are", m->arch->name, first,
              count > 1 ? ", …" : "");
}
