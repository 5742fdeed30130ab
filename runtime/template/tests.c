// Tests, `x is …`: see words.h.
#include "runtime/template/words.h"

#define TEST(name, what) \
  static Value name(Tp *t, const In *in) { \
    (void)t; \
    const Value v = in->v; \
    return v_bool(what); \
  }
TEST(is_defined, v.kind != UNDEFINED)
TEST(is_undefined, v.kind == UNDEFINED)
TEST(is_none, v.kind == NONE)
TEST(is_boolean, v.kind == BOOL)
TEST(is_true, v.kind == BOOL && v.i)
TEST(is_false, v.kind == BOOL && !v.i)
TEST(is_integer, v.kind == INT)
TEST(is_float, v.kind == FLOAT)
TEST(is_number, v.kind >= BOOL && v.kind <= FLOAT)
TEST(is_string, v.kind == STR)
TEST(is_mapping, v.kind == DICT)
TEST(is_iterable, v.kind == UNDEFINED || v.kind == STR || is_listed(v) || v.kind == DICT || v.kind == LOOP)
TEST(is_sequence, v.kind == UNDEFINED || v.kind == STR || v.kind == LIST || v.kind == TUPLE || v.kind == RANGE || v.kind == DICT)
TEST(is_callable, v.kind == MACRO || v.kind == FUNCTION || v.kind == METHOD)
TEST(is_eq, v_equal(t, v, in->arg[0]))
TEST(is_ne, !v_equal(t, v, in->arg[0]))
TEST(is_lt, v_order(t, v, in->arg[0]) < 0)
TEST(is_le, v_order(t, v, in->arg[0]) <= 0)
TEST(is_gt, v_order(t, v, in->arg[0]) > 0)
TEST(is_ge, v_order(t, v, in->arg[0]) >= 0)
TEST(is_in, v_in(t, v, in->arg[0]))
TEST(is_filter, v.kind == STR && v.n < 40 && filter_find(strndupa(v.s, v.n)) != NULL)
TEST(is_test, v.kind == STR && v.n < 40 && test_find(strndupa(v.s, v.n)) != NULL)
TEST(is_escaped, v.kind == STR && v.markup)

static int64_t whole(Tp *t, Value v) {
  if (v.kind == UNDEFINED) fail_undefined(t, v);
  if (v.kind != INT && v.kind != BOOL) tp_fail(t, "expected an int, found a %s", v_kind(v));
  return v.i;
}
TEST(is_odd, (whole(t, v) & 1) == 1)
TEST(is_even, (whole(t, v) & 1) == 0)

static Value is_divisible(Tp *t, const In *in) {
  int64_t by = whole(t, in->arg[0]), v = whole(t, in->v);
  if (!by) tp_fail(t, "divided by zero");
  return v_bool(by == -1 || v % by == 0);
}

// The same object, where Python makes none anew: None, True and False, and what was handed on.
static Value is_same(Tp *t, const In *in) {
  Value a = in->v, b = in->arg[0];
  if (a.kind != b.kind) return v_bool(false);
  if (a.kind == INT || a.kind == FLOAT || a.kind == STR || a.kind == UNDEFINED) tp_fail(t, "sameas of a %s is not supported", v_kind(a));
  return v_bool(a.kind == NONE || (a.kind == BOOL ? a.i == b.i : a.object == b.object));
}

// All its letters, of which there are some, are of that case.
static Value is_case(Tp *t, const In *in, bool upper) {
  if (in->v.kind != STR) return v_bool(false);
  Value same = s_case(t, in->v, upper), other = s_case(t, in->v, !upper);
  return v_bool(v_equal(t, in->v, same) && !v_equal(t, in->v, other));
}
static Value is_lower(Tp *t, const In *in) { return is_case(t, in, false); }
static Value is_upper(Tp *t, const In *in) { return is_case(t, in, true); }

static const Word tests[] = {
    {"defined", "", 0, is_defined},     {"undefined", "", 0, is_undefined}, {"none", "", 0, is_none},         {"boolean", "", 0, is_boolean},
    {"true", "", 0, is_true},           {"false", "", 0, is_false},         {"integer", "", 0, is_integer},   {"float", "", 0, is_float},
    {"number", "", 0, is_number},       {"string", "", 0, is_string},       {"mapping", "", 0, is_mapping},   {"iterable", "", 0, is_iterable},
    {"sequence", "", 0, is_sequence},   {"callable", "", 0, is_callable},   {"odd", "", 0, is_odd},           {"even", "", 0, is_even},
    {"divisibleby", "num", 1, is_divisible}, {"sameas", "other", 1, is_same}, {"lower", "", 0, is_lower},     {"upper", "", 0, is_upper},
    {"escaped", "", 0, is_escaped},     {"filter", "", 0, is_filter},       {"test", "", 0, is_test},         {"in", "seq", 1, is_in},
    {"eq", "other", 1, is_eq},          {"equalto", "other", 1, is_eq},     {"==", "other", 1, is_eq},        {"ne", "other", 1, is_ne},
    {"!=", "other", 1, is_ne},          {"lt", "other", 1, is_lt},          {"lessthan", "other", 1, is_lt},  {"<", "other", 1, is_lt},
    {"le", "other", 1, is_le},          {"<=", "other", 1, is_le},          {"gt", "other", 1, is_gt},        {"greaterthan", "other", 1, is_gt},
    {">", "other", 1, is_gt},           {"ge", "other", 1, is_ge},          {">=", "other", 1, is_ge},
};

const Word *test_find(const char *name) {
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
    if (!strcmp(tests[i].name, name)) return &tests[i];
  return NULL;
}
