// Methods of strings, lists and dicts: see words.h.
#include <utf8proc.h>

#include "runtime/template/print.h"
#include "runtime/template/words.h"

static Value blank(Tp *t, const In *in, int i) {            // what is stripped
  return in->given[i] && in->arg[i].kind != NONE ? arg_str(t, in, i, "") : v_undefined(NULL);
}
static Value m_strip(Tp *t, const In *in) { return s_strip(t, in->v, blank(t, in, 0), true, true); }
static Value m_lstrip(Tp *t, const In *in) { return s_strip(t, in->v, blank(t, in, 0), true, false); }
static Value m_rstrip(Tp *t, const In *in) { return s_strip(t, in->v, blank(t, in, 0), false, true); }
static Value m_upper(Tp *t, const In *in) { return s_case(t, in->v, true); }
static Value m_lower(Tp *t, const In *in) { return s_case(t, in->v, false); }
static Value m_capitalize(Tp *t, const In *in) { return s_capital(t, in->v); }
static Value m_splitlines(Tp *t, const In *in) {
  if (arg_bool(in, 0, false)) tp_fail(t, "splitlines: keepends is not supported");
  return s_lines(t, in->v);
}
static Value m_replace(Tp *t, const In *in) { return s_replace(t, in->v, arg_str(t, in, 0, ""), arg_str(t, in, 1, ""), arg_int(t, in, 2, -1)); }

static utf8proc_category_t category(uint32_t c) { return utf8proc_category((int32_t)c); }
static bool is_letter(uint32_t c) { return category(c) >= UTF8PROC_CATEGORY_LU && category(c) <= UTF8PROC_CATEGORY_LO; }
static bool is_cased(uint32_t c) { return category(c) >= UTF8PROC_CATEGORY_LU && category(c) <= UTF8PROC_CATEGORY_LT; }
static bool is_decimal(uint32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }
static bool is_numeral(uint32_t c) { return category(c) >= UTF8PROC_CATEGORY_ND && category(c) <= UTF8PROC_CATEGORY_NO; }
static bool is_digit(uint32_t c) { return is_decimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || (c >= 0x2070 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089); }
static bool is_alnum(uint32_t c) { return is_letter(c) || is_numeral(c); }

static Value all_are(Value s, bool (*of)(uint32_t)) {
  uint32_t c;
  for (size_t at = 0; at < s.n; ) {
    at += rt_utf8_next(s.s + at, &c);
    if (!of(c)) return v_bool(false);
  }
  return v_bool(s.n > 0);
}
static Value m_isdigit(Tp *t, const In *in) { return (void)t, all_are(in->v, is_digit); }
static Value m_isnumeric(Tp *t, const In *in) { return (void)t, all_are(in->v, is_numeral); }
static Value m_isalpha(Tp *t, const In *in) { return (void)t, all_are(in->v, is_letter); }
static Value m_isalnum(Tp *t, const In *in) { return (void)t, all_are(in->v, is_alnum); }
static Value m_isspace(Tp *t, const In *in) { return (void)t, all_are(in->v, is_space); }
static Value m_isupper(Tp *t, const In *in) { return word_call(t, test_find("upper"), "test", in->v, &(Call){.n = 0}, NULL); }
static Value m_islower(Tp *t, const In *in) { return word_call(t, test_find("lower"), "test", in->v, &(Call){.n = 0}, NULL); }

// Each run of letters with a capital.
static Value m_title(Tp *t, const In *in) {
  Value s = in->v;
  Buf b = buf_new(t);
  bool inside = false;
  uint32_t c;
  for (size_t at = 0, k; at < s.n; at += k) {
    k = rt_utf8_next(s.s + at, &c);
    buf_text(&b, s_case(t, s_part(t, s, at, at + k), !inside));
    inside = is_cased(c);
  }
  return buf_value(&b);
}

static Value affix(Tp *t, const In *in, bool end) {
  Value one = in->arg[0];
  if (in->given[1]) tp_fail(t, "%s: only the whole string is supported", end ? "endswith" : "startswith");
  if (one.kind == UNDEFINED) fail_undefined(t, one);
  if (one.kind != STR && one.kind != TUPLE) tp_fail(t, "%s: expected a str or a tuple of them, found a %s", end ? "endswith" : "startswith", v_kind(one));
  size_t n = one.kind == TUPLE ? one.list->n : 1;
  for (size_t i = 0; i < n; i++) {
    Value s = one.kind == TUPLE ? one.list->at[i] : one;
    if (s.kind != STR) tp_fail(t, "expected a str, found a %s", v_kind(s));
    if (s.n <= in->v.n && !memcmp(in->v.s + (end ? in->v.n - s.n : 0), s.s, s.n)) return v_bool(true);
  }
  return v_bool(false);
}
static Value m_startswith(Tp *t, const In *in) { return affix(t, in, false); }
static Value m_endswith(Tp *t, const In *in) { return affix(t, in, true); }

