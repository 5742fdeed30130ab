// Undoing broadcasting: the gradient of an operand that was stretched is the sum over what it was stretched along.

#include "autodiff/rules.h"
#include "dsl/base/bug.h"
#include "graph/ops.h"

// Where a gradient's static extents differ from those of the operand (aligned at the right, 1 where there is none).
typedef struct Stretch {
  int first, n;              // the gradient's static extents are dim[first … first + n - 1]
  bool at[MAX_RANK];         // per static extent, from the left: was it stretched?
  int lo, hi;                // leftmost and rightmost stretched one; -1 = none
} Stretch;

static Stretch stretch(const Type *t, const Type *to) {
  int first = type_row_sym(t) >= 0, nto = to->rank - (type_row_sym(to) >= 0);
  Stretch s = {.first = first, .n = t->rank - first, .lo = -1, .hi = -1};
  for (int i = 0; i < s.n; i++) {
    int64_t want = s.n - i <= nto ? to->dim[to->rank - (s.n - i)] : 1;
    s.at[i] = t->dim[first + i] != want;
    if (s.at[i] && s.lo < 0) s.lo = i;
    if (s.at[i]) s.hi = i;
  }
  return s;
}

// Has every static extent of t in [from, to) been stretched, or is 1?
static bool only_stretched(const Type *t, const Stretch *s, int from, int to) {
  for (int i = from; i < to; i++) {
    if (!s->at[i] && t->dim[s->first + i] != 1) return false;
  }
  return true;
}

// Everything right of hi is 1: sums extent hi as the last one.
static NodeId sum_right(Graph *g, NodeId dx, const Stretch *s) {
  const Type t = g->node[dx].type;
  int64_t ext[MAX_RANK];
  for (int i = 0; i < s->n; i++) ext[i] = t.dim[s->first + i];
  if (s->hi == s->n - 1) return graph_un(g, OP_sum, dx);
  dx = graph_un(g, OP_sum, graph_reshape(g, dx, ext, s->hi + 1, NULL));
  ext[s->hi] = 1;
  return graph_reshape(g, dx, ext, s->n, NULL);
}

// A static tensor, everything left of lo is 1: sums extent lo as the leading one.
static NodeId sum_left(Graph *g, NodeId dx, const Stretch *s) {
  const Type t = g->node[dx].type;
  if (s->lo > 0) dx = graph_reshape(g, dx, t.dim + s->lo, s->n - s->lo, NULL);
  return graph_un(g, OP_colsum, dx);
}

// Rows, stretched along a middle extent: the product with a constant matrix of zeros and ones sums them all at once.
static NodeId sum_middle(Graph *g, NodeId dx, const Stretch *s) {
  const Type t = g->node[dx].type;
  int64_t ext[MAX_RANK], in = type_row_elems(&t), out = 1;
  for (int i = 0; i < s->n; i++) {
    ext[i] = s->at[i] ? 1 : t.dim[1 + i];
    out *= ext[i];
  }
  double *w = ARENA_ARRAY(g->arena, double, in * out);
  for (int64_t k = 0; k < in; k++) {
    int64_t rest = k, index = 0, stride = 1;
    for (int i = s->n - 1; i >= 0; i--) {
      if (!s->at[i]) index += rest % t.dim[1 + i] * stride;
      rest /= t.dim[1 + i];
      stride *= ext[i];
    }
    w[index * in + k] = 1;
  }
  NodeId m = graph_source(g, OP_const, (Type){.dt = DT_F32, .rank = 2, .dim = {out, in}}, &(Attr){.data = w});
  NodeId inputs[2] = {graph_reshape(g, dx, &in, 1, NULL), m};
  return graph_reshape(g, graph_add(g, OP_linear, inputs, 2, &(Attr){.of_linear = {1, 0}}, NULL), ext, s->n, NULL);
}

NodeId sum_to(Graph *g, NodeId dx, const Type *to) {
  bool row_result = type_row_sym(to) >= 0;
  for (;;) {
    const Type t = g->node[dx].type;
    Stretch s = stretch(&t, to);
    bool rows = s.first, shared = rows && !row_result;      // shared: the operand was stretched along the rows, too
    if (s.hi < 0 && !shared) break;
    if (s.hi >= 0 && only_stretched(&t, &s, s.hi + 1, s.n)) {
      dx = sum_right(g, dx, &s);
    } else if (shared && only_stretched(&t, &s, 0, s.hi + 1)) {
      dx = graph_un(g, OP_colsum, dx);
    } else if (rows) {
      dx = sum_middle(g, dx, &s);
    } else if (only_stretched(&t, &s, 0, s.lo)) {
      dx = sum_left(g, dx, &s);
    } else {
      bug("graph %s: the gradient of a static operand (%s) stretched along a middle extent to %s is not supported", g->name,
          type_text(g, to), type_text(g, &t));
    }
  }
  if (type_equal(&g->node[dx].type, to)) return dx;
  return graph_reshape(g, dx, to->dim + row_result, to->rank - row_result, NULL);
}
