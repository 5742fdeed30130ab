// A spec and all it can see: the files it uses, each read once, and the embedded library. See ast.h.
#include <stdlib.h>
#include <string.h>

#include "dsl/ast.h"
#include "dsl/path.h"
#include "dsl/resolve.h"

// A file on the way from the spec to the one being read; `use` is NULL for the spec.
typedef struct Step {
  const struct Step *from;
  const Ast *use;
  const char *real;      // canonical path
} Step;

enum { MOST_FILES = 500 };   // each is read inside the one that uses it

typedef struct Loader {
  Arena *arena;
  Sources *sources;
  Diags *diags;
  Spec *spec;
  Map seen;              // canonical paths of all files read
} Loader;

static const char *canonical(Loader *l, const char *path) {
  char *real = realpath(path, NULL);
  const char *kept = arena_strdup(l->arena, real ? real : path);
  free(real);
  return kept;
}

static bool in_cycle(Loader *l, const Step *step, const Ast *use, const char *real) {
  const Step *s = step;
  while (s && strcmp(s->real, real)) s = s->from;
  if (!s) return false;
  diag_error(l->diags, use->loc, "'%s' is used by itself: files may not use each other in a circle", use->str);
  for (; step && step != s; step = step->from) diag_note(l->diags, step->use->loc, "by way of this");
  return true;
}

static Ast *load(Loader *l, const char *path, const Step *step);

static void load_uses(Loader *l, const Ast *file, const char *path, const Step *step) {
  for (int i = 0; i < file->nkid; i++) {
    const Ast *use = file->kid[i];
    if (use->kind != AST_USE || diags_full(l->diags)) continue;
    const char *target = path_from(l->arena, path, use->str);
    Step next = {step, use, canonical(l, target)};
    if (in_cycle(l, step, use, next.real)) continue;
    if (map_find(&l->seen, next.real) >= 0) continue;
    if (l->seen.n > MOST_FILES) {
      diag_error(l->diags, use->loc, "this is more than the %d files that a spec may use", MOST_FILES);
      return;
    }
    Ast *lib = load(l, target, &next);
    if (lib) ARENA_PUSH(l->arena, l->spec->lib, l->spec->nlib, l->spec->caplib, lib);
  }
}

static Ast *load(Loader *l, const char *path, const Step *step) {
  const char *why = NULL;
  uint32_t index = sources_read(l->sources, path, &why);
  if (!index) {
    const char *from = step->use ? l->sources->v[step->use->loc.file].path : NULL;
    diag_error(l->diags, from ? step->use->loc : (Loc){0}, "cannot read '%s': %s%s", path, why, from ? path_remark(l->arena, from, step->use->str) : "");
    return NULL;
  }
  map_put(l->arena, &l->seen, step->real, 0);
  Ast *file = ast_parse(l->arena, l->sources, l->diags, index);
  load_uses(l, file, path, step);
  return file;
}

static void load_std(Loader *l) {
  for (const StdFile *f = std_files; f->name; f++) {
    const char *path = arena_printf(l->arena, "<std>/%s", f->name);
    uint32_t index = sources_add(l->sources, path, f->text, strlen(f->text));
    Ast *file = ast_parse(l->arena, l->sources, l->diags, index);
    ARENA_PUSH(l->arena, l->spec->lib, l->spec->nlib, l->spec->caplib, file);
  }
}

bool loc_within(Loc inner, Loc outer) {
  return inner.file == outer.file && inner.begin >= outer.begin && inner.end <= outer.end;
}

// v is sorted by where errors begin.
static bool any_within(const Loc *v, int n, Loc loc) {
  int lo = 0, hi = n;
  while (lo < hi) {
    int mid = lo + (hi - lo) / 2;
    bool before = v[mid].file != loc.file ? v[mid].file < loc.file : v[mid].begin < loc.begin;
    if (before) lo = mid + 1;
    else hi = mid;
  }
  for (; lo < n && v[lo].file == loc.file && v[lo].begin <= loc.end; lo++)
    if (v[lo].end <= loc.end) return true;
  return false;
}
bool spec_told(const Spec *s, Loc loc) { return spec_told_syntax(s, loc) || any_within(s->told + s->nsyntax, s->ntold - s->nsyntax, loc); }
bool spec_told_syntax(const Spec *s, Loc loc) { return any_within(s->told, s->nsyntax, loc); }

static int by_place(const void *p, const void *q) {
  const Loc *x = p, *y = q;
  if (x->file != y->file) return x->file < y->file ? -1 : 1;
  return x->begin < y->begin ? -1 : x->begin > y->begin;
}

// Keeps the places of the errors that d holds from `from` on; returns how many.
static int keep_told(Spec *spec, Arena *a, const Diags *d, int from) {
  Loc *v = NULL;
  int n = 0, cap = 0;
  for (int i = from; i < d->n; i++)
    if (d->v[i].kind == DIAG_ERROR && d->v[i].loc.file) ARENA_PUSH(a, v, n, cap, d->v[i].loc);
  spec->told = v;
  if (spec->nsyntax) qsort(v, (size_t)spec->nsyntax, sizeof *v, by_place);
  if (n > spec->nsyntax) qsort(v + spec->nsyntax, (size_t)(n - spec->nsyntax), sizeof *v, by_place);
  return n;
}

static Spec *parse(Arena *a, Sources *s, Diags *d, const char *path, uint32_t text) {
  Spec *spec = ARENA_NEW(a, Spec);
  spec->sources = s;
  Loader l = {.arena = a, .sources = s, .diags = d, .spec = spec};
  Step root = {.real = path ? canonical(&l, path) : ""};
  int before = d->errors, first = d->n;
  spec->file = path ? load(&l, path, &root) : text ? ast_parse(a, s, d, text) : NULL;
  if (!spec->file) {
    spec->file = ARENA_NEW(a, Ast);
    spec->file->kind = AST_FILE;
  }
  spec->nused = spec->nlib;
  load_std(&l);
  spec_index(a, spec);
  spec->partial = d->errors != before;
  spec->nsyntax = keep_told(spec, a, d, first);
  spec_inherit(a, spec, d);
  resolve(spec, d, spec->partial);
  spec->ntold = keep_told(spec, a, d, first);
  return spec;
}

Spec *spec_parse(Arena *a, Sources *s, Diags *d, const char *path) { return parse(a, s, d, path, 0); }

Spec *spec_parse_text(Arena *a, Sources *s, Diags *d, const char *text, const char *instead) {
  uint32_t file = sources_add(s, "", text, strlen(text));
  s->v[file].instead = instead;
  return parse(a, s, d, NULL, file);
}
