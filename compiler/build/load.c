// The models of the spec: directories opened, configuration and arch found, tokenizers compared.
#include <stdlib.h>
#include <string.h>

#include "build/ctx.h"
#include "dsl/path.h"
#include "dsl/utf8.h"
#include "runtime/abi/abi.h"
#include "runtime/files/files.h"
#include "runtime/text/text.h"

const char *spec_file(const Build *b) { return b->spec->sources->v[b->spec->file->loc.file].path; }

static const char *absolute(Build *b, const char *path) {
  char *real = realpath(path, NULL);
  const char *kept = real ? arena_strdup(b->a, real) : path;
  free(real);
  return kept;
}

// A program holds the paths of its models as JSON.
static bool can_be_held(Build *b, const MInst *m, const char *path) {
  if (!path || utf8_check(path, strlen(path)) == strlen(path)) return true;
  fail_at(b, m->decl->loc, "model '%s' lies at %s, which is no UTF-8: a program cannot hold this path; rename what is not", m->pub->name, path);
  return false;
}

static Role role_of(const Ast *decl) {
  return decl->kind == AST_ANCHOR ? ROLE_ANCHOR : decl->kind == AST_AUGMENT ? ROLE_AUGMENT : ROLE_MODEL;
}

// Which row of a table what is said behind a model names; the first where nothing is, or nothing that is there (an error by now).
static int said_of(const Ast *decl, AstKind kind, const ProgName *names) {
  const Ast *said = ast_kid(decl, kind);
  int k = 0;
  while (said && names[k].name && strcmp(names[k].name, said->name)) k++;
  return said && names[k].name ? k : 0;
}

// The files of weights of a directory whose other files were refused, for `said`: they may be refused for something of their own.
static void look_at_weights(Build *b, const MInst *m, const char *shown, const char *said) {
  RtError e;
  Safetensors *st = st_open_dir(shown, true, &e);
  if (!st && strcmp(e.text, said)) diag_error(b->d, m->decl->loc, "%s", e.text);
  st_close(st);
}

// The directory that a model's path means: who names its config.json means what it lies in.
static const char *meant_directory(Build *b, const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  if (strcmp(name, "config.json") || !file_is_regular(path_from(b->a, spec_file(b), path))) return path;
  return slash ? arena_strndup(b->a, path, slash > path ? (size_t)(slash - path) : 1) : ".";
}

// What may have been meant by a path where no model lies.
static const char *model_remark(Build *b, const char *path, const char *shown) {
  const char *slash = strrchr(path, '/');
  if (!file_is_regular(shown)) return path_remark(b->a, spec_file(b), path);
  return arena_printf(b->a, "; it is a file: name the directory, \"%s\"", slash ? arena_strndup(b->a, path, (size_t)(slash - path)) : ".");
}

static void not_served(Build *b, const MInst *m, const char *architecture) {
  Near near = near_begin(architecture);
  for (int i = 0; i < b->spec->ndecl; i++) {
    const Ast *served = b->spec->decl[i]->kind == AST_ARCH ? b->spec->decl[i]->kid[0] : NULL;
    for (int k = 0; served && k < served->nkid; k++) near_offer(&near, served->kid[k]->str);
  }
  fail_at(b, m->decl->loc, "no arch serves \"%s\" (%s): expected 'arch NAME for \"%s\" { … }' in this spec or a file it uses%s%s%s", architecture,
          m->config_path, architecture, near.best ? "; did you mean \"" : "", near.best ? near.best : "", near.best ? "\"?" : "");
}

static bool open_directory(Build *b, MInst *m) {
  RtError e;
  const char *path = meant_directory(b, m->decl->str), *seen = path_from(b->a, spec_file(b), path), *shown = model_place(b->a, path, seen, &e);
  m->file = shown ? model_open(b->a, absolute(b, shown), shown, &e) : NULL;
  if (!m->file) {
    bool there = shown && file_is_dir(shown);
    fail_at(b, m->decl->loc, "%s%s", e.text, there ? "" : model_remark(b, path, seen));
    if (there) look_at_weights(b, m, shown, e.text);
    return false;
  }
  m->keys = m->file->config;
  m->config_path = m->file->config_path;
  m->pub->dir = m->file->dir;
  m->pub->config = json_incref(m->file->hf->config);
  m->pub->tokenizer = m->file->hf->tokenizer ? absolute(b, m->file->hf->tokenizer) : NULL;
  if (!can_be_held(b, m, m->pub->dir) || !can_be_held(b, m, m->pub->tokenizer)) return false;
  const char *architecture = model_architecture(m->file);
  if (!architecture) {
    fail_at(b, m->decl->loc, "%s names no architecture: expected \"architectures\": [\"…\"]", m->config_path);
    return false;
  }
  m->arch = spec_find_arch(b->spec, architecture);
  if (!m->arch && !b->spec->partial) not_served(b, m, architecture);
  return m->arch != NULL;
}

