// Filters, `x | …`: see words.h.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/template/print.h"
#include "runtime/template/words.h"

static Value from_list(Kind kind, List *l) { return (Value){.kind = kind, .list = l}; }
static const Call no_args;

// --- of one value

static Value f_default(Tp *t, const In *in) {
  (void)t;
  bool missing = in->v.kind == UNDEFINED || (arg_bool(in, 1, false) && !v_true(in->v));
  return !missing ? in->v : in->given[0] ? in->arg[0] : v_text("", 0);
}

static Value f_length(Tp *t, const In *in) { return v_int(v_length(t, in->v)); }
static Value f_string(Tp *t, const In *in) { return v_str(t, in->v); }
static Value f_list(Tp *t, const In *in) {
  List *l = v_items(t, in->v);
  return from_list(LIST, l);
}
static Value f_upper(Tp *t, const In *in) { return s_case(t, v_str(t, in->v), true); }
static Value f_lower(Tp *t, const In *in) { return s_case(t, v_str(t, in->v), false); }
static Value f_capitalize(Tp *t, const In *in) { return s_capital(t, v_str(t, in->v)); }

static Value f_trim(Tp *t, const In *in) {
  Value chars = in->given[0] && in->arg[0].kind != NONE ? arg_str(t, in, 0, "") : v_undefined(NULL);
  return s_strip(t, v_str(t, in->v), chars, true, true);
}

static Value f_safe(Tp *t, const In *in) {
  Value s = v_str(t, in->v);
  s.markup = true;
  return s;
}

static Value escaped(Tp *t, Value v, bool always) {
  Value s = v_str(t, v);
  Buf b = buf_new(t);
  if (s.markup && !always) return s;
  for (size_t at = 0; at < s.n; at++) {
    char c = s.s[at];
    const char *as = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '\'' ? "&#39;" : c == '"' ? "&#34;" : NULL;
    if (as) buf_str(&b, as);
    else buf_text(&b, s_part(t, s, at, at + 1));
  }
  Value out = buf_value(&b);
  out.markup = true;
  return out;
}
static Value f_escape(Tp *t, const In *in) { return escaped(t, in->v, false); }
static Value f_forceescape(Tp *t, const In *in) { return escaped(t, in->v, true); }

static bool starts_word(uint32_t c) { return is_space(c) || (c < 0x80 && strchr("-({[<", (int)c)); }

static Value f_title(Tp *t, const In *in) {
  Value s = v_str(t, in->v);
  Buf b = buf_new(t);
  for (size_t at = 0, end; at < s.n; at = end) {
    uint32_t c;
    size_t k = rt_utf8_next(s.s + at, &c);
    bool apart = starts_word(c);
    for (end = at + k; end < s.n && (k = rt_utf8_next(s.s + end, &c), starts_word(c) == apart); end += k) {}
    buf_text(&b, apart ? s_part(t, s, at, end) : s_capital(t, s_part(t, s, at, end)));
  }
  return buf_value(&b);
}

static Value f_replace(Tp *t, const In *in) {
  bool counted = in->given[2] && in->arg[2].kind != NONE;
  return s_replace(t, v_str(t, in->v), v_str(t, in->arg[0]), v_str(t, in->arg[1]), counted ? arg_int(t, in, 2, -1) : -1);
}

static Value f_center(Tp *t, const In *in) { return s_padded(t, v_str(t, in->v), arg_int(t, in, 0, 80), v_cstr(" "), 0); }

static Value f_indent(Tp *t, const In *in) {
  if (in->v.kind != STR) tp_fail(t, "filter indent of a %s", v_kind(in->v));
  Value by = in->given[0] && in->arg[0].kind == STR ? in->arg[0] : s_padded(t, v_text("", 0), arg_int(t, in, 0, 4), v_cstr(" "), -1);
  bool first = arg_bool(in, 1, false), blank = arg_bool(in, 2, false);
  const List *l = s_lines(t, s_join2(t, in->v, v_cstr("\n"))).list;
  Buf b = buf_new(t);
  for (size_t i = 0; i < l->n; i++) {
    if (i) buf_str(&b, "\n");
    if (i ? blank || l->at[i].n : first) buf_text(&b, by);
    buf_text(&b, l->at[i]);
  }
  return buf_value(&b);
}

