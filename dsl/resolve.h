// Checks of a parsed spec that need no model: names, duplicates, arity, settings. Errors go to d.
// partial: some file did not parse, so that nothing is reported as missing.
#ifndef CALM_DSL_RESOLVE_H
#define CALM_DSL_RESOLVE_H
#include "dsl/base/near.h"
#include "dsl/ast.h"

void resolve(const Spec *spec, Diags *d, bool partial);

// ---- between resolve.c (declarations) and body.c (what they hold)
typedef struct Check {
  const Spec *spec;
  Diags *d;
  bool partial;
  const Ast *arch;       // the arch whose sections are checked: its fns are known, and any name may be a config key
} Check;

void check_op(Check *c, const Ast *op);
void check_fn(Check *c, const Ast *fn);
void check_arch(Check *c, const Ast *arch);
// Arguments against formals, of which the first `given` are supplied by the compiler (the states of an op).
void check_arguments(Check *c, const Ast *call, const Ast *callee, int given);
// Reports those of list's kids of kind `kind` whose name came before. what: "parameter", …
void check_unique(Check *c, const Ast *list, AstKind kind, const char *what);
const char *did_you_mean(Check *c, Near near);   // "; did you mean 'x'?" or ""
#endif
