// Keys of config.json against an architecture's text: each must be mentioned there, or be known to change nothing. Both may be long: names are
// looked up, and whatever was found to lead nowhere is not gone into again.
#include <string.h>

#include "build/ctx.h"
#include "runtime/abi/abi.h"

// What an arch's text mentions.
typedef struct Mentions {
  Build *b;
  const MInst *m;
  Map name, ignored;           // NAMEs of the whole text, of what stands under `ignore`
  Map member;                  // members by name: the first in `at`
  const Ast **at;
  int *next;                   // the next of the same name, -1
  int n, cap, capnext;
} Mentions;

static void note(Mentions *t, const Ast *a, bool ignored) {
  Arena *arena = t->b->a;
  if (!a) return;
  if (a->kind == AST_NAME) map_first(arena, ignored ? &t->ignored : &t->name, a->name, 0);
  if (a->kind == AST_MEMBER) {
    int before = map_find(&t->member, a->name), count = t->n;
    map_put(arena, &t->member, a->name, count);
    ARENA_PUSH(arena, t->at, t->n, t->cap, a);
    ARENA_PUSH(arena, t->next, count, t->capnext, before);
  }
  for (int i = 0; i < a->nkid; i++) note(t, a->kid[i], ignored || a->kind == AST_IGNORE);
}

const Ast *config_binding(const MInst *m, const char *name) {
  int i = map_find(&m->bound, name);
  return i < 0 ? NULL : m->config->kid[i];
}

// May e be what stands at path (n characters of it, "a.b.c")? Names of the config section stand for what they are bound to, 'x ?? y' and
// 'c ? x : y' for either. tried: the names that were followed for so much of the path, whose answer is no. depth: names followed one from another.
static bool leads_to(const Mentions *t, Map *tried, const Ast *e, const char *path, size_t n, int depth) {
  enum { FOLLOWED = 64 };
  if (e->kind == AST_BINARY && !strcmp(e->str, "??"))
    return leads_to(t, tried, e->kid[0], path, n, depth) || leads_to(t, tried, e->kid[1], path, n, depth);
  if (e->kind == AST_COND) return leads_to(t, tried, e->kid[1], path, n, depth) || leads_to(t, tried, e->kid[2], path, n, depth);
  if (e->kind != AST_NAME && e->kind != AST_MEMBER) return false;
  size_t len = strlen(e->name);
  if (e->kind == AST_MEMBER)
    return n > len + 1 && path[n - len - 1] == '.' && !memcmp(path + n - len, e->name, len) && leads_to(t, tried, e->kid[0], path, n - len - 1, depth);
  if (len == n && !memcmp(path, e->name, n)) return true;
  const Ast *bound = depth < FOLLOWED ? config_binding(t->m, e->name) : NULL;
  if (!bound || map_first(t->b->a, tried, arena_printf(t->b->a, "%s %zu", e->name, n), 0) >= 0) return false;
  return leads_to(t, tried, bound->kid[1], path, n, depth + 1);
}

// Does the text read the key `key` at path inside an object?
static bool reads(const Mentions *t, const char *key, const char *path) {
  Map tried = {0};
  for (int i = map_find(&t->member, key); i >= 0; i = t->next[i])
    if (leads_to(t, &tried, t->at[i], path, strlen(path), 0)) return true;
  return false;
}

static Loc key_place(const MInst *m, const char *key) {
  const Ast *settings = m->decl->kind == AST_MODEL ? m->decl->kid[0] : NULL;
  for (int i = 0; settings && i < settings->nkid; i++)
    if (!strcmp(settings->kid[i]->name, key)) return settings->kid[i]->name_loc;
  return m->decl->loc;
}

static void unknown_key(Build *b, const MInst *m, const char *top, const char *path) {
  Near near = near_begin(path);
  for (int i = 0; i < m->config->nkid; i++)
    if (m->config->kid[i]->kind == AST_BIND) {
      const Ast *e = m->config->kid[i]->kid[1];
      while (e->kind == AST_BINARY || e->kind == AST_MEMBER) e = e->kid[0];
      if (e->kind == AST_NAME && !json_object_get(m->keys, e->name)) near_offer(&near, e->name);
    }
  diag_error(b->d, key_place(m, top), "config key '%s' of model '%s' (%s) is not known to arch '%s' and may change what the model computes%s%s%s", path,
             m->pub->name, m->config_path, m->arch->name, near.best ? "; did you mean '" : "", near.best ? near.best : "", near.best ? "'?" : "");
  diag_note(b->d, m->arch->name_loc, "arch '%s' is declared here; a key that changes nothing is listed in its config under 'ignore'", m->arch->name);
}

// The keys inside object v, at any depth, are such that the text reads them there. top: the outermost key, path: v's own; as it was, afterwards.
static void check_inner_keys(const Mentions *t, const char *top, Buf *path, json_t *v) {
  const char *inner;
  json_t *w;
  size_t own = path->n;
  json_object_foreach(v, inner, w) {
    if (json_is_null(w) || inert_key(inner)) continue;
    if (diags_full(t->b->d)) return;
    path->n = own;
    buf_printf(path, ".%s", inner);
    if (reads(t, inner, path->s)) check_inner_keys(t, top, path, w);
    else unknown_key(t->b, t->m, top, path->s);
  }
  path->n = own;
}

void check_keys(Build *b, MInst *m) {
  Mentions t = {.b = b, .m = m};
  Buf path = {0};
  const char *key;
  json_t *v;
  for (int i = 0; i < m->config->nkid; i++)
    if (m->config->kid[i]->kind == AST_BIND) map_first(b->a, &m->bound, m->config->kid[i]->name, i);
  note(&t, m->arch, false);
  json_object_foreach(m->keys, key, v) {
    if (json_is_null(v) || inert_key(key) || map_find(&t.ignored, key) >= 0) continue;
    if (diags_full(b->d)) break;
    path.n = 0;
    buf_puts(&path, key);
    if (map_find(&t.name, key) >= 0) check_inner_keys(&t, key, &path, v);
    else unknown_key(b, m, key, key);
  }
  buf_free(&path);
}
