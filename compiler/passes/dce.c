// Dead code: keeps what the outputs reach.
#include "passes/passes.h"
#include "passes/rewrite.h"

Graph *pass_dce(const Graph *g, Arena *a) {
  bool *live = ARENA_ARRAY(a, bool, g->n ? g->n : 1);
  for (int i = 0; i < g->nout; i++) live[g->out[i].node] = true;
  for (int i = g->n - 1; i >= 0; i--) {
    if (!live[i]) continue;
    for (int k = 0; k < g->node[i].nin; k++) live[g->node[i].in[k]] = true;
  }
  Rewrite r = rewrite_begin(g, a);
  for (int i = 0; i < g->n; i++) {
    if (live[i]) rewrite_same(&r, i);
  }
  return rewrite_end(&r);
}
