// Arithmetic of compile-time values. Whole numbers stay whole where the result is: 64 / 8 is 8, 64 / 7 is 9.142857…
#include <math.h>
#include <string.h>

#include "build/ctx.h"

// Lists are compared element by element, also where one list stands in another twice: that is paid for.
bool v_same(Ev *ev, Loc loc, const Value *x, const Value *y) {
  double p, q;
  if (v_number(x, &p) && v_number(y, &q)) return p == q;
  if (x->kind != y->kind) return false;
  switch (x->kind) {
    case V_NONE: return true;
    case V_BOOL: return x->b == y->b;
    case V_STRING: return !strcmp(x->s, y->s);
    case V_EXTENT: return x->i == y->i;
    case V_LIST:
      if (x->n != y->n || !spend(ev, loc, x->n)) return false;
      for (int i = 0; i < x->n; i++)
        if (!v_same(ev, loc, &x->v[i], &y->v[i])) return false;
      return true;
    default: return false;
  }
}

static bool whole_power(int64_t base, int64_t n, int64_t *out) {
  int64_t r = 1;
  if (n < 0) return false;
  for (; n > 0; n--)
    if (__builtin_mul_overflow(r, base, &r)) return false;
  *out = r;
  return true;
}

// Exact integer result of x op y; false when there is none.
static bool whole_binary(char op, int64_t x, int64_t y, int64_t *out) {
  switch (op) {
    case '+': return !__builtin_add_overflow(x, y, out);
    case '-': return !__builtin_sub_overflow(x, y, out);
    case '*': return !__builtin_mul_overflow(x, y, out);
    case '/':
      if (y == 0 || (y == -1 && x == INT64_MIN) || x % y) return false;
      *out = x / y;
      return true;
    case '%':
      if (y <= 0) return false;
      *out = x % y < 0 ? x % y + y : x % y;
      return true;
    case '^': return (y < 64 || x == 0 || x == 1) && whole_power(x, y < 64 ? y : 1, out);
    default: return false;
  }
}

static Value by_zero(Ev *ev, const Ast *divisor) {
  int before = ev->b->d->errors;
  Value v = fail(ev, divisor->loc, "division by zero: %s is 0", source_text(ev->b, divisor->loc));
  if (ev->b->d->errors != before) note_config(ev, divisor);
  return v;
}

static Value arithmetic(Ev *ev, const Ast *e, char op, const Value *x, const Value *y) {
  int64_t r;
  if (x->kind == V_INT && y->kind == V_INT && whole_binary(op, x->i, y->i, &r)) return v_int(r);
  double p = 0, q = 0;
  v_number(x, &p);
  v_number(y, &q);
  if ((op == '/' || op == '%') && q == 0) return by_zero(ev, e->kid[1]);
  double f = op == '+'   ? p + q
             : op == '-' ? p - q
             : op == '*' ? p * q
             : op == '/' ? p / q
             : op == '%' ? p - q * floor(p / q)
                         : pow(p, q);
  if (!isfinite(f)) return fail(ev, e->loc, "%s %c %s is not a finite number", v_text(ev, x), op, v_text(ev, y));
  return v_float(f);
}

// After an error about `bad`, which is no number: which key of config.json that is.
static Value no_number(Ev *ev, const Ast *bad, int errors_before) {
  if (ev->b->d->errors != errors_before) note_config(ev, bad);
  return v_poison();
}

static Value compare(Ev *ev, const Ast *e, const char *op, const Value *x, const Value *y) {
  if (op[0] == '=' || op[0] == '!') {
    bool same = v_same(ev, e->loc, x, y);
    return ev->b->spent ? v_poison() : v_bool(same == (op[0] == '='));
  }
  double p, q;
  if (!v_number(x, &p) || !v_number(y, &q)) {
    int before = ev->b->d->errors;
    fail(ev, e->loc, "'%s' compares numbers; found %s and %s", op, v_text(ev, x), v_text(ev, y));
    return no_number(ev, e->kid[v_number(x, &p)], before);
  }
  bool less = op[0] == '<', equal = op[1] == '=';
  return v_bool(p == q ? equal : less ? p < q : p > q);
}

static Value list_join(Ev *ev, Loc loc, const Value *x, const Value *y) {
  if (!spend(ev, loc, ((int64_t)x->n + y->n) * VALUE_UNITS)) return v_poison();
  Value *v = ARENA_ARRAY(ev->b->a, Value, x->n + y->n + 1);
  if (x->n) memcpy(v, x->v, (size_t)x->n * sizeof *v);
  if (y->n) memcpy(v + x->n, y->v, (size_t)y->n * sizeof *v);
  return v_list(v, x->n + y->n);
}

Value num_binary(Ev *ev, const Ast *e, Value x, Value y) {
  const char *op = e->str;
  double p, q;
  if (strchr("=!<>", op[0])) return compare(ev, e, op, &x, &y);
  if (!strcmp(op, "in")) {
    if (y.kind != V_LIST) return fail(ev, e->kid[1]->loc, "'in' looks into a list; found %s", v_text(ev, &y));
    if (!spend(ev, e->loc, y.n)) return v_poison();
    for (int i = 0; i < y.n; i++)
      if (v_same(ev, e->loc, &x, &y.v[i])) return v_bool(true);
    return ev->b->spent ? v_poison() : v_bool(false);
  }
  if (v_number(&x, &p) && v_number(&y, &q)) return arithmetic(ev, e, op[0], &x, &y);
  if (op[0] == '+' && x.kind == V_LIST && y.kind == V_LIST) return list_join(ev, e->loc, &x, &y);
  if (op[0] == '+' && x.kind == V_STRING && y.kind == V_STRING) {
    if (!spend(ev, e->loc, (int64_t)(strlen(x.s) + strlen(y.s)) / 32)) return v_poison();
    return v_string(arena_printf(ev->b->a, "%s%s", x.s, y.s));
  }
  const Ast *bad = v_number(&x, &p) ? e->kid[1] : e->kid[0];
  int before = ev->b->d->errors;
  fail(ev, bad->loc, "'%s' needs numbers or tensors; found %s", op, v_text(ev, v_number(&x, &p) ? &y : &x));
  return no_number(ev, bad, before);
}

Value num_unary(Ev *ev, const Ast *e, Value x) {
  if (!strcmp(e->str, "not"))
    return x.kind == V_BOOL ? v_bool(!x.b) : fail(ev, e->loc, "'not' needs true or false; found %s", v_text(ev, &x));
  if (x.kind == V_INT && x.i != INT64_MIN) return v_int(-x.i);
  if (x.kind == V_FLOAT) return v_float(-x.f);
  return fail(ev, e->kid[0]->loc, "'-' needs a number or a tensor; found %s", v_text(ev, &x));
}
