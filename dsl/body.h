// Checks of what declarations hold: bodies, formals, calls.
#ifndef CALM_DSL_BODY_H
#define CALM_DSL_BODY_H
#include "dsl/check.h"

void check_op(Check *c, const Ast *op);
void check_fn(Check *c, const Ast *fn);
void check_arch(Check *c, const Ast *arch);
// Arguments against formals, of which the first `given` are supplied by the compiler (the states of an op).
void check_arguments(Check *c, const Ast *call, const Ast *callee, int given);
#endif
