// See madefrom.h.
#include "runtime/work/madefrom.h"

#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

// Files of a model's directory that count beside its weights; those that are not there must not appear.
static const char *const BESIDE[] = {"config.json", "generation_config.json", "model.safetensors.index.json"};
static const char *const WITH_TOKENIZER[] = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"};
// What parameters do not belong to: what is told of anew, by every run that they are used in.
static const char *const NO_IDENTITY[] = {"generation_config.json", "model.safetensors.index.json", "tokenizer_config.json", "chat_template.jinja"};
enum { N_BESIDE = sizeof BESIDE / sizeof *BESIDE, N_WITH_TOKENIZER = sizeof WITH_TOKENIZER / sizeof *WITH_TOKENIZER, N_NO_IDENTITY = sizeof NO_IDENTITY / sizeof *NO_IDENTITY };

// ---- what it is made from

static json_t *group_new(const char *what, const char *model, const char *dir) {
  char *whole = file_absolute(dir);
  json_t *g = json_pack("{s:s, s:s?, s:s, s:{}, s:[]}", "what", what, "model", model, "dir", whole, "files", "absent");
  rt_free(whole);
  return g;
}

static bool add_file(json_t *g, const char *path, const char *name, RtError *e) {
  FileSum sum;
  if (!file_is_there(path)) return json_array_append_new(json_object_get(g, "absent"), json_string(name)) == 0;
  if (!sha256_sum(path, &sum, e)) return false;
  return sums_add(json_object_get(g, "files"), name, &sum), true;
}

static bool add_named(json_t *g, const char *dir, const char *const *names, int n, RtError *e) {
  bool ok = true;
  for (int i = 0; ok && i < n; i++) {
    char *path = file_join(dir, names[i]);
    ok = add_file(g, path, names[i], e);
    rt_free(path);
  }
  return ok;
}

static bool add_model(json_t *list, const Models *m, int i, RtError *e) {
  const char *name = m->prog->model[i].name;
  bool ok = true;
  if (m->dir[i]) {
    json_t *g = group_new(MADE_MODEL, name, m->dir[i]);
    json_array_append_new(list, g);
    Safetensors *s = st_open_dir(m->dir[i], true, e);
    ok = s && add_named(g, m->dir[i], BESIDE, N_BESIDE, e);
    for (int k = 0; ok && k < st_shards(s); k++) {
      const char *path = st_shard_path(s, k), *slash = strrchr(path, '/');
      ok = add_file(g, path, slash ? slash + 1 : path, e);
    }
    if (s) st_close(s);
  }
  if (ok && m->tokfile[i]) {
    char *dir = file_dirname(m->tokfile[i]);
    const char *file = strrchr(m->tokfile[i], '/');
    json_t *g = group_new(MADE_TOKENIZER, name, dir);
    json_array_append_new(list, g);
    // A tokenizer may have another name in a spec; what lies beside it has not.
    int n;
    const char *const *more = tokenizer_beside(m->tokfile[i], &n);
    ok = add_file(g, m->tokfile[i], file ? file + 1 : m->tokfile[i], e) && add_named(g, dir, WITH_TOKENIZER + 1, N_WITH_TOKENIZER - 1, e) &&
         add_named(g, dir, more, n, e);
    rt_free(dir);
  }
  return ok;
}

static bool add_params(json_t *list, const char *path, RtError *e) {
  char *dir = file_dirname(path);
  const char *slash = strrchr(path, '/');
  json_t *g = group_new(MADE_PARAMETERS, NULL, dir);
  json_array_append_new(list, g);
  rt_free(dir);
  return add_file(g, path, slash ? slash + 1 : path, e);
}

json_t *made_from(const Models *m, const char *params, RtError *e) {
  json_t *list = json_array();
  bool ok = true;
  for (int i = 0; ok && i < m->prog->nmodel; i++) ok = add_model(list, m, i, e);
  if (ok && params) ok = add_params(list, params, e);
  if (ok) return list;
  json_decref(list);
  return NULL;
}

// Where the files of a group are now; to be freed.
static char *dir_of(const json_t *g, const Models *m) {
  int i = m ? prog_model(m->prog, rtj_said(g, "model")) : -1;
  if (i >= 0 && !strcmp(rtj_said(g, "what"), MADE_MODEL) && m->dir[i]) return rt_strdup(m->dir[i]);
  if (i >= 0 && !strcmp(rtj_said(g, "what"), MADE_TOKENIZER) && m->tokfile[i]) return file_dirname(m->tokfile[i]);
  return rt_strdup(rtj_said(g, "dir"));
}

