// The graph: typed SSA tensor operations over one ragged token dimension. Nodes are appended in topological order (an
// input's index is always smaller than its user's). ops.def says everything about an op.
//
// Shapes. dim[0] of an activation is a row symbol (number of real tokens of one model, of labelled rows, of cached
// rows); all other extents are static. Weights, parameters and constants have static extents only. Only attention mixes
// rows.
#ifndef CALM_GRAPH_GRAPH_H
#define CALM_GRAPH_GRAPH_H
#include <stdbool.h>
#include <stdint.h>

#include "dsl/base/arena.h"
#include "dsl/base/buf.h"
#include "runtime/abi/abi.h"

typedef int32_t NodeId;                      // index into Graph.node; -1 = none
enum { NODE_NONE = -1, MAX_RANK = 5, MAX_IN = 8, MAX_OUT = 3 };

// What dim[0] may stand for: runtime/abi/program.def.
enum { FLAT_WIDTH = RT_FLAT_WIDTH };
typedef ProgSym Sym;

typedef struct Type {
  Dtype dt;
  int rank;                                  // 0 = scalar
  int64_t dim[MAX_RANK];                     // >= 0 static extent; < 0 a symbol: -(sym + 1), only dim[0] may be one
} Type;
static inline bool dim_is_sym(int64_t d) { return d < 0; }
static inline int dim_sym(int64_t d) { return (int)(-d - 1); }
static inline int64_t sym_dim(int sym) { return -(int64_t)sym - 1; }
bool type_equal(const Type *a, const Type *b);
int type_row_sym(const Type *t);             // symbol of dim[0], or -1 when all extents are static
bool type_countable(const Type *t);            // is that product one that a tensor may have (dsl/base/elements.h)?
int64_t type_row_elems(const Type *t);       // product of the static extents (all of them when there is no symbol)

typedef enum OpId {
#define X(id, ...) OP_##id,
#include "graph/ops.def"
#undef X
  OP_COUNT
} OpId;

// Binding time, found by analysis (passes/stage.c).
typedef enum Stage { STAGE_CONSTANT, STAGE_FROZEN, STAGE_LIVE } Stage;

// What ops.def lists as an op's INTS, by name: attr.of_slice.axis.
#define ATTR_NONE none
#define ATTR_NAMED none
#define ATTR_DATA none
#define ATTR_SHAPE none
#define ATTR_REALS(...) none
#define ATTR_INTS(...) __VA_ARGS__
#define ATTR_PRODUCT(...) __VA_ARGS__
#define X(id, name, cls, lo, hi, attrs, ...) typedef struct OpInts_##id { int64_t ATTR_##attrs; } OpInts_##id;
#include "graph/ops.def"
#undef X
typedef struct Attr {
  union {
    int64_t i[4];                            // all of them, to compare, print and read; those that the op does not name are 0
#define X(id, ...) OpInts_##id of_##id;
#include "graph/ops.def"
#undef X
  };
  union {
    double f[2];
    struct { double scale, softcap; };       // REALS
  };
  const char *name;                          // inputs, weights, parameters
  const double *data;                        // OP_const: the values (type's element count)
} Attr;

typedef struct Node {
  OpId op;
  int nin;
  NodeId in[MAX_IN];
  Type type;                                 // of result 0
  int nout;                                  // results; several are read through `part` nodes
  Type out[MAX_OUT];                         // out[0] == type
  Attr attr;
  bool backward;                             // made by autodiff (recomputation and scheduling look at it)
  uint32_t loc[3];                           // source place (file, begin, end) for messages; 0 = none
} Node;

typedef struct Output {                      // what an entry gives back, in order
  const char *name;                          // "nll", "logits", "hidden.base.4", "grad.code.8->base.4.wq", "state.p" …
  NodeId node;
} Output;

typedef struct ModelInfo {
  const char *name;                          // "base"
} ModelInfo;

typedef struct Graph {
  Arena *arena;
  const char *name;                          // entry: "train", "loss", "step", "score", "update"
  Node *node;
  int n, cap;
  Sym *sym;
  int nsym, capsym;
  ModelInfo *model;
  int nmodel, capmodel;
  Output *out;
  int nout, capout;
} Graph;

Graph *graph_new(Arena *a, const char *name);
// Names and values of nodes stay where they are: the copy is good as long as the arena of the graph that was built first.
Graph *graph_copy(const Graph *g, Arena *a, const char *name);
void graph_expect(Graph *g, int n);          // room for n nodes, in a graph that has none yet
int graph_add_model(Graph *g, const char *name);
int graph_add_sym(Graph *g, SymKind kind, int model);          // returns the existing one when it is there
void graph_output(Graph *g, const char *name, NodeId node);

