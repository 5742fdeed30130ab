// Expressions: see eval.h.
#include "runtime/template/eval.h"
#include "runtime/template/operators.h"

const Value *scope_find(const Scope *s, const char *name) {
  for (; s; s = s->up)
    for (size_t i = s->n; i-- > 0;)
      if (!strcmp(s->var[i].name, name)) return &s->var[i].v;
  return NULL;
}

void scope_set(Eval *x, Scope *s, const char *name, Value v) {
  for (size_t i = 0; i < s->n; i++)
    if (!strcmp(s->var[i].name, name)) {
      s->var[i].v = v;
      return;
    }
  if (s->n == s->cap) {
    size_t cap = s->cap * 2 + 4;
    Var *var = tp_alloc(x->t, cap, sizeof *var);
    if (s->n) memcpy(var, s->var, s->n * sizeof *var);
    s->var = var, s->cap = cap;
  }
  s->var[s->n++] = (Var){name, v};
}

static Value name(Eval *x, const Scope *s, const char *of) {
  static const char *const other[] = {"cycler", "joiner", "lipsum", "varargs", "kwargs", "self", "super"};
  const Value *v = scope_find(s, of);
  if (v) return *v;
  const Word *w = function_find(of);
  if (w) return (Value){.kind = FUNCTION, .object = (void *)(uintptr_t)w};
  for (size_t i = 0; i < sizeof other / sizeof *other; i++)
    if (!strcmp(of, other[i])) tp_fail(x->t, "'%s' is not supported", of);
  size_t n = strlen(of);
  char *quoted = tp_alloc(x->t, n + 3, 1);
  quoted[0] = quoted[n + 1] = '\'';
  memcpy(quoted + 1, of, n);
  return v_undefined(quoted);
}

static Value list(Eval *x, Scope *s, const Node *n, Kind kind) {
  Value out = v_list(x->t, kind, n->n);
  for (size_t i = 0; i < n->n; i++) list_add(x->t, out.list, compute(x, s, n->kid[i]));
  return out;
}

static Value dict(Eval *x, Scope *s, const Node *n) {
  Value out = v_dict(x->t);
  for (size_t i = 0; i + 1 < n->n; i += 2) {
    Value key = compute(x, s, n->kid[i]);
    dict_set(x->t, out.dict, key, compute(x, s, n->kid[i + 1]));
  }
  return out;
}

static Value item(Eval *x, Scope *s, const Node *n) {
  Value v = compute(x, s, n->a);
  if (n->b->kind != E_SLICE) return v_item(x->t, v, compute(x, s, n->b));
  Value at[3];
  for (int i = 0; i < 3; i++) at[i] = n->b->kid[i] ? compute(x, s, n->b->kid[i]) : v_none();
  return v_slice(x->t, v, at[0], at[1], at[2]);
}

// What stands in the brackets of a call; `more` for one further argument by name.
static Call arguments(Eval *x, Scope *s, const Args *a) {
  List by_place = {0}, by_name = {0};
  Value keys = v_dict(x->t);
  for (size_t i = 0; i < a->n; i++) {
    Value v = compute(x, s, a->at[i]);
    if (!a->key[i]) list_add(x->t, &by_place, v);
    else if (dict_find(x->t, keys.dict, v_cstr(a->key[i]))) tp_fail(x->t, "the argument %s is given twice", a->key[i]);
    else dict_set(x->t, keys.dict, v_cstr(a->key[i]), v);
  }
  if (a->more) {
    const List *l = v_items(x->t, compute(x, s, a->more));
    for (size_t i = 0; i < l->n; i++) list_add(x->t, &by_place, l->at[i]);
  }
  if (a->named) {
    Value d = compute(x, s, a->named);
    if (d.kind != DICT) tp_fail(x->t, "** wants a dict, found a %s", v_kind(d));
    for (size_t i = 0; i < d.dict->n; i++) {
      if (d.dict->key[i].kind != STR || dict_find(x->t, keys.dict, d.dict->key[i])) tp_fail(x->t, "** gives an argument twice, or one without a name");
      dict_set(x->t, keys.dict, d.dict->key[i], d.dict->value[i]);
    }
  }
  const char **key = tp_alloc(x->t, keys.dict->n + 2, sizeof *key);          // and room for a caller (run.c)
  for (size_t i = 0; i < keys.dict->n; i++) {
    Value k = keys.dict->key[i];
    char *z = tp_alloc(x->t, k.n + 1, 1);
    memcpy(z, k.s, k.n);
    key[i] = z;
    list_add(x->t, &by_name, keys.dict->value[i]);
  }
  list_add(x->t, &by_name, v_none());
  return (Call){by_place.at, by_place.n, key, by_name.at, keys.dict->n};
}

