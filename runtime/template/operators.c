// See operators.h.
#include "runtime/template/operators.h"

#include <math.h>

#include "runtime/template/words.h"

static bool is_number(Value v) { return v.kind >= BOOL && v.kind <= FLOAT; }
static double real(Value v) { return v.kind == FLOAT ? v.f : (double)v.i; }

static _Noreturn void no_op(Tp *t, Op op, Value a, Value b) {
  static const char *const sign[] = {"+", "-", "*", "/", "//", "%", "**"};
  if (a.kind == UNDEFINED) fail_undefined(t, a);
  if (b.kind == UNDEFINED) fail_undefined(t, b);
  tp_fail(t, "a %s %s a %s is not defined", v_kind(a), sign[op], v_kind(b));
}

static Value reals(Tp *t, Op op, double a, double b) {
  if ((op == OP_DIV || op == OP_FLOORDIV || op == OP_MOD) && b == 0) tp_fail(t, "divided by zero");
  switch (op) {
    case OP_ADD: return v_float(a + b);
    case OP_SUB: return v_float(a - b);
    case OP_MUL: return v_float(a * b);
    case OP_DIV: return v_float(a / b);
    case OP_FLOORDIV: return v_float(floor(a / b));
    case OP_MOD: {
      double r = fmod(a, b);
      return v_float(r != 0 && (r < 0) != (b < 0) ? r + b : r);
    }
    default: return v_float(pow(a, b));
  }
}

static Value power(Tp *t, int64_t a, int64_t b) {
  if (b < 0) return reals(t, OP_POW, (double)a, (double)b);
  int64_t r = 1;
  for (; b > 0; b--) {
    tp_spend(t, 1);
    if (__builtin_mul_overflow(r, a, &r)) tp_fail(t, "a number is too large");
    if (r == 0 || (r == 1 && a == 1)) break;
  }
  return v_int(r);
}

static Value wholes(Tp *t, Op op, int64_t a, int64_t b) {
  int64_t r = 0;
  bool over = false;
  if ((op == OP_DIV || op == OP_FLOORDIV || op == OP_MOD) && b == 0) tp_fail(t, "divided by zero");
  switch (op) {
    case OP_ADD: over = __builtin_add_overflow(a, b, &r); break;
    case OP_SUB: over = __builtin_sub_overflow(a, b, &r); break;
    case OP_MUL: over = __builtin_mul_overflow(a, b, &r); break;
    case OP_DIV: return v_float((double)a / (double)b);
    case OP_FLOORDIV:
      over = b == -1 && a == INT64_MIN;
      if (!over) r = a / b - (a % b != 0 && (a < 0) != (b < 0));
      break;
    case OP_MOD:
      r = b == -1 ? 0 : a % b;
      if (r != 0 && (r < 0) != (b < 0)) r += b;
      break;
    default: return power(t, a, b);
  }
  if (over) tp_fail(t, "a number is too large");
  return v_int(r);
}

static Value add(Tp *t, Value a, Value b) {
  if (a.kind == STR && b.kind == STR) {
    if (a.markup != b.markup) {                           // |safe + text: the text is escaped
      static const Call none;
      const Word *escape = filter_find("escape");
      if (a.markup) b = word_call(t, escape, "filter", b, &none, NULL);
      else a = word_call(t, escape, "filter", a, &none, NULL);
    }
    bool markup = a.markup;
    Value out = s_join2(t, a, b);
    out.markup = markup;
    return out;
  }
  if (a.kind != b.kind || (a.kind != LIST && a.kind != TUPLE)) no_op(t, OP_ADD, a, b);
  Value out = v_list(t, a.kind, a.list->n + b.list->n);
  tp_spend(t, a.list->n + b.list->n);
  for (size_t i = 0; i < a.list->n; i++) list_add(t, out.list, a.list->at[i]);
  for (size_t i = 0; i < b.list->n; i++) list_add(t, out.list, b.list->at[i]);
  return out;
}

