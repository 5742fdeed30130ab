// The arrangement of a row program in loops; see emit_row.c.
#include "llvm/row_plan.h"

#include <stdlib.h>
#include <string.h>

#include "dsl/base/alloc.h"

// The extents a value's work runs over: a sum's are its operand's. Leading 1s do not count; one element is rank 0.
static RowLoop extents(const RowProg *p, int i) {
  const RowVal *v = row_is_sum(&p->v[i]) ? &p->v[p->v[i].in[0]] : &p->v[i];
  RowLoop l = {0};
  if (rowval_elems(v) == 1) return l;
  int from = 0;
  while (v->dim[from] == 1) from++;
  l.rank = v->rank - from;
  memcpy(l.dim, v->dim + from, (size_t)l.rank * sizeof *l.dim);
  return l;
}

static bool same_loop(const RowLoop *a, const RowLoop *b) {
  return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim);
}

// ---- what is computed once a task, before the rows
// A shared value that is not stored and stands on such values alone. (In a program without any per-row value there is
// one row.)
static void find_shared(const RowProg *p, bool *shared) {
  bool rows = false;
  for (int i = 0; i < p->n; i++) rows |= !p->v[i].shared;
  for (int i = 0; i < p->n; i++) {
    const RowVal *v = &p->v[i];
    shared[i] = rows && v->shared && v->store < 0;
    for (int k = 0; k < 2 && v->src == RV_OP && v->in[k] >= 0; k++) shared[i] &= shared[v->in[k]];
  }
}

static bool rotated_later(const RowProg *p, int i) {
  for (int k = i + 1; k < p->n; k++) {
    if (row_is_rotate(&p->v[k]) && p->v[k].in[0] == i) return true;
  }
  return false;
}

// Cheap vectors are computed again where they are used.
static bool worth_keeping(const RowProg *p, int i) {
  const RowVal *v = &p->v[i];
  return rowval_elems(v) == 1 || row_is_sum(v) || row_is_rotate(v) || op_cost(v->op) > 1 || rotated_later(p, i);
}

// ---- loops
static int earliest(const RowProg *p, const RowPlan *plan, int i, const RowLoop *mine, int at) {
  const RowVal *v = &p->v[i];
  for (int k = 0; k < 2 && v->in[k] >= 0; k++) {
    int j = v->in[k];
    if (plan->of[j] < 0) continue;
    RowLoop theirs = extents(p, j);
    bool same = !row_is_rotate(v) && !row_is_sum(&p->v[j]) && same_loop(&theirs, mine);
    int need = plan->of[j] + !same;
    if (need > at) at = need;
  }
  return at;
}

// A loop with rotate_half in it visits the two halves apart; a sum there would be added up in other lanes than elsewhere.
static bool clash(const RowProg *p, const RowPlan *plan, int i, int loop) {
  for (int k = 0; k < i; k++) {
    if (plan->of[k] != loop) continue;
    if ((row_is_sum(&p->v[i]) && row_is_rotate(&p->v[k])) || (row_is_rotate(&p->v[i]) && row_is_sum(&p->v[k])))
      return true;
  }
  return false;
}

static void put(const RowProg *p, RowPlan *plan, int i, int from) {
  RowLoop mine = extents(p, i);
  int l = earliest(p, plan, i, &mine, from);
  while (l < plan->nloop && (!same_loop(&plan->loop[l], &mine) || clash(p, plan, i, l))) l++;
  if (l == plan->nloop) plan->loop[plan->nloop++] = mine;
  plan->of[i] = l;
}

void row_plan(const RowProg *p, RowPlan *plan) {
  bool *shared = need_alloc((size_t)p->n + 1, sizeof *shared);
  *plan = (RowPlan){.loop = need_alloc((size_t)p->n + 1, sizeof *plan->loop), .of = need_alloc((size_t)p->n + 1, sizeof *plan->of)};
  find_shared(p, shared);
  for (int i = 0; i < p->n; i++) {
    plan->of[i] = -1;
    if (p->v[i].src == RV_OP && shared[i] && worth_keeping(p, i)) put(p, plan, i, 0);
  }
  plan->nshared = plan->nloop;
  for (int i = 0; i < p->n; i++) {
    if (p->v[i].src == RV_OP && !shared[i]) put(p, plan, i, plan->nshared);
  }
  free(shared);
}

void row_plan_free(RowPlan *plan) {
  free(plan->loop);
  free(plan->of);
}

// ---- what waits for later loops
bool row_read_later(const RowProg *p, const RowPlan *plan, int i) {
  for (int k = i + 1; k < p->n; k++) {
    const RowVal *v = &p->v[k];
    if (v->src != RV_OP || (v->in[0] != i && v->in[1] != i)) continue;
    if (plan->of[k] != plan->of[i] || row_is_rotate(v)) return true;
  }
  return false;
}
