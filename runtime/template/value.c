// See value.h: making values, and what Python says of two of them.
#include "runtime/template/value.h"

#include <math.h>
#include <string.h>

Value v_cstr(const char *s) { return v_text(s, strlen(s)); }

Value v_list(Tp *t, Kind kind, size_t cap) {
  List *l = tp_alloc(t, 1, sizeof *l);
  if (cap) l->at = tp_alloc(t, cap, sizeof *l->at), l->cap = cap;
  return (Value){.kind = kind, .list = l};
}

Value v_dict(Tp *t) { return (Value){.kind = DICT, .dict = tp_alloc(t, 1, sizeof(Dict))}; }

void list_add(Tp *t, List *l, Value v) {
  if (l->n == l->cap) {
    size_t cap = l->cap * 2 + 4;
    Value *at = tp_alloc(t, cap, sizeof *at);
    if (l->n) memcpy(at, l->at, l->n * sizeof *at);
    l->at = at, l->cap = cap;
  }
  l->at[l->n++] = v;
}

const Value *dict_find(Tp *t, const Dict *d, Value key) {
  tp_spend(t, d->n / 4);
  for (size_t i = 0; i < d->n; i++)
    if (v_equal(t, d->key[i], key)) return &d->value[i];
  return NULL;
}

const Value *dict_named(const Dict *d, const char *key) {
  for (size_t i = 0; i < d->n; i++)
    if (is_text(d->key[i], key)) return &d->value[i];
  return NULL;
}

static void dict_add(Tp *t, Dict *d, Value key, Value value) {
  if (d->n == d->cap) {
    size_t cap = d->cap * 2 + 4;
    Value *k = tp_alloc(t, cap, sizeof *k), *v = tp_alloc(t, cap, sizeof *v);
    if (d->n) memcpy(k, d->key, d->n * sizeof *k), memcpy(v, d->value, d->n * sizeof *v);
    d->key = k, d->value = v, d->cap = cap;
  }
  d->key[d->n] = key, d->value[d->n++] = value;
}

void dict_set(Tp *t, Dict *d, Value key, Value value) {
  if (is_listed(key) ? key.kind != TUPLE : key.kind >= DICT && key.kind <= NAMESPACE) tp_fail(t, "a %s cannot be a key", v_kind(key));
  const Value *old = dict_find(t, d, key);
  if (old) d->value[old - d->value] = value;
  else dict_add(t, d, key, value);
}

// --- from JSON

static Value text_of_json(Tp *t, const json_t *j) {
  size_t n = json_string_length(j);
  char *s = tp_alloc(t, n + 1, 1);
  return v_text(memcpy(s, json_string_value(j), n), n);
}

Value v_of_json(Tp *t, const json_t *j) {
  tp_enter(t);
  Value out = v_none();
  switch (j ? json_typeof(j) : JSON_NULL) {
    case JSON_NULL: break;
    case JSON_TRUE: out = v_bool(true); break;
    case JSON_FALSE: out = v_bool(false); break;
    case JSON_INTEGER: out = v_int(json_integer_value(j)); break;
    case JSON_REAL: out = v_float(json_real_value(j)); break;
    case JSON_STRING: out = text_of_json(t, j); break;
    case JSON_ARRAY:
      out = v_list(t, LIST, json_array_size(j));
      for (size_t i = 0; i < json_array_size(j); i++) list_add(t, out.list, v_of_json(t, json_array_get(j, i)));
      break;
    case JSON_OBJECT: {
      const char *key;
      json_t *v;
      out = v_dict(t);
      json_object_foreach((json_t *)(uintptr_t)j, key, v) {
        size_t n = strlen(key);
        char *k = tp_alloc(t, n + 1, 1);
        memcpy(k, key, n);
        dict_add(t, out.dict, v_text(k, n), v_of_json(t, v));
      }
    }
  }
  t->depth--;
  return out;
}

// s is of a message's content, from `offset` of it on.
static void mark(Tp *t, Value *s, size_t message, size_t *offset) {
  if (!s->n) return;
  Runs *r = tp_alloc(t, 1, sizeof *r + sizeof *r->run);
  r->n = 1;
  r->run[0] = (TemplateRun){0, s->n, *offset, (int32_t)message, false};
  s->runs = r;
  *offset += s->n;
}

