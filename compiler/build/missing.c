// Config keys that an architecture needs and a model lacks. Whatever needs a value that is not there notes its key and stays silent; then the
// whole text is gone through once more for others, with tensors and sizes that nobody knows, and all are told in one line: who writes a
// config hears of every key at once, by its own name, and not as arithmetic of the library.
#include <string.h>

#include "build/ctx.h"
#include "runtime/abi/abi.h"
#include "runtime/core/core.h"

bool lacks(Ev *ev, const Value *v, const char *must) {
  MInst *m = ev->m;
  if (v->kind != V_NONE || !v->s || !m) return false;
  for (int i = 0; i < m->nlack; i++)
    if (!strcmp(m->lack[i].key, v->s)) return true;
  Lack l = {v->s, must};
  ARENA_PUSH(ev->b->a, m->lack, m->nlack, m->caplack, l);
  return true;
}

// ---- the text gone through with values that nobody knows

static void survey_part(Ev *ev, Scope *s, const Ast *formal, const Ast *body) {
  budget_part(ev->b);
  bind_formal(ev, s, formal, v_poison(), formal->loc);
  eval_body(ev, s, body);
}

static void survey_bound(Ev *ev, const Ast *e) {
  Value v = eval(ev, ev->m->scope, e);
  lacks(ev, &v, NULL);
}

static void survey_blocks(Ev *ev, const MInst *m) {
  int64_t lo = m->counted ? m->lo : 0, hi = m->counted ? m->hi : 1;
  for (int64_t i = lo; i < hi; i++) {
    Scope *s = scope_new(ev->b, m->scope);
    scope_bind(ev->b, s, m->blocks->name, v_int(i), m->blocks->name_loc);
    survey_part(ev, s, m->blocks->kid[2], m->blocks->kid[3]);
  }
}

// Taps that the spec reads.
static void survey_taps(Ev *ev, MInst *m) {
  const Ast *file = ev->b->spec->file;
  for (int i = 0; i < file->nkid; i++) {
    const Ast *from = file->kid[i]->kind == AST_CONNECT ? file->kid[i]->kid[0] : NULL;
    const Ast *tap = from && from->nkid > 1 && !strcmp(from->name, m->pub->name) ? arch_find_tap(ev->b, m, from->kid[1]) : NULL;
    if (!tap || tap->kid[0]->nkid != 2) continue;
    Scope *s = scope_new(ev->b, m->scope);
    scope_bind(ev->b, s, tap->kid[0]->kid[1]->name, v_poison(), tap->loc);
    survey_part(ev, s, tap->kid[0]->kid[0], tap->kid[1]);
  }
}

static void survey(Build *b, MInst *m) {
  Ev ev = {.b = b, .m = m, .survey = true};
  Scope *kept = m->scope;
  b->mute++;
  arch_config(&ev, m);
  survey_bound(&ev, m->blocks->kid[0]);
  survey_bound(&ev, m->blocks->kid[1]);
  survey_part(&ev, scope_new(b, m->scope), m->embed->kid[0], m->embed->kid[1]);
  survey_blocks(&ev, m);
  survey_taps(&ev, m);
  survey_part(&ev, scope_new(b, m->scope), m->head->kid[0], m->head->kid[1]);
  b->mute--;
  m->scope = kept;
}

// ---- telling

// Where a name is read; *part: the fn or section of the arch that it stands in.
static const Ast *first_mention(const Ast *a, const char *key, const Ast **part) {
  const Ast *within = *part, *found = a->kind == AST_NAME && !strcmp(a->name, key) ? a : NULL;
  bool section = a->kind == AST_CONFIG || a->kind == AST_FN || a->kind == AST_EMBED || a->kind == AST_BLOCKS || a->kind == AST_TAP || a->kind == AST_HEAD;
  if (section) *part = a;
  for (int i = 0; i < a->nkid && !found; i++)
    if (a->kid[i]) found = first_mention(a->kid[i], key, part);
  if (!found) *part = within;
  return found;
}

static const char *nearest_key(const MInst *m, const char *key) {
  Near near = near_begin(key);
  const char *other;
  json_t *v;
  json_object_foreach(m->keys, other, v) near_offer(&near, other);
  return near.best;
}

// A name that the spec's writer uses in a body, and nothing gives: it is more likely an extent that was forgotten than a key of config.json.
static bool tell_unbound(Build *b, const MInst *m, const char *key) {
  const Ast *part = m->arch, *at = first_mention(m->arch, key, &part), *config = NULL;
  for (int i = 0; i < m->arch->nkid && !config; i++)
    if (m->arch->kid[i]->kind == AST_CONFIG) config = m->arch->kid[i];
  const Ast *in = config;
  if (!at || part->kind == AST_CONFIG || (config && first_mention(config, key, &in)) || spec_in_library(b->spec, at->loc)) return false;
  const char *near = nearest_key(m, key);
  bool fn = part->kind == AST_FN;
  diag_error(b->d, at->loc, "nothing gives '%s' a value in %s%s%s%s of arch '%s': it is no extent of an argument (as in x[%s, …]), no name that is bound, and no key of %s%s%s%s", key,
             ast_kind_name(part->kind), fn ? " '" : "", fn ? part->name : "", fn ? "'" : "", m->arch->name, key, m->config_path, near ? "; did you mean '" : "",
             near ? near : "", near ? "'?" : "");
  return true;
}

// Of an arch that the spec's writer wrote the key may be what is misspelt.
static void note_own(Build *b, const MInst *m, const char *key) {
  const Ast *part = m->arch, *at = first_mention(m->arch, key, &part);
  const char *near = nearest_key(m, key);
  if (at) diag_note(b->d, at->loc, "'%s' is read here%s%s%s", key, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

void tell_missing(Build *b, MInst *m) {
  if (!m->nlack || m->told_lack) return;
  survey(b, m);
  m->told_lack = m->erred = true;
  bool own = !spec_in_library(b->spec, m->arch->loc), made = m->decl->kind == AST_MODEL;
  int keys = 0;
  for (int i = 0; i < m->nlack; i++)
    if (!own || made || !tell_unbound(b, m, m->lack[i].key)) m->lack[keys++] = m->lack[i];
  if (!(m->nlack = keys)) return;
  Buf all = {0};
  for (int i = 0; i < m->nlack; i++) {
    const Lack *l = &m->lack[i];
    buf_printf(&all, "%s'%s'%s%s%s", !i ? "" : i + 1 < m->nlack ? ", " : " and ", l->key, l->must ? " (" : "", l->must ? l->must : "", l->must ? ")" : "");
  }
  bool one = m->nlack == 1;
  diag_error(b->d, made ? m->decl->kid[0]->loc : m->decl->loc, "config key%s %s of model '%s'%s%s%s %s missing: arch '%s' needs %s", plural(m->nlack), all.s,
             m->pub->name, made ? "" : " (", made ? "" : m->config_path, made ? "" : ")", one ? "is" : "are", m->arch->name, one ? "it" : "them");
  buf_free(&all);
  for (int i = 0; own && i < m->nlack; i++) note_own(b, m, m->lack[i].key);
  if (!own) diag_note(b->d, m->arch->name_loc, "arch '%s' is declared here", m->arch->name);
}