// Appends a node after inferring its type with the op's shape rule. On a shape error returns NODE_NONE and sets *why
// (arena text, in terms of shapes; the caller adds the place). why may be NULL: then an error is a compiler bug and
// aborts.
NodeId graph_add(Graph *g, OpId op, const NodeId *in, int nin, const Attr *attr, const char **why);
// Sources carry their own type.
NodeId graph_source(Graph *g, OpId op, Type type, const Attr *attr);
NodeId graph_const(Graph *g, double v);                        // scalar f32
NodeId graph_const_vec(Graph *g, const double *v, int64_t n);  // [n] f32; values are copied
const char *type_text(const Graph *g, const Type *t);          // "T.base x 8 x 64 x f32" (arena)
static inline Node *graph_node(Graph *g, NodeId id) { return &g->node[id]; }
// Short forms that abort on a shape error (the compiler's own graphs).
NodeId graph_un(Graph *g, OpId op, NodeId a);
NodeId graph_bin(Graph *g, OpId op, NodeId a, NodeId b);
NodeId graph_part(Graph *g, NodeId n, int k);                  // result k of a node with several
// Other static extents, same product; the row symbol, if any, stays in front. why as in graph_add.
NodeId graph_reshape(Graph *g, NodeId n, const int64_t *ext, int rank, const char **why);

// Printer, reader and verifier. The text form reads back to an equal graph:
//   graph train
//   model base
//   sym T.base
//   %0 = input "ids.base" : T.base x i32
//   %1 = weight "base.model.embed_tokens.weight" : 512 x 64 x f32
//   %2 = lookup %0 %1 : T.base x 64 x f32
//   %9 = attention %4 %5 %6 %8 scale=0.125 softcap=0 : T.base x 8 x 64 x f32, T.base x 8 x f32
//   output "nll" %20
void graph_print(const Graph *g, Buf *out);
// What a node computes of its operands, the same in every graph: op, attributes and extents, all by name; not in what type of number.
void graph_print_meaning(const Graph *g, NodeId id, Buf *out);
Graph *graph_parse(Arena *a, const char *text, const char **why);   // NULL and *why ("line 3: …") on bad text
// (source places are not in the text)
// Returns NULL when the graph is well-formed (types re-inferred and equal, inputs before users, only attention mixes
// rows, no gradient of a frozen weight …), otherwise what is wrong (arena text).
const char *graph_verify(const Graph *g, Arena *a);

const char *op_name(OpId op);
const char *op_formula(OpId op);
typedef enum OpClass {                       // how the planner sees an op
  OPC_SOURCE,                                // input, weight, param, const, mask
  OPC_ROW,                                   // elementwise and last-axis work: row kernels, gemm epilogues
  OPC_VIEW,                                  // reshape, part: no work
  OPC_GEMM,                                  // linear, linear_dx: token rows times a static matrix
  OPC_DW,                                    // linear_dw: sums over rows into a static matrix
  OPC_EXPERTS,                               // token rows times those of several static matrices that each row names
  OPC_ATTENTION, OPC_ATTENTION_GRAD,
  OPC_GATHER, OPC_SCATTER,                   // lookup, take | lookup_dw, untake, append
  OPC_COLSUM,                                // sums over rows into a static vector
  OPC_LOSS,                                  // cross entropy over a vocabulary head, forward and gradients
} OpClass;
OpClass op_class(OpId op);

// What an op is to those who arrange, differentiate or emit it: the last but one column of ops.def. They ask for these, not for the op.
typedef enum OpTrait {
  T_EACH = 1 << 0,                           // element i of the result comes from element i of the operands, stretched
  T_EPILOGUE = 1 << 1,                       // may stand in the epilogue of a product
  T_ROWWISE = 1 << 2,                        // row r of the result comes from row r of the operands that have rows, but for those T_WHOLE
  T_FUNCTION = T_EACH | T_EPILOGUE | T_ROWWISE,   // what a function of numbers is
  T_SUMS = 1 << 3,                           // over the last extent: a pass of its own, kept rather than made again
  T_HALVES = 1 << 4,                         // reads the other half of the last extent
  T_SUM_OF_TWO = 1 << 5,                     // a + b: what a sum of gradients is made of
  T_SAME_DATA = 1 << 6,                      // the operand's elements in their order, under other extents
  T_TURNED = 1 << 7,                         // a matrix stored the other way round
  T_PART = 1 << 8,                           // one result of a node with several
  T_BY_OUTER = 1 << 9,                       // a product over the outer extents of its matrix
  T_TAKES = 1 << 10,                         // rows of operand 0 by the index that is operand 1
  T_OWN_ROWS = 1 << 11,                      // its operands may be of different rows, as its shape rule says
  T_IN_PLACE = 1 << 12,                      // the result lies where operand 0 lies
  T_STOPS = 1 << 13,                         // gradients end here
  T_BACKWARD = 1 << 14,                      // stands in the backward pass only; graph/verify_live.c knows when it is asked for
  // sources
  T_GIVEN = 1 << 15,                         // by the runtime, at every step
  T_STORED = 1 << 16,                        // a frozen tensor
  T_TRAINED = 1 << 17,
  T_CACHED = 1 << 18,
  T_LITERAL = 1 << 19,
  T_GONE = 1 << 21,                          // its operand, once gradients are made (passes/stops)
  T_ROUNDED = 1 << 20,                       // a tensor as int8: no source itself
  T_SERIES = 1 << 22,                        // several tensors of a file, as one: of products of experts alone
} OpTrait;
#define T_WHOLE(k) (1u << (24 + (k)))         // operand k is read at all rows, whichever row is made
unsigned op_traits(OpId op);
static inline bool op_is(OpId op, unsigned trait) { return (op_traits(op) & trait) != 0; }
int op_cost(OpId op);                        // of one element, in additions
#endif
