// The plan: fused kernels, their calls in order, and where every value lives. Target-neutral: it speaks of rows, tiles and heads,
// not of threads or vectors. One plan holds all entries of a program, so that kernels and packed weights are shared.
//
// Entries: init (packs frozen matrices, once at load), prepare (packs live matrices, after every change of the parameters), train,
// loss, step, score, norm, update; frozen and live, train in two (split.c); lean, train that keeps less (recompute.c). A call runs one kernel over `rows` rows: a row symbol's extent at run time, or a static count.
#ifndef CALM_PLAN_PLAN_H
#define CALM_PLAN_PLAN_H
#include <stddef.h>

#include "dsl/base/map.h"
#include "graph/graph.h"

// ---- row programs: a straight line of values over one row (static extents only; the row symbol is implied)
typedef enum RowSrc {
  RV_OP,                       // an elementwise or last-axis op of ops.def on earlier values
  RV_LOAD,                     // argument `arg`
  RV_ACC,                      // gemm epilogues only: the product's tile of matrix `arg`
  RV_IMM,                      // literal `imm`
} RowSrc;
typedef struct RowVal {
  RowSrc src;
  OpId op;                     // RV_OP: add … rotate, sum, float
  int in[2];                   // earlier values
  int rank;                    // static extents of this value: 0 = one scalar per row
  int64_t dim[MAX_RANK];
  bool shared;                 // the same for all rows (a static operand)
  int arg;                     // RV_LOAD, RV_ACC
  double imm;
  int store;                   // kernel argument this value is written to, or -1
} RowVal;
typedef struct RowProg {
  RowVal *v;
  int n;
} RowProg;

// ---- kernels
typedef enum KernelClass {
#define X(id, name, form, args, extents, what) K_##id,
#include "plan/kernels.def"
#undef X
  K_COUNT
} KernelClass;
typedef enum CallForm { FORM_KERNEL, FORM_OPEN, FORM_SOURCE_ROWS, FORM_ADDS } CallForm;
typedef struct KernelClassInfo {
  const char *name;
  CallForm form;
  int narg, nextent;           // that kernels.def names; with FORM_OPEN more arguments follow
} KernelClassInfo;
extern const KernelClassInfo kernel_class[K_COUNT];

// The lists of kernels.def as names.
#define KLIST(...) __VA_ARGS__
#define X(id, name, form, args, extents, what) \
  typedef struct KArgs_##id { char KLIST args; } KArgs_##id; \
  typedef struct KExtents_##id { int64_t KLIST extents; } KExtents_##id;
#include "plan/kernels.def"
#undef X
#define KARG(cls, name) ((int)offsetof(KArgs_##cls, name))

typedef struct KArg {          // a pointer argument
  Dtype dt;
  bool per_row;                // row r lies at r * elems elements; otherwise the same data for every row
  bool written;
  bool cached;                 // rows of a cache of one model's (ProgCached): f32 that are kept in the width of the precision (cache_dtype)
  int64_t elems;               // per row, or in all
} KArg;

enum { MAX_MATS = 4 };         // packed matrices of a product; how they lie: runtime/abi/precision.h
// Kernels that are equal in all of this but id are one, whatever the depth (kernel_equal): what an architecture computes from the layer index is
// a run-time argument.
typedef struct Kernel {
  int id;
  KernelClass cls;
  KArg *arg;                   // words of a call: args[0] = rows, args[1 + i] = pointer i. kernels.def says which argument is what.
  int narg;
  union {
    int64_t dim[8];            // all of them, to compare; those that the class does not name are 0
#define X(id, name, form, args, extents, what) KExtents_##id id;
#include "plan/kernels.def"
#undef X
  };
  union {
    double f[2];
    struct { double scale, softcap; };
  };
  int nmat;                    // gemm: matrices that share the left operand
  int64_t N[MAX_MATS];
  RowProg prog[MAX_MATS];      // row: prog[0]. gemm: epilogue of matrix i; paired: prog[0] for all (equal N), others empty. n = 0: plain store
  bool paired;
  bool exact;                  // products of f32 in every precision, its panels too
} Kernel;
bool kernel_equal(const Kernel *a, const Kernel *b);
int loss_bias_arg(KernelClass cls);            // the argument from which on a loss without a bias has none; -1: no loss

// cost.c. Row work: elements of a value; ops that take other lanes than their own; operations of a row, in additions, and 1.
int64_t rowval_elems(const RowVal *v);
bool row_is_sum(const RowVal *v);
bool row_is_rotate(const RowVal *v);
int64_t row_work(const RowProg *p);
// What a kernel has to do (ProgKernel): of every class what its row in cost.c says.
typedef struct KernelCost {
  bool product;
  int64_t flops[N_Per], bytes[N_Per][N_PRECISION];
  int mask, source;            // words of a call; -1: none
} KernelCost;
void kernel_cost(const Kernel *k, KernelCost *c);
void kernel_title(const Kernel *k, Buf *out);     // "gemm 768 -> 2048+2048 bf16"

// ---- buffers
typedef ProgBuf PBuf;          // runtime/abi/program.def: kinds, and what each has of its own. Names are never NULL
// An activation lies at   region(entry, sym) + act.offset * extent(sym),   where region(entry, s) = sum over syms s' < s of
// row_bytes[s'] * extent(s') after the static region (sym -1, offset in bytes). Offsets are multiples of 64 bytes; the runtime
// rounds extents up to a multiple of 16 rows, so that everything is 64-byte aligned. Affine in the rows of a step, and the same plan for every step.

typedef struct Call {
  int kernel;
  int sym;                     // rows = extent of sym, or `rows` when -1
  int64_t rows;
  int *buf;                    // one per kernel argument
  int of;                      // the model whose precision its products have: whose tokens its rows are, -1: those of none
  bool accumulate;             // dw: adds to what is there
  bool live;                   // depends on a parameter, or is the backward pass's
} Call;
typedef struct PlanEntry {
  const char *name;
  Call *call;
  int ncall, capcall;
  ProgOutput *out;
  int nout;
  int64_t static_bytes;
  int64_t *row_bytes;          // per sym
} PlanEntry;

typedef struct Plan {
  Arena *arena;
  Sym *sym;                    // union over the entries' graphs, by name
  int nsym;
  ModelInfo *model;
  int nmodel;
  Kernel *kernel;
  int nkernel, capkernel;
  PBuf *buf;
  int nbuf, capbuf;
  Map named[BUF_ACT + 1];      // by kind: buffers by name; of panels by what they are packed from and how (lower_packed)
  PlanEntry *entry;
  int nentry, capentry;
  int64_t theta;               // elements of the flat vector: every parameter starts at a multiple of 16; total a multiple of FLAT_WIDTH
} Plan;

Plan *plan_new(Arena *a);
// Lowers one entry graph (passes already run) and adds it. The graph is of no use any more afterwards, but for names and values of its nodes.
void plan_add(Plan *p, const Graph *g);
// The same of lean, from the graph of train, where anything is made again for it.
bool plan_add_lean(Plan *p, const Graph *train);
// Adds frozen and live where they spare work, init and prepare, after the last plan_add, and checks the whole: every buffer written before it is read, no two live
// activations overlap, no activation of train or loss grows as T*T or T*V. Aborts on a violation (a compiler bug).
void plan_finish(Plan *p);
int plan_find(const Plan *p, BufKind kind, const char *name);   // an input, weight, parameter, gradient or cache: its buffer, -1
void plan_print(const Plan *p, Buf *out);    // what --emit=plan shows: kernels with their programs, calls per entry, buffers
#endif
