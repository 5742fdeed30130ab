// Layer selectors to layers of a model.
#include "build/ctx.h"
#include "runtime/core/core.h"

static bool whole(Build *b, const Ast *e, const char *what, int64_t *out) {
  Ev ev = {.b = b};
  Value v = eval(&ev, NULL, e);
  if (v.kind == V_POISON) return false;
  if (v_whole(&v, out)) return true;
  fail_at(b, e->loc, "%s is a whole number; found %s", what, v_text(&ev, &v));
  return false;
}

// The distance between layers: every …, step ….
static bool distance(Build *b, const Ast *e, const MInst *m, int64_t *out) {
  if (!whole(b, e, "a distance between layers", out)) return false;
  if (*out >= 1 && *out <= m->pub->blocks) return true;
  if (fail_at(b, e->loc, "expected a distance between layers from 1 to the %lld block%s of model '%s'; found %lld", (long long)m->pub->blocks,
              plural(m->pub->blocks), m->pub->name, (long long)*out))
    note_model(b, m);
  return false;
}

// A layer; false after an error.
static bool layer(Build *b, const Ast *e, const MInst *m, int64_t *out) {
  if (!whole(b, e, "a layer", out)) return false;
  if (*out >= 0 && *out <= m->pub->blocks) return true;
  if (fail_at(b, e->loc, "no layer %lld in model '%s': it has %lld block%s (layer 0 is the embedding output%s)",
              (long long)*out, m->pub->name, (long long)m->pub->blocks, plural(m->pub->blocks), *out < 0 ? ", [last] the last" : ""))
    note_model(b, m);
  return false;
}

static void add(Build *b, Layers *l, int64_t k) { ARENA_PUSH(b->a, l->v, l->n, l->cap, (int)k); }

bool layers_select(Build *b, const Ast *sel, const MInst *m, Layers *out) {
  int64_t L = m->pub->blocks, x, y, step = 1;
  bool ok = true;
  switch (sel->kind) {
    case AST_SEL_LIST:
      for (int i = 0; i < sel->nkid; i++) {
        if (layer(b, sel->kid[i], m, &x)) add(b, out, x);
        else ok = false;
      }
      return ok;
    case AST_SEL_RANGE:
      ok = layer(b, sel->kid[0], m, &x);
      ok = layer(b, sel->kid[1], m, &y) && ok;
      if (sel->nkid > 2 && sel->kid[2]) ok = distance(b, sel->kid[2], m, &step) && ok;
      if (!ok) return false;
      if (y < x) {
        fail_at(b, sel->loc, "this range is empty: it runs from %lld to %lld", (long long)x, (long long)y);
        return false;
      }
      for (int64_t k = x; k <= y; k += step) add(b, out, k);
      return true;
    case AST_SEL_EVERY:
      if (!distance(b, sel->kid[0], m, &step)) return false;
      for (int64_t k = step; k <= L; k += step) add(b, out, k);
      return true;
    case AST_SEL_ALL:
      for (int64_t k = 1; k <= L; k++) add(b, out, k);
      return true;
    case AST_SEL_LAST: add(b, out, L); return true;
    default: return false;
  }
}

bool layers_spread(Build *b, const Ast *sel, const MInst *m, int n, Layers *out) {
  int64_t L = m->pub->blocks;
  if (n > L) {
    if (fail_at(b, sel->loc, "%d layer%s cannot be spread over the %lld block%s of model '%s'", n, plural(n), (long long)L,
                plural(L), m->pub->name))
      note_model(b, m);
    return false;
  }
  for (int i = 0; i < n; i++) add(b, out, L * (i + 1) / n);
  return true;
}
