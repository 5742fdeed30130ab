// An arch that builds on another: what it does not say itself it has from there. Sections with a name (fn, tap) go by their name, the others by
// their kind; config items are joined: a name that both bind is bound as the later one says, and what either requires or ignores counts.
// The tree of each file stays as it was written (--emit=tree, checks of its own text); Spec.decl holds the whole arch.
#include <string.h>

#include "dsl/resolve.h"
#include "runtime/abi/abi.h"

typedef struct Inherit {
  Arena *a;
  Spec *spec;
  Diags *d;
} Inherit;

static void push(Inherit *h, Ast *to, Ast *kid) { ARENA_PUSH(h->a, to->kid, to->nkid, to->cap, kid); }

static const Ast *named(const Ast *list, AstKind kind, const char *name) {
  for (int i = 0; i < list->nkid; i++)
    if (list->kid[i] && list->kid[i]->kind == kind && (!name || !strcmp(list->kid[i]->name, name))) return list->kid[i];
  return NULL;
}

static Ast *config_of_both(Inherit *h, const Ast *own, const Ast *base) {
  Ast *c = ARENA_NEW(h->a, Ast);
  *c = *own;
  c->kid = NULL, c->nkid = c->cap = 0;
  if (base->height > c->height) c->height = base->height;
  for (int i = 0; i < own->nkid; i++) push(h, c, own->kid[i]);
  for (int i = 0; i < base->nkid; i++)
    if (base->kid[i]->kind != AST_BIND || !named(own, AST_BIND, base->kid[i]->name)) push(h, c, base->kid[i]);
  return c;
}

static Ast *joined(Inherit *h, const Ast *own, const Ast *base) {
  const Ast *mine = ast_kid(own, AST_CONFIG), *theirs = ast_kid(base, AST_CONFIG);
  Ast *w = ARENA_NEW(h->a, Ast);
  *w = *own;
  w->kid = NULL, w->nkid = w->cap = 0;
  if (base->height > w->height) w->height = base->height;
  for (int i = 0; i < own->nkid; i++) push(h, w, own->kid[i] == mine && theirs ? config_of_both(h, mine, theirs) : own->kid[i]);
  for (int i = 1; i < base->nkid; i++) {
    Ast *k = base->kid[i];
    bool by_name = k->kind == AST_FN || k->kind == AST_TAP;
    if (!named(own, k->kind, by_name ? k->name : NULL)) push(h, w, k);
  }
  return w;
}

static int place_of(const Spec *s, const Ast *arch) {
  const Map *in[2] = {&s->by_name[AST_ARCH], &s->library[AST_ARCH]};
  for (int k = 0; k < 2; k++) {
    int i = map_find(in[k], arch->name);
    if (i >= 0 && s->decl[i]->loc.file == arch->loc.file && s->decl[i]->loc.begin == arch->loc.begin) return i;
  }
  return -1;                                     // a second one of the name, which is told
}

const Ast *spec_whole(const Spec *s, const Ast *arch) {
  int i = arch->str ? place_of(s, arch) : -1;
  return i < 0 ? arch : s->decl[i];
}

static void no_base(Inherit *h, const Ast *arch) {
  Near near = near_begin(arch->str);
  for (int i = 0; i < h->spec->ndecl; i++)
    if (h->spec->decl[i]->kind == AST_ARCH && h->spec->decl[i] != arch) near_offer(&near, h->spec->decl[i]->name);
  diag_error(h->d, arch->name_loc, "arch '%s' builds on '%s', which is no arch%s%s%s", arch->name, arch->str, near.best ? "; did you mean '" : "",
             near.best ? near.best : "", near.best ? "'?" : "");
}

enum { TO_DO, DOING, WHOLE, ORPHAN, MOST_BASES = 64 };

static void make_whole(Inherit *h, char *state, int i, int depth) {
  const Ast *arch = h->spec->decl[i];
  if (arch->kind != AST_ARCH || state[i] != TO_DO) return;
  state[i] = WHOLE;
  if (!arch->str) return;
  state[i] = DOING;
  const Ast *base = spec_find_seen(h->spec, AST_ARCH, arch->str, arch->loc);
  int at = base ? place_of(h->spec, base) : -1;
  if (depth > MOST_BASES) diag_error(h->d, arch->name_loc, "arch '%s' is one of more than %d that build on each other", arch->name, MOST_BASES);
  else if (!base && !h->spec->partial) no_base(h, arch);
  else if (at >= 0 && state[at] == DOING) diag_error(h->d, arch->name_loc, "arch '%s' builds on itself, by way of '%s'", arch->name, arch->str);
  else if (at >= 0) make_whole(h, state, at, depth + 1);
  state[i] = at >= 0 && state[at] == WHOLE ? WHOLE : ORPHAN;
  if (state[i] == WHOLE) h->spec->decl[i] = joined(h, arch, h->spec->decl[at]);
}

void spec_inherit(Arena *a, Spec *s, Diags *d) {
  Inherit h = {a, s, d};
  char *state = ARENA_ARRAY(a, char, s->ndecl + 1);
  for (int i = 0; i < s->ndecl && !diags_full(d); i++) make_whole(&h, state, i, 0);
}
