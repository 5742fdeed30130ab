// export: a model that was trained, as a directory that Hugging Face transformers (and calm) load: config.json, model.safetensors, the tokenizer,
// generation_config.json; and SHA256SUMS of them. Of a model made from nothing they are written; of a tuned one they are its directory's, with every
// weight that was trained in place of the one that was there. Of an adapted one the adapters alone, as PEFT loads them, or with --merge the tuned one's
// files, what they add being added to the weights.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/commands/adapters.h"
#include "runtime/commands/command.h"
#include "runtime/commands/streams.h"
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
  int model;
  Dtype dtype;                 // of its weights; DT_NONE: as its files have them, F32 of one made from nothing
  int tensors;
  bool adapter;                // its adapters alone
  Merge **merge;               // of the weights that are adapted; nmerge
  int nmerge;
} Export;

#define WEIGHTS "model.safetensors"
#define MADE_BY "calm"             // in its metadata, with the version: what an export is known by
#define FOLDER ".export"
// What is written, and what a tuned model's directory may have besides.
static const char *const FILES[] = {"config.json", "generation_config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json", SUMS_FILE,
                                    "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "vocab.json", "merges.txt", "tokenizer.model", ADAPTER_CONFIG, ADAPTER_WEIGHTS};
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

static const ProgParam *trained(const Engine *en, int m, const char *tensor) {
  for (int i = 0; i < en->prog->nparam; i++) {
    const ProgParam *p = &en->prog->param[i];
    if (p->model == m && !strcmp(prog_tensor(en->prog, p), tensor)) return p;
  }
  return NULL;
}

static void add_made(const Engine *en, Export *x, StWriter *w) {
  for (int i = 0; i < en->prog->nparam; i++) {
    const ProgParam *p = &en->prog->param[i];
    int64_t shape[8];
    if (p->model != x->model) continue;
    int rank = file_shape(p, shape);
    st_writer_add_as(w, prog_tensor(en->prog, p), x->dtype == DT_NONE ? DT_F32 : x->dtype, rank, shape, DT_F32, en->params.theta + p->offset);
  }
}

// Every tensor of the directory, also those that nothing reads.
static void add_tuned(const Engine *en, Export *x, StWriter *w) {
  const Safetensors *st = en->weights.file[x->model];
  for (int i = 0; i < st_count(st); i++) {
    const StTensor *t = st_at(st, i);
    const ProgParam *p = trained(en, x->model, t->name);
    bool numbers = dtype_info[t->dtype].use == DTYPE_STORED;
    Dtype to = x->dtype != DT_NONE && numbers ? x->dtype : t->dtype;
    Dtype from = p ? DT_F32 : t->dtype;
    const void *data = p ? (const void *)(en->params.theta + p->offset) : t->data;
    Merge *m = adapters_merge(en, x->model, t, from, data);
    if (!m) {
      st_writer_add_as(w, t->name, to, t->rank, t->shape, from, data);
      continue;
    }
    x->merge = rt_realloc(x->merge, (size_t)x->nmerge + 1, sizeof *x->merge);
    x->merge[x->nmerge++] = m;
    st_writer_add_filled(w, t->name, to, t->rank, t->shape, adapters_fill, m);
  }
}

static bool save_weights(const App *a, Export *x, RtError *e) {
  StWriter *w = st_writer_new();
  st_writer_meta(w, "format", "pt");
  st_writer_meta(w, MADE_BY, CALM_VERSION);
  const char *name = x->adapter ? ADAPTER_WEIGHTS : WEIGHTS;
  if (x->adapter) adapters_add(a->en, x->model, x->dtype, w);
  else (a->models->dir[x->model] ? add_tuned : add_made)(a->en, x, w);
  char *path = file_join(x->dir, name);
  FileSum sum;
  bool ok = st_writer_save(w, path, &sum, e);
  if (ok) sums_add(x->sums, name, &sum);
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

static bool save_config_adapter(const App *a, const Export *x, RtError *e) {
  json_t *c = adapters_config(a->prog, x->model, a->models->dir[x->model], a->en->weights.file[x->model]);
  bool ok = save_json(x, ADAPTER_CONFIG, c, e);
  json_decref(c);
  return ok;
}

static bool copy_beside(const char *from, const Export *x, const char *name, RtError *e) {
  FileMap m;
  if (!file_map(&m, from, e)) return false;
  bool ok = save(x, name, m.data, m.size, e);
  file_unmap(&m);
  return ok;
}

// From the directory of a tuned model, where it is there; the tokenizer apart.
static bool copy_files(const char *dir, const Export *x, RtError *e) {
  bool ok = true;
  for (int i = 0; ok && i < NFILES; i++) {
    const char *name = FILES[i];
    if (!strcmp(name, "config.json") || !strcmp(name, "tokenizer.json") || !strcmp(name, WEIGHTS) || !strcmp(name, SUMS_FILE) || !strncmp(name, "adapter_", 8)) continue;
    char *from = file_join(dir, name);
    if (file_is_there(from)) ok = copy_beside(from, x, name, e);
    rt_free(from);
  }
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

// Older transformers read torch_dtype, newer ones dtype.
static const char *const DTYPE_KEYS[] = {"dtype", "torch_dtype"};
static const char *torch_name(Dtype t) { return t == DT_BF16 ? "bfloat16" : t == DT_F16 ? "float16" : "float32"; }

// A head that its file holds has been read as one of its own, and was trained apart from the table that config.json ties it to: where the two differ
// transformers 5 goes by the weights, with a warning, and earlier ones by config.json.
static void say_untied(const Safetensors *st, json_t *config) {
  json_t *part = json_object_get(config, "text_config");
  for (int i = 0; i < st_count(st); i++) {
    const char *name = st_at(st, i)->name, *at = strstr(name, "lm_head.weight");
    if (!at || at[strlen("lm_head.weight")]) continue;
    json_object_set_new(config, "tie_word_embeddings", json_false());
    if (part) json_object_set_new(part, "tie_word_embeddings", json_false());
  }
}

static bool save_config_tuned(const Models *ms, const Safetensors *st, const Export *x, RtError *e) {
  json_t *c = json_deep_copy(ms->prog->model[x->model].config);
  bool said = false;
  say_untied(st, c);
  for (int i = 0; i < 2; i++) said |= json_object_get(c, DTYPE_KEYS[i]) != NULL;
  for (int i = 0; x->dtype != DT_NONE && i < 2; i++)
    if (json_object_get(c, DTYPE_KEYS[i]) || !said) json_object_set_new(c, DTYPE_KEYS[i], json_string(torch_name(x->dtype)));
  bool ok = save_json(x, "config.json", c, e);
  json_decref(c);
  return ok;
}

static bool save_configs(const Models *ms, int m, const Export *x, RtError *e) {
  const ProgModel *pm = &ms->prog->model[m];
  json_t *c = json_deep_copy(pm->config), *g = json_object();
  if (pm->architecture) set_default(c, "architectures", json_pack("[s]", pm->architecture));
  set_default(c, "model_type", json_string(pm->arch));
  for (int i = 0; i < 2; i++) set_default(c, DTYPE_KEYS[i], json_string(torch_name(x->dtype)));
  set_default(c, "bos_token_id", bos_value(ms));
  set_default(c, "eos_token_id", eos_value(ms));
  json_object_set(g, "bos_token_id", json_object_get(c, "bos_token_id"));
  json_object_set(g, "eos_token_id", json_object_get(c, "eos_token_id"));
  bool ok = save_json(x, "config.json", c, e) && save_json(x, "generation_config.json", g, e);
  json_decref(c), json_decref(g);
  return ok;
}

static bool save_tokenizer_json(const Models *ms, int m, const Export *x, RtError *e) {
  size_t n;
  char *text = ms->tokfile[m] ? tokenizer_json(ms->tokfile[m], &n, e) : NULL;
  bool ok = !ms->tokfile[m] || (text && save(x, "tokenizer.json", text, n, e));
  rt_free(text);
  return ok;
}

static bool save_tokenizer(const Models *ms, int m, const Export *x, RtError *e) {
  if (!ms->tokfile[m]) return true;
  char *from = file_dirname(ms->tokfile[m]), *config = file_join(from, "tokenizer_config.json");
  bool ok = save_tokenizer_json(ms, m, x, e);
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
  static const char *const names[] = {WEIGHTS, ADAPTER_WEIGHTS};
  bool made = false;
  for (int i = 0; i < 2; i++) {
    char *path = file_join(dir, names[i]);
    Safetensors *st = st_open_file(path, true, e);
    made |= st && st_metadata(st, MADE_BY);
    st_close(st);
    rt_free(path);
  }
  return made ? sums_read(d, dir, e) : NULL;
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
  RT_IN_PHASE(RT_PHASE_READ);
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

// The model to export: the one that is named, else the only one that was trained.
static bool pick_model(const App *a, const Options *o, Export *x, RtError *e) {
  const Prog *p = a->prog;
  char all[256] = "";
  int n = 0;
  x->model = -1;
  for (int m = 0; m < p->nmodel; m++) {
    if (!prog_trained_of(p, m) && !adapters_of(p, m)) continue;
    size_t at = strlen(all);
    snprintf(all + at, sizeof all - at, "%s%s", n++ ? ", " : "", p->model[m].name);
    if (!o->export_of || !strcmp(o->export_of, p->model[m].name)) x->model = m;
  }
  if (!n) return rt_fail(e, "nothing to export: no weight of a model of %s is trained ('tune NAME' in the spec does that, 'adapt NAME' trains adapters; the new parameters are in the run's directory)", p->spec);
  if (o->export_of && x->model < 0) return rt_fail_about(e, RT_ABOUT_USAGE, "--of %s: no model of this name is trained; there is %s", o->export_of, all);
  if (!o->export_of && n > 1) return rt_fail_about(e, RT_ABOUT_USAGE, "which model? --of NAME: %s", all);
  return true;
}

// Adapters alone, or merged: of a model whose weights are tuned besides only the whole can be written.
static bool pick_form(const App *a, const Options *o, Export *x, RtError *e) {
  const Prog *p = a->prog;
  const char *name = p->model[x->model].name;
  bool adapted = adapters_of(p, x->model) > 0;
  if (!adapted && o->merge) return rt_fail_about(e, RT_ABOUT_USAGE, "--merge: nothing is adapted of model %s", name);
  if (adapted && !o->merge && prog_trained_of(p, x->model))
    return rt_fail_about(e, RT_ABOUT_USAGE, "model %s is adapted and tuned, which a directory of adapters cannot hold: write the whole with --merge", name);
  if (o->merge && o->export_dtype && o->export_data)
    return rt_fail_about(e, RT_ABOUT_USAGE, "--data beside --merge and --dtype: this program reads weights of the types that it was compiled for; build one of the export and use its eval");
  x->adapter = adapted && !o->merge;
  return !adapted || adapters_low_rank(p, x->model, e);
}

static bool pick_dtype(const Options *o, Export *x, RtError *e) {
  static const Dtype some[] = {DT_F32, DT_BF16, DT_F16};
  x->dtype = DT_NONE;
  for (int i = 0; o->export_dtype && i < 3; i++)
    if (!strcmp(o->export_dtype, dtype_name(some[i]))) x->dtype = some[i];
  if (!o->export_dtype || x->dtype != DT_NONE) return true;
  return rt_fail_about(e, RT_ABOUT_USAGE, "--dtype: expected f32, bf16 or f16, found \"%s\"", o->export_dtype);
}

// ---- the loss before and after weights are rounded to what the files hold

static bool loss_of(App *a, const DataFile *f, Step *s, FeedLoss *l, RtError *e) {
  DataOptions o = feed_options(a->models);
  return feed_loss(a->en, s, f, &o, a->en->arena.tokens[a->en->entry[ENTRY_LOSS]], NULL, NULL, l, e) &&
         (l->labelled > 0 || rt_fail(e, "%s: no row has a labelled token", data_path(f)));
}

// Parameters as the files hold them, from now on. What is too large for the type was refused when it was written.
static void round_params(const App *a, const Export *x) {
  for (int i = 0; i < a->prog->nparam; i++) {
    const ProgParam *p = &a->prog->param[i];
    if (p->model != x->model && !(x->adapter && adapters_own(a->prog, x->model, i))) continue;
    const StTensor *t = p->model == x->model && a->models->dir[x->model] ? st_find(a->en->weights.file[x->model], prog_tensor(a->prog, p)) : NULL;
    Dtype to = x->dtype != DT_NONE ? x->dtype : t ? t->dtype : DT_F32;
    float *v = a->en->params.theta + p->offset;
    uint64_t bits;
    for (int64_t k = 0; to != DT_F32 && k < p->elems; k++) {
      dtype_round(to, (double)v[k], &bits);
      v[k] = (float)dtype_number(to, &bits);
    }
  }
  engine_prepare(a->en);
}

// initial: with the parameters, --params or those it begins with; else they are the caller's to fill in.
static bool load(App *a, const Options *o, bool initial, RtError *e) {
  enum { TOKENS = 2048 };
  Shape s = shape_of_text(a->models, TOKENS);
  Load l = {.tables = -1, .nstep = 1, .step = {{a->en->entry[ENTRY_LOSS], s.tokens, s.rows}}};
  bool ok = initial ? app_load(a, o, &l, e) : app_load_params(a, o, NULL, &l, e);
  engine_cap(a->en, a->en->entry[ENTRY_LOSS], TOKENS, TOKENS);
  shape_free(&s);
  return ok;
}

// Of the merged model, read again from where it was written, with adapters that add nothing.
static bool loss_merged(const App *a, const Options *o, const Export *x, const DataFile *f, Step *s, FeedLoss *l, RtError *e) {
  App b;
  const Prog *p = a->prog;
  Options again = *o;
  const char *name = p->model[x->model].name;
  char *place = rt_format("%s=%s", name, o->word[0]);
  again.model.v = rt_alloc((size_t)o->model.n + 1, sizeof *again.model.v), again.model.n = 0;
  for (int i = 0; i < o->model.n; i++)
    if (strncmp(o->model.v[i], place, strlen(name) + 1)) again.model.v[again.model.n++] = o->model.v[i];
  again.model.v[again.model.n++] = place;
  again.pack = NULL;
  Precision *precisions = rt_alloc((size_t)p->nmodel, sizeof *precisions);
  for (int i = 0; i < p->nmodel; i++) precisions[i] = engine_precision(a->en, i);
  again.precisions = precisions, again.precision_by = "the loss before was";
  bool ok = app_open(&b, &again, e) && load(&b, &again, false, e);
  if (ok) {
    float *theta = b.en->params.theta;
    memcpy(theta, a->en->params.theta, (size_t)p->theta * sizeof *theta);
    for (int i = 0; i < p->nadapter; i++) {
      const ProgParam *up = &p->param[p->adapter[i].up];
      if (p->adapter[i].model == x->model) memset(theta + up->offset, 0, (size_t)up->elems * sizeof *theta);
    }
    round_params(&b, x);
    ok = loss_of(&b, f, s, l, e);
  }
  app_close(&b);
  rt_free(again.model.v), rt_free(place), rt_free(precisions);
  return ok;
}

// Frozen matrices that this program keeps in 8 bits have their own types in the export.
static const char *of_int8(const Prog *p) {
  for (int i = 0; i < p->nmodel; i++)
    if (p->model[i].keep == KEEP_INT8) return "; both by this program, which keeps frozen matrices as int8: read in its own types the export's is another";
  return "";
}

static bool say_losses(App *a, const Options *o, const Export *x, const DataFile *f, RtError *e) {
  FeedLoss before = {0}, after = {0};
  Step *s = step_new(a->en->nstream);
  bool ok = loss_of(a, f, s, &before, e);
  if (ok && x->nmerge) ok = loss_merged(a, o, x, f, s, &after, e);
  else if (ok) round_params(a, x), ok = loss_of(a, f, s, &after, e);
  if (ok)
    printf("%s: loss %.6f before, %.6f as exported%s\n", data_path(f), before.nll / (double)before.labelled, after.nll / (double)after.labelled, of_int8(a->prog));
  step_free(s);
  return ok && streams_written(e);
}

// ---- the command

static bool save_all(const App *a, Export *x, RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  const Models *ms = a->models;
  bool tuned = ms->dir[x->model] != NULL;
  return (x->adapter ? save_config_adapter(a, x, e)
          : tuned ? save_config_tuned(ms, a->en->weights.file[x->model], x, e) && copy_files(ms->dir[x->model], x, e) && save_tokenizer_json(ms, x->model, x, e)
                : save_configs(ms, x->model, x, e) && save_tokenizer(ms, x->model, x, e)) &&
         save_weights(a, x, e) && sums_save(x->sums, x->dir, e);
}

static bool export(App *a, const Options *o, Export *x, DataFile **data, RtError *e) {
  const char *dir = o->word[0];
  if (!pick_model(a, o, x, e) || !pick_form(a, o, x, e) || !pick_dtype(o, x, e)) return false;
  if (!*dir) return rt_fail_about(e, RT_ABOUT_USAGE, "the directory to export into has no name");
  if (!check_inputs(a, o, dir, e) || !check_place(dir, o->overwrite, &x->earlier, e) || (o->export_data && (!(*data = data_open(o->export_data, e)) || !app_part_for(a, *data, e))) || !(o->export_data ? load(a, o, true, e) : app_load(a, o, &(Load){0}, e)))
    return false;
  bool made = !file_is_there(dir);
  char **folder = rt_object(sizeof *folder, folder_end), *inside = file_join(dir, FOLDER);
  bool ok = file_make_dirs(dir, e) && (x->dir = *folder = file_tmp_dir(inside, e)) && save_all(a, x, e) && engine_unchanged(a->en, e) && move_files(x, dir, e);
  rt_end(folder);
  rt_free(inside);
  if (!ok && made) rmdir(dir);
  if (ok) fprintf(stderr, "wrote %s: %d tensor%s\n", dir, x->tensors, plural(x->tensors));
  return ok && (!*data || say_losses(a, o, x, *data, e));
}

int cmd_export(const Options *o) {
  RtError e;
  App a;
  DataFile *data = NULL;
  Export x = {.sums = json_object()};
  if (!o->export_data) options_idle(o, FLAG_precision, "there is no --data");
  if (!o->export_data && o->precision_of.n) rt_warn("--precision %s has no effect: there is no --data", o->precision_of.v[0]);
  bool ok = app_open(&a, o, &e) && export(&a, o, &x, &data, &e);
  data_close(data);
  json_decref(x.sums), json_decref(x.earlier);
  for (int i = 0; i < x.nmerge; i++) rt_free(x.merge[i]);
  rt_free(x.merge);
  app_close(&a);
  return ok ? 0 : cmd_fail(o, &e);
}
