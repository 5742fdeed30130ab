// Functions that every template has: see words.h.
#include "runtime/template/words.h"

enum { MOST = 100000, WHEN = 256 };                        // of a range, as the sandbox has it; bytes of a date

static Value range(Tp *t, const In *in) {
  int64_t from = in->given[1] ? arg_int(t, in, 0, 0) : 0, to = in->given[1] ? arg_int(t, in, 1, 0) : arg_int(t, in, 0, 0), step = arg_int(t, in, 2, 1);
  if (!step) tp_fail(t, "range: a step of 0");
  Value out = v_list(t, RANGE, 0);
  for (__int128 i = from; step > 0 ? i < to : i > to; i += step) {
    if (out.list->n == MOST) tp_fail(t, "range: more than %d numbers", MOST);
    tp_spend(t, 1);
    list_add(t, out.list, v_int((int64_t)i));
  }
  return out;
}

static Value members(Tp *t, const In *in, const char *what) {
  Value out = v_dict(t);
  if (in->all->n > 1) tp_fail(t, "%s: at most one argument by place", what);
  if (in->all->n) {
    Value from = in->all->at[0];
    if (from.kind == DICT) {
      for (size_t i = 0; i < from.dict->n; i++) dict_set(t, out.dict, from.dict->key[i], from.dict->value[i]);
    } else {
      const List *l = v_items(t, from);
      for (size_t i = 0; i < l->n; i++) {
        if (!is_listed(l->at[i]) || l->at[i].list->n != 2) tp_fail(t, "%s: expected pairs", what);
        dict_set(t, out.dict, l->at[i].list->at[0], l->at[i].list->at[1]);
      }
    }
  }
  for (size_t i = 0; i < in->all->n_named; i++) dict_set(t, out.dict, v_cstr(in->all->key[i]), in->all->named[i]);
  return out;
}

static Value dict(Tp *t, const In *in) { return members(t, in, "dict"); }

static Value namespace(Tp *t, const In *in) {
  Value out = members(t, in, "namespace");
  for (size_t i = 0; i < out.dict->n; i++)
    if (out.dict->key[i].kind == STR && out.dict->key[i].n && out.dict->key[i].s[0] == '_') tp_fail(t, "a namespace has no members that begin with _");
  out.kind = NAMESPACE;
  return out;
}

static Value raise(Tp *t, const In *in) {
  Value s = in->arg[0];
  if (s.kind != STR) tp_fail(t, "raise_exception: a %s", v_kind(s));
  tp_fail(t, "%.*s", (int)(s.n < 600 ? s.n : 600), s.s);
}

static Value strftime_now(Tp *t, const In *in) {
  Value f = arg_str(t, in, 0, "");
  if (!in->now) tp_fail(t, "strftime_now: no date was given");
  if (memchr(f.s, 0, f.n)) tp_fail(t, "strftime_now: a NUL in the format");
  if (memmem(f.s, f.n, "%f", 2)) tp_fail(t, "strftime_now: %%f is not supported");
  char *format = tp_alloc(t, f.n + 2, 1), *out = tp_alloc(t, WHEN, 1);
  memcpy(format, f.s, f.n);
  format[f.n] = '.';                                       // so that no date is empty
  size_t n = strftime(out, WHEN, format, in->now);
  if (!n) tp_fail(t, "strftime_now: the date is too long");
  return v_text(out, n - 1);
}

static const Word functions[] = {
    {"range", "start stop step", 1, range}, {"dict", "*", 0, dict},          {"namespace", "*", 0, namespace},
    {"raise_exception", "message", 1, raise}, {"strftime_now", "format", 1, strftime_now},
};

const Word *function_find(const char *name) {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
    if (!strcmp(functions[i].name, name)) return &functions[i];
  return NULL;
}
