// Scopes, and errors that speak once per place (a block's text is evaluated for every layer and every entry).
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "build/ctx.h"

Scope *scope_new(Build *b, Scope *up) {
  Scope *s = ARENA_NEW(b->a, Scope);
  s->up = up;
  return s;
}

// A long one has its names in a map.
static int own_place(const Scope *s, const char *name) {
  if (s->names.n) return map_find(&s->names, name);
  for (int i = 0; i < s->n; i++)
    if (!strcmp(s->v[i].name, name)) return i;
  return -1;
}

void scope_bind(Build *b, Scope *s, const char *name, Value v, Loc loc) {
  enum { SHORT = 24 };
  int at = own_place(s, name);
  Binding x = {name, v, loc};
  if (at >= 0) {
    s->v[at] = x;
    return;
  }
  ARENA_PUSH(b->a, s->v, s->n, s->cap, x);
  for (int i = s->names.n ? s->n - 1 : 0; s->n > SHORT && i < s->n; i++) map_put(b->a, &s->names, s->v[i].name, i);
}

const Binding *scope_find(const Scope *s, const char *name) {
  for (; s; s = s->up) {
    int i = own_place(s, name);
    if (i >= 0) return &s->v[i];
  }
  return NULL;
}

MInst *scope_keys(const Scope *s) {
  for (; s; s = s->up)
    if (s->keys) return s->keys;
  return NULL;
}

static bool same_loc(Loc p, Loc q) { return p.file == q.file && p.begin == q.begin && p.end == q.end; }

static bool same_text(const char *p, const char *q) { return p && q ? !strcmp(p, q) : p == q; }

static bool first_time(Build *b, Spoken now) {
  if (!now.loc.file && !now.cause) return true;
  for (int i = 0; i < b->nseen; i++) {
    const Spoken *s = &b->seen[i];
    if (s->whom == now.whom && (now.cause ? s->cause && !strcmp(s->cause, now.cause) : !s->cause && same_loc(s->loc, now.loc) && same_text(s->about, now.about)))
      return false;
  }
  ARENA_PUSH(b->a, b->seen, b->nseen, b->capseen, now);
  return true;
}

// whom: the declaration of the spec that library text is read for, reader: any text.
static bool report(Build *b, Loc loc, const Ast *whom, const Ast *reader, const char *fmt, va_list ap) {
  const char *cause = b->cause, *about = b->about;
  b->cause = b->about = NULL;
  if (b->mute || diags_full(b->d) || !first_time(b, (Spoken){loc, whom, NULL, about})) return false;
  if (cause && !first_time(b, (Spoken){.whom = reader, .cause = cause})) return false;
  va_list again;
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  char *text = ARENA_ARRAY(b->a, char, n + 1);
  vsnprintf(text, (size_t)n + 1, fmt, again);
  va_end(again);
  diag_error(b->d, loc, "%s", text);
  return true;
}

bool fail_at(Build *b, Loc loc, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  bool first = report(b, loc, NULL, NULL, fmt, ap);
  va_end(ap);
  return first;
}

bool tell_model(Build *b, const MInst *m, const char *fmt, ...) {
  va_list ap;
  if (b->mute) return false;
  va_start(ap, fmt);
  int n = vsnprintf(NULL, 0, fmt, ap);
  va_end(ap);
  char *text = ARENA_ARRAY(b->a, char, n + 1);
  va_start(ap, fmt);
  vsnprintf(text, (size_t)n + 1, fmt, ap);
  va_end(ap);
  diag_error(b->d, m->decl->loc, "%s", text);
  return true;
}

Value silent(Ev *ev) {
  if (ev->m) ev->m->erred = true;
  return v_poison();
}

// An error that an earlier stage reported within loc, or around it, is this one or its cause.
static bool told_there(const Spec *s, Loc loc) {
  if (spec_told(s, loc)) return true;
  for (int i = 0; i < s->ntold; i++)
    if (loc_within(loc, s->told[i])) return true;
  return false;
}

static Value failed(Ev *ev, Loc loc, const char *fmt, va_list ap) {
  bool lacking = ev->b->lacking;
  ev->b->lacking = false;
  if (lacking) return silent(ev);
  const Ast *reader = ev->applied ? ev->applied->decl : ev->m ? ev->m->decl : NULL;
  bool first = !told_there(ev->b->spec, loc) && report(ev->b, loc, reader && reader->loc.file != loc.file ? reader : NULL, reader, fmt, ap);
  if (first && ev->called.file && ev->called.file != loc.file) diag_note(ev->b->d, ev->called, "called here");
  // text of the library speaks for a model or a connection of the spec: say which
  if (first && loc.file && ev->m && ev->m->decl->loc.file != loc.file) note_model(ev->b, ev->m);
  const Applied *p = ev->applied;
  if (first && p && p->decl->loc.file != loc.file)
    diag_note(ev->b->d, p->decl->loc, "for %s '%s'", p->decl->kind == AST_CONNECT ? "connection" : "the product", p->name);
  return silent(ev);
}

Value fail(Ev *ev, Loc loc, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  Value v = failed(ev, loc, fmt, ap);
  va_end(ap);
  return v;
}

Value lack(Ev *ev, Loc loc, const char *fmt, ...) {
  if (ev->b->spec->partial) return silent(ev);
  va_list ap;
  va_start(ap, fmt);
  Value v = failed(ev, loc, fmt, ap);
  va_end(ap);
  return v;
}

void note_model(Build *b, const MInst *m) {
  Loc loc = m->decl->name_loc.file ? m->decl->name_loc : m->decl->loc;
  diag_note(b->d, loc, "model '%s' is declared here", m->pub->name);
}
