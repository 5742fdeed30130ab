// export: a model made from nothing, as a directory that Hugging Face transformers (and calm) load: config.json,
// model.safetensors, the tokenizer, generation_config.json; and SHA256SUMS of them.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/commands/command.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/work.h"

// Heads are real dimensions in the language ([H, Dh, D]); the file's matrices are [out, in], its biases one list.
static int file_shape(const ProgParam *p, int64_t shape[8]) {
  for (int i = 0; i < p->shape.n; i++) shape[i] = p->shape.v[i];
  if (p->shape.n < 2 || (p->shape.n == 2 && p->fan_in > 1)) return p->shape.n;
  if (p->fan_in <= 1) {
    shape[0] = p->elems;
    return 1;
  }
  shape[0] = p->elems / p->fan_in, shape[1] = p->fan_in;
  return 2;
}

// Where a model's files are written, and what they are: a folder in the directory that the user named, into which they are moved when all are whole.
typedef struct Export {
  const char *dir;
  json_t *sums;
} Export;

static const char *const FILES[] = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", SUMS_FILE};
enum { NFILES = sizeof FILES / sizeof FILES[0] };

static void folder_end(void *object) {
  char *dir = *(char **)object, path[PATH_MAX];
  for (int i = 0; dir && i < NFILES; i++)
    if (snprintf(path, sizeof path, "%s/%s", dir, FILES[i]) < (int)sizeof path) unlink(path);
  if (dir) rmdir(dir);
  rt_free(dir);
}

static bool move_files(const char *from, const char *to, RtError *e) {
  bool ok = true;
  for (int i = 0; ok && i < NFILES; i++) {
    char *a = file_join(from, FILES[i]), *b = file_join(to, FILES[i]);
    if (rename(a, b) != 0 && errno != ENOENT) ok = rt_fail(e, "cannot write %s: %s", b, strerror(errno));
    rt_free(a), rt_free(b);
  }
  return ok;
}

static bool save(const Export *x, const char *name, const void *data, size_t n, RtError *e) {
  char *path = file_join(x->dir, name);
  FileSum sum = {.size = n};
  sha256_of(data, n, sum.sha256);
  bool ok = file_save(path, data, n, e);
  if (ok) sums_add(x->sums, name, &sum);
  rt_free(path);
  return ok;
}

static bool save_weights(const Engine *en, int m, const Export *x, RtError *e) {
  StWriter *w = st_writer_new();
  // "kv.model.norm.weight" is "model.norm.weight" in the file
  size_t skip = strlen(en->prog->model[m].name) + 1;
  st_writer_meta(w, "format", "pt");
  for (int i = 0; i < en->prog->nparam; i++) {
    const ProgParam *p = &en->prog->param[i];
    int64_t shape[8];
    if (p->model != m) continue;
    int rank = file_shape(p, shape);
    st_writer_add(w, p->name + skip, DT_F32, rank, shape, en->params.theta + p->offset);
  }
  char *path = file_join(x->dir, "model.safetensors");
  FileSum sum;
  bool ok = st_writer_save(w, path, &sum, e);
  if (ok) sums_add(x->sums, "model.safetensors", &sum);
  st_writer_free(w);
  rt_free(path);
  return ok;
}

static bool save_json(const Export *x, const char *name, json_t *o, RtError *e) {
  char *text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
  bool ok = save(x, name, text, strlen(text), e);
  rt_free(text);
  return ok;
}

static bool copy_beside(const char *from, const Export *x, const char *name, RtError *e) {
  FileMap m;
  if (!file_map(&m, from, e)) return false;
  bool ok = save(x, name, m.data, m.size, e);
  file_unmap(&m);
  return ok;
}

static void set_default(json_t *o, const char *key, json_t *v) {
  if (json_object_get(o, key)) json_decref(v);
  else json_object_set_new(o, key, v);
}

// Every end of text, first the one that training appended, as config.json would name it.
static json_t *eos_value(const Models *ms) {
  const TextEnds *x = &ms->ends;
  if (x->n_eos == 0) return json_null();
  if (x->n_eos == 1) return json_integer(x->append);
  json_t *all = json_array();
  json_array_append_new(all, json_integer(x->append));
  for (int i = 0; i < x->n_eos; i++)
    if (x->eos[i] != x->append) json_array_append_new(all, json_integer(x->eos[i]));
  return all;
}

