// Stage analysis: when is a node's value known? constant: from weights and literals alone. frozen: from tokens and frozen weights.
// live: reached by a trainable parameter (or by the optimizer's own vectors).
#include <string.h>

#include "passes/passes.h"

static Stage source_stage(const Node *n) {
  if (op_is(n->op, T_STORED | T_LITERAL)) return STAGE_CONSTANT;
  return type_row_sym(&n->type) >= 0 && !op_is(n->op, T_TRAINED) ? STAGE_FROZEN : STAGE_LIVE;
}

const Stage *stage_analyse(const Graph *g, Arena *a) {
  Stage *s = ARENA_ARRAY(a, Stage, g->n ? g->n : 1);
  for (int i = 0; i < g->n; i++) {
    const Node *n = &g->node[i];
    if (op_class(n->op) == OPC_SOURCE) s[i] = source_stage(n);
    for (int k = 0; k < n->nin; k++) {
      if (s[n->in[k]] > s[i]) s[i] = s[n->in[k]];
    }
  }
  return s;
}
