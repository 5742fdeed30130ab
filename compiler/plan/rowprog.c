// Row programs: the members of a unit as a straight line of values over one row. Operands made elsewhere are loaded; row work over
// static operands alone is repeated inline; scalar constants become literals.
#include <string.h>

#include "plan/lower.h"

ProgBuilder prog_begin(Lower *l, KernelDraft *d, const Unit *u, int prog) {
  l->serial++;
  return (ProgBuilder){.l = l, .d = d, .u = u, .prog = prog};
}

// The extents of a type within a row: without the row symbol, or, in a static unit, without the leading extent that counts rows.
static void row_extents(const ProgBuilder *b, const Type *t, RowVal *v) {
  int from = 0;
  if (type_row_sym(t) >= 0) {
    from = 1;
  } else {
    v->shared = true;
    if (b->lead_rank && t->rank == b->lead_rank && t->dim[0] == b->lead) {
      from = 1;
      v->shared = false;
    }
  }
  v->rank = t->rank - from;
  memcpy(v->dim, t->dim + from, (size_t)v->rank * sizeof v->dim[0]);
  // a static unit's operand that has fewer extents, or 1 in front, is the same for all rows
  while (b->lead_rank && v->shared && v->rank > 1 && v->dim[0] == 1) {
    v->rank--;
    memmove(v->dim, v->dim + 1, (size_t)v->rank * sizeof v->dim[0]);
  }
}

static int push(ProgBuilder *b, const RowVal *v) {
  RowProg *p = &b->d->k.prog[b->prog];
  ARENA_PUSH(b->l->p->arena, p->v, p->n, b->cap, *v);
  return p->n - 1;
}

static int load(ProgBuilder *b, NodeId n) {
  Lower *l = b->l;
  RowVal v = {.src = RV_LOAD, .store = -1};
  row_extents(b, &l->g->node[n].type, &v);
  int buf = lower_buf(l, n);
  int64_t elems = type_row_elems(&l->g->node[n].type);
  bool lead = b->lead_rank && !v.shared;
  v.arg = draft_arg_rows(l, b->d, buf, false, !v.shared, lead ? elems / b->lead : elems);
  return push(b, &v);
}

static bool in_unit(const ProgBuilder *b, NodeId n) {
  const Lower *l = b->l;
  int u = l->f->unit[n];
  return u >= 0 && &l->f->u[u] == b->u;
}

static int op_value(ProgBuilder *b, NodeId n) {
  const Node *x = &b->l->g->node[n];
  RowVal v = {.src = RV_OP, .op = x->op, .store = -1, .in = {-1, -1}};
  for (int k = 0; k < x->nin; k++) v.in[k] = prog_value(b, x->in[k]);
  row_extents(b, &x->type, &v);
  return push(b, &v);
}

static int acc_value(ProgBuilder *b, NodeId n) {
  RowVal v = {.src = RV_ACC, .store = -1};
  while (b->u->node[v.arg] != n) v.arg++;
  row_extents(b, &b->l->g->node[n].type, &v);
  return push(b, &v);
}

int prog_value(ProgBuilder *b, NodeId n) {
  if (b->l->stamp[n] == b->l->serial) return b->l->value[n];
  const Node *x = &b->l->g->node[n];
  OpClass c = op_class(x->op);
  int made;
  if (op_is(x->op, T_LITERAL) && x->type.rank == 0) {
    RowVal v = {.src = RV_IMM, .imm = x->attr.data[0], .shared = true, .store = -1};
    made = push(b, &v);
  } else if (in_unit(b, n) && c == OPC_GEMM) {
    made = acc_value(b, n);
  } else if (in_unit(b, n) || fuse_is_static_row(b->l->g, n)) {
    made = op_value(b, n);
  } else {
    made = load(b, n);
  }
  b->l->stamp[n] = b->l->serial;
  return b->l->value[n] = made;
}

void prog_store(ProgBuilder *b, NodeId n) {
  int v = prog_value(b, n);
  int buf = lower_buf(b->l, n);
  int64_t elems = type_row_elems(&b->l->g->node[n].type);
  bool lead = b->lead_rank && b->l->g->node[n].type.rank == b->lead_rank;
  // the argument first: adding it may not move the program, but keeps the order plain
  int arg = draft_arg_rows(b->l, b->d, buf, true, true, lead ? elems / b->lead : elems);
  b->d->k.prog[b->prog].v[v].store = arg;
}