static Value m_removeprefix(Tp *t, const In *in) {
  Value s = arg_str(t, in, 0, "");
  return s.n <= in->v.n && !memcmp(in->v.s, s.s, s.n) ? s_part(t, in->v, s.n, in->v.n) : in->v;
}
static Value m_removesuffix(Tp *t, const In *in) {
  Value s = arg_str(t, in, 0, "");
  return s.n <= in->v.n && !memcmp(in->v.s + in->v.n - s.n, s.s, s.n) ? s_part(t, in->v, 0, in->v.n - s.n) : in->v;
}

// The last place of x in s[0 … n); NULL: none.
static const char *last_of(const char *s, size_t n, Value x) {
  for (size_t at = n < x.n ? 0 : n - x.n + 1; at-- > 0;)
    if (!memcmp(s + at, x.s, x.n)) return s + at;
  return NULL;
}

static void reverse(List *l) {
  for (size_t i = 0; i < l->n / 2; i++) {
    Value v = l->at[i];
    l->at[i] = l->at[l->n - 1 - i], l->at[l->n - 1 - i] = v;
  }
}

static void split_at(Tp *t, List *out, Value s, Value by, int64_t most, bool back) {
  size_t from = 0, to = s.n;
  for (const char *p; most != 0 && (p = back ? last_of(s.s, to, by) : memmem(s.s + from, to - from, by.s, by.n)); most -= most > 0) {
    size_t at = (size_t)(p - s.s);
    list_add(t, out, back ? s_part(t, s, at + by.n, to) : s_part(t, s, from, at));
    if (back) to = at;
    else from = at + by.n;
  }
  list_add(t, out, s_part(t, s, from, to));
}

// At white space, of which any amount is one.
static void split_blank(Tp *t, List *out, Value s, int64_t most, bool back) {
  for (Value rest = s_strip(t, s, v_undefined(NULL), !back, back); rest.n;) {
    size_t at = back ? rest.n : 0;
    uint32_t c;
    if (back) {
      while (at) {
        size_t b = at - 1;
        while (b && ((unsigned char)rest.s[b] & 0xC0) == 0x80) b--;
        rt_utf8_next(rest.s + b, &c);
        if (is_space(c)) break;
        at = b;
      }
    } else {
      for (size_t k; at < rest.n && (k = rt_utf8_next(rest.s + at, &c), !is_space(c)); at += k) {}
    }
    if (most == 0) {
      list_add(t, out, back ? s_strip(t, rest, v_undefined(NULL), false, true) : rest);
      return;
    }
    most -= most > 0;
    list_add(t, out, back ? s_part(t, rest, at, rest.n) : s_part(t, rest, 0, at));
    rest = s_strip(t, back ? s_part(t, rest, 0, at) : s_part(t, rest, at, rest.n), v_undefined(NULL), !back, back);
  }
}

static Value split(Tp *t, const In *in, bool back) {
  Value out = v_list(t, LIST, 0);
  int64_t most = arg_int(t, in, 1, -1);
  tp_spend(t, in->v.n / 8);
  if (!in->given[0] || in->arg[0].kind == NONE) {
    split_blank(t, out.list, in->v, most, back);
  } else {
    Value by = arg_str(t, in, 0, "");
    if (!by.n) tp_fail(t, "split: the separator is empty");
    split_at(t, out.list, in->v, by, most, back);
  }
  if (back) reverse(out.list);
  return out;
}
static Value m_split(Tp *t, const In *in) { return split(t, in, false); }
static Value m_rsplit(Tp *t, const In *in) { return split(t, in, true); }

static Value partition(Tp *t, const In *in, bool back) {
  Value s = in->v, by = arg_str(t, in, 0, ""), out = v_list(t, TUPLE, 3);
  if (!by.n) tp_fail(t, "partition: the separator is empty");
  const char *p = back ? last_of(s.s, s.n, by) : memmem(s.s, s.n, by.s, by.n);
  size_t at = p ? (size_t)(p - s.s) : back ? 0 : s.n, behind = p ? at + by.n : at;
  list_add(t, out.list, s_part(t, s, 0, at));
  list_add(t, out.list, p ? by : v_text("", 0));
  list_add(t, out.list, s_part(t, s, behind, s.n));
  return out;
}
static Value m_partition(Tp *t, const In *in) { return partition(t, in, false); }
static Value m_rpartition(Tp *t, const In *in) { return partition(t, in, true); }