// The tokenizer.json of a model made from nothing; who names a model's directory means the one in it.
static bool find_tokenizer(Build *b, MInst *m) {
  const char *path = m->decl->str2, *tokenizer = path ? path_from(b->a, spec_file(b), path) : NULL;
  RtError e;
  if (tokenizer && file_is_dir(tokenizer)) {
    char *in;
    if (!hf_tokenizer(tokenizer, &in, &e)) return fail_at(b, m->decl->loc, "the tokenizer of model '%s': %s", m->pub->name, e.text), false;
    tokenizer = in ? arena_printf(b->a, "%s", in) : arena_printf(b->a, "%s/tokenizer.json", tokenizer);
    rt_free(in);
  }
  m->pub->tokenizer = tokenizer ? absolute(b, tokenizer) : NULL;
  if (!can_be_held(b, m, m->pub->tokenizer)) return false;
  if (!tokenizer) return true;
  FileIn *in = file_in_open(tokenizer, &e);
  if (!in) return fail_at(b, m->decl->loc, "the tokenizer of model '%s': %s%s", m->pub->name, e.text, path_remark(b->a, spec_file(b), path)), false;
  rt_end(in);
  return true;
}

// The settings of the model's block are its configuration.
static bool make_config(Build *b, MInst *m) {
  Ev ev = {.b = b};
  const Ast *settings = m->decl->kid[0];
  json_t *c = json_object();
  m->keys = c;
  m->pub->config = c;
  m->config_path = b->spec->sources->v[m->decl->loc.file].path;
  m->own_init = ast_kid(m->decl, AST_INITS);
  m->arch = spec_find(b->spec, AST_ARCH, m->decl->str);
  const Ast *served = m->arch ? m->arch->kid[0] : NULL;
  if (served) json_object_set_new(c, "architectures", json_pack("[s]", served->nkid ? served->kid[0]->str : m->arch->name));
  if (served) json_object_set_new(c, "model_type", json_string(m->arch->name));
  bool ok = served && !spec_told_syntax(b->spec, m->decl->loc);
  for (int i = 0; i < settings->nkid; i++) {
    const Ast *e = settings->kid[i]->kid[0];
    Value v = unquoted(&ev, settings->kid[i]->name, e) ? v_poison() : eval(&ev, NULL, e);
    json_t *j = value_json(&ev, settings->kid[i]->loc, &v);
    if (j) json_object_set_new(c, settings->kid[i]->name, j);
    else ok = false;
  }
  return find_tokenizer(b, m) && ok;
}

// Models with the anchor's tokenizer, or none of their own, read its ids.
static void compare_tokenizers(Build *b) {
  const MInst *anchor = &b->model[b->anchor];
  for (int i = 0; i < b->nmodel; i++) {
    MInst *m = &b->model[i];
    RtError e;
    m->own_tokens = false;
    if (!m->pub->tokenizer || !anchor->pub->tokenizer) continue;
    bool same = true;
    m->same_unknown = !tokenizer_same(m->pub->tokenizer, anchor->pub->tokenizer, &same, &e);
    if (m->same_unknown) fail_at(b, m->decl->loc, "%s", e.text);
    m->own_tokens = !same;
  }
}

// A tune declaration of each model at most: that was checked.
static void find_tunes(Build *b) {
  const Ast *file = b->spec->file;
  for (int i = 0; i < file->nkid; i++) {
    const Ast *d = file->kid[i];
    int m = d->kind == AST_TUNE ? map_find(&b->models, d->name) : -1;
    if (m < 0) continue;
    b->model[m].tune = d;
    b->model[m].tunes = ARENA_ARRAY(b->a, bool, d->nkid + 1);
  }
}

// What is built takes its time and memory once a model, also of one that nothing reads.
enum { MOST_MODELS = 64 };

void models_load(Build *b) {
  const Ast *file = b->spec->file;
  b->anchor = -1;
  for (int i = 0; i < file->nkid; i++) {
    AstKind k = file->kid[i]->kind;
    b->nmodel += k == AST_ANCHOR || k == AST_AUGMENT || k == AST_MODEL;
  }
  b->model = ARENA_ARRAY(b->a, MInst, b->nmodel + 1);
  b->prog->model = ARENA_ARRAY(b->a, BModel, b->nmodel + 1);
  for (int i = 0, n = 0; i < file->nkid; i++) {
    const Ast *d = file->kid[i];
    if (d->kind != AST_ANCHOR && d->kind != AST_AUGMENT && d->kind != AST_MODEL) continue;
    MInst *m = &b->model[n];
    m->index = n;
    m->decl = d;
    m->pub = &b->prog->model[n++];
    *m->pub = (BModel){.name = d->name, .role = role_of(d), .loc = d->loc};
    m->pub->keep = (KeepAs)said_of(d, AST_AS, KeepAs_names);
    if (d->kind == AST_AUGMENT) m->pub->reads = (Reads)said_of(d, AST_READS, Reads_names);
    if (d->kind != AST_AUGMENT && b->anchor < 0) b->anchor = m->index;
    map_first(b->a, &b->models, d->name, m->index);
    if (n == MOST_MODELS + 1) fail_at(b, d->loc, "'%s' is model number %d: a composition has at most %d", d->name, n, MOST_MODELS);
    if (n > MOST_MODELS || diags_full(b->d)) continue;
    if (d->kind == AST_MODEL ? make_config(b, m) : open_directory(b, m)) model_setup(b, m);
  }
  find_tunes(b);
  adapts_find(b);
  b->prog->nmodel = b->nmodel;
  b->prog->anchor = b->anchor;
  if (b->anchor >= 0) compare_tokenizers(b);
}
