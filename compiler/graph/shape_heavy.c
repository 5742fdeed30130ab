// Shape rules of products, rows by index, attention and the loss.
#include <string.h>

#include "graph/ops.h"
#include "graph/shape.h"

static bool is_rows(const Type *t) { return t->dt == DT_F32 && type_row_sym(t) >= 0; }
static bool is_static(const Type *t) { return type_row_sym(t) < 0; }
static bool is_index(const Type *t) { return t->dt == DT_I32 && t->rank == 1 && type_row_sym(t) >= 0; }

// Are t's extents from `from` on equal to d[0 … n-1]?
static bool tail_is(const Type *t, int from, const int64_t *d, int n) {
  return t->rank - from == n && !memcmp(t->dim + from, d, (size_t)n * sizeof *d);
}

static Type rows_of(int64_t row, const int64_t *d, int n) {
  Type t = {.dt = DT_F32, .rank = n + 1};
  t.dim[0] = row;
  memcpy(t.dim + 1, d, (size_t)n * sizeof *d);
  return t;
}

// "64", "8 x 16": the extents of t from `from` on.
static const char *extents(const Graph *g, const Type *t, int from, int n) {
  const char *s = n ? "" : "none";
  for (int i = from; i < from + n; i++)
    s = arena_printf(g->arena, "%s%s%lld", s, i > from ? " x " : "", (long long)t->dim[i]);
  return s;
}

// The tensor itself, not a computed one: it is turned while it is packed.
const char *shape_transpose(const Graph *g, Node *n) {
  const Type *x = shape_in(g, n, 0);
  const Node *from = &g->node[n->in[0]];
  int inner = (int)n->attr.of_transpose.inner, stack = n->attr.of_transpose.stack != 0, outer = x->rank - stack - inner;
  while (from->op == OP_reshape) from = &g->node[from->in[0]];
  if (!op_is(from->op, T_STORED | T_TRAINED)) return shape_bad(g, n, "expected a weight or a parameter");
  if (!is_static(x) || inner < 1 || outer < 1) return shape_bad(g, n, "expected inner and outer extents");
  n->out[0] = *x;
  memcpy(n->out[0].dim + stack, x->dim + stack + inner, (size_t)outer * sizeof *x->dim);
  memcpy(n->out[0].dim + stack + outer, x->dim + stack, (size_t)inner * sizeof *x->dim);
  return NULL;
}

// Likewise; what is trained stays as it is.
const char *shape_int8(const Graph *g, Node *n) {
  const Type *x = shape_in(g, n, 0);
  const Node *from = &g->node[n->in[0]];
  int inner = (int)n->attr.of_int8.inner;
  while (from->op == OP_reshape || from->op == OP_transpose) from = &g->node[from->in[0]];
  if (!op_is(from->op, T_STORED) || dtype_info[x->dt].use != DTYPE_STORED) return shape_bad(g, n, "expected a frozen weight");
  if (inner < 1 || inner >= x->rank) return shape_bad(g, n, "expected inner and outer extents");
  n->out[0] = *x;
  n->out[0].dt = DT_I8;
  return NULL;
}

const char *shape_slice(const Graph *g, Node *n) {
  const Type *x = shape_in(g, n, 0);
  int64_t axis = n->attr.of_slice.axis, from = n->attr.of_slice.from, len = n->attr.of_slice.n;
  if (!is_rows(x) || axis < 1 || axis >= x->rank) return shape_bad(g, n, "expected rows and one of their static extents");
  if (from < 0 || len < 1 || from > x->dim[axis] - len) return shape_bad(g, n, "the piece is not within the extent");
  n->out[0] = *x;
  n->out[0].dim[axis] = len;
  return NULL;
}

const char *shape_unslice(const Graph *g, Node *n) {
  const Type *x = shape_in(g, n, 0);
  int64_t axis = n->attr.of_unslice.axis, from = n->attr.of_unslice.from, extent = n->attr.of_unslice.extent;
  if (!is_rows(x) || axis < 1 || axis >= x->rank) return shape_bad(g, n, "expected rows and one of their static extents");
  if (from < 0 || from > extent - x->dim[axis]) return shape_bad(g, n, "the piece is not within the extent");
  n->out[0] = *x;
  n->out[0].dim[axis] = extent;
  return NULL;
}

const char *shape_linear(const Graph *g, Node *n) {
  const Type *x = shape_in(g, n, 0), *w = shape_in(g, n, 1);
  int inner = (int)n->attr.of_linear.inner, outer = w->rank - inner;
  if (!is_rows(x)) return shape_bad(g, n, "expected token rows as first operand");
  if (!is_static(w) || inner < 1 || outer < 1 || outer >= MAX_RANK)
    return shape_bad(g, n, "expected a weight with outer and inner extents as second operand");
  if (!tail_is(x, 1, w->dim + outer, inner)) {
    return arena_printf(g->arena, "linear: x has inner extent%s %s, w expects %s (x is %s, w is %s)",
                        x->rank > 2 ? "s" : "", extents(g, x, 1, x->rank - 1), extents(g, w, outer, inner),
                        type_text(g, x), type_text(g, w));
  }
  n->out[0] = rows_of(x->dim[0], w->dim, outer);
  return NULL;
}

