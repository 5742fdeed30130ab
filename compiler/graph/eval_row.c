// Reference evaluation of elementwise and last-axis work.
#include <math.h>
#include <string.h>

#include "dsl/base/bf16.h"
#include "graph/eval_ops.h"

typedef double Binary(double a, double b);
typedef double Unary(double a);

// Offset in an operand of element `at` of row r of the result: extents align at the right, 1 stretches, no row symbol =
// shared.
static int64_t operand_index(const Type *to, const Type *t, int64_t r, int64_t at) {
  int rows = type_row_sym(t) >= 0, to_rows = type_row_sym(to) >= 0;
  int64_t index = 0, stride = 1;
  for (int i = 0; i < to->rank - to_rows; i++) {            // from the right
    int64_t extent = to->dim[to->rank - 1 - i], coord = at % extent;
    at /= extent;
    if (i >= t->rank - rows) continue;
    int64_t n = t->dim[t->rank - 1 - i];
    if (n != 1) index += coord * stride;
    stride *= n;
  }
  return rows ? r * type_row_elems(t) + index : index;
}

static void binary(Eval *e, NodeId id, Binary *f) {
  const Type *t = &e->g->node[id].type;
  const Type *ta = eval_type(e, id, 0), *tb = eval_type(e, id, 1);
  const double *a = eval_in(e, id, 0), *b = eval_in(e, id, 1);
  double *y = eval_out(e, id, 0);
  int64_t n = type_row_elems(t);
  for (int64_t r = 0; r < eval_rows(e, t); r++) {
    for (int64_t i = 0; i < n; i++) y[r * n + i] = f(a[operand_index(t, ta, r, i)], b[operand_index(t, tb, r, i)]);
  }
}

static void unary(Eval *e, NodeId id, Unary *f) {
  double *y = eval_out(e, id, 0);
  for (int64_t i = 0; i < eval_elems(e, &e->g->node[id].type); i++) y[i] = f(eval_in(e, id, 0)[i]);
}

static double f_add(double a, double b) { return a + b; }
static double f_sub(double a, double b) { return a - b; }
static double f_mul(double a, double b) { return a * b; }
static double f_gain(double a, double b) { return a == 0 ? -0.0 : a * b; }
static double f_div(double a, double b) { return a / b; }
static double f_neg(double a) { return -a; }
static double f_rsqrt(double a) { return 1 / sqrt(a); }
static double f_sigmoid(double a) { return 1 / (1 + exp(-a)); }
static double f_same(double a) { return a; }

void eval_add(Eval *e, NodeId id) { binary(e, id, f_add); }
void eval_sub(Eval *e, NodeId id) { binary(e, id, f_sub); }
void eval_mul(Eval *e, NodeId id) { binary(e, id, f_mul); }
void eval_gain(Eval *e, NodeId id) { binary(e, id, f_gain); }
void eval_div(Eval *e, NodeId id) { binary(e, id, f_div); }
void eval_neg(Eval *e, NodeId id) { unary(e, id, f_neg); }
void eval_abs(Eval *e, NodeId id) { unary(e, id, fabs); }
void eval_exp(Eval *e, NodeId id) { unary(e, id, exp); }
void eval_log(Eval *e, NodeId id) { unary(e, id, log); }
void eval_sqrt(Eval *e, NodeId id) { unary(e, id, sqrt); }
void eval_rsqrt(Eval *e, NodeId id) { unary(e, id, f_rsqrt); }
void eval_tanh(Eval *e, NodeId id) { unary(e, id, tanh); }
void eval_erf(Eval *e, NodeId id) { unary(e, id, erf); }
void eval_sigmoid(Eval *e, NodeId id) { unary(e, id, f_sigmoid); }
void eval_cos(Eval *e, NodeId id) { unary(e, id, cos); }
void eval_sin(Eval *e, NodeId id) { unary(e, id, sin); }
void eval_floor(Eval *e, NodeId id) { unary(e, id, floor); }
void eval_bf16(Eval *e, NodeId id) { unary(e, id, bf16_nearest); }
void eval_stop_gradient(Eval *e, NodeId id) { unary(e, id, f_same); }
void eval_float(Eval *e, NodeId id) { unary(e, id, f_same); }
void eval_reshape(Eval *e, NodeId id) { unary(e, id, f_same); }

