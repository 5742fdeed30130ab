// Shape rules of routing: which experts a row goes to, and products with their matrices.
#include <string.h>

#include "graph/ops.h"
#include "graph/shape.h"

static bool is_scores(const Type *t) { return t->dt == DT_F32 && t->rank == 2 && type_row_sym(t) >= 0; }
static bool is_ids(const Type *t, const Type *of) { return t->dt == DT_I32 && t->rank == 2 && t->dim[0] == of->dim[0]; }

const char *shape_largest(const Graph *g, Node *n) {
  const Type *x = shape_in(g, n, 0);
  int64_t count = n->attr.of_largest.n;
  if (!is_scores(x)) return shape_bad(g, n, "expected rows of one extent");
  if (count < 1 || count > x->dim[1]) return shape_bad(g, n, "the extent has not so many");
  n->out[0] = (Type){.dt = DT_I32, .rank = 2, .dim = {x->dim[0], count}};
  return NULL;
}

const char *shape_pick(const Graph *g, Node *n) {
  const Type *x = shape_in(g, n, 0), *ids = shape_in(g, n, 1);
  if (!is_scores(x) || !is_ids(ids, x) || ids->dim[1] > x->dim[1]) return shape_bad(g, n, "expected rows of one extent, and numbers of some of it");
  n->out[0] = *x;
  n->out[0].dim[1] = ids->dim[1];
  return NULL;
}

const char *shape_unpick(const Graph *g, Node *n) {
  const Type *dy = shape_in(g, n, 0), *ids = shape_in(g, n, 1);
  int64_t extent = n->attr.of_unpick.extent;
  if (!is_scores(dy) || !is_ids(ids, dy) || ids->dim[1] != dy->dim[1] || dy->dim[1] > extent) return shape_bad(g, n, "expected rows, and a number for each of their elements");
  n->out[0] = *dy;
  n->out[0].dim[1] = extent;
  return NULL;
}

// Which extents of w are summed over, and which the result has: from, count.
typedef struct Side { int from, n; } Side;

// slots_in: x is [r, S, …], else [r, …]; slots_out likewise of the result.
static const char *experts(const Graph *g, Node *n, bool slots_in, bool slots_out) {
  const Type *x = shape_in(g, n, 0), *w = shape_in(g, n, 1), *ids = shape_in(g, n, 2);
  int inner = (int)n->attr.of_to_experts.inner, outer = w->rank - 1 - inner;
  if (x->dt != DT_F32 || type_row_sym(x) < 0 || !is_ids(ids, x)) return shape_bad(g, n, "expected token rows and the numbers of their experts");
  if (type_row_sym(w) >= 0 || inner < 1 || outer < 1 || ids->dim[1] > w->dim[0]) return shape_bad(g, n, "expected a matrix for each expert, and no more of them than there are");
  Side in = {1 + outer, inner}, out = {1, outer};
  if (op_is(n->op, T_BY_OUTER)) {
    Side other = in;
    in = out, out = other;
  }
  int lead = 1 + slots_in;
  bool fits = x->rank == lead + in.n && (!slots_in || x->dim[1] == ids->dim[1]) && !memcmp(x->dim + lead, w->dim + in.from, (size_t)in.n * sizeof *x->dim);
  if (!fits || 1 + slots_out + out.n > MAX_RANK) return shape_bad(g, n, "the rows' extents are not those that the matrices sum over");
  Type t = {.dt = DT_F32, .rank = 1 + slots_out + out.n};
  t.dim[0] = x->dim[0];
  if (slots_out) t.dim[1] = ids->dim[1];
  memcpy(t.dim + 1 + slots_out, w->dim + out.from, (size_t)out.n * sizeof *t.dim);
  n->out[0] = t;
  return NULL;
}

const char *shape_to_experts(const Graph *g, Node *n) { return experts(g, n, false, true); }
const char *shape_to_experts_dx(const Graph *g, Node *n) { return experts(g, n, true, false); }
const char *shape_from_experts(const Graph *g, Node *n) { return experts(g, n, true, false); }
const char *shape_from_experts_dx(const Graph *g, Node *n) { return experts(g, n, false, true); }
