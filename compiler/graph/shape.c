// Shape rules of sources, elementwise work and views. See shape.h; the heavy ops are in shape_heavy.c.
#include "graph/shape.h"

#include <string.h>

const Type *shape_in(const Graph *g, const Node *n, int k) { return &g->node[n->in[k]].type; }

const char *shape_bad(const Graph *g, const Node *n, const char *what) {
  Buf b = {0};
  buf_printf(&b, "%s: %s; found", op_name(n->op), what);
  for (int k = 0; k < n->nin; k++) buf_printf(&b, "%s %s", k ? "," : "", type_text(g, shape_in(g, n, k)));
  char *s = arena_strdup(g->arena, b.s);
  buf_free(&b);
  return s;
}

const char *shape_source(const Graph *g, Node *n) {
  n->out[0] = n->type;
  for (int i = 1; i < n->type.rank; i++) {
    if (dim_is_sym(n->type.dim[i])) return shape_bad(g, n, "only the first extent may be a row symbol");
  }
  return NULL;
}

const char *shape_mask(const Graph *g, Node *n) {
  const OpInts_mask *m = &n->attr.of_mask;
  if (m->query < 0 || m->query >= g->nsym || m->key < 0 || m->key >= g->nsym) return shape_bad(g, n, "no such row symbol");
  n->out[0] = (Type){.dt = DT_MASK, .rank = 1, .dim = {sym_dim((int)m->query)}};
  return NULL;
}

const char *shape_same(const Graph *g, Node *n) {
  n->out[0] = *shape_in(g, n, 0);
  return n->out[0].dt == DT_F32 ? NULL : shape_bad(g, n, "expected f32");
}

const char *shape_float(const Graph *g, Node *n) {
  n->out[0] = *shape_in(g, n, 0);
  if (n->out[0].dt == DT_MASK) return shape_bad(g, n, "a mask is no number");
  n->out[0].dt = DT_F32;
  return NULL;
}

// Static extents align at the right, 1 stretches; the row symbol stands first and is shared by an operand without one.
const char *shape_broadcast(const Graph *g, Node *n) {
  const Type *a = shape_in(g, n, 0), *b = shape_in(g, n, 1);
  int ra = type_row_sym(a), rb = type_row_sym(b);
  if (a->dt != DT_F32 || b->dt != DT_F32) return shape_bad(g, n, "expected f32 operands");
  if (ra >= 0 && rb >= 0 && ra != rb)
    return shape_bad(g, n, "operands count different rows (only attention mixes tokens)");
  int na = a->rank - (ra >= 0), nb = b->rank - (rb >= 0), nr = na > nb ? na : nb, rows = ra >= 0 || rb >= 0;
  Type t = {.dt = DT_F32, .rank = nr + rows};
  if (t.rank > MAX_RANK) return shape_bad(g, n, "too many extents");
  if (rows) t.dim[0] = sym_dim(ra >= 0 ? ra : rb);
  for (int i = 0; i < nr; i++) {                            // i counts from the right
    int64_t x = i < na ? a->dim[a->rank - 1 - i] : 1, y = i < nb ? b->dim[b->rank - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) return shape_bad(g, n, "extents differ and neither is 1");
    t.dim[t.rank - 1 - i] = x == 1 ? y : x;
  }
  n->out[0] = t;
  return NULL;
}

enum { MOST_SUMMED = 1 << 22 };                             // the gradient of a sum holds as many ones

const char *shape_reduce_last(const Graph *g, Node *n) {
  Type t = *shape_in(g, n, 0);
  if (t.dt != DT_F32) return shape_bad(g, n, "expected f32");
  if (t.rank - (type_row_sym(&t) >= 0) < 1) return shape_bad(g, n, "expected a last extent to reduce");
  if (t.dim[t.rank - 1] > MOST_SUMMED) return shape_bad(g, n, "a sum or mean runs over at most 4194304 numbers");
  t.dim[t.rank - 1] = 1;
  n->out[0] = t;
  return NULL;
}

const char *shape_rotate(const Graph *g, Node *n) {
  Type t = *shape_in(g, n, 0);
  if (t.dt != DT_F32) return shape_bad(g, n, "expected f32");
  if (t.rank - (type_row_sym(&t) >= 0) < 1 || t.dim[t.rank - 1] % 2)
    return shape_bad(g, n, "expected an even last extent");
  n->out[0] = t;
  return NULL;
}

const char *shape_reshape(const Graph *g, Node *n) {
  const Type *a = shape_in(g, n, 0);
  bool same_rows = type_row_sym(a) == type_row_sym(&n->type) && type_row_elems(a) == type_row_elems(&n->type);
  if (!same_rows || a->dt != n->type.dt || a->dt == DT_MASK)
    return arena_printf(g->arena, "reshape: %s cannot become %s", type_text(g, a), type_text(g, &n->type));
  n->out[0] = n->type;
  return NULL;
}

const char *shape_part(const Graph *g, Node *n) {
  const Node *x = &g->node[n->in[0]];
  if (n->attr.of_part.k < 0 || n->attr.of_part.k >= x->nout) return shape_bad(g, n, "no such result");
  n->out[0] = x->out[n->attr.of_part.k];
  return NULL;
}

const char *shape_colsum(const Graph *g, Node *n) {
  const Type *a = shape_in(g, n, 0);
  if (a->dt != DT_F32 || a->rank < 1) return shape_bad(g, n, "expected f32 rows");
  Type t = {.dt = DT_F32, .rank = a->rank - 1};
  memcpy(t.dim, a->dim + 1, (size_t)t.rank * sizeof t.dim[0]);
  n->out[0] = t;
  return NULL;
}
