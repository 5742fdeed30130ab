// In `train`, `probe` and `loss` nothing grows as tokens times tokens or as tokens times vocabulary. The first cannot be said:
// only dim[0] of a type may be a row symbol (verify.c). The second is a product of rows with the tensor that the loss's
// head rests on: the loss walks through the vocabulary in pieces, and nothing that an output needs may hold all logits.
#include <string.h>

#include "graph/ops.h"
#include "graph/verify.h"

// Notes the tensors of a matrix' own size that it is computed from: itself, or below views and elementwise work. seen: such matrices.
static void find_tensors(const Graph *g, bool *rests, bool *seen) {
  for (NodeId w = g->n - 1; w >= 0; w--) {
    const Node *n = &g->node[w];
    if (!seen[w]) continue;
    rests[w] |= op_class(n->op) == OPC_SOURCE && !op_is(n->op, T_LITERAL);
    for (int k = 0; k < n->nin; k++) seen[n->in[k]] |= type_row_elems(&g->node[n->in[k]].type) == type_row_elems(&n->type);
  }
}

static const bool *needed(const Graph *g, Arena *a) {
  bool *need = ARENA_ARRAY(a, bool, g->n + 1);
  for (int i = 0; i < g->nout; i++) need[g->out[i].node] = true;
  for (NodeId i = g->n - 1; i >= 0; i--) {
    for (int k = 0; k < g->node[i].nin; k++) need[g->node[i].in[k]] |= need[i];
  }
  return need;
}

bool graph_has_loss(const char *name) {
  const char *rest;
  int k = prog_named(EntryKind_names, name, &rest);
  return k == ENTRY_TRAIN || k == ENTRY_LOSS || k == ENTRY_PROBE;
}

const char *verify_growth(const Graph *g, Arena *a) {
  if (!graph_has_loss(g->name)) return NULL;
  const bool *need = needed(g, a);
  bool *head = ARENA_ARRAY(a, bool, g->n + 1), *seen = ARENA_ARRAY(a, bool, g->n + 1);
  for (NodeId i = 0; i < g->n; i++) {
    if (op_class(g->node[i].op) == OPC_LOSS) seen[g->node[i].in[1]] = true;
  }
  find_tensors(g, head, seen);
  for (NodeId i = 0; i < g->n; i++) {        // and what is computed from such a tensor, size for size
    const Node *n = &g->node[i];
    if (op_class(n->op) == OPC_GEMM && !op_is(n->op, T_BY_OUTER) && need[i] && head[n->in[1]])
      return arena_printf(a, "node %%%d (%s): holds a row of logits per token, in '%s'", i, op_name(n->op), g->name);
    for (int k = 0; k < n->nin; k++)
      head[i] |= head[n->in[k]] && type_row_elems(&g->node[n->in[k]].type) == type_row_elems(&n->type);
  }
  return NULL;
}
