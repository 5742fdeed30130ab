// Parts of the verifier.
#ifndef CALM_GRAPH_VERIFY_H
#define CALM_GRAPH_VERIFY_H
#include "graph/graph.h"

// Nothing is differentiated that nothing trainable reaches. NULL, or what is wrong (arena text).
const char *verify_live(const Graph *g, Arena *a);
// Is a graph of this name an entry that gives the loss?
bool graph_has_loss(const char *name);
// In such an entry nothing holds all logits. NULL, or what is wrong (arena text).
const char *verify_growth(const Graph *g, Arena *a);
#endif
