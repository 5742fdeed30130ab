// Members and items: see words.h. a.b is an attribute (a method) before it is a key, a['b'] a key before it is an attribute, as in Jinja's sandbox,
// where what would change a value, and what leads into Python, is refused.
#include "runtime/template/words.h"

// What Python has and templates here have not: what changes a value, and methods that no template was seen to use.
static const struct { Kind of; bool changes; const char *names; } refused[] = {
    {LIST, true, " append clear pop reverse insert sort extend remove "},
    {DICT, true, " clear pop popitem setdefault update "},
    {DICT, false, " fromkeys "},
    {STR, false, " encode casefold expandtabs format_map isascii isdecimal isidentifier isprintable istitle maketrans swapcase translate "},
    {INT, false, " as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer numerator real to_bytes "},
    {BOOL, false, " as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer numerator real to_bytes "},
    {FLOAT, false, " as_integer_ratio conjugate fromhex hex imag is_integer real "},
};

static void refuse(Tp *t, Value v, const char *name, size_t n) {
  if (n >= 2 && !memcmp(name, "__", 2)) tp_fail(t, "'%.*s' is not to be reached from a template", (int)(n < 40 ? n : 40), name);
  char word[40] = " ";
  if (!n || n > sizeof word - 3 || memchr(name, ' ', n)) return;
  memcpy(word + 1, name, n);
  word[n + 1] = ' ';
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    if (refused[i].of != v.kind || !strstr(refused[i].names, word)) continue;
    if (refused[i].changes) tp_fail(t, "'%.*s' would change a %s", (int)n, name, v_kind(v));
    tp_fail(t, "'%.*s' of a %s is not supported", (int)n, name, v_kind(v));
  }
}

static Value no_such(Tp *t, const char *name, size_t n) {
  char *s = tp_alloc(t, n + 3, 1);
  s[0] = '\'', s[n + 1] = '\'';
  memcpy(s + 1, name, n);
  return v_undefined(s);
}

// The attribute, not the key; UNDEFINED: none.
static Value attribute(Tp *t, Value v, const char *name, size_t n) {
  const Word *w = method_find(v.kind, name, n);
  if (w) {
    Bound *b = tp_alloc(t, 1, sizeof *b);
    *b = (Bound){v, w};
    return (Value){.kind = METHOD, .object = b};
  }
  refuse(t, v, name, n);
  return no_such(t, name, n);
}

Value v_attr(Tp *t, Value v, const char *name, size_t n) {
  if (v.kind == UNDEFINED) fail_undefined(t, v);
  if (v.kind == NAMESPACE) {
    const Value *m = dict_find(t, v.dict, v_text(name, n));
    return m ? *m : no_such(t, name, n);
  }
  Value out = attribute(t, v, name, n);
  if (out.kind != UNDEFINED || v.kind != DICT) return out;
  const Value *m = dict_find(t, v.dict, v_text(name, n));
  return m ? *m : out;
}

Value v_item(Tp *t, Value v, Value key) {
  if (v.kind == UNDEFINED) fail_undefined(t, v);
  if (v.kind == DICT) {
    const Value *m = is_listed(key) && key.kind != TUPLE ? NULL : dict_find(t, v.dict, key);
    if (m) return *m;
  }
  if ((key.kind == INT || key.kind == BOOL) && (v.kind == LIST || v.kind == TUPLE || v.kind == RANGE || v.kind == STR)) {
    int64_t n = v_length(t, v), i = key.i < 0 ? key.i + n : key.i;
    if (i < 0 || i >= n) return v_undefined("an item that is not there");
    if (v.kind != STR) return v.list->at[i];
    tp_spend(t, v.n / 16);
    size_t at = s_byte_of(v, (size_t)i);
    uint32_t c;
    return s_part(t, v, at, at + rt_utf8_next(v.s + at, &c));
  }
  if (key.kind != STR) return v_undefined("an item that is not there");
  if (v.kind == NAMESPACE) return v_attr(t, v, key.s, key.n);
  return attribute(t, v, key.s, key.n);
}
