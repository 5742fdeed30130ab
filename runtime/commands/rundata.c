// See rundata.h.
#include "runtime/commands/rundata.h"

#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

static json_t *entry_of(const char *file, const FileSum *sum) {
  char *path = file_absolute(file);
  json_t *o = json_pack("{s:I, s:s}", "size", (json_int_t)sum->size, "sha256", sum->sha256), *name = json_string(path);
  json_object_set_new(o, "path", name ? name : json_null());      // a name that is no UTF-8
  rt_free(path);
  return o;
}

// Of files that are trained or judged on.
static json_t *entries_of(const DataFile *f) {
  if (f->nparts == 1 && !data_mixed(f)) return entry_of(f->part[0].lines.path, &f->part[0].lines.sum);
  json_t *list = json_array();
  for (int k = 0; k < f->nparts; k++) {
    json_t *o = entry_of(f->part[k].lines.path, &f->part[k].lines.sum);
    if (data_mixed(f)) json_object_set_new(o, "share", json_real(f->part[k].share));
    json_array_append_new(list, o);
  }
  return list;
}

static const char **names_of(const DataFile *f) {
  const char **name = rt_alloc((size_t)f->nparts, sizeof *name);
  for (int k = 0; k < f->nparts; k++) name[k] = f->part[k].lines.path;
  return name;
}

// File k of an entry, which is itself the only one where it is no list; NULL: there is none.
static const json_t *file_at(const json_t *entry, size_t k) { return json_is_array(entry) ? json_array_get(entry, k) : k ? NULL : entry; }
static size_t files_of(const json_t *entry) { return json_is_array(entry) ? json_array_size(entry) : 1; }

static char *file_words(const json_t *file, const char *name) {
  if (!name) name = json_string_value(json_object_get(file, "path"));
  long long size = json_integer_value(json_object_get(file, "size"));
  return rt_format("%s (%lld byte%s, SHA-256 %.12s…)", name ? name : "a file of another name", size, plural(size), json_string_value(json_object_get(file, "sha256")));
}

// What differs: of the first file that does, its content or share; else how many there are. names: what those of now are called. To be freed; NULL: nothing.
static char *difference(const json_t *is, const char *const *names, const json_t *was, const char *trained) {
  for (size_t k = 0; k < files_of(is) && k < files_of(was); k++) {
    const json_t *a = file_at(is, k), *b = file_at(was, k), *x = json_object_get(a, "share"), *y = json_object_get(b, "share");
    char *now = file_words(a, names[k]), *then = file_words(b, NULL), *text = NULL;
    if (!json_equal(json_object_get(a, "sha256"), json_object_get(b, "sha256"))) text = rt_format("%s is not what the run has been %s with: %s", now, trained, then);
    else if (x && y && !json_equal(x, y))
      text = rt_format("%s: a share of %.6g is not what the run has been %s with: %.6g", names[k], json_number_value(x), trained, json_number_value(y));
    else if (!x != !y)
      text = rt_format("%s: %s share is not what the run has been %s with: %s", names[k], x ? "a" : "no", trained, x ? "none" : "one");
    rt_free(now), rt_free(then);
    if (text) return text;
  }
  long long n = (long long)files_of(is), m = (long long)files_of(was);
  return n == m ? NULL : rt_format("%lld file%s of data: the run has been %s with %lld", n, plural(n), trained, m);
}

static bool is_entry(const json_t *was) {
  bool ok = files_of(was) > 0;
  for (size_t k = 0; k < files_of(was); k++)
    ok = ok && json_is_string(json_object_get(file_at(was, k), "sha256")) && json_is_integer(json_object_get(file_at(was, k), "size"));
  return ok;
}

// *other: the files of now hold something else than those of the run did, or in other shares, which is allowed.
static bool same_content(const char *key, const json_t *is, const char *const *names, const json_t *was, const char *path, bool allowed, bool *other, RtError *e) {
  if (!is_entry(was)) return rt_fail(e, "%s: \"data\": \"%s\": expected {\"path\", \"size\", \"sha256\"}, or a list of them", path, key);
  char *text = difference(is, names, was, strcmp(key, "validate") ? "trained" : "judged");
  *other = text != NULL;
  bool ok = !text || allowed || rt_fail_about(e, RT_ABOUT_OTHER_DATA, "%s", text);
  if (text && allowed) rt_warn("%s", text);
  rt_free(text);
  return ok;
}

json_t *rundata_of(const TrainSettings *s, const DataFile *data, const DataFile *held, const json_t *theirs, const char *path, bool allowed, RunData *found,
                   RtError *e) {
  FileSum template;
  if (s->chat_template && !sha256_sum(s->chat_template, &template, e)) return NULL;
  *found = (RunData){0};
  const char **const names[] = {names_of(data), held ? names_of(held) : NULL};
  const struct { const char *key; json_t *is; const char *const *names; bool *other; } FILES[] = {
      {"data", entries_of(data), names[0], &found->changed}, {"validate", held ? entries_of(held) : NULL, names[1], &found->held_changed},
      {"chat_template", s->chat_template ? entry_of(s->chat_template, &template) : NULL, &s->chat_template, &found->template_changed}};
  json_t *o = json_object();
  bool ok = true;
  for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
    const json_t *was = json_object_get(theirs, FILES[i].key), *is = FILES[i].is;
    if (!is) continue;
    json_object_set_new(o, FILES[i].key, FILES[i].is);
    ok = ok && (!was || same_content(FILES[i].key, is, FILES[i].names, was, path, allowed, FILES[i].other, e));
  }
  rt_free(names[0]), rt_free(names[1]);
  found->changed |= found->template_changed;
  if (ok) return o;
  json_decref(o);
  return NULL;
}

