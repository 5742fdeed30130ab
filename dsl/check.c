// See check.h.
#include "dsl/check.h"

Near near_to(const Check *c, const char *word) { return near_begin(diags_shown(c->d) ? word : ""); }

const char *did_you_mean(Check *c, Near near) {
  return near.best ? arena_printf(c->d->arena, "; did you mean '%s'?", near.best) : "";
}

void check_unique(Check *c, const Ast *list, AstKind kind, const char *what) {
  Map names = {0};
  for (int i = 0; i < list->nkid && !diags_full(c->d); i++) {
    const Ast *a = list->kid[i];
    int first = a->kind == kind ? map_first(c->d->arena, &names, a->name, i) : -1;
    if (first < 0) continue;
    diag_error(c->d, a->name_loc, "%s '%s' stands here a second time", what, a->name);
    diag_note(c->d, list->kid[first]->name_loc, "the first one is here");
  }
}