static int64_t place(Tp *t, const In *in, bool back) {
  Value s = in->v, x = arg_str(t, in, 0, "");
  if (in->given[2]) tp_fail(t, "find: an end is not supported");
  int64_t start = arg_int(t, in, 1, 0), chars = (int64_t)s_chars(s);
  if (start < 0) start = start + chars < 0 ? 0 : start + chars;
  if (start > chars) return -1;
  size_t from = s_byte_of(s, (size_t)start);
  tp_spend(t, s.n / 16);
  const char *p = back ? last_of(s.s + from, s.n - from, x) : memmem(s.s + from, s.n - from, x.s, x.n);
  return p ? (int64_t)s_chars(v_text(s.s, (size_t)(p - s.s))) : -1;
}
static Value m_find(Tp *t, const In *in) { return v_int(place(t, in, false)); }
static Value m_rfind(Tp *t, const In *in) { return v_int(place(t, in, true)); }
static Value found(Tp *t, int64_t at) {
  if (at < 0) tp_fail(t, "index: it is not there");
  return v_int(at);
}
static Value m_index(Tp *t, const In *in) { return found(t, place(t, in, false)); }
static Value m_rindex(Tp *t, const In *in) { return found(t, place(t, in, true)); }

static Value m_count(Tp *t, const In *in) {
  Value s = in->v, x = arg_str(t, in, 0, "");
  if (!x.n) return v_int((int64_t)s_chars(s) + 1);
  int64_t n = 0;
  tp_spend(t, s.n / 16);
  for (const char *p = s.s, *end = s.s + s.n; (p = memmem(p, (size_t)(end - p), x.s, x.n)); p += x.n) n++;
  return v_int(n);
}

static Value m_join(Tp *t, const In *in) {
  const List *l = v_items(t, in->arg[0]);
  Buf b = buf_new(t);
  for (size_t i = 0; i < l->n; i++) {
    if (l->at[i].kind != STR) tp_fail(t, "join: expected strs, found a %s", v_kind(l->at[i]));
    if (i) buf_text(&b, in->v);
    buf_text(&b, l->at[i]);
  }
  return buf_value(&b);
}

static Value fill(Tp *t, const In *in, int where) {
  return s_padded(t, in->v, arg_int(t, in, 0, 0), in->given[1] ? arg_str(t, in, 1, "") : v_cstr(" "), where);
}
static Value m_ljust(Tp *t, const In *in) { return fill(t, in, -1); }
static Value m_center(Tp *t, const In *in) { return fill(t, in, 0); }
static Value m_rjust(Tp *t, const In *in) { return fill(t, in, 1); }

static Value m_zfill(Tp *t, const In *in) {
  size_t sign = in->v.n && (in->v.s[0] == '+' || in->v.s[0] == '-');
  Value digits = s_padded(t, s_part(t, in->v, sign, in->v.n), arg_int(t, in, 0, 0) - (int64_t)sign, v_cstr("0"), 1);
  return s_join2(t, s_part(t, in->v, 0, sign), digits);
}

// {} {0} {name} {{ }}
static Value m_format(Tp *t, const In *in) {
  Value f = in->v;
  Buf b = buf_new(t);
  size_t next = 0;
  for (size_t at = 0; at < f.n;) {
    size_t end = at;
    while (end < f.n && f.s[end] != '{' && f.s[end] != '}') end++;
    buf_text(&b, s_part(t, f, at, end));
    if (end == f.n) break;
    at = end + 1;
    if (at < f.n && f.s[at] == f.s[end]) {
      buf_put(&b, f.s + at++, 1);
      continue;
    }
    const char *close = f.s[end] == '{' ? memchr(f.s + at, '}', f.n - at) : NULL;
    if (!close) tp_fail(t, "format: a lone '%c'", f.s[end]);
    Value field = s_part(t, f, at, (size_t)(close - f.s));
    at += field.n + 1;
    const Value *v = NULL;
    size_t place = 0;
    for (size_t i = 0; i < field.n && place < 1000000; i++) place = field.s[i] >= '0' && field.s[i] <= '9' ? place * 10 + (size_t)(field.s[i] - '0') : SIZE_MAX;
    if (!field.n) place = next++;
    if (place < in->all->n) v = &in->all->at[place];
    for (size_t i = 0; !v && field.n && i < in->all->n_named; i++)
      if (is_text(field, in->all->key[i])) v = &in->all->named[i];
    if (!v) tp_fail(t, "format: nothing for {%.*s} (only names and places are supported)", (int)(field.n < 40 ? field.n : 40), field.s);
    put_str(&b, *v);
  }
  return buf_value(&b);
}

// --- lists and tuples