bool rundata_template(const Checkpoint *c, const char *given, RtError *e) {
  const json_t *was = json_object_get(json_object_get(checkpoint_about(c), "data"), "chat_template");
  const char *path = json_string_value(json_object_get(was, "path")), *sha256 = json_string_value(json_object_get(was, "sha256"));
  FileSum is;
  if (!path || !sha256) return true;
  if (!given) rt_warn("%s: trained with the chat template %s; without --chat-template conversations are read by the model's own here", checkpoint_path(c), path);
  else if (!sha256_sum(given, &is, e)) return false;
  else if (strcmp(is.sha256, sha256)) rt_warn("%s: trained with the chat template %s, and %s holds something else", checkpoint_path(c), path, given);
  return true;
}

bool rundata_rules(const App *a, const TrainSettings *s, int64_t date, RtError *e) {
  a->models->train_all = s->train_on == TRAIN_ON_all, a->models->too_long = s->too_long;
  return (!s->chat_template || models_chat_template(a->models, s->chat_template, e)) && (!date || models_set_date(a->models, date, e));
}

void rundata_too_long(const App *a, int flag, const json_t *block) {
  const char *word = json_string_value(json_object_get(block, "too_long"));
  if (!word) word = json_string_value(json_object_get(a->prog->train, "too_long"));
  a->models->too_long = flag >= 0 ? flag : word ? setting_word(&setting_row[SET_train_too_long], word) : TOO_LONG_error;
}

// What all rows come to: counted, or where bytes decided of some, by those that a look at the file tokenizes (all of a small one).
static void tell_rows(const char *path, const Data *d, const Data *look, double seconds) {
  long long rows = (long long)d->looked;
  if (look && !data_whole(look))
    printf("%s: %lld row%s of about %.3g tokens (%.3g labelled; by a sample of %lld rows), %lld of them so short that their bytes tell that nothing is cut: nothing wrong (%.1f s)\n",
           path, rows, plural(rows), (double)look->tokens / (double)look->looked * (double)rows, (double)look->labelled / (double)look->looked * (double)rows,
           (long long)look->looked, (long long)d->decided, seconds);
  else
    printf("%s: %lld row%s, %lld window%s, %lld token%s (%lld labelled): nothing wrong (%.1f s)\n", path, rows, plural(rows), (long long)(look ? look : d)->windows,
           plural((look ? look : d)->windows), (long long)(look ? look : d)->tokens, plural((look ? look : d)->tokens), (long long)(look ? look : d)->labelled, seconds);
}

// *trained: whether a row has a labelled token, as far as rows were tokenized.
static bool check_rows(const App *a, const DataFile *f, const DataOptions *o, double start, bool *trained, RtError *e) {
  Check *c = check_start(f, o, pool_threads(a->en->pool) - 1, false);
  DataOptions all = *o;
  Data *look = NULL;
  all.bytes = NULL;
  bool ok = check_help(c, e);
  const Data *d = check_counts(c);
  if (ok && d->decided) ok = (look = data_sample(f, &all, FEED_WHOLE, FEED_SAMPLE, e)) != NULL;
  *trained = ok && (d->trained || (look && look->trained));
  if (*trained) feed_tell(a->models, data_path(f), d), tell_rows(data_path(f), d, look, rt_now() - start);
  data_free(look);
  check_end(c);
  return ok;
}

static bool check_file(const App *a, const char *path, RtError *e) {
  double start = rt_now();
  DataFile *f = data_open(path, e);
  if (!f || !app_part_for(a, f, e)) return data_close(f), false;
  DataOptions o = feed_options(a->models);
  ByteRule *rule = data_byte_rule(&o);
  bool trained, ok;
  o.bytes = rule;
  ok = check_rows(a, f, &o, start, &trained, e);
  o.bytes = NULL;
  if (ok && !trained && rule) ok = check_rows(a, f, &o, start, &trained, e);       // those that bytes decide may have one
  if (ok && !trained) ok = rt_fail(e, "%s: no row has a labelled token", path);
  byte_rule_free(rule);
  data_close(f);
  return ok;
}

bool rundata_check(const App *a, const SettingFiles *files, RtError *e) {
  DataFile *all = files->n ? data_open_all(files->of, files->n, e) : NULL;      // whether they are to be had together
  bool ok = all || !files->n;
  data_close(all);
  for (int k = 0; k < files->n && ok; k++) ok = check_file(a, files->of[k].path, e);
  return ok;
}
