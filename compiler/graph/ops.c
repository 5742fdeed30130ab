// ops.def as tables.
#include "graph/ops.h"

#include <stdio.h>
#include <string.h>

#include "graph/shape.h"

typedef struct OpRow {
  const char *name;
  OpClass cls;
  int min_in, max_in;
  AttrFields attrs;
  ShapeRule *shape;
  int cost;
  unsigned traits;
  const char *formula;
} OpRow;

#define SPEC_NONE {0}
#define SPEC_SHAPE {0}
#define SPEC_NAMED {.kind = 'n'}
#define SPEC_DATA {.kind = 'd'}
#define SPEC_INTS(...) {.kind = 'i', .keys = #__VA_ARGS__}
#define SPEC_PRODUCT(...) {.kind = 'i', .keys = #__VA_ARGS__, .flagged = true}
#define SPEC_REALS(...) {.kind = 'f', .keys = #__VA_ARGS__}
static const OpRow row[] = {
#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) {name, cls, lo, hi, SPEC_##attrs, shape_##shape, cost, traits, formula},
#include "graph/ops.def"
#undef X
};

const char *op_name(OpId op) { return row[op].name; }
const char *op_formula(OpId op) { return row[op].formula; }
OpClass op_class(OpId op) { return row[op].cls; }
unsigned op_traits(OpId op) { return row[op].traits; }
int op_cost(OpId op) { return row[op].cost; }
AttrFields op_attr_fields(OpId op) { return row[op].attrs; }

bool op_attr_field(AttrFields *at, AttrField *f) {
  *f = (AttrField){.kind = at->kind};
  if (!at->keys) {                                 // a name, data or nothing
    at->kind = 0;
    return f->kind;
  }
  size_t n = strcspn(at->keys, ",");
  if (!n) return false;
  snprintf(f->key, sizeof f->key, "%.*s", (int)n, at->keys);
  at->keys += n + strspn(at->keys + n, ", ");
  f->index = f->kind == 'i' ? at->index++ : strcmp(f->key, "scale") != 0;        // Attr's order
  f->flag = at->flagged && !*at->keys;
  return true;
}

int op_min_in(OpId op) { return row[op].min_in; }
int op_max_in(OpId op) { return row[op].max_in; }

bool op_reads_series(const Graph *g, NodeId n) {
  while (op_is(g->node[n].op, T_SAME_DATA | T_ROUNDED | T_TURNED)) n = g->node[n].in[0];
  return op_is(g->node[n].op, T_SERIES);
}

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