const char *shape_linear_dx(const Graph *g, Node *n) {
  const Type *dy = shape_in(g, n, 0), *w = shape_in(g, n, 1);
  int inner = (int)n->attr.of_linear_dx.inner, outer = w->rank - inner;
  if (!is_rows(dy) || !is_static(w) || inner < 1 || outer < 1) return shape_bad(g, n, "expected rows and a weight");
  if (!tail_is(dy, 1, w->dim, outer))
    return shape_bad(g, n, "the gradient's extents differ from the weight's outer extents");
  n->out[0] = rows_of(dy->dim[0], w->dim + outer, inner);
  return NULL;
}

const char *shape_linear_dw(const Graph *g, Node *n) {
  const Type *dy = shape_in(g, n, 0), *x = shape_in(g, n, 1);
  if (!is_rows(dy) || !is_rows(x) || dy->dim[0] != x->dim[0])
    return shape_bad(g, n, "expected two operands of the same rows");
  Type t = {.dt = DT_F32, .rank = dy->rank + x->rank - 2};
  if (t.rank > MAX_RANK || x->rank - 1 != n->attr.of_linear_dw.inner)
    return shape_bad(g, n, "inner differs from the input's extents");
  memcpy(t.dim, dy->dim + 1, (size_t)(dy->rank - 1) * sizeof t.dim[0]);
  memcpy(t.dim + dy->rank - 1, x->dim + 1, (size_t)(x->rank - 1) * sizeof t.dim[0]);
  n->out[0] = t;
  return NULL;
}

const char *shape_lookup(const Graph *g, Node *n) {
  const Type *ids = shape_in(g, n, 0), *w = shape_in(g, n, 1);
  if (!is_index(ids) || !is_static(w) || w->rank < 1) return shape_bad(g, n, "expected ids and a table");
  if (n->attr.of_lookup.from < 0 || n->attr.of_lookup.from >= w->dim[0]) return shape_bad(g, n, "the first row is not in the table");
  n->out[0] = rows_of(ids->dim[0], w->dim + 1, w->rank - 1);
  return NULL;
}

const char *shape_lookup_dw(const Graph *g, Node *n) {
  const Type *ids = shape_in(g, n, 0), *dy = shape_in(g, n, 1);
  if (!is_index(ids) || !is_rows(dy) || dy->dim[0] != ids->dim[0] || n->attr.of_lookup_dw.rows < 0 || n->attr.of_lookup_dw.from < 0)
    return shape_bad(g, n, "expected ids and rows alike");
  n->out[0] = *dy;
  n->out[0].dim[0] = n->attr.of_lookup_dw.rows;
  return NULL;
}

const char *shape_take(const Graph *g, Node *n) {
  const Type *x = shape_in(g, n, 0), *idx = shape_in(g, n, 1);
  if (type_row_sym(x) < 0 || !is_index(idx)) return shape_bad(g, n, "expected rows and an index");
  n->out[0] = *x;
  n->out[0].dim[0] = idx->dim[0];
  return NULL;
}

const char *shape_untake(const Graph *g, Node *n) {
  const Type *dy = shape_in(g, n, 0), *idx = shape_in(g, n, 1);
  if (!is_rows(dy) || !is_index(idx) || dy->dim[0] != idx->dim[0] || n->attr.of_untake.sym < 0 || n->attr.of_untake.sym >= g->nsym)
    return shape_bad(g, n, "expected rows and their index");
  n->out[0] = *dy;
  n->out[0].dim[0] = sym_dim((int)n->attr.of_untake.sym);
  return NULL;
}

const char *shape_append(const Graph *g, Node *n) {
  const Type *cache = shape_in(g, n, 0), *x = shape_in(g, n, 1), *slots = shape_in(g, n, 2);
  if (!is_rows(cache) || !is_rows(x) || !is_index(slots) || x->dim[0] != slots->dim[0] ||
      !tail_is(x, 1, cache->dim + 1, cache->rank - 1))
    return shape_bad(g, n, "expected a cache, rows of its extents, and their slots");
  n->out[0] = *cache;
  return NULL;
}

