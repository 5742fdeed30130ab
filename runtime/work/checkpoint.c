// Writing and reading checkpoints. See checkpoint.h.
#include "runtime/work/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/core/alloc.h"
#include "runtime/core/call.h"
#include "runtime/engine/params.h"
#include "runtime/files/file.h"
#include "runtime/files/json.h"
#include "runtime/files/sha256.h"

// ---- what parameters belong to

static bool add_hash(json_t *files, const char *path, RtError *e) {
  char hex[SHA256_HEX];
  if (!sha256_file(path, hex, e)) return false;
  const char *slash = strrchr(path, '/');
  json_object_set_new(files, slash ? slash + 1 : path, json_string(hex));
  return true;
}

static bool model_hashes(const Models *m, int i, json_t *files, RtError *e) {
  if (m->dir[i]) {
    Safetensors *s = st_open_dir(m->dir[i], true, e);
    if (!s) return false;
    bool ok = true;
    for (int k = 0; ok && k < st_shards(s); k++) ok = add_hash(files, st_shard_path(s, k), e);
    st_close(s);
    char *config = file_join(m->dir[i], "config.json");
    ok = ok && add_hash(files, config, e);
    rt_free(config);
    if (!ok) return false;
  }
  return !m->tokfile[i] || add_hash(files, m->tokfile[i], e);
}

json_t *belongs_to(const Models *m, RtError *e) {
  json_t *models = json_object();
  for (int i = 0; i < m->prog->nmodel; i++) {
    json_t *files = json_object();
    json_object_set_new(models, m->prog->model[i].name, files);
    if (!model_hashes(m, i, files, e)) {
      json_decref(models);
      return NULL;
    }
  }
  return json_pack("{s:s, s:o}", "spec", m->prog->spec_sha256, "models", models);
}

static bool check_belongs(const Models *m, const json_t *theirs, const char *path, bool force, RtError *e) {
  json_t *mine = belongs_to(m, e);
  if (!mine) return false;
  bool ok = true;
  const char *name, *file;
  json_t *files, *hash;
  json_object_foreach(json_object_get(mine, "models"), name, files) {
    const json_t *other = json_object_get(json_object_get(theirs, "models"), name);
    if (ok && !other) ok = rt_fail(e, "%s: these parameters know no model %s; they belong to another program", path,
                                   name);
    json_object_foreach(files, file, hash)
      if (ok && !json_equal(hash, json_object_get(other, file)))
        ok = rt_fail(e, "%s: these parameters were trained with another %s of model %s (its SHA-256 differs from %s)",
                     path, file, name,
                     m->dir[prog_model(m->prog, name)] ? m->dir[prog_model(m->prog, name)] : "this program's");
  }
  if (ok && !force && !json_equal(json_object_get(mine, "spec"), json_object_get(theirs, "spec")))
    ok = rt_fail_about(e, RT_ABOUT_SPEC, "%s: these parameters were trained with another text of %s (its SHA-256 differs)",
                 path, m->prog->spec);
  json_decref(mine);
  return ok;
}

// ---- directories

// A checkpoint's files, and what one being written is called (files/file.h). Others in the directory are the user's.
static bool is_own(const char *name) {
  static const char *const OWN[] = {"theta.safetensors", "optimizer.safetensors", "theta.json"};
  for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++) {
    size_t n = strlen(OWN[i]);
    if (!strncmp(name, OWN[i], n) && (!name[n] || !strncmp(name + n, ".tmp.", 5))) return true;
  }
  return false;
}

bool checkpoint_is(const char *dir) {
  char *json = file_join(dir, "theta.json");
  bool is = file_is_regular(json);
  rt_free(json);
  return is;
}

static void remove_own(void *user, int fd, const char *name) {
  (void)user;
  if (is_own(name)) unlinkat(fd, name, 0);
}

void checkpoint_remove(const char *dir) {
  file_each(dir, remove_own, NULL);
  rmdir(dir);
}

static void keep_other(void *to, int fd, const char *name) {
  if (!is_own(name)) renameat2(fd, name, *(int *)to, name, RENAME_NOREPLACE);
}

