// Statements, macros and loops: see eval.h.
#include "runtime/template/eval.h"

typedef enum Flow { GO_ON, BREAK, CONTINUE } Flow;

typedef struct Loop {
  const List *items;
  size_t i;
  int depth;
  const Node *node;            // and where it stands, for a recursive one
  Scope *scope;
  Value changed;               // what loop.changed was asked last; a tuple, or UNDEFINED
} Loop;

typedef struct Macro {
  const MacroDef *def;
  Scope *scope;                // that it was defined in
} Macro;

static Flow run(Eval *x, Scope *s, const Node *n, Buf *out);

static Scope *inner(Eval *x, Scope *up) {
  Scope *s = tp_alloc(x->t, 1, sizeof *s);
  s->up = up;
  return s;
}

// --- macros

static Value macro_value(Eval *x, const MacroDef *def, Scope *s) {
  Macro *m = tp_alloc(x->t, 1, sizeof *m);
  *m = (Macro){def, s};
  return (Value){.kind = MACRO, .object = m};
}

Value call_macro(Eval *x, Value f, const Call *c) {
  const Macro *m = f.object;
  const MacroDef *d = m->def;
  const char *of = d->name ? d->name : "caller";
  Scope *s = inner(x, m->scope);
  tp_enter(x->t);
  if (c->n > d->n) tp_fail(x->t, "macro %s takes %zu argument%s, %zu were given", of, d->n, plural((int64_t)d->n), c->n);
  for (size_t i = 0; i < c->n; i++) scope_set(x, s, d->arg[i], c->at[i]);
  for (size_t k = 0; k < c->n_named; k++) {
    size_t i = 0;
    while (i < d->n && strcmp(d->arg[i], c->key[k]) != 0) i++;
    bool caller = !strcmp(c->key[k], "caller");
    if (i == d->n && !caller) tp_fail(x->t, "macro %s has no argument %s", of, c->key[k]);
    if (i < c->n) tp_fail(x->t, "macro %s: %s is given twice", of, c->key[k]);
    scope_set(x, s, c->key[k], c->named[k]);
  }
  for (size_t i = c->n; i < d->n; i++) {
    bool given = false;
    for (size_t k = 0; k < c->n_named; k++) given |= !strcmp(d->arg[i], c->key[k]);
    if (!given) scope_set(x, s, d->arg[i], d->fallback[i] ? compute(x, s, d->fallback[i]) : v_undefined(d->arg[i]));
  }
  Buf b = buf_new(x->t);
  run(x, s, d->body, &b);
  x->t->depth--;
  return buf_value(&b);
}

// --- loops

static void assign(Eval *x, Scope *s, const Node *to, Value v) {
  if (to->kind == E_NAME) {
    scope_set(x, s, to->name, v);
  } else if (to->kind == E_ATTR) {
    const Value *ns = scope_find(s, to->a->name);
    if (!ns || ns->kind != NAMESPACE) tp_fail(x->t, "'%s' is no namespace, whose members can be set", to->a->name);
    if (to->name[0] == '_') tp_fail(x->t, "a namespace has no members that begin with _");
    dict_set(x->t, ns->dict, v_cstr(to->name), v);
  } else {
    const List *l = v_items(x->t, v);
    if (l->n != to->n) tp_fail(x->t, "%zu values for %zu names", l->n, to->n);
    for (size_t i = 0; i < to->n; i++) assign(x, s, to->kid[i], l->at[i]);
  }
}

static const List *chosen(Eval *x, Scope *s, const Node *n, const List *l) {
  if (!n->c) return l;
  Value out = v_list(x->t, LIST, 0);
  for (size_t i = 0; i < l->n; i++) {
    Scope *one = inner(x, s);
    assign(x, one, n->b, l->at[i]);
    if (v_true(compute(x, one, n->c))) list_add(x->t, out.list, l->at[i]);
  }
  return out.list;
}

static Flow loop_over(Eval *x, Scope *s, const Node *n, Value over, int depth, Buf *out) {
  const List *l = chosen(x, s, n, v_items(x->t, over));
  if (!l->n && n->kid[1]) return run(x, inner(x, s), n->kid[1], out);
  Loop *loop = tp_alloc(x->t, 1, sizeof *loop);
  *loop = (Loop){.items = l, .depth = depth, .node = n, .scope = s};
  for (; loop->i < l->n; loop->i++) {
    Scope *one = inner(x, s);
    tp_spend(x->t, 1);
    scope_set(x, one, "loop", (Value){.kind = LOOP, .object = loop});
    assign(x, one, n->b, l->at[loop->i]);
    if (run(x, one, n->kid[0], out) == BREAK) break;
  }
  return GO_ON;
}

Value call_loop(Eval *x, Value f, const Call *c) {
  const Loop *loop = f.object;
  if (!loop->node->flag) tp_fail(x->t, "the loop is called, and is not recursive");
  if (c->n != 1 || c->n_named) tp_fail(x->t, "loop(…) takes what to go over");
  tp_enter(x->t);
  Buf b = buf_new(x->t);
  loop_over(x, loop->scope, loop->node, c->at[0], loop->depth + 1, &b);
  x->t->depth--;
  return buf_value(&b);
}

