// Shared by the files that lower one entry graph to calls. See lower.c.
#ifndef CALM_PLAN_LOWER_H
#define CALM_PLAN_LOWER_H
#include "plan/fuse.h"
#include "plan/plan.h"

typedef struct Lower {
  Plan *p;
  Arena *arena;                // of what is of use while this entry is lowered; the plan's own lies in the plan's
  const Graph *g;              // after recomputation
  const Fusion *f;
  int entry;
  int *sym;                    // graph symbol -> plan symbol
  int *buf;                    // node -> buffer of its value, -1
  Map dup;                     // of a computed matrix, and the model it is multiplied for: its packed buffer
  int *reader;                 // node of a cache -> the model whose tokens look at it, -1: of several
  NodeId *part;                // [node * MAX_OUT + k]: the first part node that reads result k, NODE_NONE
  int *in_place;               // node -> the input that an output of the same name writes over, -1
  int *value, *stamp, serial;  // node -> its value in the row program being made; valid where stamp[node] == serial
  bool live;                   // of the unit at hand
  struct UnitGrads *grads;     // unit -> the addends of gradients that it makes
} Lower;

// A kernel under construction: arguments are added as programs name them.
typedef struct KernelDraft {
  Kernel k;
  int *buf;                    // buffer per argument
  int capbuf, caparg;
} KernelDraft;

// buffers (buffers.c)
int plan_buf(Plan *p, const PBuf *b);                              // appends
int plan_named_buf(Plan *p, BufKind kind, const char *name, const Type *t, int sym);   // finds or appends
int lower_buf(Lower *l, NodeId n);                                 // buffer of a node's value; makes the source's buffer when needed
int lower_new_act(Lower *l, Dtype dt, int sym, int64_t elems);     // an unnamed activation
int lower_sym(const Lower *l, const Type *t);                      // plan symbol of a type's rows, -1
int lower_of(const Lower *l, const Type *t);                       // the model whose tokens a type's rows are, -1
// Packed panels of static matrix w[N, K], for products with rows of a model (lower_of); of E static matrices w[E, N, K]: the first of E buffers that follow each other.
int lower_packed(Lower *l, NodeId w, int64_t N, int64_t K, bool exact, int of);
int lower_stack(Lower *l, NodeId w, int64_t N, int64_t K, bool exact, int of);

// kernels and calls (calls.c)
int draft_arg(Lower *l, KernelDraft *d, int buf, bool written);    // argument index
int draft_arg_rows(Lower *l, KernelDraft *d, int buf, bool written, bool per_row, int64_t elems);
Call *lower_call(Lower *l, KernelDraft *d, int sym, int64_t rows); // interns the kernel and appends the call, of the model whose rows these are
Call *plan_call(Plan *p, int entry, KernelDraft *d, int sym, int64_t rows, bool live);

// row programs (rowprog.c)
typedef struct ProgBuilder {
  Lower *l;
  KernelDraft *d;
  const Unit *u;
  int prog;                    // which of d->k.prog
  int cap;
  int64_t lead;                // static units: the leading extent of values of rank lead_rank counts the rows
  int lead_rank;               // 0 = none does
} ProgBuilder;
// One at a time: beginning a program forgets the values of the one before.
ProgBuilder prog_begin(Lower *l, KernelDraft *d, const Unit *u, int prog);
int prog_value(ProgBuilder *b, NodeId n);
void prog_store(ProgBuilder *b, NodeId n);                         // the value also goes to its buffer

// heavy ops (lower_heavy.c): the call of each one's kernel, by the rule that ops.def names
typedef void LowerRule(Lower *l, NodeId id);
#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) LowerRule lower_##lower;
#include "graph/ops.def"
#undef X
void lower_heavy(Lower *l, NodeId n);
void lower_gemm(Lower *l, const Unit *u);
void lower_grad(Lower *l, NodeId leaf, const char *param);         // adds a gradient's addend to the flat gradient

void plan_split(Plan *p, int entry, const ProgSplit *of);          // split.c: adds the parts of an entry, frozen and live ones, where that spares work
void plan_place(Plan *p, int entry);                               // memory.c
void plan_check(const Plan *p);                                    // check.c
#endif
