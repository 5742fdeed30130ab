// See identity.h.
#include "runtime/work/identity.h"

#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/madefrom.h"

// ---- ours

static bool add_hash(json_t *files, const char *path, RtError *e) {
  char hex[SHA256_HEX];
  if (!sha256_file(path, hex, e)) return false;
  const char *slash = strrchr(path, '/');
  json_object_set_new(files, slash ? slash + 1 : path, json_string(hex));
  return true;
}

static bool add_tokenizer(json_t *files, const char *path, RtError *e) {
  int n;
  const char *const *more = tokenizer_beside(path, &n);
  char *dir = file_dirname(path);
  bool ok = add_hash(files, path, e);
  for (int i = 0; ok && i < n; i++) {
    char *beside = file_join(dir, more[i]);
    ok = !file_is_there(beside) || add_hash(files, beside, e);
    rt_free(beside);
  }
  rt_free(dir);
  return ok;
}

static void add_dtypes(json_t *list, const Safetensors *s) {
  bool seen[DT_NONE] = {false};
  for (int i = 0; i < st_count(s); i++) seen[st_at(s, i)->dtype] = true;
  for (int k = 0; k < DT_NONE; k++)
    if (seen[k]) json_array_append_new(list, json_string(dtype_info[k].file));
}

static bool read_model(const Models *m, int i, json_t *o, RtError *e) {
  json_t *files = json_object();
  json_object_set_new(o, "files", files);
  json_object_set_new(o, "reads", json_string(Reads_names[m->prog->model[i].reads].name));
  json_object_set_new(o, "keep", json_string(KeepAs_names[m->prog->model[i].keep].name));
  const char *computes = m->prog->model[i].computes;
  if (computes || !m->dir[i]) json_object_set_new(o, "computes", computes ? json_string(computes) : json_null());
  if (m->pack && m->dir[i]) return made_identity(m->pack, m->prog->model[i].name, files, e);
  if (m->dir[i]) {
    Safetensors *s = st_open_dir(m->dir[i], true, e);
    if (!s) return false;
    json_t *dtypes = json_array();
    json_object_set_new(o, "dtypes", dtypes);
    add_dtypes(dtypes, s);
    bool ok = true;
    for (int k = 0; ok && k < st_shards(s); k++) ok = add_hash(files, st_shard_path(s, k), e);
    st_close(s);
    char *config = file_join(m->dir[i], "config.json");
    ok = ok && add_hash(files, config, e);
    rt_free(config);
    if (!ok) return false;
  } else {
    json_object_set(o, "config", m->prog->model[i].config);
  }
  return !m->tokfile[i] || add_tokenizer(files, m->tokfile[i], e);
}

const json_t *identity_get(Identity *id, RtError *e) {
  RT_IN_PHASE(RT_PHASE_OPEN);
  const Prog *p = id->models->prog;
  if (id->is) return id->is;
  json_t *models = json_object(), *connections = json_object();
  for (int i = 0; i < p->nmodel; i++) {
    json_t *o = json_object();
    json_object_set_new(models, p->model[i].name, o);
    if (!read_model(id->models, i, o, e)) {
      json_decref(models), json_decref(connections);
      return NULL;
    }
  }
  for (int i = 0; i < p->nconnection; i++) {
    const ProgConnection *c = &p->connection[i];
    json_object_set_new(connections, c->name, json_pack("{s:s, s:s?, s:s}", "op", c->op, "tap", c->tap, "computes", c->computes));
  }
  return id->is = json_pack("{s:o, s:o}", "models", models, "connections", connections);
}

bool identity_unsaid(const Identity *id, const Theirs *t) {
  const char *text = json_string_value(json_object_get(t->belongs_to, "spec"));
  return t->earlier && (!text || strcmp(text, id->models->prog->spec_sha256));
}

void identity_drop(Identity *id) {
  json_decref(id->is);
  id->is = NULL;
}

// ---- and theirs

// What differs, in words.
enum { FIRST = 5 };            // are told
typedef struct Differences {
  int n;
  bool forcible;               // all of them are
  bool counts;                 // one is a model or a connection more or less
  char text[800];
} Differences;

