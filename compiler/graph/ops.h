// The op table at work: everything ops.def says, looked up by op.
#ifndef CALM_GRAPH_OPS_H
#define CALM_GRAPH_OPS_H
#include "graph/graph.h"

// Infers n's result types from its inputs and attributes (for sources and reshape: checks the type that is there).
// Returns NULL, or what is wrong, in terms of shapes (arena text).
const char *op_infer(const Graph *g, Node *n);
// Walks the attribute column of ops.def: the next field into *f; false at the end.
typedef struct AttrField {
  char kind;                                 // 'n' name, 'd' data, 'i' integer, 'f' number
  int index;                                 // of attr.i or attr.f
  bool flag;                                 // 1, or 0 and not in the text
  char key[16];                              // what the text form calls it
} AttrField;
typedef struct AttrFields {
  char kind;
  const char *keys;                          // that are to come
  int index;
  bool flagged;                              // the last of them is a flag
} AttrFields;
AttrFields op_attr_fields(OpId op);
bool op_attr_field(AttrFields *at, AttrField *f);
int op_min_in(OpId op);
int op_max_in(OpId op);
bool op_reads_series(const Graph *g, NodeId n);   // is n several tensors of a file as one, under other extents, turned or rounded?
OpId op_find(const char *name);              // OP_COUNT when there is none
#endif
