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
    live[i] = op_is(n->op, T_TRAINED) || (op_is(n->op, T_GIVEN) && n->type.dt == DT_F32);
    for (int k = 0; k < n->nin && !op_is(n->op, T_STOPS); k++) live[i] |= live[n->in[k]];
  }
  return live;
}

// The forward nodes of an op with a given operand, or with some rows of it: is the other operand of one of them live?
// Where there is none (its value was not needed and is gone), nothing can be said.
typedef struct Partners {
  bool found, live;
} Partners;

// Forward nodes by what stands as their operand 0 or 1: itself, or what it takes rows of.
typedef struct Users {
  NodeId *first[2][2];         // [operand][by way of a take], per node
  NodeId *next[2];             // [operand], per node: the next forward node of the same `first`
} Users;

static Users find_users(const Graph *g, Arena *a) {
  Users u;
  for (int k = 0; k < 2; k++) {
    u.next[k] = ARENA_ARRAY(a, NodeId, g->n + 1);
    for (int way = 0; way < 2; way++) {
      u.first[k][way] = ARENA_ARRAY(a, NodeId, g->n + 1);
      for (NodeId i = 0; i < g->n; i++) u.first[k][way][i] = NODE_NONE;
    }
  }
  for (NodeId i = g->n - 1; i >= 0; i--) {
    const Node *n = &g->node[i];
    for (int k = 0; k < 2 && k < n->nin && !n->backward; k++) {
      bool taken = op_is(g->node[n->in[k]].op, T_TAKES);
      NodeId *first = &u.first[k][taken][taken ? g->node[n->in[k]].in[0] : n->in[k]];
      u.next[k][i] = *first;
      *first = i;
    }
  }
  return u;
}

static void partners(Partners *p, const Graph *g, const Users *u, const bool *live, OpId op, int operand, NodeId is) {
  for (int way = 0; way < 2; way++) {
    bool through = way == 0 && op_is(g->node[is].op, T_TAKES);       // who reads a take stands under what it takes of
    for (NodeId i = u->first[operand][way || through][through ? g->node[is].in[0] : is]; i >= 0; i = u->next[operand][i]) {
      const Node *n = &g->node[i];
      if (n->op != op || (through && n->in[operand] != is)) continue;
      p->found = true;
      p->live |= live[n->in[!operand]];
    }
  }
}

// Which operands of the forward pass a backward op is asked for by: its own operands of which one must be live, or the forward ops it belongs
// to: those that have, as operand `operand`, what is its own operand `own`.
typedef struct Asked {
  OpId op;
  unsigned live;               // bits: its own operands
  struct { OpId forward; int operand, own; } by[2];
} Asked;
static const Asked asked[] = {
    {OP_attention_grad, 1 << 1 | 1 << 2 | 1 << 3, {{0}}},
    {OP_xent_grad, 1 << 0 | 1 << 1 | 1 << 4, {{0}}},
    {OP_xent_dw, 1 << 1 | 1 << 5, {{0}}},
    {OP_lookup_dw, 0, {{OP_lookup, 0, 0}}},
    {OP_linear_dw, 0, {{OP_linear, 0, 1}, {OP_linear_dx, 0, 0}}},
    {OP_linear_dx, 0, {{OP_linear, 1, 1}}},
    {OP_to_experts_dx, 0, {{OP_to_experts, 1, 1}}},
    {OP_from_experts_dx, 0, {{OP_from_experts, 1, 1}}},
};
enum { N_ASKED = sizeof asked / sizeof *asked };

// NULL, or what is wrong.
static const char *not_asked_for(const Graph *g, const Users *u, const bool *live, const Node *n) {
  int i = 0;
  while (i < N_ASKED && asked[i].op != n->op) i++;
  if (i == N_ASKED) return op_is(n->op, T_BACKWARD) ? "nothing says when this gradient is asked for: add it to graph/verify_live.c" : NULL;
  Partners p = {.found = asked[i].live != 0};
  for (int k = 0; k < n->nin; k++) p.live |= asked[i].live >> k & 1 && live[n->in[k]];
  for (int k = 0; k < 2 && !asked[i].live; k++)
    if (k == 0 || asked[i].by[k].forward) partners(&p, g, u, live, asked[i].by[k].forward, asked[i].by[k].operand, n->in[asked[i].by[k].own]);
  return p.live || !p.found ? NULL : "a gradient of what nothing trainable reaches";
}

const char *verify_live(const Graph *g, Arena *a) {
  const bool *live = find_live(g, a);
  Users u = find_users(g, a);
  for (NodeId i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    const char *wrong = n->backward ? not_asked_for(g, &u, live, n) : NULL;
    if (wrong) return arena_printf(a, "node %%%d (%s): %s", i, op_name(n->op), wrong);
  }
  return NULL;
}
