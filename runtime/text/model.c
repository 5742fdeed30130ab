// See model.h.
#include "runtime/text/model.h"

#include "runtime/core/core.h"

void tk_model_free(TkModel *m) {
  if (!m->kind) return;
  if (m->kind->free) m->kind->free(m->own);
  rt_free(m->own);
}