static void mark_content(Tp *t, Value *content, size_t message) {
  size_t offset = 0;
  if (content->kind == STR) mark(t, content, message, &offset);
  for (size_t i = 0; content->kind == LIST && i < content->list->n; i++) {
    Value *part = &content->list->at[i], *text = part;
    if (part->kind == DICT) text = (Value *)(uintptr_t)dict_named(part->dict, "text");
    if (text && text->kind == STR) mark(t, text, message, &offset);
  }
}

// As transformers hands a message over: without null members, its reasoning under every name that templates read.
static Value v_of_message(Tp *t, const json_t *j, size_t message) {
  static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
  Value all = v_of_json(t, j), out = v_dict(t);
  const Value *reasoning = NULL;
  for (int i = 0; i < 3 && !reasoning; i++)
    if ((reasoning = dict_named(all.dict, names[i])) && reasoning->kind == NONE) reasoning = NULL;
  const Value *thinking = dict_named(all.dict, "thinking");
  if (reasoning) dict_add(t, out.dict, v_cstr("thinking"), thinking && thinking->kind != NONE ? *thinking : *reasoning);
  for (size_t i = 0; i < all.dict->n; i++) {
    if (all.dict->value[i].kind == NONE || (reasoning && is_text(all.dict->key[i], "thinking"))) continue;
    if (is_text(all.dict->key[i], "content")) mark_content(t, &all.dict->value[i], message);
    dict_add(t, out.dict, all.dict->key[i], all.dict->value[i]);
  }
  if (reasoning) dict_set(t, out.dict, v_cstr("reasoning_content"), *reasoning);
  return out;
}

Value v_of_messages(Tp *t, const json_t *messages, size_t n) {
  Value out = v_list(t, LIST, n);
  for (size_t i = 0; i < n; i++) {
    const json_t *m = json_array_get(messages, i);
    if (!json_is_object(m)) tp_fail(t, "message %zu: expected an object", i + 1);
    list_add(t, out.list, v_of_message(t, m, i));
  }
  return out;
}

// --- what Python says

const char *v_kind(Value v) {
  static const char *const name[] = {"undefined value", "None", "bool", "int", "float", "str", "list", "tuple", "range", "dict view", "generator", "dict",
                                     "namespace", "loop", "macro", "function", "method", "cycler", "joiner"};
  return name[v.kind];
}

_Noreturn void fail_undefined(Tp *t, Value v) { tp_fail(t, "%s is undefined", v.s ? v.s : "a value"); }

bool v_true(Value v) {
  switch (v.kind) {
    case UNDEFINED: case NONE: return false;
    case BOOL: case INT: return v.i != 0;
    case FLOAT: return v.f != 0;
    case STR: return v.n != 0;
    case LIST: case TUPLE: case RANGE: case VIEW: return v.list->n != 0;
    case DICT: return v.dict->n != 0;
    default: return true;
  }
}

static bool is_number(Value v) { return v.kind >= BOOL && v.kind <= FLOAT; }
static double number_of(Value v) { return v.kind == FLOAT ? v.f : (double)v.i; }

static bool equal_lists(Tp *t, const List *a, const List *b) {
  if (a->n != b->n) return false;
  for (size_t i = 0; i < a->n; i++)
    if (!v_equal(t, a->at[i], b->at[i])) return false;
  return true;
}

static bool equal_dicts(Tp *t, const Dict *a, const Dict *b) {
  if (a->n != b->n) return false;
  for (size_t i = 0; i < a->n; i++) {
    const Value *v = dict_find(t, b, a->key[i]);
    if (!v || !v_equal(t, a->value[i], *v)) return false;
  }
  return true;
}

