// Copying a graph node by node, with a map from old to new: what every pass is made of.
#ifndef CALM_PASSES_REWRITE_H
#define CALM_PASSES_REWRITE_H
#include "graph/graph.h"

typedef struct Rewrite {
  const Graph *from;
  Graph *to;
  NodeId *map;                               // old node -> new node, NODE_NONE = not copied
} Rewrite;

Rewrite rewrite_begin(const Graph *g, Arena *a);          // models and symbols are copied; nodes are not
NodeId rewrite_copy(Rewrite *r, NodeId old, const NodeId *in);   // old's op, type and attributes over new inputs
NodeId rewrite_same(Rewrite *r, NodeId old);              // over the mapped inputs; sets the map
Graph *rewrite_end(Rewrite *r);                           // copies the outputs through the map
#endif