static Value f_truncate(Tp *t, const In *in) {
  Value s = v_str(t, in->v), end = arg_str(t, in, 2, "...");
  int64_t length = arg_int(t, in, 0, 255), leeway = in->given[3] && in->arg[3].kind != NONE ? arg_int(t, in, 3, 5) : 5, of_end = (int64_t)s_chars(end);
  if (length < of_end || leeway < 0) tp_fail(t, "filter truncate: a length of %lld is too small", (long long)length);
  if ((int64_t)s_chars(s) - leeway <= length) return s;
  size_t to = s_byte_of(s, (size_t)(length - of_end));
  const char *blank = arg_bool(in, 1, false) ? NULL : memrchr(s.s, ' ', to);
  return s_join2(t, s_part(t, s, 0, blank ? (size_t)(blank - s.s) : to), end);
}

static Value f_format(Tp *t, const In *in) {
  if (in->all->n_named) tp_fail(t, "filter format: arguments by name are not supported");
  return s_percent(t, v_str(t, in->v), in->all->at, in->all->n);
}

// --- numbers

static bool text_number(Tp *t, Value s, int base, bool real, Value *out) {
  Value own = s_strip(t, s, v_undefined(NULL), true, true);
  char *z = tp_alloc(t, own.n + 1, 1), *end = z;
  memcpy(z, own.s, own.n);
  if (!own.n || strspn(z, "0123456789+-.eEabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != own.n) return false;
  if (real && strpbrk(z, "xXpP")) return false;           // C's, not Python's
  *out = real ? v_float(strtod(z, &end)) : v_int(0);
  __int128 n = 0;
  if (!real) {
    bool minus = *end == '-';
    end += minus || *end == '+';
    const char *digits = end;
    for (; *end; end++) {
      int d = *end >= '0' && *end <= '9' ? *end - '0' : (*end | 0x20) >= 'a' ? (*end | 0x20) - 'a' + 10 : 99;
      if (d >= base) break;
      if ((n = n * base + d) > INT64_MAX) tp_fail(t, "the number %.40s is too large", z);
    }
    if (end == digits) return false;
    *out = v_int((int64_t)(minus ? -n : n));
  }
  return end == z + own.n;
}

static bool whole_of(Tp *t, double f, Value *out) {
  if (!isfinite(f)) return false;
  if (fabs(f) >= 9.2e18) tp_fail(t, "the number %g is too large", f);
  *out = v_int((int64_t)f);
  return true;
}

static Value f_int(Tp *t, const In *in) {
  Value v = in->v, out, otherwise = in->given[0] ? in->arg[0] : v_int(0);
  int64_t base = arg_int(t, in, 1, 10);
  if (base < 2 || base > 36) tp_fail(t, "filter int: a base of %lld", (long long)base);
  if (v.kind == BOOL || v.kind == INT) return v_int(v.i);
  if (v.kind == FLOAT) return whole_of(t, v.f, &out) ? out : otherwise;
  if (v.kind == UNDEFINED) fail_undefined(t, v);
  if (v.kind != STR) return otherwise;
  if (text_number(t, v, (int)base, false, &out)) return out;
  return text_number(t, v, 10, true, &out) && whole_of(t, out.f, &out) ? out : otherwise;
}

static Value f_float(Tp *t, const In *in) {
  Value v = in->v, out;
  if (v.kind == BOOL || v.kind == INT) return v_float((double)v.i);
  if (v.kind == FLOAT) return v;
  if (v.kind == UNDEFINED) fail_undefined(t, v);
  if (v.kind == STR && text_number(t, v, 10, true, &out)) return out;
  return in->given[0] ? in->arg[0] : v_float(0);
}

static Value number(Tp *t, Value v) {
  if (v.kind == UNDEFINED) fail_undefined(t, v);
  if (v.kind < BOOL || v.kind > FLOAT) tp_fail(t, "expected a number, found a %s", v_kind(v));
  return v.kind == BOOL ? v_int(v.i) : v;
}

static Value f_abs(Tp *t, const In *in) {
  Value v = number(t, in->v);
  if (v.kind == FLOAT) return v_float(fabs(v.f));
  if (v.i == INT64_MIN) tp_fail(t, "a number is too large");
  return v_int(v.i < 0 ? -v.i : v.i);
}

static Value f_round(Tp *t, const In *in) {
  Value v = number(t, in->v), how = arg_str(t, in, 1, "common");
  int64_t digits = arg_int(t, in, 0, 0);
  if (digits < 0 || digits > 300) tp_fail(t, "filter round: a precision of %lld is not supported", (long long)digits);
  double f = v.kind == FLOAT ? v.f : (double)v.i, power = pow(10, (double)digits);
  if (is_text(how, "ceil")) return v_float(ceil(f * power) / power);
  if (is_text(how, "floor")) return v_float(floor(f * power) / power);
  if (!is_text(how, "common")) tp_fail(t, "filter round: method must be common, ceil or floor");
  if (v.kind == INT) return v;
  char s[700];
  snprintf(s, sizeof s, "%.*f", (int)digits, f);
  return v_float(strtod(s, NULL));
}

// --- JSON

static Value f_tojson(Tp *t, const In *in) {
  JsonForm f = {.ascii = arg_bool(in, 0, false), .sort = arg_bool(in, 3, false), .item = v_cstr(", "), .key = v_cstr(": ")};
  if (in->given[1] && in->arg[1].kind != NONE) {
    Value by = in->arg[1].kind == STR ? in->arg[1] : s_padded(t, v_text("", 0), arg_int(t, in, 1, 0), v_cstr(" "), -1);
    f.indent = by.s, f.n_indent = by.n, f.item = v_cstr(",");
  }
  if (in->given[2] && in->arg[2].kind != NONE) {
    const List *l = is_listed(in->arg[2]) ? in->arg[2].list : NULL;
    if (!l || l->n != 2 || l->at[0].kind != STR || l->at[1].kind != STR) tp_fail(t, "tojson: separators are two strings");
    f.item = l->at[0], f.key = l->at[1];
  }
  Buf b = buf_new(t);
  put_json(&b, in->v, &f);
  return buf_value(&b);
}

// --- of many

typedef struct Getter {        // attribute="a.b.0"; no name: the thing itself
  Value name, otherwise;
  bool small;                  // without regard to case
} Getter;

static Value get(Tp *t, Value v, const Getter *g) {
  for (size_t at = 0; g->name.kind == STR && at <= g->name.n;) {
    const char *dot = memchr(g->name.s + at, '.', g->name.n - at);
    size_t end = dot ? (size_t)(dot - g->name.s) : g->name.n;
    Value key = v_text(g->name.s + at, end - at), place;
    v = v_item(t, v, key.n && key.s[0] >= '0' && key.s[0] <= '9' && text_number(t, key, 10, false, &place) ? place : key);
    if (v.kind == UNDEFINED && g->otherwise.kind != UNDEFINED && g->otherwise.kind != NONE) v = g->otherwise;
    at = end + 1;
  }
  if (g->name.kind == INT) v = v_item(t, v, g->name);
  return g->small && v.kind == STR ? s_case(t, v, false) : v;
}

static Getter getter(Tp *t, Value attribute, bool given, bool case_sensitive) {
  if (!given || attribute.kind == NONE) return (Getter){.name = v_undefined(NULL), .small = !case_sensitive};
  if (attribute.kind != STR && attribute.kind != INT) tp_fail(t, "expected the name of an attribute, found a %s", v_kind(attribute));
  if (attribute.kind == STR && memchr(attribute.s, ',', attribute.n)) tp_fail(t, "several attributes at once are not supported");
  return (Getter){.name = attribute, .small = !case_sensitive};
}

static Value f_first(Tp *t, const In *in) {
  if (in->v.kind == GENERATOR) return in->v.list->used < in->v.list->n ? in->v.list->at[in->v.list->used++] : v_undefined("the first of nothing");
  const List *l = v_items(t, in->v);
  return l->n ? l->at[0] : v_undefined("the first of nothing");
}

static Value f_last(Tp *t, const In *in) {
  if (in->v.kind == GENERATOR) tp_fail(t, "filter last of a generator");
  const List *l = v_items(t, in->v);
  return l->n ? l->at[l->n - 1] : v_undefined("the last of nothing");
}

static Value f_join(Tp *t, const In *in) {
  const List *l = v_items(t, in->v);
  Getter g = getter(t, in->arg[1], in->given[1], true);
  Value between = in->given[0] ? v_str(t, in->arg[0]) : v_text("", 0);
  Buf b = buf_new(t);
  for (size_t i = 0; i < l->n; i++) {
    if (i) buf_text(&b, between);
    put_str(&b, get(t, l->at[i], &g));
  }
  return buf_value(&b);
}

static Value f_reverse(Tp *t, const In *in) {
  const List *l = v_items(t, in->v);
  Value out = v_list(t, in->v.kind == GENERATOR ? LIST : GENERATOR, l->n);
  for (size_t i = l->n; i-- > 0;) list_add(t, out.list, l->at[i]);
  if (in->v.kind != STR) return out;
  Buf b = buf_new(t);
  for (size_t i = 0; i < out.list->n; i++) buf_text(&b, out.list->at[i]);
  return buf_value(&b);
}

static Value f_items(Tp *t, const In *in) {
  Value out = v_list(t, GENERATOR, 0);
  if (in->v.kind == UNDEFINED) return out;
  if (in->v.kind != DICT) tp_fail(t, "filter items of a %s", v_kind(in->v));
  for (size_t i = 0; i < in->v.dict->n; i++) {
    Value pair = v_list(t, TUPLE, 2);
    list_add(t, pair.list, in->v.dict->key[i]), list_add(t, pair.list, in->v.dict->value[i]);
    list_add(t, out.list, pair);
  }
  return out;
}

// In order, those that are equal as they stood.
static Value sorted(Tp *t, const List *l, const Getter *g, bool reverse) {
  Value out = v_list(t, LIST, l->n), keys = v_list(t, LIST, l->n);
  for (size_t i = 0; i < l->n; i++) {
    Value key = get(t, l->at[i], g);
    size_t at = out.list->n;
    list_add(t, out.list, l->at[i]), list_add(t, keys.list, key);
    for (int c; at && (tp_spend(t, 1), c = v_order(t, key, keys.list->at[at - 1]), reverse ? c > 0 : c < 0); at--)
      out.list->at[at] = out.list->at[at - 1], keys.list->at[at] = keys.list->at[at - 1];
    out.list->at[at] = l->at[i], keys.list->at[at] = key;
  }
  return out;
}

static Value f_sort(Tp *t, const In *in) {
  Getter g = getter(t, in->arg[2], in->given[2], arg_bool(in, 1, false));
  return sorted(t, v_items(t, in->v), &g, arg_bool(in, 0, false));
}

static Value f_dictsort(Tp *t, const In *in) {
  if (in->v.kind != DICT) tp_fail(t, "filter dictsort of a %s", v_kind(in->v));
  Value by = arg_str(t, in, 1, "key");
  if (!is_text(by, "key") && !is_text(by, "value")) tp_fail(t, "filter dictsort: by is key or value");
  Getter g = {.name = v_int(is_text(by, "value")), .otherwise = v_none(), .small = !arg_bool(in, 0, false)};
  return sorted(t, f_items(t, in).list, &g, arg_bool(in, 2, false));
}

static Value extreme(Tp *t, const In *in, int sign) {
  Getter g = getter(t, in->arg[1], in->given[1], arg_bool(in, 0, false));
  const List *l = v_items(t, in->v);
  Value out = v_undefined("the extreme of nothing"), best = out;
  for (size_t i = 0; i < l->n; i++) {
    Value key = get(t, l->at[i], &g);
    if (!i || v_order(t, key, best) * sign > 0) best = key, out = l->at[i];
  }
  return out;
}
static Value f_min(Tp *t, const In *in) { return extreme(t, in, -1); }
static Value f_max(Tp *t, const In *in) { return extreme(t, in, 1); }

static Value f_sum(Tp *t, const In *in) {
  Getter g = getter(t, in->arg[0], in->given[0], true);
  const List *l = v_items(t, in->v);
  Value sum = in->given[1] ? number(t, in->arg[1]) : v_int(0);
  for (size_t i = 0; i < l->n; i++) {
    Value v = number(t, get(t, l->at[i], &g));
    if (sum.kind == INT && v.kind == INT) {
      if (__builtin_add_overflow(sum.i, v.i, &sum.i)) tp_fail(t, "a number is too large");
    } else {
      sum = v_float((sum.kind == INT ? (double)sum.i : sum.f) + (v.kind == INT ? (double)v.i : v.f));
    }
  }
  return sum;
}

static Value f_unique(Tp *t, const In *in) {
  Getter g = getter(t, in->arg[1], in->given[1], arg_bool(in, 0, false));
  const List *l = v_items(t, in->v);
  Value out = v_list(t, GENERATOR, 0), keys = v_list(t, LIST, 0);
  for (size_t i = 0; i < l->n; i++) {
    Value key = get(t, l->at[i], &g);
    if (v_in(t, key, keys)) continue;
    list_add(t, keys.list, key), list_add(t, out.list, l->at[i]);
  }
  return out;
}

static Value f_batch(Tp *t, const In *in) {
  const List *l = v_items(t, in->v);
  int64_t size = arg_int(t, in, 0, 1);
  if (size < 1) tp_fail(t, "filter batch: %lld in a batch", (long long)size);
  Value out = v_list(t, GENERATOR, 0), row = out;
  for (size_t i = 0; i < l->n; i++) {
    if (i % (size_t)size == 0) row = v_list(t, LIST, 0), list_add(t, out.list, row);
    list_add(t, row.list, l->at[i]);
  }
  while (l->n && in->given[1] && in->arg[1].kind != NONE && row.list->n < (size_t)size) tp_spend(t, 1), list_add(t, row.list, in->arg[1]);
  return out;
}

static Value f_attr(Tp *t, const In *in) {
  Value name = arg_str(t, in, 0, "");
  if (in->v.kind == DICT && !method_find(DICT, name.s, name.n)) return v_undefined("an attribute that is not there");
  return v_attr(t, in->v, name.s, name.n);
}

// The filter or test whose name is the first argument at `from`, and what is left for it.
static const Word *named_word(Tp *t, const In *in, size_t from, const Word *(*find)(const char *), const char *what, Call *rest) {
  Value name = in->all->at[from];
  if (name.kind != STR) tp_fail(t, "expected the name of a %s, found a %s", what, v_kind(name));
  char *z = tp_alloc(t, name.n + 1, 1);
  memcpy(z, name.s, name.n);
  const Word *w = find(z);
  word_known(t, what, w != NULL, z);
  *rest = *in->all;
  rest->at += from + 1, rest->n -= from + 1;
  return w;
}

// What map, select and reject go through: of none, 0 or false, which others refuse, nothing.
static const List *items_if_any(Tp *t, Value v) { return v_items(t, v_true(v) ? v : v_undefined(NULL)); }

static Value f_map(Tp *t, const In *in) {
  const List *l = items_if_any(t, in->v);
  Value out = v_list(t, GENERATOR, l->n);
  Call rest;
  const Word *w = in->all->n ? named_word(t, in, 0, filter_find, "filter", &rest) : NULL;
  Getter g = {.otherwise = v_undefined(NULL)};
  for (size_t i = 0; !w && i < in->all->n_named; i++) {
    if (!strcmp(in->all->key[i], "attribute")) g = (Getter){getter(t, in->all->named[i], true, true).name, g.otherwise, false};
    else if (!strcmp(in->all->key[i], "default")) g.otherwise = in->all->named[i];
    else tp_fail(t, "filter map: there is no argument %s", in->all->key[i]);
  }
  if (!w && g.name.kind == UNDEFINED) tp_fail(t, "filter map wants a filter or an attribute");
  for (size_t i = 0; i < l->n; i++) list_add(t, out.list, w ? word_call(t, w, "filter", l->at[i], &rest, in->now) : get(t, l->at[i], &g));
  return out;
}

static Value selected(Tp *t, const In *in, bool by_attribute, bool wanted) {
  const List *l = items_if_any(t, in->v);
  Value out = v_list(t, GENERATOR, 0);
  if (by_attribute && !in->all->n) tp_fail(t, "the name of an attribute is missing");
  Getter g = by_attribute ? getter(t, in->all->at[0], true, true) : (Getter){.small = false};
  Call rest = no_args;
  const Word *w = in->all->n > (size_t)by_attribute ? named_word(t, in, by_attribute, test_find, "test", &rest) : NULL;
  for (size_t i = 0; i < l->n; i++) {
    Value v = get(t, l->at[i], &g);
    if (v_true(w ? word_call(t, w, "test", v, &rest, in->now) : v) == wanted) list_add(t, out.list, l->at[i]);
  }
  return out;
}
static Value f_select(Tp *t, const In *in) { return selected(t, in, false, true); }
static Value f_reject(Tp *t, const In *in) { return selected(t, in, false, false); }
static Value f_selectattr(Tp *t, const In *in) { return selected(t, in, true, true); }
static Value f_rejectattr(Tp *t, const In *in) { return selected(t, in, true, false); }

static const Word filters[] = {
    {"abs", "", 0, f_abs},
    {"attr", "name", 1, f_attr},
    {"batch", "linecount fill_with", 1, f_batch},
    {"capitalize", "", 0, f_capitalize},
    {"center", "width", 0, f_center},
    {"count", "", 0, f_length},
    {"d", "default_value boolean", 0, f_default},
    {"default", "default_value boolean", 0, f_default},
    {"dictsort", "case_sensitive by reverse", 0, f_dictsort},
    {"e", "", 0, f_escape},
    {"escape", "", 0, f_escape},
    {"first", "", 0, f_first},
    {"float", "default", 0, f_float},
    {"forceescape", "", 0, f_forceescape},
    {"format", "*", 0, f_format},
    {"indent", "width first blank", 0, f_indent},
    {"int", "default base", 0, f_int},
    {"items", "", 0, f_items},
    {"join", "d attribute", 0, f_join},
    {"last", "", 0, f_last},
    {"length", "", 0, f_length},
    {"list", "", 0, f_list},
    {"lower", "", 0, f_lower},
    {"map", "*", 0, f_map},
    {"max", "case_sensitive attribute", 0, f_max},
    {"min", "case_sensitive attribute", 0, f_min},
    {"reject", "*", 0, f_reject},
    {"rejectattr", "*", 0, f_rejectattr},
    {"replace", "old new count", 2, f_replace},
    {"reverse", "", 0, f_reverse},
    {"round", "precision method", 0, f_round},
    {"safe", "", 0, f_safe},
    {"select", "*", 0, f_select},
    {"selectattr", "*", 0, f_selectattr},
    {"sort", "reverse case_sensitive attribute", 0, f_sort},
    {"string", "", 0, f_string},
    {"sum", "attribute start", 0, f_sum},
    {"title", "", 0, f_title},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, f_tojson},
    {"trim", "chars", 0, f_trim},
    {"truncate", "length killwords end leeway", 0, f_truncate},
    {"unique", "case_sensitive attribute", 0, f_unique},
    {"upper", "", 0, f_upper},
};

const Word *filter_find(const char *name) {
  for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
    if (!strcmp(filters[i].name, name)) return &filters[i];
  return NULL;
}