// Takes what is the user's along, from the old directory of a checkpoint into the new one.
static void keep_others(const char *from, const char *to) {
  int fd = open(to, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  file_each(from, keep_other, &fd);
  close(fd);
}

// Puts directory tmp in the place of dir; what was there has the name tmp afterwards, or is gone.
static bool exchange(const char *tmp, const char *dir, RtError *e) {
  if (rename(tmp, dir) == 0) return true;                      // nothing there, or an empty directory
  if (errno != ENOTEMPTY && errno != EEXIST) return rt_fail(e, "cannot write %s: %s", dir, strerror(errno));
  if (renameat2(AT_FDCWD, tmp, AT_FDCWD, dir, RENAME_EXCHANGE) == 0) {
    keep_others(tmp, dir);
    return true;
  }
  // A file system that cannot exchange two names: for a moment only the old one's second name exists (rundir.c finds it).
  char *old = rt_format("%s.old", dir);
  checkpoint_remove(old);
  bool moved = rename(dir, old) == 0, ok = moved && rename(tmp, dir) == 0;
  if (!ok) rt_fail(e, "cannot write %s: %s", dir, strerror(errno));
  if (ok) keep_others(old, dir), checkpoint_remove(old);
  else if (moved) rename(old, dir);
  rt_free(old);
  return ok;
}

// ---- saving

static json_t *number_or_null(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static json_t *describe(const Engine *en, const Models *m, const TrainState *s, const json_t *settings, RtError *e) {
  json_t *belongs = belongs_to(m, e);
  if (!belongs) return NULL;
  json_t *o = json_object();
  json_object_set_new(o, "calm", json_integer(1));
  json_object_set_new(o, "spec_file", json_string(en->prog->spec));
  json_object_set_new(o, "belongs_to", belongs);
  json_object_set_new(o, "isa", json_string(en->isa->name));      // bits are promised per path
  if (en->blas) json_object_set_new(o, "blas", json_string(blas_core(en->blas)));
  json_object_set_new(o, "step", json_integer(s->step));
  json_object_set_new(o, "tokens", json_integer(s->tokens));
  json_object_set_new(o, "seed", json_integer((json_int_t)s->seed));
  json_object_set_new(o, "epoch", json_integer(s->epoch));
  json_object_set_new(o, "position", json_integer(s->position));
  json_object_set_new(o, "best", number_or_null(s->best));
  json_object_set_new(o, "best_train", number_or_null(s->best_train));
  json_object_set_new(o, "sum", json_real(s->sum));
  json_object_set_new(o, "count", json_real(s->count));
  if (settings) json_object_set(o, "settings", (json_t *)(uintptr_t)settings);
  return o;
}

static bool save_into(const Engine *en, const char *dir, const json_t *about, bool moments, RtError *e) {
  char *theta = file_join(dir, "theta.safetensors"), *opt = file_join(dir, "optimizer.safetensors"),
      *json = file_join(dir, "theta.json");
  ParamsPart part = {"", en->theta}, mv[2] = {{"m.", en->m}, {"v.", en->v}};
  bool ok = params_save(en->prog, &part, 1, theta, e) && (!moments || params_save(en->prog, mv, 2, opt, e));
  if (ok) {
    char *text = json_dumps(about, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    ok = file_save(json, text, strlen(text), e);
    rt_free(text);
  }
  rt_free(theta), rt_free(opt), rt_free(json);
  return ok;
}

// A directory in the making, or the one it took the place of: removed when all is over, or when memory ends.
static void tmp_end(void *object) {
  char *path = *(char **)object;
  if (path) checkpoint_remove(path);
  rt_free(path);
}

bool checkpoint_save(const Engine *en, const Models *m, const char *dir, const TrainState *s, const json_t *settings, bool moments,
                     RtError *e) {
  char *parent = file_dirname(dir), **tmp = rt_object(sizeof *tmp, tmp_end);
  *tmp = rt_format("%s.tmp.%ld", dir, (long)getpid());
  json_t *about = describe(en, m, s, settings, e);
  bool ok = about && file_make_dirs(parent, e) && file_make_dirs(*tmp, e) && save_into(en, *tmp, about, moments, e) && exchange(*tmp, dir, e);
  json_decref(about);
  rt_free(parent), rt_end(tmp);
  return ok;
}

// ---- reading

static double real_or(const json_t *o, const char *key, double otherwise) {
  const json_t *v = json_object_get(o, key);
  return json_is_number(v) ? json_number_value(v) : otherwise;
}

static json_t *read_about(const char *path, RtError *e) {
  json_t *o = rtj_object_file(path, 0, e);
  if (o && json_is_object(json_object_get(o, "belongs_to"))) return o;
  if (o) rt_fail(e, "%s: \"belongs_to\": expected an object; this is no theta.json of calm", path);
  json_decref(o);
  return NULL;
}

bool checkpoint_resume(Engine *en, const Models *m, const char *dir, bool force, TrainState *s, json_t **settings, RtError *e) {
  char *theta = file_join(dir, "theta.safetensors"), *opt = file_join(dir, "optimizer.safetensors"),
      *json = file_join(dir, "theta.json");
  ParamsPart part = {"", en->theta}, mv[2] = {{"m.", en->m}, {"v.", en->v}};
  json_t *o = read_about(json, e);
  bool ok = o && check_belongs(m, json_object_get(o, "belongs_to"), dir, force, e) &&
      params_load(en->prog, &part, 1, theta, e) &&
            params_load(en->prog, mv, 2, opt, e);
  if (ok) {
    int64_t seed = 0;
    ok = rtj_get_int(json, o, "step", &s->step, e) && rtj_get_int(json, o, "tokens", &s->tokens, e) &&
        rtj_get_int(json, o, "seed", &seed, e) &&
         rtj_get_int(json, o, "epoch", &s->epoch, e) && rtj_get_int(json, o, "position", &s->position, e);
    s->seed = (uint64_t)seed;
    s->best = real_or(o, "best", INFINITY), s->best_train = real_or(o, "best_train", INFINITY);
    s->sum = real_or(o, "sum", 0), s->count = real_or(o, "count", 0);
    *settings = json_incref(json_object_get(o, "settings"));
  }
  json_decref(o);
  rt_free(theta), rt_free(opt), rt_free(json);
  return ok;
}

bool checkpoint_params(Engine *en, const Models *m, const char *path, bool force, RtError *e) {
  bool is_dir = file_is_dir(path);
  char *dir = is_dir ? rt_strdup(path) : file_dirname(path);
  char *theta = is_dir ? file_join(dir, "theta.safetensors") : rt_strdup(path), *json = file_join(dir, "theta.json");
  bool ok = true;
  if (file_is_regular(json)) {
    json_t *o = read_about(json, e);
    ok = o && check_belongs(m, json_object_get(o, "belongs_to"), path, force, e);
    json_decref(o);
  } else if (file_is_regular(theta)) {
    rt_warn("%s: no theta.json beside it, so nothing says which models these parameters belong to", theta);
  }
  ParamsPart part = {"", en->theta};
  ok = ok && params_load(en->prog, &part, 1, theta, e);
  rt_free(dir), rt_free(theta), rt_free(json);
  return ok;
}