static Value m_list_index(Tp *t, const In *in) {
  tp_spend(t, in->v.list->n);
  for (size_t i = 0; i < in->v.list->n; i++)
    if (v_equal(t, in->v.list->at[i], in->arg[0])) return v_int((int64_t)i);
  return found(t, -1);
}
static Value m_list_count(Tp *t, const In *in) {
  int64_t n = 0;
  tp_spend(t, in->v.list->n);
  for (size_t i = 0; i < in->v.list->n; i++) n += v_equal(t, in->v.list->at[i], in->arg[0]);
  return v_int(n);
}
static Value m_copy(Tp *t, const In *in) { return (void)t, in->v; }      // nothing changes either

// --- dicts

static Value m_get(Tp *t, const In *in) {
  const Value *v = dict_find(t, in->v.dict, in->arg[0]);
  return v ? *v : in->given[1] ? in->arg[1] : v_none();
}
static Value view(Tp *t, const Dict *d, bool keys, bool values) {
  Value out = v_list(t, VIEW, d->n);
  for (size_t i = 0; i < d->n; i++) {
    Value pair = keys && values ? v_list(t, TUPLE, 2) : keys ? d->key[i] : d->value[i];
    if (keys && values) list_add(t, pair.list, d->key[i]), list_add(t, pair.list, d->value[i]);
    list_add(t, out.list, pair);
  }
  return out;
}
static Value m_items(Tp *t, const In *in) { return view(t, in->v.dict, true, true); }
static Value m_keys(Tp *t, const In *in) { return view(t, in->v.dict, true, false); }
static Value m_values(Tp *t, const In *in) { return view(t, in->v.dict, false, true); }

static const struct { Kind of; Word w; } methods[] = {
    {STR, {"capitalize", "", 0, m_capitalize}}, {STR, {"center", "width fillchar", 1, m_center}},
    {STR, {"count", "sub", 1, m_count}},        {STR, {"endswith", "suffix start", 1, m_endswith}},
    {STR, {"find", "sub start end", 1, m_find}}, {STR, {"format", "*", 0, m_format}},
    {STR, {"index", "sub start end", 1, m_index}}, {STR, {"isalnum", "", 0, m_isalnum}},
    {STR, {"isalpha", "", 0, m_isalpha}},       {STR, {"isdigit", "", 0, m_isdigit}},
    {STR, {"islower", "", 0, m_islower}},       {STR, {"isnumeric", "", 0, m_isnumeric}},
    {STR, {"isspace", "", 0, m_isspace}},       {STR, {"isupper", "", 0, m_isupper}},
    {STR, {"join", "iterable", 1, m_join}},     {STR, {"ljust", "width fillchar", 1, m_ljust}},
    {STR, {"lower", "", 0, m_lower}},           {STR, {"lstrip", "chars", 0, m_lstrip}},
    {STR, {"partition", "sep", 1, m_partition}}, {STR, {"removeprefix", "prefix", 1, m_removeprefix}},
    {STR, {"removesuffix", "suffix", 1, m_removesuffix}}, {STR, {"replace", "old new count", 2, m_replace}},
    {STR, {"rfind", "sub start end", 1, m_rfind}}, {STR, {"rindex", "sub start end", 1, m_rindex}},
    {STR, {"rjust", "width fillchar", 1, m_rjust}}, {STR, {"rpartition", "sep", 1, m_rpartition}},
    {STR, {"rsplit", "sep maxsplit", 0, m_rsplit}}, {STR, {"rstrip", "chars", 0, m_rstrip}},
    {STR, {"split", "sep maxsplit", 0, m_split}}, {STR, {"splitlines", "keepends", 0, m_splitlines}},
    {STR, {"startswith", "prefix start", 1, m_startswith}}, {STR, {"strip", "chars", 0, m_strip}},
    {STR, {"title", "", 0, m_title}},           {STR, {"upper", "", 0, m_upper}},
    {STR, {"zfill", "width", 1, m_zfill}},
    {LIST, {"copy", "", 0, m_copy}},            {LIST, {"count", "value", 1, m_list_count}},
    {LIST, {"index", "value", 1, m_list_index}}, {TUPLE, {"count", "value", 1, m_list_count}},
    {TUPLE, {"index", "value", 1, m_list_index}},
    {DICT, {"copy", "", 0, m_copy}},            {DICT, {"get", "key default", 1, m_get}},
    {DICT, {"items", "", 0, m_items}},          {DICT, {"keys", "", 0, m_keys}},
    {DICT, {"values", "", 0, m_values}},
};

const Word *method_find(Kind of, const char *name, size_t n) {
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (methods[i].of == of && strlen(methods[i].w.name) == n && !memcmp(methods[i].w.name, name, n)) return &methods[i].w;
  return NULL;
}