static void differs(Differences *d, bool forcible, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void differs(Differences *d, bool forcible, const char *fmt, ...) {
  size_t at = strlen(d->text);
  va_list ap;
  d->forcible &= forcible;
  if (d->n++ >= FIRST || at + 4 >= sizeof d->text) return;
  if (at) strcpy(d->text + at, "; "), at += 2;
  va_start(ap, fmt);
  vsnprintf(d->text + at, sizeof d->text - at, fmt, ap);
  va_end(ap);
}

static const char *string(const json_t *o, const char *key) { return json_string_value(json_object_get(o, key)); }

// The first key of two configurations that differs, or NULL.
static const char *config_key(const json_t *mine, const json_t *other) {
  const char *key;
  json_t *v;
  json_object_foreach((json_t *)(uintptr_t)mine, key, v)
    if (!json_equal(v, json_object_get(other, key))) return key;
  json_object_foreach((json_t *)(uintptr_t)other, key, v)
    if (!json_object_get(mine, key)) return key;
  return NULL;
}

static bool is_adapted(const Prog *p, const char *name) {
  int model = prog_model(p, name);
  bool any = false;
  for (int i = 0; i < p->nadapter; i++) any |= p->adapter[i].model == model;
  return any;
}

static void compare_model(const Models *m, const char *name, const json_t *mine, const json_t *other, bool earlier, Differences *d) {
  const char *file, *dir = m->dir[prog_model(m->prog, name)];
  const json_t *theirs = earlier ? other : json_object_get(other, "files");
  json_t *hash;
  json_object_foreach(json_object_get(mine, "files"), file, hash)
    if (!json_equal(hash, json_object_get(theirs, file)))
      differs(d, true, "they were trained with another %s of model %s (its SHA-256 differs from %s)", file, name, dir ? dir : "this program's");
  const char *reads = string(mine, "reads"), *read = string(other, "reads");
  if (!read) read = Reads_names[json_is_true(json_object_get(other, "prompt_only")) ? READS_PROMPT : READS_ROW].name;        // before there were more ways
  if (!earlier && strcmp(reads, read)) differs(d, false, "model %s has 'reads %s', and had 'reads %s'", name, reads, read);
  const char *keep = string(mine, "keep"), *their_keep = string(other, "keep");       // absent before there was a choice
  if (!their_keep || earlier) their_keep = KeepAs_names[KEEP_STORED].name;
  if (strcmp(keep, their_keep)) differs(d, true, "model %s is kept as %s, and was kept as %s", name, keep, their_keep);
  const json_t *computes = json_object_get(mine, "computes");
  if (earlier || !computes || json_equal(computes, json_object_get(other, "computes"))) return;
  const char *key = config_key(json_object_get(mine, "config"), json_object_get(other, "config"));
  if (key) differs(d, true, "model %s computes something else: another %s", name, key);
  else if (is_adapted(m->prog, name)) differs(d, true, "model %s: its adapters, or the text of its arch, compute something else", name);
  else differs(d, true, "model %s: the text of its arch computes something else", name);
}

static void compare_connections(const json_t *mine, const json_t *theirs, Differences *d) {
  const char *name;
  json_t *c;
  json_object_foreach((json_t *)(uintptr_t)mine, name, c) {
    const json_t *other = json_object_get(theirs, name);
    const char *tap = string(c, "tap"), *their_tap = string(other, "tap"), *op = string(c, "op"), *their_op = string(other, "op");
    if (!other) d->counts = true, differs(d, false, "connection %s is new", name);
    else if (strcmp(tap ? tap : "", their_tap ? their_tap : ""))
      differs(d, false, "connection %s reads %s, and read %s", name, tap ? tap : "the state itself", their_tap ? their_tap : "the state itself");
    else if (!json_equal(json_object_get(c, "computes"), json_object_get(other, "computes"))) {
      if (their_op && strcmp(op, their_op)) differs(d, false, "connection %s: its operator differs: %s, and was %s", name, op, their_op);
      else differs(d, false, "connection %s: its operator differs (%s computes something else)", name, op);
    }
  }
  json_object_foreach((json_t *)(uintptr_t)theirs, name, c)
    if (!json_object_get(mine, name)) d->counts = true, differs(d, false, "connection %s is gone", name);
}

bool identity_check(Identity *id, const Theirs *t, const RtError *misfit, bool force, RtError *e) {
  const Models *m = id->models;
  const json_t *mine = identity_get(id, e), *connections = json_object_get(t->belongs_to, "connections"), *models = json_object_get(t->belongs_to, "models");
  const char *name, *spec = t->spec, *path = t->path;
  json_t *model;
  if (!mine) return false;
  if (!json_is_object(models) || (!t->earlier && !json_is_object(connections)))
    return rt_fail(e, "%s: \"belongs_to\": expected the objects \"models\" and \"connections\", found %s and %s", path, rtj_kind(models), rtj_kind(connections));
  Differences d = {.forcible = true};
  json_object_foreach(json_object_get(mine, "models"), name, model) {
    const json_t *other = json_object_get(models, name);
    if (!other) d.counts = true, differs(&d, false, "they know no model %s", name);
    else compare_model(m, name, model, other, t->earlier, &d);
  }
  json_object_foreach((json_t *)(uintptr_t)models, name, model)
    if (!json_object_get(json_object_get(mine, "models"), name)) d.counts = true, differs(&d, false, "they belong to a model %s, which this program has not", name);
  if (!t->earlier) compare_connections(json_object_get(mine, "connections"), connections, &d);
  if (misfit && !d.counts) return *e = *misfit, false;
  if (!d.n) return true;
  char by[160] = "", more[48] = "";
  if (spec && strcmp(spec, m->prog->spec)) snprintf(by, sizeof by, "trained by %.60s, not %.60s: ", spec, m->prog->spec);
  if (d.n > FIRST) snprintf(more, sizeof more, "; and %d more", d.n - FIRST);
  if (force && d.forcible) return rt_warn("%s: %s%s%s; used all the same", path, by, d.text, more), true;
  return rt_fail_about(e, d.forcible ? RT_ABOUT_SPEC : RT_ABOUT_NOTHING, "%s: %s%s%s", path, by, d.text, more);
}
