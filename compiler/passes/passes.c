// The pass table and its runner. See passes.h.
#include "passes/passes.h"

#include <stdio.h>
#include <stdlib.h>

#include "passes/rewrite.h"

const Pass passes[] = {
#define X(fn, name, what) {name, what, pass_##fn},
#include "passes/passes.def"
#undef X
    {NULL, NULL, NULL},
};

Graph *passes_run(const Graph *g, Arena *a, PassDump *dump, void *user) {
  Graph *now = graph_copy(g, a, g->name);
  for (const Pass *p = passes; p->name; p++) {
    now = p->run(now, a);
    const char *wrong = graph_verify(now, a);
    if (wrong) {
      fprintf(stderr, "calmc: bug: pass %s left a malformed graph '%s': %s\n", p->name, g->name, wrong);
      abort();
    }
    if (dump) dump(user, p, now);
  }
  return now;
}
