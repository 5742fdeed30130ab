// Nothing is differentiated that nothing trainable reaches: no gradient of a frozen weight, none below the lowest
// connection, none in an augmenting model that nothing live feeds. The heavy backward ops are held against the forward
// op they differentiate.
#include "graph/ops.h"
#include "graph/verify.h"

// live[n]: a parameter reaches n, not by way of a stop_gradient. Numbers that the runtime gives count as well: whoever differentiates may ask for
// them.
static const bool *find_live(const Graph *g, Arena *a) {
  bool *live = ARENA_ARRAY(a, bool, g->n + 1);
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    live[i] = n->op == OP_param || (n->op == OP_input && n->type.dt == DT_F32);
    for (int k = 0; k < n->nin && n->op != OP_stop_gradient; k++) live[i] |= live[n->in[k]];
  }
  return live;
}

// The forward nodes of an op with a given operand, or with some rows of it: is the other operand of one of them live?
// Where there is none (its value was not needed and is gone), nothing can be said.
typedef struct Partners {
  bool found, live;
} Partners;

static void partners(Partners *p, const Graph *g, const bool *live, OpId op, int operand, NodeId is) {
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    if (n->op != op || n->backward) continue;
    const Node *x = &g->node[n->in[operand]];
    if (n->in[operand] != is && (x->op != OP_take || x->in[0] != is)) continue;
    p->found = true;
    p->live |= live[n->in[!operand]];
  }
}

static bool asked_for(const Graph *g, const bool *live, const Node *n) {
  Partners p = {0};
  switch (n->op) {
    case OP_attention_grad: return live[n->in[1]] || live[n->in[2]] || live[n->in[3]];
    case OP_xent_grad: return live[n->in[0]] || live[n->in[1]];
    case OP_xent_dw: return live[n->in[1]];
    case OP_linear_dx: partners(&p, g, live, OP_linear, 1, n->in[1]); break;
    case OP_lookup_dw: partners(&p, g, live, OP_lookup, 0, n->in[0]); break;
    case OP_linear_dw:
      partners(&p, g, live, OP_linear, 0, n->in[1]);
      partners(&p, g, live, OP_linear_dx, 0, n->in[0]);
      break;
    default: return true;
  }
  return p.live || !p.found;
}

const char *verify_live(const Graph *g, Arena *a) {
  const bool *live = find_live(g, a);
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    if (n->backward && !asked_for(g, live, n))
      return arena_printf(a, "node %%%d (%s): a gradient of what nothing trainable reaches", i, op_name(n->op));
  }
  return NULL;
}
