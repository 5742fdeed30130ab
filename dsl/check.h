// What the checks of a parsed spec share.
#ifndef CALM_DSL_CHECK_H
#define CALM_DSL_CHECK_H
#include "dsl/ast.h"
#include "runtime/abi/abi.h"
#include "dsl/base/map.h"

typedef struct Check {
  const Spec *spec;
  Diags *d;
  bool partial;          // some file did not parse, so that nothing is reported as missing
  const Ast *arch;       // the arch whose sections are checked: its fns are known, and any name may be a config key
  Map fns;               // those fns: kids of arch by name
  AstKind listed;        // the block whose settings were listed
  Map models;            // of the spec: kids of its file by name
} Check;

// Reports those of list's kids of kind `kind` whose name came before. what: "parameter", …
void check_unique(Check *c, const Ast *list, AstKind kind, const char *what);
Near near_to(const Check *c, const char *word); // near_begin; nothing is near to a word whose error is not shown any more
const char *did_you_mean(Check *c, Near near);   // "; did you mean 'x'?" or ""
#endif
