// Which nodes run together. Every node that computes gets a unit: a row kernel, a gemm with its epilogue, or one heavy op alone.
//
// Levels. A heavy op (anything but row-by-row work) raises the level by one; row work stays at the level of its inputs. All row work
// of one level over one row symbol is one row kernel: nothing can leave such a group and come back, since that takes a heavy op.
// Elementwise work that needs only a gemm's own product, and what was there before it, moves into that gemm's epilogue, and with it what only such work reads
// (a derivative made again); but what only row work behind it reads stays there when its operands are in memory anyway (the square that a norm sums).
// Where a graph is differentiated, what depends on no parameter shares no unit with what does, so that it can be run apart (split.c).
// Row work over static operands alone (1 + w) has no unit of its own unless a heavy op or an output wants it: users repeat it inline.
#ifndef CALM_PLAN_FUSE_H
#define CALM_PLAN_FUSE_H
#include "graph/graph.h"

typedef enum UnitKind { UNIT_ROW, UNIT_GEMM, UNIT_HEAVY, UNIT_STATIC } UnitKind;
typedef struct Unit {
  UnitKind kind;
  int level;                   // level of the values it makes
  int sym;                     // UNIT_ROW: its row symbol
  NodeId first;                // order among the units of one level
  NodeId *node;                // heavy op(s) first (gemm: its matrices), then row members, in graph order
  int n, cap;
  int nheavy;
  bool paired;                 // gemm: an epilogue value combines several products
  bool live;                   // its values depend on a parameter, or are the backward pass's
} Unit;

typedef struct Fusion {
  int *level;                  // of each node's value
  int *unit;                   // node -> unit, -1: source, view, or inlined
  bool *stored;                // the value is wanted in memory (sources: false)
  Unit *u;
  int n, cap;
  int *order;                  // units in execution order
} Fusion;

// forward_only: pretends that backward nodes are not there.
Fusion *fuse(const Graph *g, Arena *a, bool forward_only);
// Follows reshape to what holds the data; part nodes are roots of their own.
NodeId fuse_root(const Graph *g, NodeId n);
bool fuse_is_static_row(const Graph *g, NodeId n);        // row work without a row symbol
bool fuse_grad_param(const Output *o, const char **param);   // is this output "grad.<param>"?
// Calls f for every addend of a gradient output (an add tree over values nobody else uses).
void fuse_grad_leaves(const Graph *g, NodeId n, void (*f)(void *user, NodeId leaf), void *user);
#endif
