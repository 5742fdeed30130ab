// ops.def as tables.
#include "graph/ops.h"

#include <stdio.h>
#include <string.h>

#include "graph/shape.h"

typedef struct OpRow {
  const char *name;
  OpClass cls;
  int min_in, max_in;
  const char *attrs;
  ShapeRule *shape;
  int cost;
  unsigned traits;
  const char *formula;
} OpRow;

static const OpRow row[] = {
#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) {name, cls, lo, hi, attrs, shape_##shape, cost, traits, formula},
#include "graph/ops.def"
#undef X
};

const char *op_name(OpId op) { return row[op].name; }
const char *op_formula(OpId op) { return row[op].formula; }
OpClass op_class(OpId op) { return row[op].cls; }
unsigned op_traits(OpId op) { return row[op].traits; }
int op_cost(OpId op) { return row[op].cost; }
const char *op_attr_spec(OpId op) { return row[op].attrs; }

bool op_attr_field(const char **spec, AttrField *f) {
  for (;;) {
    const char *s = *spec + strspn(*spec, " ");
    size_t n = strcspn(s, " ");
    *spec = s + n;
    if (!n) return false;
    if (*s == 's') continue;
    *f = (AttrField){.kind = *s};
    if (*s == 'n' || *s == 'd') return true;
    f->index = s[1] - '0';
    snprintf(f->key, sizeof f->key, "%.*s", (int)(n - 3), s + 3);          // "i0=axis"
    return true;
  }
}

int op_min_in(OpId op) { return row[op].min_in; }
int op_max_in(OpId op) { return row[op].max_in; }

OpId op_find(const char *name) {
  for (int i = 0; i < OP_COUNT; i++) {
    if (!strcmp(row[i].name, name)) return (OpId)i;
  }
  return OP_COUNT;
}

const char *op_infer(const Graph *g, Node *n) {
  const OpRow *r = &row[n->op];
  if (n->nin < r->min_in || n->nin > r->max_in)
    return arena_printf(g->arena, "%s takes %d operands, found %d", r->name, r->min_in, n->nin);
  n->nout = 1;
  if (!type_countable(&n->type)) return "more elements than a tensor may have";
  const char *error = r->shape(g, n);
  for (int k = 0; !error && k < n->nout; k++)
    if (!type_countable(&n->out[k])) error = "more elements than a tensor may have";
  if (!error) n->type = n->out[0];
  return error;
}
