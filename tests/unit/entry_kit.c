// See entry_kit.h.
#include "tests/unit/entry_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "autodiff/autodiff.h"
#include "passes/passes.h"

Graph *kit_loss_graph(Kit *k, bool trained) {
  kit_pair(k, trained);
  k->g->name = "loss";
  return k->g;
}

Graph *kit_train_graph(Kit *k, bool trained, bool early) {
  kit_pair(k, trained);
  k->g->name = "train";
  Graph *g = early ? pass_rows(pass_dce(k->g, k->arena), k->arena) : k->g;
  k->g = g;
  NodeId loss = g->out[0].node, wrt[KIT_MAX_VALUES], grad[KIT_MAX_VALUES];
  int n = 0;
  for (NodeId i = 0; i < g->n; i++) {
    if (g->node[i].op == OP_param) wrt[n++] = i;
  }
  assert_true(n > 0);
  NodeId seed = kit_source(k, OP_input, "gscale", g->node[loss].type, -1, 1);
  autodiff_reverse(g, loss, seed, wrt, n, grad);
  for (int i = 0; i < n; i++) {
    assert_true(grad[i] >= 0);
    graph_output(g, arena_printf(k->arena, "grad.%s", g->node[wrt[i]].attr.name), grad[i]);
  }
  return g;
}

Graph *kit_score_graph(Kit *k) {
  kit_pair(k, false);
  Graph *g = k->g;
  g->name = "score";
  Node loss = g->node[g->out[0].node];
  graph_output(g, "logits", graph_add(g, OP_linear, loss.in, 2, &(Attr){.i = {1}}, NULL));
  NodeId taken = NODE_NONE;
  for (NodeId i = 0; i < g->n; i++) {
    if (g->node[i].op == OP_take) taken = i;
  }
  graph_output(g, "hidden.base.2", g->node[taken].in[0]);
  return g;
}

Graph *kit_step_graph(Kit *k) {
  kit_step(k);
  k->g->name = "step";
  return k->g;
}

const Graph *kit_entry_graph(Kit *k, int kind) {
  switch (kind) {
    case 0: return kit_loss_graph(k, false);
    case 1: return kit_loss_graph(k, true);
    case 2: return kit_train_graph(k, false, true);
    case 3: return kit_train_graph(k, true, true);
    case 4: return kit_train_graph(k, false, false);
    case 5: return kit_score_graph(k);
    default: return kit_step_graph(k);
  }
}