static Value times(Tp *t, Value a, Value b) {
  if (is_number(a)) {
    Value c = a;
    a = b, b = c;
  }
  bool listed = a.kind == LIST || a.kind == TUPLE;
  if ((a.kind != STR && !listed) || (b.kind != INT && b.kind != BOOL)) no_op(t, OP_MUL, a, b);
  Buf u = buf_new(t);
  Value out = listed ? v_list(t, a.kind, 0) : a;
  for (int64_t i = 0; i < b.i && v_true(a); i++) {
    tp_spend(t, 1);
    for (size_t k = 0; listed && k < a.list->n; k++) list_add(t, out.list, a.list->at[k]);
    if (!listed) buf_text(&u, a);
  }
  return listed ? out : buf_value(&u);
}

Value v_math(Tp *t, Op op, Value a, Value b) {
  if (is_number(a) && is_number(b)) return a.kind == FLOAT || b.kind == FLOAT ? reals(t, op, real(a), real(b)) : wholes(t, op, a.i, b.i);
  if (op == OP_ADD) return add(t, a, b);
  if (op == OP_MUL) return times(t, a, b);
  if (op == OP_MOD && a.kind == STR && b.kind != DICT) return b.kind == TUPLE ? s_percent(t, a, b.list->at, b.list->n) : s_percent(t, a, &b, 1);
  no_op(t, op, a, b);
}

bool v_compare(Tp *t, Op op, Value a, Value b) {
  switch (op) {
    case OP_EQ: return v_equal(t, a, b);
    case OP_NE: return !v_equal(t, a, b);
    case OP_LT: return v_order(t, a, b) < 0;
    case OP_LE: return v_order(t, a, b) <= 0;
    case OP_GT: return v_order(t, a, b) > 0;
    case OP_GE: return v_order(t, a, b) >= 0;
    case OP_IN: return v_in(t, a, b);
    default: return !v_in(t, a, b);
  }
}

Value v_negative(Tp *t, Value v) {
  if (v.kind == FLOAT) return v_float(-v.f);
  if (!is_number(v)) v.kind == UNDEFINED ? fail_undefined(t, v) : tp_fail(t, "a %s has no sign", v_kind(v));
  return wholes(t, OP_SUB, 0, v.i);
}

// A bound of a slice, as Python cuts it to what is there.
static int64_t bound(Tp *t, Value v, int64_t n, bool back, int64_t otherwise) {
  if (v.kind == NONE) return otherwise;
  if (v.kind == UNDEFINED) fail_undefined(t, v);
  if (v.kind != INT && v.kind != BOOL) tp_fail(t, "a slice from a %s", v_kind(v));
  int64_t i = v.i < 0 ? v.i + n : v.i, low = back ? -1 : 0, high = back ? n - 1 : n;
  return i < low ? low : i > high ? high : i;
}

Value v_slice(Tp *t, Value v, Value from, Value to, Value step) {
  if (v.kind == UNDEFINED) fail_undefined(t, v);
  if (v.kind != STR && v.kind != LIST && v.kind != TUPLE && v.kind != RANGE) tp_fail(t, "a %s has no slices", v_kind(v));
  if (step.kind != NONE && step.kind != INT && step.kind != BOOL) tp_fail(t, "a slice by steps of a %s", v_kind(step));
  int64_t n = v_length(t, v), by = step.kind == NONE ? 1 : step.i;
  if (by == 0) tp_fail(t, "a slice by steps of 0");
  bool back = by < 0;
  int64_t i = bound(t, from, n, back, back ? n - 1 : 0), end = bound(t, to, n, back, back ? -1 : n);
  if (v.kind == STR && by == 1) {
    if (end <= i) return v_text("", 0);
    tp_spend(t, v.n / 16);
    size_t begin = s_byte_of(v, (size_t)i);
    return s_part(t, v, begin, begin + s_byte_of(s_part(t, v, begin, v.n), (size_t)(end - i)));
  }
  const List *l = v_items(t, v);
  Value out = v_list(t, v.kind == STR ? LIST : v.kind, 0);
  Buf b = buf_new(t);
  for (; back ? i > end : i < end; ) {
    tp_spend(t, 1);
    if (v.kind == STR) buf_text(&b, l->at[i]);
    else list_add(t, out.list, l->at[i]);
    if (__builtin_add_overflow(i, by, &i)) break;
  }
  return v.kind == STR ? buf_value(&b) : out;
}