// A name that stays in its directory, and {"size", "sha256"}.
static bool listed(const PackFile *f, const char *name, const json_t *v, RtError *e) {
  const char *hex = json_string_value(json_object_get(v, "sha256"));
  bool ok = *name && !strchr(name, '/') && strcmp(name, "..") && hex && strlen(hex) == SHA256_HEX - 1 && json_is_integer(json_object_get(v, "size"));
  return ok || rt_fail(e, "%s: \"made_from\": expected names of files with their size and SHA-256, found \"%.80s\"", packfile_path(f), name);
}

static bool check_file(const PackFile *f, const json_t *g, const char *path, const json_t *v, RtError *e) {
  const char *of = rtj_said(g, "what"), *model = json_string_value(json_object_get(g, MADE_MODEL));
  long long want = json_integer_value(json_object_get(v, "size"));
  FileSum sum;
  FileIn *in = file_in_open(path, e);
  if (!in) return false;
  long long size = (long long)in->size;
  rt_end(in);
  if (size != want)
    return rt_fail_about(e, RT_ABOUT_PACK, "%s is stale: %s of %s%s%s has %lld bytes, and had %lld when it was packed", packfile_path(f), path, model ? of : "the ",
                   model ? " " : of, model ? model : "", size, want);
  if (!sha256_sum(path, &sum, e)) return false;
  return !strcmp(sum.sha256, rtj_said(v, "sha256")) ||
         rt_fail_about(e, RT_ABOUT_PACK, "%s is stale: %s of %s%s%s is not what was packed (SHA-256 %.12s…, %.12s… then)", packfile_path(f), path, model ? of : "the ",
                 model ? " " : of, model ? model : "", sum.sha256, rtj_said(v, "sha256"));
}

static bool check_group(const PackFile *f, const json_t *g, const char *dir, RtError *e) {
  const char *name;
  size_t i;
  json_t *v;
  bool ok = true;
  if (!file_is_dir(dir)) return true;
  json_object_foreach(json_object_get(g, "files"), name, v) {
    if (!(ok = listed(f, name, v, e))) return false;
    char *path = file_join(dir, name);
    ok = !file_is_there(path) || check_file(f, g, path, v, e);
    rt_free(path);
    if (!ok) return false;
  }
  json_array_foreach(json_object_get(g, "absent"), i, v) {
    char *path = file_join(dir, json_is_string(v) ? json_string_value(v) : "?");
    ok = !file_is_there(path) || rt_fail_about(e, RT_ABOUT_PACK, "%s is stale: %s is there, and was not when it was packed", packfile_path(f), path);
    rt_free(path);
    if (!ok) return false;
  }
  return true;
}

bool made_current(const PackFile *f, const Models *m, bool params, RtError *e) {
  size_t i;
  json_t *g;
  json_array_foreach(json_object_get(packfile_about(f), "made_from"), i, g) {
    if (!params && !strcmp(rtj_said(g, "what"), MADE_PARAMETERS)) continue;
    char *dir = dir_of(g, m);
    bool ok = check_group(f, g, dir, e);
    rt_free(dir);
    if (!ok) return false;
  }
  return true;
}

static bool of_identity(const char *name) {
  for (int i = 0; i < N_NO_IDENTITY; i++)
    if (!strcmp(name, NO_IDENTITY[i])) return false;
  return true;
}

bool made_identity(const PackFile *f, const char *model, json_t *files, RtError *e) {
  size_t i;
  json_t *g, *v;
  const char *name;
  json_array_foreach(json_object_get(packfile_about(f), "made_from"), i, g) {
    if (strcmp(rtj_said(g, "model"), model)) continue;
    json_object_foreach(json_object_get(g, "files"), name, v) {
      if (!listed(f, name, v, e)) return false;
      if (of_identity(name)) json_object_set(files, name, json_object_get(v, "sha256"));
    }
  }
  return true;
}

bool made_check(const PackFile *f, SumsFound *found, RtError *e) {
  size_t i;
  json_t *g;
  json_array_foreach(json_object_get(packfile_about(f), "made_from"), i, g) {
    const char *dir = rtj_said(g, "dir"), *name;
    json_t *v, *list = json_object();
    bool ok = true;
    json_object_foreach(json_object_get(g, "files"), name, v) {
      if (!(ok = listed(f, name, v, e))) break;
      char *path = file_join(dir, name);
      if (file_is_there(path)) json_object_set(list, name, v);
      else printf("%s: not here, not compared\n", path);
      rt_free(path);
    }
    FileDir *d = ok && json_object_size(list) ? file_dir_open(dir, e) : NULL;
    ok = ok && (!json_object_size(list) || (d && sums_check(list, d, dir, found, e)));
    rt_end(d);
    json_decref(list);
    if (!ok) return false;
  }
  return true;
}
