// Reverse mode: the active nodes backwards, each asking its op's rule. See autodiff.h.

#include "autodiff/autodiff.h"
#include "autodiff/rules.h"
#include "dsl/base/bug.h"
#include "graph/ops.h"

static GradRule *const rule[] = {
#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) grad_##grad,
#include "graph/ops.def"
#undef X
};

_Noreturn static void bug_at(const Graph *g, NodeId id, const char *what) {
  bug("gradient of graph %s, node %%%d (%s): %s", g->name, id, op_name(g->node[id].op), what);
}

bool grad_wanted(const Reverse *r, NodeId id, int input) { return r->active[r->g->node[id].in[input]]; }

static NodeId plus(Graph *g, NodeId a, NodeId b) { return a < 0 ? b : b < 0 ? a : graph_bin(g, OP_add, a, b); }

void grad_give(Reverse *r, NodeId id, int input, NodeId dx) {
  NodeId x = r->g->node[id].in[input];
  if (!r->active[x]) return;
  if (!type_equal(&r->g->node[dx].type, &r->g->node[x].type))
    bug_at(r->g, id, arena_printf(r->g->arena, "the gradient of operand %d is %s, the operand is %s", input,
                               type_text(r->g, &r->g->node[dx].type), type_text(r->g, &r->g->node[x].type)));
  r->grad[x] = plus(r->g, r->grad[x], dx);
}

void grad_give_summed(Reverse *r, NodeId id, int input, NodeId dx) {
  NodeId x = r->g->node[id].in[input];
  if (!r->active[x]) return;
  const Type to = r->g->node[x].type;
  grad_give(r, id, input, sum_to(r->g, dx, &to));
}

// A part's gradient is that of one result of its node. The node's own gradient is result 0's.
static void part_gives(Reverse *r, NodeId part) {
  int k = (int)r->g->node[part].attr.of_part.k;
  NodeId x = r->g->node[part].in[0];
  r->part[k][x] = plus(r->g, r->part[k][x], r->grad[part]);
  r->grad[x] = r->part[0][x] >= 0 ? r->part[0][x] : r->part[k][x];
}

static void mark_backward(Graph *g, NodeId from) {
  for (NodeId i = from; i < g->n; i++) {
    if (!op_is(g->node[i].op, T_PART) || op_class(g->node[g->node[i].in[0]].op) != OPC_ATTENTION) g->node[i].backward = true;
  }
}

void autodiff_reverse(Graph *g, NodeId loss, NodeId seed, const NodeId *wrt, int nwrt, NodeId *grad) {
  int forward = g->n;
  size_t n = (size_t)forward + 1;
  Reverse r = {.g = g, .active = autodiff_activity(g, loss, wrt, nwrt), .grad = ARENA_ARRAY(g->arena, NodeId, n)};
  for (int k = 0; k < MAX_OUT; k++) r.part[k] = ARENA_ARRAY(g->arena, NodeId, n);
  for (int i = 0; i < forward; i++) {
    r.grad[i] = NODE_NONE;
    for (int k = 0; k < MAX_OUT; k++) r.part[k][i] = NODE_NONE;
  }
  if (!type_equal(&g->node[loss].type, &g->node[seed].type)) bug_at(g, loss, "the seed has another type than the loss");
  if (r.active[loss]) r.grad[loss] = seed;
  for (NodeId i = forward - 1; i >= 0; i--) {
    const Node *x = &g->node[i];
    if (!r.active[i]) continue;
    if (op_is(x->op, T_PART)) {
      part_gives(&r, i);
    } else if (r.grad[i] >= 0 && op_class(x->op) != OPC_SOURCE) {
      rule[x->op](&r, i, r.grad[i]);
    }
  }
  mark_backward(g, forward);
  for (int i = 0; i < nwrt; i++) grad[i] = r.grad[wrt[i]];
}
