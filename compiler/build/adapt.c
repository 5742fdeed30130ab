// Adapters: an `adapt` declaration adds what its op makes of a frozen product's input to what the product gives. Whatever op it is, a low-rank one is
// known by its graph, scale * up (down x), so that a program can write it as PEFT does and add it to the weight itself.
#include <string.h>

#include "build/ctx.h"
#include "dsl/base/glob.h"
#include "runtime/core/core.h"

static const Ast *pattern(const Adapt *a, int i) { return a->decl->kid[1 + i]; }

// The layers that a declaration selects; an error leaves it without any.
static void select_layers(Build *b, MInst *m, Adapt *a) {
  a->in = ARENA_ARRAY(b->a, bool, m->pub->blocks + 1), a->met = ARENA_ARRAY(b->a, bool, m->pub->blocks + 1);
  if (!m->counted) return;                         // which was told
  m->erred |= spec_told(b->spec, a->sel->loc) || !layers_select(b, a->sel, m, &a->layers);
  for (int i = 0; i < a->layers.n; i++) a->in[a->layers.v[i]] = true;
}

void adapts_find(Build *b) {
  const Ast *file = b->spec->file;
  for (int i = 0; i < file->nkid; i++) {
    const Ast *d = file->kid[i];
    int at = d->kind == AST_ADAPT ? map_find(&b->models, d->name) : -1;
    if (at < 0) continue;
    MInst *m = &b->model[at];
    Adapt a = {.decl = d, .op = spec_told_syntax(b->spec, d->loc) ? NULL : usable_op(b, d->kid[0])};
    a.sel = ast_selects(d->kid[d->nkid - 1]) ? d->kid[d->nkid - 1] : NULL;
    a.npattern = d->nkid - 1 - (a.sel != NULL);
    a.found = ARENA_ARRAY(b->a, bool, d->nkid);
    if (a.sel) select_layers(b, m, &a);
    ARENA_PUSH(b->a, m->adapt, m->nadapt, m->capadapt, a);
    m->erred |= !a.op;
  }
}

// A product is called as its weight is, with or without what all weights end in.
static const char *module_of(const Build *b, const char *tensor) {
  size_t n = strlen(tensor), end = strlen(".weight");
  return n > end && !strcmp(tensor + n - end, ".weight") ? arena_strndup(b->a, tensor, n - end) : tensor;
}

static const char *last_word(const char *s) {
  size_t n = strlen(s);
  while (n && s[n - 1] != '.' && s[n - 1] != '*') n--;
  return s + n;
}

static bool fits(const Build *b, const Ast *p, const Met *t) {
  const char *module = module_of(b, t->tensor);
  return p->kind == AST_NAME ? !strcmp(p->name, last_word(module)) : glob_matches(p->str, t->tensor) || glob_matches(p->str, module);
}

// Does a pattern of a name t? *k: the first that does. Without patterns, every frozen product of a block is meant but exact ones: routers', which are no Linear in
// transformers, so that PEFT adapts none.
static bool names_it(const Build *b, const Adapt *a, const Met *t, int *k) {
  for (*k = 0; *k < a->npattern; ++*k)
    if (fits(b, pattern(a, *k), t)) return true;
  return *k = 0, !a->npattern;
}

// Is a product of the block that is being made, or of none, meant by a's layers?
static bool in_layers(const Ev *ev, const Adapt *a) { return !a->sel || (ev->under && a->in[ev->layer]); }

void adapt_meets(Ev *ev, const char *tensor, const char *canonical) {
  MInst *m = ev->m;
  Build *b = ev->b;
  if (!m->nadapt || ev->unread || map_find(&m->mets, tensor) >= 0) return;
  tensor = arena_strdup(b->a, tensor);
  map_put(b->a, &m->mets, tensor, m->nmet);
  Met t = {.tensor = tensor, .module = module_of(b, canonical)};
  ARENA_PUSH(b->a, m->met, m->nmet, m->capmet, t);
}

// ---- applying

static NodeId flat(Ev *ev, Loc loc, NodeId x) {
  const Type *t = t_type(ev, x);
  int64_t dim[2] = {t->dim[0], 1};
  for (int i = 1; i < t->rank; i++) dim[1] *= t->dim[i];
  return t_reshape(ev, loc, x, dim, 2);
}

