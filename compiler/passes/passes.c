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
  Arena *of_now = arena_new();                     // what a pass leaves is of no use after the next one: graphs of large models are large
  Graph *now = graph_copy(g, of_now, g->name);
  must_hold(now, of_now, "the passes were given");
  for (const Pass *p = passes; p->name; p++) {
    Arena *of_next = arena_new();
    now = p->run(now, of_next);
    must_hold(now, of_next, arena_printf(of_next, "pass %s left", p->name));
    if (dump) dump(user, p, now);
    arena_free(of_now);
    of_now = of_next;
  }
  Graph *last = graph_copy(now, a, now->name);
  arena_free(of_now);
  return last;
}
