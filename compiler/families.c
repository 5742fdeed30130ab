// families: the model families of the library, and the keys of config.json that each understands, from the text itself.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build/build.h"
#include "driver.h"
#include "dsl/ast.h"

typedef struct Keys {
  Arena *a;
  const char **v;
  int n, cap;
} Keys;

static void keep(void *user, const char *key) {
  Keys *k = user;
  ARENA_PUSH(k->a, k->v, k->n, k->cap, key);
}

enum { WIDTH = 120, INDENT = 4 };

// Lists words behind `title`, on lines of WIDTH.
static void wrapped(const char *title, const Keys *k, size_t path) {
  size_t at = INDENT + strlen(title);
  printf("%*s%s", INDENT, "", title);
  for (int i = 0; i < k->n; i++) {
    size_t n = strlen(k->v[i] + path);
    if (at + 1 + n > WIDTH) printf("\n%*s", INDENT, ""), at = INDENT;
    else if (at > INDENT) putchar(' '), at++;
    fputs(k->v[i] + path, stdout), at += n;
  }
  putchar('\n');
}

// The members of the object at path, then those of objects in it.
static void list_inside(const Keys *all, const char *path) {
  size_t n = strlen(path);
  Keys own = {.a = all->a};
  for (int i = 0; i < all->n; i++)
    if (!strncmp(all->v[i], path, n) && all->v[i][n] == '.' && !strchr(all->v[i] + n + 1, '.')) keep(&own, all->v[i]);
  if (own.n) wrapped(arena_printf(all->a, "%s:", path), &own, n + 1);
  for (int i = 0; i < own.n; i++) list_inside(all, own.v[i]);
}

static void list_family(Arena *a, const Spec *spec, const Ast *arch) {
  Keys all = {.a = a}, top = {.a = a};
  const Ast *served = arch->kid[0];
  printf("%s:", arch->name);
  for (int i = 0; i < served->nkid; i++) printf(" %s", served->kid[i]->str);
  putchar('\n');
  arch_keys(a, spec, arch, keep, &all);
  for (int i = 0; i < all.n; i++)
    if (!strchr(all.v[i], '.')) keep(&top, all.v[i]);
  wrapped("", &top, 0);
  for (int i = 0; i < top.n; i++) list_inside(&all, top.v[i]);
}

static bool is_named(const Ast *arch, const char *name) {
  bool same = !name || !strcmp(arch->name, name);
  for (int i = 0; !same && i < arch->kid[0]->nkid; i++) same = !strcmp(arch->kid[0]->kid[i]->str, name);
  return same;
}

int driver_families(const Options *o) {
  Arena *a = arena_new();
  Sources sources;
  Diags diags;
  int status = 0, listed = 0;
  sources_init(&sources, a);
  diags_init(&diags, &sources);
  const Spec *spec = spec_parse(a, &sources, &diags, NULL);
  Near near = near_begin(o->spec ? o->spec : "");
  for (int i = 0; i < spec->ndecl; i++) {
    const Ast *arch = spec->decl[i];
    if (arch->kind != AST_ARCH) continue;
    near_offer(&near, arch->name);
    for (int k = 0; k < arch->kid[0]->nkid; k++) near_offer(&near, arch->kid[0]->kid[k]->str);
    if (!is_named(arch, o->spec)) continue;
    if (listed++) putchar('\n');
    list_family(a, spec, arch);
  }
  if (!listed) {
    fprintf(stderr, "error: the library has no family '%s'%s%s%s (calmc families lists what it has)\n", o->spec, near.best ? "; did you mean '" : "",
            near.best ? near.best : "", near.best ? "'?" : "");
    status = 1;
  } else if (!o->spec) {
    puts("\nKeys that change no arithmetic are left out: those of every family (dropout, token ids, …) and those that a family ignores (calmc doc FAMILY).");
  }
  arena_free(a);
  return driver_written(status);
}
