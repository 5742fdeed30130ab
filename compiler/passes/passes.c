// The pass table and its runner. See passes.h.
#include "passes/passes.h"

#include "dsl/base/bug.h"
#include "passes/rewrite.h"

const Pass passes[] = {
#define X(fn, name, what) {name, what, pass_##fn},
#include "passes/passes.def"
#undef X
    {NULL, NULL, NULL},
};

static void must_hold(const Graph *g, Arena *a, const char *what) {
  const char *wrong = graph_verify(g, a);
  if (wrong) bug("%s a malformed graph '%s': %s", what, g->name, wrong);
}

Graph *passes_run(const Graph *g, Arena *a, PassDump *dump, void *user) {
  Graph *now = graph_copy(g, a, g->name);
  must_hold(now, a, "the passes were given");
  for (const Pass *p = passes; p->name; p++) {
    now = p->run(now, a);
    must_hold(now, a, arena_printf(a, "pass %s left", p->name));
    if (dump) dump(user, p, now);
  }
  return now;
}
