// Reference evaluation, one function per op, named in ops.def. Naive loops in double; clarity is all that counts.
#ifndef CALM_GRAPH_EVAL_OPS_H
#define CALM_GRAPH_EVAL_OPS_H
#include "graph/eval.h"

typedef struct Eval {
  const Graph *g;
  const EvalEnv *env;
  double **value;              // [n * MAX_OUT + k]
  EvalMask *mask;              // of DT_MASK nodes
  const char *error;           // first thing missing
  Arena *arena;
} Eval;

typedef void EvalRule(Eval *e, NodeId id);

int64_t eval_rows(const Eval *e, const Type *t);            // extent of dim[0] if a row symbol, else 1
int64_t eval_elems(const Eval *e, const Type *t);
const double *eval_in(const Eval *e, NodeId id, int k);
const Type *eval_type(const Eval *e, NodeId id, int k);     // of operand k
double *eval_out(Eval *e, NodeId id, int k);                // result k

#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) EvalRule eval_##eval;
#include "graph/ops.def"
#undef X
#endif
