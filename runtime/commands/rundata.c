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

// *other: the file of now holds something else than that of the run did, which is allowed.
static bool same_content(const char *key, const char *file, const FileSum *sum, const json_t *was, const char *path, bool allowed, bool *other, RtError *e) {
  const char *hex = json_string_value(json_object_get(was, "sha256")), *name = json_string_value(json_object_get(was, "path"));
  const json_t *size = json_object_get(was, "size");
  if (!hex || !json_is_integer(size)) return rt_fail(e, "%s: \"data\": \"%s\": expected {\"path\", \"size\", \"sha256\"}", path, key);
  *other = strcmp(hex, sum->sha256) != 0;
  if (!*other) return true;
  char *text = rt_format("%s (%llu byte%s, SHA-256 %.12s…) is not what the run has been trained %s: %s (%lld byte%s, SHA-256 %.12s…)", file,
                         (unsigned long long)sum->size, plural((int64_t)sum->size), sum->sha256, strcmp(key, "validate") ? "with" : "and judged with",
                         name ? name : "a file of another name", (long long)json_integer_value(size), plural(json_integer_value(size)), hex);
  bool ok = allowed || rt_fail_about(e, RT_ABOUT_OTHER_DATA, "%s", text);
  if (allowed) rt_warn("%s", text);
  rt_free(text);
  return ok;
}

json_t *rundata_of(const TrainSettings *s, const FileSum *const sums[2], const json_t *theirs, const char *path, bool allowed, RunData *found, RtError *e) {
  FileSum template;
  const struct { const char *key, *file; const FileSum *sum; bool *other; } FILES[] = {
      {"data", s->data, sums[0], &found->changed}, {"validate", s->validate, sums[1], &found->held_changed},
      {"chat_template", s->chat_template, &template, &found->template_changed}};
  if (s->chat_template && !sha256_sum(s->chat_template, &template, e)) return NULL;
  json_t *o = json_object();
  *found = (RunData){0};
  for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
    const json_t *was = json_object_get(theirs, FILES[i].key);
    if (!FILES[i].file) continue;
    json_object_set_new(o, FILES[i].key, entry_of(FILES[i].file, FILES[i].sum));
    if (!was || same_content(FILES[i].key, FILES[i].file, FILES[i].sum, was, path, allowed, FILES[i].other, e)) continue;
    json_decref(o);
    return NULL;
  }
  found->changed |= found->template_changed;
  return o;
}

bool rundata_rules(const App *a, const TrainSettings *s, int64_t date, RtError *e) {
  a->models->train_all = s->train_on == TRAIN_ON_all;
  return (!s->chat_template || models_chat_template(a->models, s->chat_template, e)) && (!date || models_set_date(a->models, date, e));
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

bool rundata_check(const App *a, const char *path, RtError *e) {
  double start = rt_now();
  DataFile *f = data_open(path, e);
  if (!f) return false;
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
