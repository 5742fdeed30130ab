// The evaluator: one walk over expressions and statements for compile-time values and tensors alike.
#include <stdio.h>
#include <string.h>

#include "build/ctx.h"
#include "dsl/base/elements.h"
#include "runtime/core/core.h"

enum { MAX_DEPTH = 64, MAX_LEVELS = 2048, MAX_ITEMS = 1 << 20 };   // calls, expressions in one another (with those of functions called)

static bool poisoned(const Value *v) { return v->kind == V_POISON; }

// Did an earlier stage report an error of e itself, not of a part of it?
static bool told_itself(const Build *b, const Ast *e) {
  if (!b->spec->ntold || !spec_told(b->spec, e->loc)) return false;
  for (int i = 0; i < e->nkid; i++)
    if (e->kid[i] && spec_told(b->spec, e->kid[i]->loc)) return false;
  return true;
}

// ---- names and strings

// The value of a config key; made once, for a list may be long and be asked for by every block.
static Value key_value(Ev *ev, MInst *m, const char *name, Loc loc) {
  Build *b = ev->b;
  json_t *j = json_object_get(m->keys, name);
  int i = map_find(&m->known, name);
  if (i >= 0) return m->value[i];
  if (j && !spend(ev, loc, json_units(j))) return v_poison();
  const char *kept = arena_strdup(b->a, name);
  Value v = j ? v_json(b, j, kept) : v_none(kept);
  map_put(b->a, &m->known, kept, m->nvalue);
  ARENA_PUSH(b->a, m->value, m->nvalue, m->capvalue, v);
  return v;
}

static Value eval_name(Ev *ev, Scope *s, const Ast *e) {
  const Binding *x = scope_find(s, e->name);
  Value v;
  if (x) return x->v;
  MInst *m = scope_keys(s);
  if (m && arch_bound(ev, m, e->name, &v)) return v;
  if (m && json_object_get(m->keys, e->name)) return key_value(ev, m, e->name, e->loc);
  if (builtin_constant(e->name, &v)) return v;
  if (m) return key_value(ev, m, e->name, e->loc);
  const char *near = nearest_name(ev->b, s, e->name);
  return lack(ev, e->loc, "'%s' is not known here%s%s%s", e->name, near ? "; did you mean '" : "", near ? near : "",
              near ? "'?" : "");
}

