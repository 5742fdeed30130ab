// A spec and all it can see: the files it uses, each read once, and the embedded library. See ast.h.
#include <stdlib.h>
#include <string.h>

#include "dsl/ast.h"
#include "dsl/resolve.h"

// A file on the way from the spec to the one being read; `use` is NULL for the spec.
typedef struct Step {
  const struct Step *from;
  const Ast *use;
  const char *real;      // canonical path
} Step;

typedef struct Loader {
  Arena *arena;
  Sources *sources;
  Diags *diags;
  Spec *spec;
  const char **seen;     // canonical paths of all files read
  int nseen, capseen;
} Loader;

// Relative to the folder of the file that says `use`.
static const char *resolve_path(Loader *l, const char *from, const char *path) {
  const char *slash = strrchr(from, '/');
  if (path[0] == '/' || !slash) return path;
  return arena_printf(l->arena, "%.*s/%s", (int)(slash - from), from, path);
}

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
    if (use->kind != AST_USE) continue;
    const char *target = resolve_path(l, path, use->str);
    Step next = {step, use, canonical(l, target)};
    if (in_cycle(l, step, use, next.real)) continue;
    bool seen = false;
    for (int k = 0; k < l->nseen; k++) seen = seen || !strcmp(l->seen[k], next.real);
    if (seen) continue;
    Ast *lib = load(l, target, &next);
    if (lib) ARENA_PUSH(l->arena, l->spec->lib, l->spec->nlib, l->spec->caplib, lib);
  }
}

static Ast *load(Loader *l, const char *path, const Step *step) {
  const char *why = NULL;
  uint32_t index = sources_read(l->sources, path, &why);
  if (!index) {
    diag_error(l->diags, step->use ? step->use->loc : (Loc){0}, "cannot read '%s': %s", path, why);
    return NULL;
  }
  ARENA_PUSH(l->arena, l->seen, l->nseen, l->capseen, step->real);
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

static bool any_within(const Loc *v, int n, Loc loc) {
  for (int i = 0; i < n; i++)
    if (loc_within(v[i], loc)) return true;
  return false;
}
bool spec_told(const Spec *s, Loc loc) { return any_within(s->told, s->ntold, loc); }
bool spec_told_syntax(const Spec *s, Loc loc) { return any_within(s->told, s->nsyntax, loc); }

// Keeps the places of the errors that d holds from `from` on; returns how many.
static int keep_told(Spec *spec, Arena *a, const Diags *d, int from) {
  Loc *v = NULL;
  int n = 0, cap = 0;
  for (int i = from; i < d->n; i++)
    if (d->v[i].kind == DIAG_ERROR && d->v[i].loc.file) ARENA_PUSH(a, v, n, cap, d->v[i].loc);
  spec->told = v;
  return n;
}

Spec *spec_parse(Arena *a, Sources *s, Diags *d, const char *path) {
  Spec *spec = ARENA_NEW(a, Spec);
  spec->sources = s;
  Loader l = {.arena = a, .sources = s, .diags = d, .spec = spec};
  Step root = {.real = canonical(&l, path)};
  int before = d->errors, first = d->n;
  spec->file = load(&l, path, &root);
  if (!spec->file) {
    spec->file = ARENA_NEW(a, Ast);
    spec->file->kind = AST_FILE;
  }
  spec->nused = spec->nlib;
  load_std(&l);
  spec->partial = d->errors != before;
  spec->nsyntax = keep_told(spec, a, d, first);
  resolve(spec, d, spec->partial);
  spec->ntold = keep_told(spec, a, d, first);
  return spec;
}
