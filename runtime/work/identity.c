// See identity.h.
#include "runtime/work/identity.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

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

const json_t *identity_get(Identity *id, RtError *e) {
  const Models *m = id->models;
  if (id->is) return id->is;
  json_t *models = json_object();
  for (int i = 0; i < m->prog->nmodel; i++) {
    json_t *files = json_object();
    json_object_set_new(models, m->prog->model[i].name, files);
    if (!model_hashes(m, i, files, e)) {
      json_decref(models);
      return NULL;
    }
  }
  return id->is = json_pack("{s:s, s:o}", "spec", m->prog->spec_sha256, "models", models);
}

bool identity_check(Identity *id, const json_t *theirs, const char *path, bool force, RtError *e) {
  const Models *m = id->models;
  const json_t *mine = identity_get(id, e);
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
  return ok;
}

void identity_drop(Identity *id) {
  json_decref(id->is);
  id->is = NULL;
}
