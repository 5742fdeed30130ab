// Checks of a parsed spec that need no model: names, duplicates, arity, settings. Errors go to d.
// partial: some file did not parse, so that nothing is reported as missing.
#ifndef CALM_DSL_RESOLVE_H
#define CALM_DSL_RESOLVE_H
#include "dsl/ast.h"

// Makes the archs that build on others whole in s->decl (inherit.c); before resolve.
void spec_inherit(Arena *a, Spec *s, Diags *d);
void resolve(const Spec *spec, Diags *d, bool partial);
#endif
