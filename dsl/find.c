// Declarations by name: in the spec, in the files it uses, in the library. See ast.h.
#include "dsl/ast.h"

static void add(Arena *a, Spec *s, const Ast *file, bool embedded) {
  for (int i = 0; i < file->nkid; i++) {
    const Ast *d = file->kid[i], *served = d->kind == AST_ARCH ? d->kid[0] : NULL;
    int at = s->ndecl;
    ARENA_PUSH(a, s->decl, s->ndecl, s->capdecl, d);
    if (d->name) map_first(a, &s->by_name[d->kind], d->name, at);
    if (d->name && embedded) map_first(a, &s->library[d->kind], d->name, at);
    for (int k = 0; served && k < served->nkid; k++) map_first(a, &s->served, served->kid[k]->str, at);
  }
}

void spec_index(Arena *a, Spec *s) {
  s->by_name = ARENA_ARRAY(a, Map, AST_COUNT);
  s->library = ARENA_ARRAY(a, Map, AST_COUNT);
  add(a, s, s->file, false);
  for (int i = 0; i < s->nlib; i++) add(a, s, s->lib[i], i >= s->nused);
}

static const Ast *found(const Spec *s, const Map *in, const char *name) {
  int i = map_find(in, name);
  return i < 0 ? NULL : s->decl[i];
}

bool spec_in_library(const Spec *s, Loc at) {
  for (int i = s->nused; i < s->nlib; i++)
    if (s->lib[i]->loc.file == at.file) return true;
  return false;
}

const Ast *spec_find(const Spec *s, AstKind kind, const char *name) { return found(s, &s->by_name[kind], name); }
const Ast *spec_find_seen(const Spec *s, AstKind kind, const char *name, Loc from) {
  return found(s, spec_in_library(s, from) ? &s->library[kind] : &s->by_name[kind], name);
}
const Ast *spec_find_arch(const Spec *s, const char *architecture) { return found(s, &s->served, architecture); }