// The other operand of a product with a literal number, which *scale is multiplied by; n itself where it is none.
static NodeId unscaled(const Graph *g, NodeId n, double *scale) {
  const Node *x = &g->node[n];
  for (int k = 0; x->op == OP_mul && k < 2; k++) {
    const Node *c = &g->node[x->in[k]];
    if (c->op != OP_const || c->type.rank) continue;
    *scale *= c->attr.data[0];
    return x->in[1 - k];
  }
  return n;
}

// x of linear(x, w) with a parameter w[out, in]: its name; NULL where n is something else.
static const char *by_param(const Graph *g, NodeId n, NodeId *x) {
  const Node *y = &g->node[n];
  if (y->op != OP_linear || y->attr.of_linear.inner != 1 || g->node[y->in[1]].op != OP_param || g->node[y->in[1]].type.rank != 2) return NULL;
  *x = y->in[0];
  return g->node[y->in[1]].attr.name;
}

// Is delta scale * up (down x)?
static void low_rank(const Graph *g, NodeId delta, NodeId x, BAdapter *out) {
  double scale = 1;
  NodeId n = delta, before = NODE_NONE;
  for (NodeId last = NODE_NONE; last != n;) last = n, n = unscaled(g, n, &scale);
  const char *up = by_param(g, n, &n);
  for (NodeId last = NODE_NONE; up && last != n;) last = n, n = unscaled(g, n, &scale);
  const char *down = up ? by_param(g, n, &before) : NULL;
  if (down && before == x) out->up = up, out->down = down, out->scale = scale;
}

static NodeId add_to(Ev *ev, const Adapt *a, const Met *t, bool turned, NodeId x, NodeId y) {
  Build *b = ev->b;
  Loc loc = a->decl->kid[0]->loc;
  const char *name = arena_printf(b->a, "%s.%s", ev->m->pub->name, module_of(b, t->tensor));
  Applied at = {name, a->decl, a->decl->kid[0], a->op, arena_printf(b->a, "the product '%s'", name)};
  NodeId in = flat(ev, loc, x), delta = op_apply(ev, &at, flat(ev, loc, y), in);
  if (delta == NODE_NONE) return y;
  if (ev->entry == ENTRY_SCORE && map_first(b->a, &b->adapters, name, b->nadapter) < 0) {
    BAdapter one = {.model = ev->m->index, .layer = ev->layer, .name = name, .tensor = t->tensor, .module = t->module, .op = a->op->name, .turned = turned};
    low_rank(ev->g, delta, in, &one);
    ARENA_PUSH(b->a, b->adapter, b->nadapter, b->capadapter, one);
  }
  const Type *ty = t_type(ev, y);
  return t_bin(ev, loc, OP_add, y, t_reshape(ev, loc, delta, ty->dim, ty->rank));
}

NodeId adapt_product(Ev *ev, NodeId x, NodeId w, NodeId y, bool exact) {
  MInst *m = ev->m;
  const Graph *g = ev->g;
  if (!m || !m->nadapt || ev->unread || y == NODE_NONE) return y;
  bool turned = false;
  for (; op_is(g->node[w].op, T_SAME_DATA | T_TURNED); w = g->node[w].in[0]) turned |= op_is(g->node[w].op, T_TURNED);
  int met = op_is(g->node[w].op, T_STORED | T_TRAINED) ? map_find(&m->mets, g->node[w].attr.name + strlen(m->pub->name) + 1) : -1;
  if (met < 0) return y;                           // nothing that a file holds
  Met *t = &m->met[met];
  bool tuned = op_is(g->node[w].op, T_TRAINED);
  const Adapt *by = NULL;
  t->product = true, t->inside |= ev->under != NULL;
  for (int i = 0, k; i < m->nadapt; i++) {
    const Adapt *a = &m->adapt[i];
    if (!spend(ev, a->decl->loc, 1 + a->decl->nkid / 8)) return y;
    if (!in_layers(ev, a) || !names_it(ev->b, a, t, &k) || (!a->npattern && (tuned || exact || !ev->under))) continue;
    a->found[k] = true;
    if (a->sel) a->met[ev->layer] = true;
    Loc loc = a->npattern ? pattern(a, k)->loc : a->decl->loc;
    if (tuned) fail_at(ev->b, loc, "'%s' of model '%s' is tuned: 'adapt' is for products whose weights stay as they are", t->tensor, m->pub->name);
    else if (!ev->under) fail_at(ev->b, loc, "'%s' of model '%s' stands outside of its blocks, whose products 'adapt' adds to", t->tensor, m->pub->name);
    else if (by && fail_at(ev->b, loc, "'%s' of model '%s' is adapted twice", t->tensor, m->pub->name)) diag_note(ev->b->d, by->decl->loc, "the first time here");
    if (!by && !tuned && ev->under) by = a;
  }
  return by && by->op ? add_to(ev, by, t, turned, x, y) : y;
}