void eval_sum(Eval *e, NodeId id) {
  const Type *t = eval_type(e, id, 0);
  int64_t n = t->dim[t->rank - 1];
  double *y = eval_out(e, id, 0);
  for (int64_t r = 0; r < eval_elems(e, &e->g->node[id].type); r++) {
    for (int64_t i = 0; i < n; i++) y[r] += eval_in(e, id, 0)[r * n + i];
  }
}

void eval_rotate(Eval *e, NodeId id) {
  const Type *t = &e->g->node[id].type;
  int64_t n = t->dim[t->rank - 1], total = eval_elems(e, t);
  const double *x = eval_in(e, id, 0);
  double *y = eval_out(e, id, 0);
  for (int64_t i = 0; i < total; i++) y[i] = i % n < n / 2 ? -x[i + n / 2] : x[i - n / 2];
}

void eval_transpose(Eval *e, NodeId id) {
  const Type *t = eval_type(e, id, 0);
  const double *x = eval_in(e, id, 0);
  double *y = eval_out(e, id, 0);
  int64_t in = 1, out = 1, stack = e->g->node[id].attr.of_transpose.stack, E = stack ? t->dim[0] : 1;
  for (int i = (int)stack; i < t->rank; i++) *(i < stack + e->g->node[id].attr.of_transpose.inner ? &in : &out) *= t->dim[i];
  for (int64_t at = 0; at < E * in * out; at += in * out)
    for (int64_t i = 0; i < in; i++)
      for (int64_t o = 0; o < out; o++) y[at + o * in + i] = x[at + i * out + o];
}

// Stored numbers are f32 without rounding, and so are those made of them.
void eval_int8(Eval *e, NodeId id) {
  const Type *t = &e->g->node[id].type;
  const double *x = eval_in(e, id, 0);
  double *y = eval_out(e, id, 0);
  int64_t K = 1, all = type_row_elems(t);
  for (int i = t->rank - (int)e->g->node[id].attr.of_int8.inner; i < t->rank; i++) K *= t->dim[i];
  float *row = ARENA_ARRAY(e->arena, float, K + 1);
  for (int64_t at = 0; at < all; at += K) {
    for (int64_t k = 0; k < K; k++) row[k] = (float)x[at + k];
    int8_round(row, K);
    for (int64_t k = 0; k < K; k++) y[at + k] = row[k];
  }
}

// Moves a piece of extents wide[axis] and piece[axis] (equal elsewhere) out of a tensor, or into one.
static void move_piece(Eval *e, NodeId id, const Type *wide, const Type *piece, bool out) {
  const Attr *a = &e->g->node[id].attr;
  const double *x = eval_in(e, id, 0);
  double *y = eval_out(e, id, 0);
  int64_t inner = 1, n = piece->dim[a->i[0]], extent = wide->dim[a->i[0]];
  for (int i = (int)a->i[0] + 1; i < wide->rank; i++) inner *= wide->dim[i];
  for (int64_t k = 0; k < eval_elems(e, piece); k++) {
    int64_t before = k / (n * inner), at = (before * extent + a->i[1]) * inner + k % (n * inner);
    if (out) y[k] = x[at];
    else y[at] = x[k];
  }
}
void eval_slice(Eval *e, NodeId id) { move_piece(e, id, eval_type(e, id, 0), &e->g->node[id].type, true); }
void eval_unslice(Eval *e, NodeId id) { move_piece(e, id, &e->g->node[id].type, eval_type(e, id, 0), false); }

void eval_part(Eval *e, NodeId id) {
  const Node *n = &e->g->node[id];
  const double *x = e->value[(size_t)n->in[0] * MAX_OUT + (size_t)n->attr.of_part.k];
  memcpy(eval_out(e, id, 0), x, (size_t)eval_elems(e, &n->type) * sizeof *x);
}

void eval_colsum(Eval *e, NodeId id) {
  const Type *t = eval_type(e, id, 0);
  int64_t n = type_row_elems(&e->g->node[id].type), rows = type_row_sym(t) >= 0 ? eval_rows(e, t) : t->dim[0];
  double *y = eval_out(e, id, 0);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t i = 0; i < n; i++) y[i] += eval_in(e, id, 0)[r * n + i];
  }
}