static Value cycle(Tp *t, const In *in) {
  const Loop *loop = in->v.object;
  if (!in->all->n || in->all->n_named) tp_fail(t, "loop.cycle: nothing to go through");
  return in->all->at[loop->i % in->all->n];
}

static Value changed(Tp *t, const In *in) {
  Loop *loop = in->v.object;
  Value now = v_list(t, TUPLE, in->all->n);
  for (size_t i = 0; i < in->all->n; i++) list_add(t, now.list, in->all->at[i]);
  bool is = loop->changed.kind == UNDEFINED || !v_equal(t, loop->changed, now);
  loop->changed = now;
  return v_bool(is);
}

Value loop_attr(Eval *x, Value v, const char *name) {
  static const Word methods[] = {{"cycle", "*", 0, cycle}, {"changed", "*", 0, changed}};
  const Loop *l = v.object;
  int64_t i = (int64_t)l->i, n = (int64_t)l->items->n;
  const struct { const char *name; Value v; } members[] = {
      {"index", v_int(i + 1)}, {"index0", v_int(i)}, {"revindex", v_int(n - i)}, {"revindex0", v_int(n - i - 1)}, {"first", v_bool(i == 0)},
      {"last", v_bool(i + 1 == n)}, {"length", v_int(n)}, {"depth", v_int(l->depth)}, {"depth0", v_int(l->depth - 1)},
      {"previtem", i ? l->items->at[i - 1] : v_undefined("the item before the first")},
      {"nextitem", i + 1 < n ? l->items->at[i + 1] : v_undefined("the item behind the last")},
  };
  for (size_t k = 0; k < sizeof members / sizeof *members; k++)
    if (!strcmp(members[k].name, name)) return members[k].v;
  for (size_t k = 0; k < 2; k++) {
    if (strcmp(methods[k].name, name) != 0) continue;
    Bound *b = tp_alloc(x->t, 1, sizeof *b);
    *b = (Bound){v, &methods[k]};
    return (Value){.kind = METHOD, .object = b};
  }
  tp_fail(x->t, "a loop has no '%s'", name);
}

// --- statements

static Flow run_if(Eval *x, Scope *s, const Node *n, Buf *out) {
  for (size_t i = 0; i + 1 < n->n; i += 2)
    if (v_true(compute(x, s, n->kid[i]))) return run(x, s, n->kid[i + 1], out);
  return n->n % 2 ? run(x, s, n->kid[n->n - 1], out) : GO_ON;
}

static Value captured(Eval *x, Scope *s, const Node *n) {
  Buf b = buf_new(x->t);
  run(x, inner(x, s), n->kid[0], &b);
  return call_filters(x, s, n->a, buf_value(&b));
}

static Flow run_with(Eval *x, Scope *s, const Node *n, Buf *out) {
  Scope *own = inner(x, s);
  Value *v = tp_alloc(x->t, n->n, sizeof *v);
  for (size_t i = 0; i + 1 < n->n; i += 2) v[i] = compute(x, s, n->kid[i + 1]);      // none sees another
  for (size_t i = 0; i + 1 < n->n; i += 2) assign(x, own, n->kid[i], v[i]);
  return run(x, own, n->kid[n->n - 1], out);
}

static Flow run_body(Eval *x, Scope *s, const Node *n, Buf *out) {
  for (size_t i = 0; i < n->n; i++) {
    Flow f = run(x, s, n->kid[i], out);
    if (f != GO_ON) return f;
  }
  return GO_ON;
}

static Flow run_one(Eval *x, Scope *s, const Node *n, Buf *out) {
  size_t from = out->n;
  switch (n->kind) {
    case S_BODY: return run_body(x, s, n, out);
    case S_TEXT: buf_put(out, n->value.s, n->value.n); break;
    case S_PRINT: put_str(out, compute(x, s, n->a)); break;
    case S_IF: return run_if(x, s, n, out);
    case S_FOR: return loop_over(x, s, n, compute(x, s, n->a), 1, out);
    case S_SET: assign(x, s, n->b, compute(x, s, n->a)); break;
    case S_SET_BLOCK: assign(x, s, n->b, captured(x, s, n)); break;
    case S_MACRO: scope_set(x, s, n->macro->name, macro_value(x, n->macro, s)); break;
    case S_CALL: put_str(out, compute_call(x, s, n->a, macro_value(x, n->macro, s))); break;
    case S_FILTER: put_str(out, captured(x, s, n)); break;
    case S_WITH: return run_with(x, s, n, out);
    case S_GENERATION:
      run(x, inner(x, s), n->kid[0], out);
      buf_generated(out, from);
      break;
    case S_BREAK: return BREAK;
    case S_CONTINUE: return CONTINUE;
    default: tp_fail(x->t, "no statement");
  }
  return GO_ON;
}

static Flow run(Eval *x, Scope *s, const Node *n, Buf *out) {
  tp_enter(x->t);
  tp_spend(x->t, 1);
  x->t->line = n->line;
  Flow f = run_one(x, s, n, out);
  x->t->depth--;
  return f;
}

void run_template(Eval *x, Scope *s, const Node *body, Buf *out) { run(x, s, body, out); }
