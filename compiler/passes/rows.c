// Only the rows that matter. The head works on take(x, rows): this pass moves that `take` towards the inputs, through everything that works
// row by row, down to what is needed for all rows anyway: in the last block, keys and values; queries, the residual stream and the whole
// feed-forward layer are then computed for labelled (or wanted) rows only. It runs before autodiff, so that gradients gain as well.
//
// Demand flows from users to inputs: FULL = all rows, TAKEN = only through take(…, rows). What is wanted both ways is computed for all
// rows and taken from there.
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { FULL = 1, TAKEN = 2 };

typedef struct Rows {
  Rewrite r;
  NodeId *taken;             // old node -> new node that holds its taken rows
  unsigned char *demand;
  NodeId index;              // old node of `rows`
  bool *moves;               // old take nodes this pass handles (all take by the same index)
} Rows;

// The taken version of a T_ROWWISE node is the same op on taken inputs, but for those that stay whole: keys and values, and what all rows share.
static bool stays_whole(const Graph *g, const Node *n, int k) {
  return op_is(n->op, T_WHOLE(k)) || type_row_sym(&g->node[n->in[k]].type) < 0;
}

static void demand(Rows *p, const Graph *g) {
  for (int i = 0; i < g->nout; i++) p->demand[g->out[i].node] |= FULL;
  for (int i = g->n - 1; i >= 0; i--) {
    const Node *n = &g->node[i];
    unsigned d = p->demand[i];
    if (!d) continue;
    if (p->moves[i]) {
      p->demand[n->in[0]] |= TAKEN;
      p->demand[n->in[1]] |= FULL;
      continue;
    }
    bool through = d == TAKEN && op_is(n->op, T_ROWWISE);
    for (int k = 0; k < n->nin; k++) p->demand[n->in[k]] |= through && !stays_whole(g, n, k) ? TAKEN : FULL;
  }
}

// Is old node i made for the taken rows alone? A result of a node that is wanted whole is taken from there.
static bool only_taken(const Rows *p, const Graph *g, NodeId i) {
  const Node *n = &g->node[i];
  if (p->demand[i] != TAKEN || !op_is(n->op, T_ROWWISE)) return false;
  return !op_is(n->op, T_PART) || only_taken(p, g, n->in[0]);
}

// The taken rows of an old node, made when first asked for.
static NodeId taken(Rows *p, NodeId old) {
  if (p->taken[old] >= 0) return p->taken[old];
  NodeId in[2] = {p->r.map[old], p->r.map[p->index]};
  return p->taken[old] = graph_add(p->r.to, OP_take, in, 2, NULL, NULL);
}

static Type taken_type(const Rows *p, Type t) {
  t.dim[0] = p->r.from->node[p->index].type.dim[0];
  return t;
}

static void copy_taken(Rows *p, NodeId old) {
  const Graph *g = p->r.from;
  const Node *n = &g->node[old];
  NodeId in[MAX_IN];
  for (int k = 0; k < n->nin; k++) in[k] = stays_whole(g, n, k) ? p->r.map[n->in[k]] : taken(p, n->in[k]);
  NodeId made = p->taken[old] = rewrite_copy(&p->r, old, in);
  Node *m = &p->r.to->node[made];
  m->type = taken_type(p, m->type);
  for (int k = 0; k < m->nout; k++) m->out[k] = taken_type(p, m->out[k]);
}

// The one index by which everything is taken, and the takes by it; none when the graph takes nothing.
static bool find_takes(Rows *p, const Graph *g) {
  p->index = NODE_NONE;
  for (int i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    if (!op_is(n->op, T_TAKES)) continue;
    if (p->index == NODE_NONE) p->index = n->in[1];
    p->moves[i] = n->in[1] == p->index;
  }
  return p->index != NODE_NONE;
}

Graph *pass_rows(const Graph *g, Arena *a) {
  int n = g->n ? g->n : 1;
  Rows p = {.demand = ARENA_ARRAY(a, unsigned char, n), .moves = ARENA_ARRAY(a, bool, n), .taken = ARENA_ARRAY(a, NodeId, n)};
  for (int i = 0; i < n; i++) p.taken[i] = NODE_NONE;
  if (!find_takes(&p, g)) return graph_copy(g, a, g->name);
  demand(&p, g);
  p.r = rewrite_begin(g, a);
  rewrite_same(&p.r, p.index);                                          // the index first: takes may come before its old place
  for (int i = 0; i < g->n; i++) {
    const Node *o = &g->node[i];
    if (i == p.index || !p.demand[i]) continue;
    if (p.moves[i]) {
      p.r.map[i] = taken(&p, o->in[0]);
    } else if (only_taken(&p, g, i)) {
      copy_taken(&p, i);
    } else {
      rewrite_same(&p.r, i);
    }
  }
  return rewrite_end(&p.r);
}
