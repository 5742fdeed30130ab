// export: a model made from nothing, as a directory that Hugging Face transformers (and calm) load: config.json,
// model.safetensors, the tokenizer, generation_config.json; and SHA256SUMS of them.
#include <errno.h>
#include <fcntl.h>
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
  json_t *earlier;             // the list of an export that is there; NULL: none is
  int tensors;
} Export;

#define WEIGHTS "model.safetensors"
#define MADE_BY "calm"             // in its metadata, with the version: what an export is known by
#define FOLDER ".export"
static const char *const FILES[] = {"config.json", "generation_config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json", SUMS_FILE};
enum { NFILES = sizeof FILES / sizeof FILES[0] };

static void folder_end(void *object) {
  char *dir = *(char **)object, path[PATH_MAX];
  for (int i = 0; dir && i < NFILES; i++)
    if (snprintf(path, sizeof path, "%s/%s", dir, FILES[i]) < (int)sizeof path) unlink(path);
  if (dir) rmdir(dir);
  rt_free(dir);
}

// Also away with what the earlier export wrote and this one does not.
static bool move_files(const Export *x, const char *to, RtError *e) {
  bool ok = true;
  for (int i = 0; ok && i < NFILES; i++) {
    char *a = file_join(x->dir, FILES[i]), *b = file_join(to, FILES[i]);
    int bad = rename(a, b);
    if (bad && errno == ENOENT) bad = json_object_get(x->earlier, FILES[i]) ? unlink(b) : 0;
    if (bad && errno != ENOENT) ok = rt_fail(e, "cannot write %s: %s", b, strerror(errno));
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

static bool save_weights(const Engine *en, int m, Export *x, RtError *e) {
  StWriter *w = st_writer_new();
  // "kv.model.norm.weight" is "model.norm.weight" in the file
  size_t skip = strlen(en->prog->model[m].name) + 1;
  st_writer_meta(w, "format", "pt");
  st_writer_meta(w, MADE_BY, CALM_VERSION);
  for (int i = 0; i < en->prog->nparam; i++) {
    const ProgParam *p = &en->prog->param[i];
    int64_t shape[8];
    if (p->model != m) continue;
    int rank = file_shape(p, shape);
    st_writer_add(w, p->name + skip, DT_F32, rank, shape, en->params.theta + p->offset);
  }
  char *path = file_join(x->dir, WEIGHTS);
  FileSum sum;
  bool ok = st_writer_save(w, path, &sum, e);
  if (ok) sums_add(x->sums, WEIGHTS, &sum);
  x->tensors = st_writer_count(w);
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

static void find_other(void *user, int fd, const char *name) {
  char *first = user;
  (void)fd;
  if (!*first && !file_is_tmp(name, FOLDER)) snprintf(first, NAME_MAX + 1, "%s", name);
}

// What an earlier export wrote into dir, by its SHA256SUMS; NULL where none did.
static json_t *earlier_export(const FileDir *d, const char *dir, RtError *e) {
  char *path = file_join(dir, WEIGHTS);
  Safetensors *st = st_open_file(path, true, e);
  json_t *list = st && st_metadata(st, MADE_BY) ? sums_read(d, dir, e) : NULL;
  st_close(st);
  rt_free(path);
  return list;
}

// Every file that the export would take the place of has to be as the earlier one left it.
static bool is_untouched(const json_t *list, const FileDir *d, const char *dir, RtError *e) {
  SumsFound found = {.says = json_array()};
  bool ok = sums_check(list, d, dir, &found, e);
  if (ok && found.bad) ok = rt_fail_about(e, RT_ABOUT_EXPORT, "%s", json_string_value(json_array_get(found.says, 0)));
  json_decref(found.says);
  for (int i = 0; ok && i < NFILES; i++)
    if (strcmp(FILES[i], SUMS_FILE) && !json_object_get(list, FILES[i]) && faccessat(d->fd, FILES[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
      ok = rt_fail_about(e, RT_ABOUT_EXPORT, "%s/%s is there, and is nothing that an export wrote", dir, FILES[i]);
  return ok;
}

// An export goes where nothing is, or over an earlier one (*list: its files), unless it was asked to replace what is there.
static bool check_place(const char *dir, bool overwrite, json_t **list, RtError *e) {
  char first[NAME_MAX + 1] = "";
  RtError none;
  if (!file_is_there(dir)) return true;
  FileDir *d = file_dir_open(dir, e);
  if (!d) return false;
  file_each(dir, find_other, first);
  *list = earlier_export(d, dir, &none);
  bool ok = overwrite || !*first || (*list ? is_untouched(*list, d, dir, e)
                                           : rt_fail_about(e, RT_ABOUT_EXPORT, "%s holds %s, and is no earlier export", dir, first));
  rt_end(d);
  return ok;
}

static bool check_inputs(const App *a, const Options *o, const char *dir, RtError *e) {
  bool ok = output_dir_allowed(a, o, dir, e);
  for (int i = 0; ok && i < NFILES; i++) {
    char *path = file_join(dir, FILES[i]);
    ok = output_allowed(a, o, NULL, path, e);
    rt_free(path);
  }
  return ok;
}

static bool export(App *a, const Options *o, Export *x, RtError *e) {
  const char *dir = o->word[0];
  int m = a->prog->anchor;
  if (a->models->dir[m]) return rt_fail(e, "nothing to export: every model of %s comes from a directory", a->prog->spec);
  if (!*dir) return rt_fail_about(e, RT_ABOUT_USAGE, "the directory to export into has no name");
  if (!check_inputs(a, o, dir, e) || !check_place(dir, o->overwrite, &x->earlier, e) || !app_load(a, o, &(Load){0}, e)) return false;
  bool made = !file_is_there(dir);
  char **folder = rt_object(sizeof *folder, folder_end), *inside = file_join(dir, FOLDER);
  bool ok = file_make_dirs(dir, e) && (x->dir = *folder = file_tmp_dir(inside, e)) && save_configs(a->models, m, x, e) && save_tokenizer(a->models, m, x, e) &&
            save_weights(a->en, m, x, e) && sums_save(x->sums, x->dir, e) && move_files(x, dir, e);
  rt_end(folder);
  rt_free(inside);
  if (!ok && made) rmdir(dir);
  if (ok) fprintf(stderr, "wrote %s: %d tensor%s\n", dir, x->tensors, plural(x->tensors));
  return ok;
}

int cmd_export(const Options *o) {
  RtError e;
  App a;
  Export x = {.sums = json_object()};
  bool ok = app_open(&a, o, &e) && export(&a, o, &x, &e);
  json_decref(x.sums), json_decref(x.earlier);
  app_close(&a);
  return ok ? 0 : cmd_fail(o, &e);
}