Value eval_string(Ev *ev, Scope *s, const char *text, Loc loc) {
  Buf out = {0};
  Value bad = v_none(NULL);
  if (!spend_text(ev, loc, text)) return silent(ev);
  buf_puts(&out, "");
  for (const char *p = text; *p && !poisoned(&bad);) {
    size_t n = *p == '{' ? strspn(p + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") : 0;
    if (!n || p[1 + n] != '}') {
      size_t plain = 1 + strcspn(p + 1, "{");
      buf_write(&out, p, plain);
      p += plain;
      continue;
    }
    Ast name = {.kind = AST_NAME, .loc = loc, .name = arena_strndup(ev->b->a, p + 1, n)};
    Value v = eval_name(ev, s, &name);
    if (v.kind == V_INT) buf_printf(&out, "%lld", (long long)v.i);
    else if (v.kind == V_STRING) buf_puts(&out, v.s);
    else if (!poisoned(&v))
      bad = fail(ev, loc, "{%s} in a string must be a whole number or a string; found %s", name.name, v_text(ev, &v));
    else bad = v;
    p += n + 2;
  }
  bool room = spend(ev, loc, (int64_t)out.n / 32);
  const char *s2 = room ? arena_strdup(ev->b->a, out.s) : NULL;
  buf_free(&out);
  return !room ? v_poison() : poisoned(&bad) ? bad : v_string(s2);
}

static Value eval_names(Ev *ev, Scope *s, const Ast *e) {
  Value *v = ARENA_ARRAY(ev->b->a, Value, e->nkid + 1);
  for (int i = 0; i < e->nkid; i++) {
    v[i] = eval(ev, s, e->kid[i]);
    if (poisoned(&v[i])) return v[i];
    if (v[i].kind != V_STRING)
      return fail(ev, e->kid[i]->loc, "alternative names are strings; found %s", v_text(ev, &v[i]));
  }
  return (Value){.kind = V_NAMES, .v = v, .n = e->nkid};
}

// ---- lists, conditions, operators

// Lists in lists are walked by functions that call themselves.
static Value list_of(Ev *ev, Loc loc, const Value *v, int n) {
  Value list = v_list(v, n);
  if (list.i <= MAX_LEVELS) return list;
  return fail(ev, loc, "lists stand too deeply in one another: at most %d levels", MAX_LEVELS);
}

static Value eval_list(Ev *ev, Scope *s, const Ast *e) {
  if (!spend(ev, e->loc, (int64_t)e->nkid * VALUE_UNITS)) return v_poison();
  Value *v = ARENA_ARRAY(ev->b->a, Value, e->nkid + 1);
  bool bad = false;
  for (int i = 0; i < e->nkid; i++) {
    v[i] = eval(ev, s, e->kid[i]);
    bad |= poisoned(&v[i]);
  }
  return bad ? v_poison() : list_of(ev, e->loc, v, e->nkid);
}

static bool bounds(Ev *ev, Scope *s, const Ast *lo, const Ast *hi, int64_t *from, int64_t *to) {
  Value x = eval(ev, s, lo), y = eval(ev, s, hi);
  if (poisoned(&x) || poisoned(&y)) return false;
  const Ast *odd = !v_whole(&x, from) ? lo : !v_whole(&y, to) ? hi : NULL;
  if (odd) {
    const char *text = source_text(ev->b, odd->loc), *is = v_text(ev, odd == lo ? &x : &y);
    bool named = strcmp(text, is) != 0;
    return fail(ev, odd->loc, "a range %s at a whole number; %s%s%s", odd == lo ? "begins" : "ends", named ? text : "found", named ? " is " : " ", is), false;
  }
  if (*to > *from && (uint64_t)*to - (uint64_t)*from > MAX_ITEMS)
    return fail(ev, hi->loc, "this range is too long"), false;
  return true;
}

// [expr for name in lo..hi] (three kids), or over the elements of a list (hi NULL or absent)
static Value eval_comprehension(Ev *ev, Scope *s, const Ast *e) {
  int64_t lo = 0, hi = 0;
  Value over = v_none(NULL);
  bool list = e->nkid < 3 || !e->kid[2];
  Scope *inner = scope_new(ev->b, s);
  if (ev->survey) {                    // of what no one knows
    scope_bind(ev->b, inner, e->name, v_poison(), e->name_loc);
    eval(ev, inner, e->kid[0]);
  }
  if (list) {
    over = eval(ev, s, e->kid[1]);
    if (poisoned(&over)) return over;
    if (over.kind != V_LIST)
      return fail(ev, e->kid[1]->loc, "'for … in' goes over a range or a list; found %s", v_text(ev, &over));
    hi = over.n;
  } else if (!bounds(ev, s, e->kid[1], e->kid[2], &lo, &hi)) {
    return v_poison();
  }
  int n = hi > lo ? (int)(hi - lo) : 0;
  if (!spend(ev, e->loc, (int64_t)n * VALUE_UNITS)) return v_poison();
  Value *v = ARENA_ARRAY(ev->b->a, Value, n + 1);
  for (int i = 0; i < n; i++) {
    scope_bind(ev->b, inner, e->name, list ? over.v[i] : v_int(lo + i), e->name_loc);
    v[i] = eval(ev, inner, e->kid[0]);
    if (poisoned(&v[i])) return v[i];
  }
  return list_of(ev, e->loc, v, n);
}

static Value eval_truth(Ev *ev, Scope *s, const Ast *e) {
  Value v = eval(ev, s, e);
  if (v.kind == V_BOOL || poisoned(&v)) return v;
  return fail(ev, e->loc, "expected true or false; found %s", v_text(ev, &v));
}

static Value eval_binary(Ev *ev, Scope *s, const Ast *e) {
  bool is_and = !strcmp(e->str, "and");
  if (is_and || !strcmp(e->str, "or")) {
    Value x = eval_truth(ev, s, e->kid[0]);
    return poisoned(&x) || x.b != is_and ? x : eval_truth(ev, s, e->kid[1]);
  }
  Value x = eval(ev, s, e->kid[0]);
  if (!strcmp(e->str, "??")) return x.kind == V_NONE ? eval(ev, s, e->kid[1]) : x;
  Value y = eval(ev, s, e->kid[1]);
  if (ev->survey && !strchr("=!", e->str[0])) lacks(ev, &x, NULL), lacks(ev, &y, NULL);
  if (poisoned(&x) || poisoned(&y)) return v_poison();
  bool equal = !strcmp(e->str, "=="), nothing = x.kind == V_NONE || y.kind == V_NONE;
  if (nothing && (equal || !strcmp(e->str, "!="))) return v_bool((x.kind == y.kind) == equal);      // whatever the other is, a tensor too
  bool tensors = x.kind == V_TENSOR || y.kind == V_TENSOR || x.kind == V_WEIGHT || y.kind == V_WEIGHT;
  return tensors ? t_binary(ev, e, x, y) : num_binary(ev, e, x, y);
}

static Value eval_unary(Ev *ev, Scope *s, const Ast *e) {
  Value x = eval(ev, s, e->kid[0]);
  if (poisoned(&x)) return x;
  return x.kind == V_TENSOR || x.kind == V_WEIGHT ? t_unary(ev, e, x) : num_unary(ev, e, x);
}

// ---- extents, indices, members

void note_config(Ev *ev, const Ast *e) {
  for (int i = 0; ev->m && e->kind == AST_NAME && i < ev->m->config->nkid; i++) {
    const Ast *k = ev->m->config->kid[i];
    if (k->kind == AST_BIND && !strcmp(k->name, e->name))
      diag_note(ev->b->d, k->name_loc, "%s is %s of %s", k->name, source_text(ev->b, k->kid[1]->loc), ev->m->config_path);
  }
}

// The values of the names in an expression that is more than a name: " (D = 48, heads = 5)"; "" where there are none.
static void name_values(Ev *ev, Scope *s, const Ast *e, Buf *out) {
  enum { ENOUGH = 200 };
  if (out->n > ENOUGH) return;
  const Binding *x = e->kind == AST_NAME ? scope_find(s, e->name) : NULL;
  if (x) {
    Value v = x->v;
    const char *text = poisoned(&v) ? NULL : arena_printf(ev->b->a, "%s = %s", e->name, v_text(ev, &v));
    if (text && !(out->n && strstr(out->s, text))) buf_printf(out, "%s%s", out->n ? ", " : " (", text);
  }
  for (int i = 0; i < e->nkid && e->kind != AST_NAME; i++)
    if (e->kid[i]) name_values(ev, s, e->kid[i], out);
}

// An extent: a whole number, or a row symbol.
static bool eval_extent(Ev *ev, Scope *s, const Ast *e, int64_t *out) {
  Value v = eval(ev, s, e);
  if (poisoned(&v)) return false;
  if (v.kind == V_EXTENT) {
    *out = v.i;
    return true;
  }
  if (!v_size(&v, ELEMENTS_MOST, out)) {
    const char *found = v_text(ev, &v), *what = source_text(ev->b, e->loc);
    if (!ev->b->cause) ev->b->cause = arena_printf(ev->b->a, "%s = %s", what, found);
    int before = ev->b->d->errors;
    if (v_whole(&v, out) && *out > 0) fail(ev, e->loc, "an extent is at most %lld; %s is %s", (long long)ELEMENTS_MOST, what, found);
    else {
      Buf where = {0};
      if (e->kind != AST_NAME && e->kind != AST_NUMBER) name_values(ev, s, e, &where);
      fail(ev, e->loc, "an extent is a whole number from 1 on; %s is %s%s%s", what, found, where.n ? where.s : "", where.n ? ")" : "");
      buf_free(&where);
    }
    if (ev->b->d->errors != before) note_config(ev, e);
    return false;
  }
  return true;
}

int eval_dims(Ev *ev, Scope *s, const Ast *dims, const int64_t *met, int n_met, int64_t *out) {
  bool ok = true;
  int64_t elements = 1;
  if (dims->nkid > MAX_RANK) {
    fail(ev, dims->loc, "at most %d extents are possible; found %d", MAX_RANK, dims->nkid);
    return -1;
  }
  for (int i = 0; i < dims->nkid; i++) {
    const Ast *e = dims->kid[i];
    if (met && i < n_met && e->kind == AST_NAME && !scope_find(s, e->name)) {
      Value v = dim_is_sym(met[i]) ? (Value){.kind = V_EXTENT, .i = met[i]} : v_int(met[i]);
      scope_bind(ev->b, s, e->name, v, e->loc);
    }
    ok = eval_extent(ev, s, e, &out[i]) && ok;
    if (!ok && !ev->survey) return -1;
    if (!ok || dim_is_sym(out[i]) || elements_times(&elements, out[i])) continue;
    fail(ev, dims->loc, "%s are more elements than a tensor may have: at most %lld", show_dims(ev->b, ev->g, out, i + 1), (long long)ELEMENTS_MOST);
    return -1;
  }
  return ok ? dims->nkid : -1;
}

static Value eval_index(Ev *ev, Scope *s, const Ast *e) {
  Value x = eval(ev, s, e->kid[0]);
  if (x.kind == V_WEIGHT || (ev->survey && poisoned(&x))) {
    int64_t dim[MAX_RANK] = {0};
    Ast dims = {.kind = AST_DIMS, .loc = e->loc, .kid = e->kid + 1, .nkid = e->nkid - 1};
    int n = eval_dims(ev, s, &dims, NULL, 0, dim);
    return n < 0 || poisoned(&x) ? v_poison() : weight_shaped(ev, e, x, dim, n);
  }
  if (poisoned(&x)) return x;
  if (x.kind == V_NONE && e->kid[0]->kind == AST_CALL) return x;      // weight?("…") that is not there
  if (x.kind != V_LIST)
    return fail(ev, e->loc, "[…] picks an element of a list or gives a weight its shape; found %s", v_text(ev, &x));
  if (e->nkid != 2) return fail(ev, e->loc, "a list takes one index");
  Value at = eval(ev, s, e->kid[1]);
  int64_t i;
  if (poisoned(&at)) return at;
  if (!v_whole(&at, &i) || i < 0 || i >= x.n)
    return fail(ev, e->kid[1]->loc, "no element %s in a list of %d (the first is 0)", v_text(ev, &at), x.n);
  return x.v[i];
}

static Value eval_member(Ev *ev, Scope *s, const Ast *e) {
  Value x = eval(ev, s, e->kid[0]);
  if (poisoned(&x)) return x;
  if (x.s && (x.kind == V_NONE || x.kind == V_CONFIG) && !spend_text(ev, e->loc, x.s)) return v_poison();
  if (x.kind == V_NONE) return v_none(x.s ? arena_printf(ev->b->a, "%s.%s", x.s, e->name) : NULL);
  if (x.kind == V_TENSOR && !strcmp(e->name, "t")) return t_turned(ev, e->loc, x);
  if (x.kind != V_CONFIG) return fail(ev, e->loc, "no member '%s' in %s", e->name, v_text(ev, &x));
  const char *path = arena_printf(ev->b->a, "%s.%s", x.s, e->name);
  json_t *j = json_object_get(x.json, e->name);
  if (j && !spend(ev, e->loc, json_units(j))) return v_poison();
  return j ? v_json(ev->b, j, path) : v_none(path);
}

// ---- functions and blocks

bool bind_formal(Ev *ev, Scope *s, const Ast *formal, Value v, Loc at) {
  const Ast *dims = formal->nkid ? formal->kid[0] : NULL;
  for (int i = 0; dims && poisoned(&v) && i < dims->nkid; i++) {
    const Ast *e = dims->kid[i];
    if (e->kind == AST_NAME && !scope_find(s, e->name)) scope_bind(ev->b, s, e->name, v, e->loc);
  }
  if (dims && !poisoned(&v)) {
    if (v.kind != V_TENSOR) {
      fail(ev, at, "'%s' is a tensor %s; found %s", formal->name, source_text(ev->b, dims->loc), v_text(ev, &v));
      return false;
    }
    Type t = *t_type(ev, v.node);
    int64_t dim[MAX_RANK];
    int n = eval_dims(ev, s, dims, t.dim, t.rank, dim);
    if (n < 0) return false;
    bool same = n == t.rank;
    for (int i = 0; same && i < n; i++) same = dim[i] == t.dim[i];
    if (!same) {
      fail(ev, at, "'%s' is declared %s = %s; found a tensor %s", formal->name, source_text(ev->b, dims->loc),
           show_dims(ev->b, ev->g, dim, n), show_type(ev->b, ev->g, &t));
      return false;
    }
  }
  scope_bind(ev->b, s, formal->name, v, formal->loc);
  return true;
}

Value call_fn(Ev *ev, Scope *up, const Ast *fn, const Value *arg, const Loc *at, int n, Loc loc) {
  if (spec_told(ev->b->spec, fn->kid[0]->loc) || spec_told_syntax(ev->b->spec, fn->loc)) return silent(ev);
  if (++ev->depth > MAX_DEPTH) {
    ev->depth--;
    return fail(ev, loc, "'%s' calls itself without end", fn->name);
  }
  const Ast *formals = fn->kid[0];
  Scope *s = scope_new(ev->b, up);
  Value r = v_poison();
  if (!spend(ev, loc, CALL_UNITS)) {
    ev->depth--;
    return r;
  }
  bool ok = true;
  Loc called = ev->called;
  if (fn->loc.file != loc.file && !called.file) ev->called = loc;
  for (int i = 0; i < formals->nkid && ok; i++) {
    const Ast *f = formals->kid[i];
    Value v = i < n ? arg[i] : v_none(NULL);
    Loc where = i < n ? at[i] : loc;
    if (i >= n || !where.file) {
      if (f->nkid < 2 || !f->kid[1]) {
        lack(ev, loc, "'%s' needs '%s'", fn->name, f->name);
        ok = false;
        break;
      }
      v = eval(ev, s, f->kid[1]);
      where = loc;
    }
    ok = (ev->survey || !poisoned(&v)) && bind_formal(ev, s, f, v, where);
  }
  if (ok) r = eval_body(ev, s, fn->kid[1]);
  ev->called = called;
  ev->depth--;
  return r;
}

// name[dims] = expr: a declared shape reshapes; of a list of numbers it makes a tensor
static Value declared(Ev *ev, Scope *s, const Ast *bind, Value v) {
  const Ast *dims = bind->kid[0];
  int64_t dim[MAX_RANK];
  if (v.kind == V_LIST && ev->g) {
    NodeId list = t_operand(ev, bind->kid[1]->loc, v);
    v = list == NODE_NONE ? v_poison() : v_tensor(list);
  }
  if (v.kind != V_TENSOR && !poisoned(&v))
    return fail(ev, bind->kid[1]->loc, "'%s' is declared a tensor %s; found %s", bind->name,
                source_text(ev->b, dims->loc), v_text(ev, &v));
  int n = eval_dims(ev, s, dims, NULL, 0, dim);
  return n < 0 || poisoned(&v) ? v_poison() : v_tensor(t_reshape(ev, dims->loc, v.node, dim, n));
}

static bool eval_param(Ev *ev, Scope *s, const Ast *p) {
  int64_t dim[MAX_RANK];
  if (!ev->applied || !ev->g) {
    fail(ev, p->loc, "parameters are declared in ops only");
    return false;
  }
  int n = eval_dims(ev, s, p->kid[0], NULL, 0, dim);
  if (n < 0) return false;
  Value init = v_none(NULL);
  if (p->nkid > 1 && p->kid[1]) {
    init = eval(ev, s, p->kid[1]);
    double x;
    if (v_number(&init, &x)) init = (Value){.kind = V_DIST, .n = INIT_CONSTANT, .f = x};
    if (poisoned(&init)) return false;
    if (init.kind != V_DIST) {
      fail(ev, p->kid[1]->loc,
           "an initial value is zeros, ones, normal(s), uniform(a), fan_in(gain) or a number; found %s",
           v_text(ev, &init));
      return false;
    }
  }
  const char *name = arena_printf(ev->b->a, "%s.%s", ev->applied->name, p->name);
  NodeId node = param_node(ev, name, dim, n, init.kind == V_DIST ? &init : NULL, -1, p->loc);
  scope_bind(ev->b, s, p->name, v_tensor(node), p->loc);
  return node != NODE_NONE;
}

// After an error it goes on with a name that means nothing: further statements may have errors of their own.
static Value eval_block(Ev *ev, Scope *up, const Ast *block) {
  Scope *s = scope_new(ev->b, up);
  for (int i = 0; i < block->nkid; i++) {
    const Ast *k = block->kid[i];
    if (k->kind == AST_RETURN) return eval(ev, s, k->kid[0]);
    if (k->kind == AST_PARAM) {
      if (told_itself(ev->b, k) || !eval_param(ev, s, k)) scope_bind(ev->b, s, k->name, silent(ev), k->loc);
      continue;
    }
    if (k->kind != AST_BIND) return fail(ev, k->loc, "a %s cannot stand here", ast_kind_name(k->kind));
    Value v = eval(ev, s, k->kid[1]);
    if ((ev->survey || !poisoned(&v)) && k->kid[0]) v = declared(ev, s, k, v);
    scope_bind(ev->b, s, k->name, v, k->name_loc);
  }
  return lack(ev, block->loc, "this block returns nothing: expected 'return …' at its end");
}

Value eval_body(Ev *ev, Scope *s, const Ast *body) {
  return body->kind == AST_BLOCK ? eval_block(ev, s, body) : eval(ev, s, body);
}

// A function of the arch, a function of the spec or library, or a builtin.
static Value eval_call(Ev *ev, Scope *s, const Ast *e) {
  if (!strncmp(e->name, "weight", 6) && (!e->name[6] || !strcmp(e->name + 6, "?"))) return weight_named(ev, s, e);
  const Ast *fn = NULL;
  Scope *up = NULL;
  MInst *m = scope_keys(s);
  int own = m ? map_find(&m->fns, e->name) : -1;
  if (own >= 0) {
    fn = m->arch->kid[own];
    up = m->scope;
  }
  if (!fn) fn = spec_find_seen(ev->b->spec, AST_FN, e->name, e->loc);
  if (!fn) return call_builtin(ev, s, e);
  const Ast *formals = fn->kid[0];
  if (formals->nkid > MOST_FORMALS) return silent(ev);
  Value *arg = ARENA_ARRAY(ev->b->a, Value, formals->nkid + 1);
  Loc *at = ARENA_ARRAY(ev->b->a, Loc, formals->nkid + 1);
  bool bad = false;
  for (int i = 0, next = 0; i < e->nkid; i++) {
    const Ast *k = e->kid[i];
    int slot = next;
    if (k->kind == AST_NAMED) {
      for (slot = 0; slot < formals->nkid && strcmp(formals->kid[slot]->name, k->name); slot++) {}
      if (slot == formals->nkid) return fail(ev, k->loc, "'%s' takes no '%s'", fn->name, k->name);
    } else {
      next++;
    }
    if (slot >= formals->nkid) return fail(ev, k->loc, "'%s' takes %d argument%s", fn->name, formals->nkid, plural(formals->nkid));
    if (at[slot].file) return fail(ev, k->loc, "'%s' is given twice", formals->kid[slot]->name);
    arg[slot] = eval(ev, s, k->kind == AST_NAMED ? k->kid[0] : k);
    at[slot] = k->loc;
    bad |= poisoned(&arg[slot]);
  }
  return bad && !ev->survey ? v_poison() : call_fn(ev, up, fn, arg, at, formals->nkid, e->loc);
}

static Value eval_kind(Ev *ev, Scope *s, const Ast *e) {
  switch (e->kind) {
    case AST_NUMBER: return e->is_int ? v_int((int64_t)e->num) : v_float(e->num);
    case AST_STRING: return eval_string(ev, s, e->str, e->loc);
    case AST_NAME: return eval_name(ev, s, e);
    case AST_TRUE: return v_bool(true);
    case AST_FALSE: return v_bool(false);
    case AST_NONE: return v_none(NULL);
    case AST_LIST: return eval_list(ev, s, e);
    case AST_COMPREHEND: return eval_comprehension(ev, s, e);
    case AST_COND: {
      Value c = eval_truth(ev, s, e->kid[0]);
      return poisoned(&c) ? c : eval(ev, s, e->kid[c.b ? 1 : 2]);
    }
    case AST_BINARY: return eval_binary(ev, s, e);
    case AST_UNARY: return eval_unary(ev, s, e);
    case AST_CALL: return eval_call(ev, s, e);
    case AST_INDEX: return eval_index(ev, s, e);
    case AST_MEMBER: return eval_member(ev, s, e);
    case AST_ALT: return eval_names(ev, s, e);
    default: return fail(ev, e->loc, "a %s cannot stand in an expression", ast_kind_name(e->kind));
  }
}

// Of a call that an earlier stage refused its arguments may still be looked at.
static Value eval_told(Ev *ev, Scope *s, const Ast *e) {
  for (int i = 0; e->kind == AST_CALL && i < e->nkid; i++) {
    const Ast *arg = e->kid[i];
    eval(ev, s, arg->kind == AST_NAMED ? arg->kid[0] : arg);
  }
  return silent(ev);
}

Value eval(Ev *ev, Scope *s, const Ast *e) {
  if (!spend(ev, e->loc, 1)) return silent(ev);
  if (told_itself(ev->b, e)) return eval_told(ev, s, e);
  if (ev->levels >= MAX_LEVELS) return fail(ev, e->loc, "this is nested too deeply: at most %d levels with those of the functions it is called from", MAX_LEVELS);
  ev->levels++;
  Value v = eval_kind(ev, s, e);
  ev->levels--;
  return v;
}
