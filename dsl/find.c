// Declarations by name: in the spec, in the files it uses, in the library. See ast.h.
#include <string.h>

#include "dsl/ast.h"

static bool serves(const Ast *arch, const char *architecture) {
  const Ast *served = arch->kid[0];
  for (int i = 0; i < served->nkid; i++)
    if (!strcmp(served->kid[i]->str, architecture)) return true;
  return false;
}

// In one file, by name or, with by_service, by the architecture an arch serves.
static const Ast *find_in(const Ast *file, AstKind kind, const char *name, bool by_service) {
  for (int i = 0; i < file->nkid; i++) {
    const Ast *a = file->kid[i];
    if (a->kind != kind) continue;
    if (by_service ? serves(a, name) : a->name && !strcmp(a->name, name)) return a;
  }
  return NULL;
}

static const Ast *find_from(const Spec *s, int lib, AstKind kind, const char *name, bool by_service) {
  const Ast *found = NULL;
  for (int i = lib; i < s->nlib && !found; i++) found = find_in(s->lib[i], kind, name, by_service);
  return found;
}

static const Ast *find(const Spec *s, AstKind kind, const char *name, bool by_service) {
  const Ast *found = find_in(s->file, kind, name, by_service);
  return found ? found : find_from(s, 0, kind, name, by_service);
}

const Ast *spec_find(const Spec *s, AstKind kind, const char *name) { return find(s, kind, name, false); }

bool spec_in_library(const Spec *s, Loc at) {
  for (int i = s->nused; i < s->nlib; i++)
    if (s->lib[i]->loc.file == at.file) return true;
  return false;
}

const Ast *spec_find_seen(const Spec *s, AstKind kind, const char *name, Loc from) {
  return spec_in_library(s, from) ? find_from(s, s->nused, kind, name, false) : spec_find(s, kind, name);
}
const Ast *spec_find_arch(const Spec *s, const char *architecture) { return find(s, AST_ARCH, architecture, true); }