static Value call(Eval *x, Scope *s, const Node *n, const Value *caller) {
  Value f = compute(x, s, n->a);
  Call c = arguments(x, s, &n->args);
  if (caller) {
    ((const char **)(uintptr_t)c.key)[c.n_named] = "caller";
    ((Value *)(uintptr_t)c.named)[c.n_named++] = *caller;
  }
  x->t->line = n->line;
  switch (f.kind) {
    case UNDEFINED: fail_undefined(x->t, f);
    case FUNCTION: return word_call(x->t, f.object, "function", v_none(), &c, x->now);
    case METHOD: return word_call(x->t, ((const Bound *)f.object)->word, "method", ((const Bound *)f.object)->self, &c, x->now);
    case MACRO: return call_macro(x, f, &c);
    case LOOP: return call_loop(x, f, &c);
    default: tp_fail(x->t, "a %s cannot be called", v_kind(f));
  }
}

Value compute_call(Eval *x, Scope *s, const Node *n, Value caller) { return call(x, s, n, &caller); }

static Value filter(Eval *x, Scope *s, const Node *n, Value v) {
  Call c = arguments(x, s, &n->args);
  const Word *w = filter_find(n->name);
  x->t->line = n->line;
  word_known(x->t, "filter", w != NULL, n->name);
  return word_call(x->t, w, "filter", v, &c, x->now);
}

Value call_filters(Eval *x, Scope *s, const Node *n, Value v) {
  if (!n) return v;
  return filter(x, s, n, call_filters(x, s, n->a, v));
}

static Value test(Eval *x, Scope *s, const Node *n) {
  Value v = compute(x, s, n->a);
  Call c = arguments(x, s, &n->args);
  const Word *w = test_find(n->name);
  x->t->line = n->line;
  word_known(x->t, "test", w != NULL, n->name);
  return word_call(x->t, w, "test", v, &c, x->now);
}

static Value attribute(Eval *x, Scope *s, const Node *n) {
  Value v = compute(x, s, n->a);
  x->t->line = n->line;
  return v.kind == LOOP ? loop_attr(x, v, n->name) : v_attr(x->t, v, n->name, strlen(n->name));
}

static Value concat(Eval *x, Scope *s, const Node *n) {
  Buf b = buf_new(x->t);
  for (size_t i = 0; i < n->n; i++) put_str(&b, compute(x, s, n->kid[i]));
  return buf_value(&b);
}

static Value comparison(Eval *x, Scope *s, const Node *n) {
  Value a = compute(x, s, n->a);
  for (size_t i = 0; i < n->n; i++) {
    Value b = compute(x, s, n->kid[i]);
    x->t->line = n->line;
    if (!v_compare(x->t, n->ops[i], a, b)) return v_bool(false);
    a = b;
  }
  return v_bool(true);
}

static Value computed(Eval *x, Scope *s, const Node *n) {
  Value a, b;
  switch (n->kind) {
    case E_CONST: return n->value;
    case E_NAME: return name(x, s, n->name);
    case E_LIST: return list(x, s, n, LIST);
    case E_TUPLE: return list(x, s, n, TUPLE);
    case E_DICT: return dict(x, s, n);
    case E_ATTR: return attribute(x, s, n);
    case E_ITEM: return item(x, s, n);
    case E_CALL: return call(x, s, n, NULL);
    case E_FILTER: return filter(x, s, n, compute(x, s, n->a));
    case E_TEST: return test(x, s, n);
    case E_IF:
      if (v_true(compute(x, s, n->b))) return compute(x, s, n->a);
      return n->c ? compute(x, s, n->c) : v_undefined("an 'if' without 'else'");
    case E_AND:
      a = compute(x, s, n->a);
      return v_true(a) ? compute(x, s, n->b) : a;
    case E_OR:
      a = compute(x, s, n->a);
      return v_true(a) ? a : compute(x, s, n->b);
    case E_NOT: return v_bool(!v_true(compute(x, s, n->a)));
    case E_NEG: return v_negative(x->t, compute(x, s, n->a));
    case E_POS:
      a = compute(x, s, n->a);
      v_negative(x->t, a);                                 // it has a sign
      return a;
    case E_MATH:
      a = compute(x, s, n->a), b = compute(x, s, n->b);
      x->t->line = n->line;
      return v_math(x->t, n->op, a, b);
    case E_CONCAT: return concat(x, s, n);
    case E_COMPARE: return comparison(x, s, n);
    default: tp_fail(x->t, "a slice stands for itself");
  }
}

Value compute(Eval *x, Scope *s, const Node *n) {
  tp_enter(x->t);
  tp_spend(x->t, 1);
  x->t->line = n->line;
  Value v = computed(x, s, n);
  x->t->depth--;
  return v;
}
