// See model.h.
#include "runtime/text/model.h"

#include "runtime/core/core.h"

void tk_token_put(TkTokens *l, TkToken t) {
  if (l->n == l->cap) {
    l->cap = l->cap ? l->cap * 2 : 64;
    l->p = rt_realloc(l->p, l->cap, sizeof *l->p);
  }
  l->p[l->n++] = t;
}

void tk_model_free(TkModel *m) {
  if (!m->kind) return;
  if (m->kind->free) m->kind->free(m->own);
  rt_free(m->own);
}