bool v_equal(Tp *t, Value a, Value b) {
  if (is_number(a) && is_number(b)) return a.kind != FLOAT && b.kind != FLOAT ? a.i == b.i : number_of(a) == number_of(b);
  if (a.kind != b.kind) return false;
  bool same;
  switch (a.kind) {
    case UNDEFINED: case NONE: return true;
    case STR:
      tp_spend(t, a.n / 64);
      return a.n == b.n && !memcmp(a.s, b.s, a.n);
    case LIST: case TUPLE: case RANGE:
      tp_enter(t), tp_spend(t, a.list->n);
      same = equal_lists(t, a.list, b.list);
      t->depth--;
      return same;
    case DICT:
      tp_enter(t);
      same = equal_dicts(t, a.dict, b.dict);
      t->depth--;
      return same;
    default: return a.object == b.object;
  }
}

int v_order(Tp *t, Value a, Value b) {
  if (is_number(a) && is_number(b)) {
    if (a.kind != FLOAT && b.kind != FLOAT) return (a.i > b.i) - (a.i < b.i);
    double x = number_of(a), y = number_of(b);
    return (x > y) - (x < y);
  }
  if (a.kind == STR && b.kind == STR) {
    size_t n = a.n < b.n ? a.n : b.n;
    tp_spend(t, n / 64);
    int c = n ? memcmp(a.s, b.s, n) : 0;                 // UTF-8 has the order of code points
    return c ? c : (a.n > b.n) - (a.n < b.n);
  }
  if (a.kind == b.kind && (a.kind == LIST || a.kind == TUPLE)) {
    tp_enter(t), tp_spend(t, a.list->n);
    int c = 0;
    for (size_t i = 0; c == 0 && i < a.list->n && i < b.list->n; i++)
      if (!v_equal(t, a.list->at[i], b.list->at[i])) c = v_order(t, a.list->at[i], b.list->at[i]);
    t->depth--;
    return c ? c : (a.list->n > b.list->n) - (a.list->n < b.list->n);
  }
  if (a.kind == UNDEFINED) fail_undefined(t, a);
  if (b.kind == UNDEFINED) fail_undefined(t, b);
  tp_fail(t, "a %s and a %s have no order", v_kind(a), v_kind(b));
}

bool v_in(Tp *t, Value x, Value in) {
  if (in.kind == STR) {
    if (x.kind == UNDEFINED) fail_undefined(t, x);
    if (x.kind != STR) tp_fail(t, "'in' a str expects a str, found a %s", v_kind(x));
    tp_spend(t, in.n / 16);
    return x.n == 0 || memmem(in.s, in.n, x.s, x.n);
  }
  if (in.kind == DICT) return dict_find(t, in.dict, x) != NULL;
  const List *l = v_items(t, in);
  tp_spend(t, l->n);
  for (size_t i = 0; i < l->n; i++)
    if (v_equal(t, l->at[i], x)) return true;
  return false;
}

int64_t v_length(Tp *t, Value v) {
  switch (v.kind) {
    case UNDEFINED: return 0;
    case STR: return (int64_t)s_chars(v);
    case LIST: case TUPLE: case RANGE: case VIEW: return (int64_t)v.list->n;
    case DICT: return (int64_t)v.dict->n;
    default: tp_fail(t, "a %s has no length", v_kind(v));
  }
}

List *v_items(Tp *t, Value v) {
  Value out;
  switch (v.kind) {
    case LIST: case TUPLE: case RANGE: case VIEW: return v.list;
    case UNDEFINED: return v_list(t, LIST, 0).list;
    case GENERATOR:
      out = v_list(t, LIST, 0);
      out.list->at = v.list->at + v.list->used, out.list->n = out.list->cap = v.list->n - v.list->used;
      v.list->used = v.list->n;
      return out.list;
    case DICT:
      out = v_list(t, LIST, v.dict->n);
      for (size_t i = 0; i < v.dict->n; i++) list_add(t, out.list, v.dict->key[i]);
      return out.list;
    case STR:
      out = v_list(t, LIST, 0);
      tp_spend(t, v.n);
      for (size_t at = 0, k; at < v.n; at += k) {
        uint32_t c;
        k = rt_utf8_next(v.s + at, &c);
        list_add(t, out.list, s_part(t, v, at, at + k));
      }
      return out.list;
    default: tp_fail(t, "a %s cannot be iterated over", v_kind(v));
  }
}