// q[Tq, H, D], k[Tk, K, D], v[Tk, K, E], mask[Tq]
static const char *attention_operands(const Graph *g, const Node *n, int from) {
  const Type *q = shape_in(g, n, from), *k = shape_in(g, n, from + 1), *v = shape_in(g, n, from + 2);
  const Type *m = shape_in(g, n, from + 3);
  if (!is_rows(q) || !is_rows(k) || !is_rows(v) || q->rank != 3 || k->rank != 3 || v->rank != 3)
    return shape_bad(g, n, "expected queries, keys and values as rows x heads x width");
  if (k->dim[0] != v->dim[0] || k->dim[1] != v->dim[1])
    return shape_bad(g, n, "keys and values differ in rows or heads");
  if (q->dim[2] != k->dim[2]) return shape_bad(g, n, "queries and keys differ in width");
  if (k->dim[1] < 1 || q->dim[1] % k->dim[1])
    return shape_bad(g, n, "the query heads are no multiple of the key heads");
  if (m->dt != DT_MASK || m->dim[0] != q->dim[0]) return shape_bad(g, n, "the mask is of other rows than the queries");
  return NULL;
}

const char *shape_attention(const Graph *g, Node *n) {
  const char *error = attention_operands(g, n, 0);
  if (error) return error;
  const Type *q = shape_in(g, n, 0), *v = shape_in(g, n, 2);
  n->nout = 2;
  n->out[0] = (Type){.dt = DT_F32, .rank = 3, .dim = {q->dim[0], q->dim[1], v->dim[2]}};
  n->out[1] = (Type){.dt = DT_F32, .rank = 2, .dim = {q->dim[0], q->dim[1]}};
  return NULL;
}

const char *shape_attention_grad(const Graph *g, Node *n) {
  const char *error = attention_operands(g, n, 1);
  if (error) return error;
  const Type *q = shape_in(g, n, 1), *v = shape_in(g, n, 3);
  Type out = {.dt = DT_F32, .rank = 3, .dim = {q->dim[0], q->dim[1], v->dim[2]}};
  if (!type_equal(shape_in(g, n, 0), &out) || !type_equal(shape_in(g, n, 5), &out))
    return shape_bad(g, n, "the result's gradient has another shape than the result");
  const Type lse = {.dt = DT_F32, .rank = 2, .dim = {q->dim[0], q->dim[1]}};
  if (!type_equal(shape_in(g, n, 6), &lse))
    return shape_bad(g, n, "the log-sum-exp is not one number a query and head");
  if (n->nin == 8 && !type_equal(shape_in(g, n, 7), &lse)) return shape_bad(g, n, "the log-sum-exp's gradient has another shape than it");
  n->nout = 3;
  for (int k = 0; k < 3; k++) n->out[k] = *shape_in(g, n, 1 + k);
  return NULL;
}

static const char *loss_operands(const Graph *g, const Node *n) {
  const Type *h = shape_in(g, n, 0), *w = shape_in(g, n, 1), *labels = shape_in(g, n, 2);
  if (!is_rows(h) || h->rank != 2 || !is_static(w) || w->rank != 2 || w->dim[1] != h->dim[1])
    return shape_bad(g, n, "expected rows and a head of their width");
  if (!is_index(labels) || labels->dim[0] != h->dim[0]) return shape_bad(g, n, "expected one label a row");
  int rows = op_min_in(n->op);
  for (int k = 3; k < rows; k++) {           // nll', nll
    const Type *t = shape_in(g, n, k);
    if (t->dt != DT_F32 || t->rank != 1 || t->dim[0] != h->dim[0]) return shape_bad(g, n, "expected one number a row");
  }
  const Type *bias = n->nin > rows ? shape_in(g, n, rows) : NULL;
  if (bias && (bias->dt != DT_F32 || bias->rank != 1 || bias->dim[0] != w->dim[0])) return shape_bad(g, n, "expected a bias of the head's extent");
  return NULL;
}

const char *shape_xent(const Graph *g, Node *n) {
  const char *error = loss_operands(g, n);
  if (!error) n->out[0] = (Type){.dt = DT_F32, .rank = 1, .dim = {shape_in(g, n, 0)->dim[0]}};
  return error;
}

const char *shape_xent_grad(const Graph *g, Node *n) {
  const char *error = loss_operands(g, n);
  if (error) return error;
  n->nout = 2;
  n->out[0] = *shape_in(g, n, 0);
  n->out[1] = (Type){.dt = DT_F32, .rank = 1, .dim = {shape_in(g, n, 0)->dim[0]}};
  return NULL;
}

const char *shape_xent_dw(const Graph *g, Node *n) {
  const char *error = loss_operands(g, n);
  if (!error) {
    n->nout = n->nin == op_max_in(n->op) ? 2 : 1;
    n->out[0] = *shape_in(g, n, 1);
    n->out[0].dt = DT_F32;
    n->out[1] = (Type){.dt = DT_F32, .rank = 1, .dim = {n->out[0].dim[0]}};
  }
  return error;
}
