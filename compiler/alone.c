// Each model of a composition as a program of its own, beside it (calmc build --compare).
#include <string.h>

#include "driver.h"

// What of a spec says nothing of a model's own.
static bool of_composition(AstKind k) {
  return k == AST_ANCHOR || k == AST_AUGMENT || k == AST_MODEL || k == AST_CONNECT || k == AST_TUNE || k == AST_ADAPT || k == AST_TRAIN || k == AST_EVAL;
}

// The model's declaration as an anchor's: an augment that reads prompts only reads all of a text here.
static Ast *as_anchor(Arena *a, const Ast *d) {
  Ast *own = ARENA_NEW(a, Ast);
  *own = *d;
  own->kind = AST_ANCHOR;
  own->kid = ARENA_ARRAY(a, Ast *, d->nkid + 1);
  own->nkid = 0;
  for (int i = 0; i < d->nkid; i++)
    if (!d->kid[i] || d->kid[i]->kind != AST_READS) own->kid[own->nkid++] = d->kid[i];
  return own;
}

Spec *spec_alone(Arena *a, const Spec *spec, const char *model) {
  Spec *own = ARENA_NEW(a, Spec);
  Ast *file = ARENA_NEW(a, Ast);
  *own = *spec, *file = *spec->file;
  file->kid = ARENA_ARRAY(a, Ast *, file->nkid + 1);
  file->nkid = 0;
  for (int i = 0; i < spec->file->nkid; i++) {
    Ast *d = spec->file->kid[i];
    bool it = (d->kind == AST_ANCHOR || d->kind == AST_AUGMENT) && !strcmp(d->name, model);
    if (it) file->kid[file->nkid++] = as_anchor(a, d);
    else if (!of_composition(d->kind)) file->kid[file->nkid++] = d;
  }
  own->file = file, own->alone = true;
  return own;
}
