// Reference evaluation of routing and of products with the matrices of experts.
#include "graph/eval_ops.h"
#include "graph/ops.h"

// Does value b, at i, go before value a, which stands at `at`?
static bool goes_before(double b, int64_t i, double a, int64_t at) { return b > a || (b == a && i < at); }

void eval_largest(Eval *e, NodeId id) {
  const double *x = eval_in(e, id, 0);
  int64_t E = eval_type(e, id, 0)->dim[1], n = e->g->node[id].attr.of_largest.n;
  double *y = eval_out(e, id, 0);
  for (int64_t r = 0; r < eval_rows(e, eval_type(e, id, 0)); r++)
    for (int64_t i = 0; i < E; i++) {
      int64_t before = 0;
      for (int64_t k = 0; k < E; k++) before += k != i && goes_before(x[r * E + k], k, x[r * E + i], i);
      if (before < n) y[r * n + before] = (double)i;
    }
}

static int64_t chosen(const Eval *e, NodeId id, int operand, int64_t at) { return (int64_t)eval_in(e, id, operand)[at]; }

// Are the ids, operand k, of 0 … limit - 1?
static bool ids_fit(Eval *e, NodeId id, int k, int64_t limit) {
  for (int64_t i = 0; i < eval_elems(e, eval_type(e, id, k)); i++) {
    int64_t at = chosen(e, id, k, i);
    if (at >= 0 && at < limit) continue;
    e->error = arena_printf(e->arena, "node %%%d (%s): number %lld is not in 0 … %lld", id, op_name(e->g->node[id].op), (long long)at, (long long)limit - 1);
    return false;
  }
  return true;
}

void eval_pick(Eval *e, NodeId id) {
  int64_t E = eval_type(e, id, 0)->dim[1], n = eval_type(e, id, 1)->dim[1];
  if (!ids_fit(e, id, 1, E)) return;
  for (int64_t r = 0; r < eval_rows(e, eval_type(e, id, 0)); r++)
    for (int64_t j = 0; j < n; j++) eval_out(e, id, 0)[r * n + j] = eval_in(e, id, 0)[r * E + chosen(e, id, 1, r * n + j)];
}

void eval_unpick(Eval *e, NodeId id) {
  int64_t E = e->g->node[id].type.dim[1], n = eval_type(e, id, 1)->dim[1];
  if (!ids_fit(e, id, 1, E)) return;
  for (int64_t r = 0; r < eval_rows(e, eval_type(e, id, 0)); r++)
    for (int64_t j = 0; j < n; j++) eval_out(e, id, 0)[r * E + chosen(e, id, 1, r * n + j)] = eval_in(e, id, 0)[r * n + j];
}

// w[e, out, in] is summed over in, or over out.
static void experts(Eval *e, NodeId id, bool slots_in, bool slots_out) {
  const Node *node = &e->g->node[id];
  const Type *tw = eval_type(e, id, 1);
  int64_t T = eval_rows(e, eval_type(e, id, 0)), S = eval_type(e, id, 2)->dim[1];
  int64_t K = type_row_elems(eval_type(e, id, 0)) / (slots_in ? S : 1), N = type_row_elems(&node->type) / (slots_out ? S : 1);
  bool by_rows = !op_is(node->op, T_BY_OUTER);
  const double *x = eval_in(e, id, 0), *w = eval_in(e, id, 1);
  double *y = eval_out(e, id, 0);
  if (!ids_fit(e, id, 2, tw->dim[0])) return;
  for (int64_t r = 0; r < T; r++)
    for (int64_t j = 0; j < S; j++)
      for (int64_t n = 0; n < N; n++)
        for (int64_t k = 0; k < K; k++) {
          const double *of = w + chosen(e, id, 2, r * S + j) * N * K;
          y[(slots_out ? r * S + j : r) * N + n] += x[(slots_in ? r * S + j : r) * K + k] * (by_rows ? of[n * K + k] : of[k * N + n]);
        }
}

void eval_to_experts(Eval *e, NodeId id) { experts(e, id, false, true); }
void eval_to_experts_dx(Eval *e, NodeId id) { experts(e, id, true, false); }
void eval_from_experts(Eval *e, NodeId id) { experts(e, id, true, false); }
void eval_from_experts_dx(Eval *e, NodeId id) { experts(e, id, false, true); }
