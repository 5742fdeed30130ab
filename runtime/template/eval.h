// Running a template's tree: what both halves of it, expressions (compute.c) and statements (run.c), have of a rendering.
#ifndef CALM_RUNTIME_TEMPLATE_EVAL_H
#define CALM_RUNTIME_TEMPLATE_EVAL_H
#include "runtime/template/print.h"
#include "runtime/template/tree.h"
#include "runtime/template/words.h"

typedef struct Var { const char *name; Value v; } Var;
typedef struct Scope {         // names, and the scope around
  struct Scope *up;
  Var *var;
  size_t n, cap;
} Scope;

typedef struct Eval {
  Tp *t;
  const struct tm *now;
} Eval;

Value compute(Eval *x, Scope *s, const Node *n);
Value compute_call(Eval *x, Scope *s, const Node *call, Value caller);  // of a call block
const Value *scope_find(const Scope *s, const char *name);             // NULL: nowhere
void scope_set(Eval *x, Scope *s, const char *name, Value v);          // in s itself

void run_template(Eval *x, Scope *s, const Node *body, Buf *out);
// Calls of what is no word.
Value call_macro(Eval *x, Value macro, const Call *c);
Value call_loop(Eval *x, Value loop, const Call *c);                   // of a recursive one
Value loop_attr(Eval *x, Value loop, const char *name);
Value call_filters(Eval *x, Scope *s, const Node *filters, Value v);   // of a block: filters whose innermost has no operand
#endif
