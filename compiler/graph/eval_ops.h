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

EvalRule eval_input, eval_weight, eval_param, eval_const, eval_add, eval_sub, eval_mul, eval_div, eval_neg, eval_exp,
    eval_log, eval_sqrt, eval_rsqrt, eval_tanh, eval_erf, eval_sigmoid, eval_cos, eval_sin, eval_float, eval_sum,
    eval_stop_gradient, eval_rotate, eval_reshape, eval_part, eval_linear, eval_linear_dx, eval_linear_dw, eval_lookup, eval_lookup_dw,
    eval_take, eval_untake, eval_append, eval_attention, eval_attention_grad, eval_xent, eval_xent_grad, eval_xent_dw,
    eval_colsum, eval_transpose, eval_slice, eval_unslice;
#endif
