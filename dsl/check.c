// See check.h.
#include "dsl/check.h"

#include <string.h>

const char *did_you_mean(Check *c, Near near) {
  return near.best ? arena_printf(c->d->arena, "; did you mean '%s'?", near.best) : "";
}

void check_unique(Check *c, const Ast *list, AstKind kind, const char *what) {
  for (int i = 0; i < list->nkid; i++)
    for (int k = 0; k < i; k++) {
      const Ast *a = list->kid[k], *b = list->kid[i];
      if (a->kind != kind || b->kind != kind || strcmp(a->name, b->name)) continue;
      diag_error(c->d, b->name_loc, "%s '%s' stands here a second time", what, b->name);
      diag_note(c->d, a->name_loc, "the first one is here");
      break;
    }
}