// BOS: what config or tokenizer_config name, else what the tokenizer puts before a text.
static json_t *bos_value(const Models *ms) {
  const int32_t *prefix;
  if (ms->ends.bos >= 0) return json_integer(ms->ends.bos);
  return ms->tok && tokenizer_prefix(ms->tok, &prefix) == 1 ? json_integer(prefix[0]) : json_null();
}

static bool save_configs(const Models *ms, int m, const Export *x, RtError *e) {
  const ProgModel *pm = &ms->prog->model[m];
  json_t *c = json_deep_copy(pm->config), *g = json_object();
  if (pm->architecture) set_default(c, "architectures", json_pack("[s]", pm->architecture));
  set_default(c, "model_type", json_string(pm->arch));
  set_default(c, "dtype", json_string("float32"));
  set_default(c, "torch_dtype", json_string("float32"));
  set_default(c, "bos_token_id", bos_value(ms));
  set_default(c, "eos_token_id", eos_value(ms));
  json_object_set(g, "bos_token_id", json_object_get(c, "bos_token_id"));
  json_object_set(g, "eos_token_id", json_object_get(c, "eos_token_id"));
  bool ok = save_json(x, "config.json", c, e) && save_json(x, "generation_config.json", g, e);
  json_decref(c), json_decref(g);
  return ok;
}

static bool save_tokenizer(const Models *ms, int m, const Export *x, RtError *e) {
  if (!ms->tokfile[m]) return true;
  char *from = file_dirname(ms->tokfile[m]), *config = file_join(from, "tokenizer_config.json");
  bool ok = copy_beside(ms->tokfile[m], x, "tokenizer.json", e);
  if (ok && file_is_there(config)) {
    ok = copy_beside(config, x, "tokenizer_config.json", e);
  } else if (ok) {
    json_t *c = json_pack("{s:s, s:I, s:b}", "tokenizer_class", "PreTrainedTokenizerFast", "model_max_length",
                          (json_int_t)ms->prog->model[m].context, "clean_up_tokenization_spaces", 0);
    ok = save_json(x, "tokenizer_config.json", c, e);
    json_decref(c);
  }
  rt_free(from), rt_free(config);
  return ok;
}

// A model that is there is not touched unasked.
static bool check_free(const char *dir, RtError *e) {
  static const char *const NAME[] = {"config.json", "generation_config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json",
                                     "tokenizer_config.json", SUMS_FILE};
  bool ok = true;
  for (size_t i = 0; ok && i < sizeof NAME / sizeof NAME[0]; i++) {
    char *path = file_join(dir, NAME[i]);
    struct stat st;
    if (lstat(path, &st) == 0) ok = rt_fail_about(e, RT_ABOUT_EXPORT, "%s is there already", path);
    rt_free(path);
  }
  return ok;
}

int cmd_export(const Options *o) {
  RtError e;
  App a;
  Export x = {.dir = o->word[0], .sums = json_object()};
  bool ok = app_open(&a, o, &e);
  int m = a.prog->anchor;
  ok = ok && (a.models->dir[m] == NULL || rt_fail(&e, "nothing to export: every model of %s comes from a directory", a.prog->spec)) &&
       (o->overwrite || check_free(x.dir, &e));
  const char *dir = x.dir;
  struct stat st;
  bool made = stat(dir, &st) != 0;
  char **folder = rt_object(sizeof *folder, folder_end);
  char *inside = file_join(dir, ".export");
  ok = ok && app_load(&a, o, &(Load){0}, &e) && file_make_dirs(dir, &e) && (x.dir = *folder = file_tmp_dir(inside, &e)) && save_configs(a.models, m, &x, &e) && save_tokenizer(a.models, m, &x, &e) &&
       save_weights(a.en, m, &x, &e) && sums_save(x.sums, x.dir, &e) && move_files(x.dir, dir, &e);
  rt_end(folder);
  rt_free(inside);
  if (!ok && made) rmdir(dir);
  json_decref(x.sums);
  app_close(&a);
  return ok ? 0 : cmd_fail(o, &e);
}
