// What the checks of a parsed spec share.
#ifndef CALM_DSL_CHECK_H
#define CALM_DSL_CHECK_H
#include "dsl/ast.h"
#include "runtime/abi/abi.h"

typedef struct Check {
  const Spec *spec;
  Diags *d;
  bool partial;          // some file did not parse, so that nothing is reported as missing
  const Ast *arch;       // the arch whose sections are checked: its fns are known, and any name may be a config key
} Check;

// Reports those of list's kids of kind `kind` whose name came before. what: "parameter", …
void check_unique(Check *c, const Ast *list, AstKind kind, const char *what);
const char *did_you_mean(Check *c, Near near);   // "; did you mean 'x'?" or ""
#endif
