// Graphs of small language models as compiler/build makes them for the entries of a program.
#ifndef CALM_TESTS_ENTRY_KIT_H
#define CALM_TESTS_ENTRY_KIT_H
#include "tests/unit/graph_kit.h"

Graph *kit_loss_graph(Kit *k, bool trained);
// The anchor's loss and the gradients, differentiated after the pass `rows` when early is true.
Graph *kit_train_graph(Kit *k, bool trained, bool early);
// Also the logits and a hidden state, as score has them.
Graph *kit_score_graph(Kit *k);
Graph *kit_step_graph(Kit *k);
// One of these: kind 0 … KIT_ENTRIES - 1.
enum { KIT_ENTRIES = 7 };
const Graph *kit_entry_graph(Kit *k, int kind);
#endif