// ---- what patterns did not find

// What the products of a model's blocks are called, by the last word of their names, each once; *near: the pattern of `word`, where it is one of them, or the word nearest to it.
static const char *product_words(Build *b, const MInst *m, const char *word, const char **near) {
  Near to = near_begin(word);
  bool is_one = false;
  Map seen = {0};
  Buf all = {0};
  for (int i = 0; i < m->nmet; i++) {
    const char *w = last_word(m->met[i].module);
    if (!m->met[i].inside || map_first(b->a, &seen, w, i) >= 0) continue;
    near_offer(&to, w);
    is_one |= !strcmp(w, word);
    if (seen.n <= 12) buf_printf(&all, "%s%s", all.n ? ", " : "", w);
  }
  *near = is_one ? arena_printf(b->a, "*.%s", word) : to.best;
  const char *text = arena_strdup(b->a, all.n ? all.s : "none");
  buf_free(&all);
  return text;
}

static void check_pattern(Build *b, const MInst *m, const Adapt *a, int k) {
  const Ast *p = a->npattern ? pattern(a, k) : a->decl;
  const char *word = !a->npattern ? "" : p->kind == AST_NAME ? p->name : last_word(module_of(b, p->str));
  const char *near, *words = product_words(b, m, word, &near), *where = a->sel ? " in these layers" : "";
  if (p->kind == AST_NAME && near && !strcmp(last_word(near), word)) near = NULL;      // its blocks have it, but not these layers'
  const char *text = arena_printf(b->a, p->kind == AST_NAME ? "'%s'" : "\"%s\"", p->kind == AST_NAME ? p->name : p->str);
  for (int i = 0, first; a->npattern && i < m->nmet; i++)
    if (!m->met[i].product && names_it(b, a, &m->met[i], &first) && first == k) {
      fail_at(b, p->loc, "%s fits '%s' of model '%s', which no product reads: 'adapt' adds to products, of which its blocks have %s", text, m->met[i].tensor, m->pub->name,
              words);
      return;
    }
  if (a->found[k]) return;
  if (!a->npattern) fail_at(b, p->loc, "the blocks of model '%s' that are read have no product to adapt%s", m->pub->name, where);
  else
    fail_at(b, p->loc, "no product of model '%s' that is read is called %s%s%s%s%s%s; those of its blocks end in %s", m->pub->name, p->kind == AST_NAME ? "" : "like ", text,
            where, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", words);
}

// A layer that was listed by its number has something to adapt; what every, all or a range select may have layers that have not.
static void check_listed(Build *b, const MInst *m, const Adapt *a) {
  for (int i = 0; i < a->layers.n && a->sel->kind == AST_SEL_LIST; i++)
    if (!a->met[a->layers.v[i]])
      fail_at(b, a->sel->kid[i]->loc, "layer %d of model '%s' has no such product that is read%s", a->layers.v[i], m->pub->name,
              a->layers.v[i] ? "" : " (layer 0 is the embedding output)");
}

void check_adapts(Build *b, MInst *m) {
  if (!m->sound || m->erred) return;
  for (int i = 0; i < m->nadapt; i++) {
    const Adapt *a = &m->adapt[i];
    int errors = b->d->errors;
    for (int k = 0; k < (a->npattern ? a->npattern : 1); k++) check_pattern(b, m, a, k);
    if (a->sel && b->d->errors == errors) check_listed(b, m, a);
  }
}
