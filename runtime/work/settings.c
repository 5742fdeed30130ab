// See settings.h. One row per setting (abi/settings.def); here, how each kind is read and written.
#include "runtime/work/settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/files/files.h"

#define OF_train(name) offsetof(TrainSettings, name)
#define OF_optimizer(name) offsetof(TrainSettings, name)
#define OF_schedule(name) offsetof(TrainSettings, name)
#define OF_eval(name) SIZE_MAX
#define SETTING(block, name, kind, arg, value, help) OF_##block(name),
static const size_t MEMBER[N_SETTINGS] = {                         // where a row's value stands; SIZE_MAX: it is no setting of training
#include "runtime/abi/settings.def"
};
#undef SETTING

bool settings_is_train(int i) { return MEMBER[i] != SIZE_MAX; }
static void *member(TrainSettings *s, int i) { return (char *)s + MEMBER[i]; }
static const void *value(const TrainSettings *s, int i) { return (const char *)s + MEMBER[i]; }

// ---- numbers

static bool wrong(int i, const char *found, RtError *e) {
  char expected[128];
  setting_expected(&setting_row[i], expected, sizeof expected);
  return rt_fail(e, "expected %s, found %s", expected, found);
}

static bool fits(int i, double x) { return x >= setting_row[i].lo && x <= setting_row[i].hi; }

// ---- from text

static bool set_count(TrainSettings *s, int i, const char *text) {
  const char *end;
  int64_t n;
  if (!number_whole(text, &n, &end) || !fits(i, (double)n)) return false;
  while (*end == ' ') end++;
  bool batch = setting_row[i].kind == SETTING_BATCH, units = batch || setting_row[i].kind == SETTING_TOKENS;
  bool rows = batch && !strcmp(end, "rows"), tokens = units && !strcmp(end, "tokens");
  if (*end && !rows && !tokens) return false;
  if (batch) *(SettingBatch *)member(s, i) = (SettingBatch){.n = n, .rows = rows};
  else *(int64_t *)member(s, i) = n;
  return true;
}

static bool set_bytes(TrainSettings *s, int i, const char *text) {
  int64_t n;
  if (!number_bytes_text(text, &n) || !fits(i, (double)n)) return false;
  *(int64_t *)member(s, i) = n;
  return true;
}

static bool set_reals(TrainSettings *s, int i, const char *text, int count) {
  double v[2];
  const char *end = text;
  for (int k = 0; k < count; k++) {
    if (k && *end++ != ',') return false;
    if (!number_real(end, &v[k], &end) || !fits(i, v[k])) return false;
  }
  if (*end) return false;
  memcpy(member(s, i), v, (size_t)count * sizeof *v);
  return true;
}

static bool set_switch(TrainSettings *s, int i, const char *text) {
  bool on = !strcmp(text, "true") || !strcmp(text, "1"), off = !strcmp(text, "false") || !strcmp(text, "0");
  *(bool *)member(s, i) = on;
  return on || off;
}

static bool set_word(TrainSettings *s, int i, const char *text) {
  int k = setting_word(&setting_row[i], text);
  *(int *)member(s, i) = k;
  return k >= 0;
}

static bool add_file(SettingFiles *f, const char *path, double share) {
  if (f->n == SETTING_FILES_MOST) return false;
  f->of[f->n++] = (DataSource){path, share};
  return true;
}

// "0.7:a.jsonl" has a share; what is there as a file of that name is asked for as ./0.7:a.jsonl.
static bool set_file(TrainSettings *s, int i, const char *text) {
  const char *path = text;
  double share = 0;
  bool shared = setting_row[i].hi > 0 && number_real(text, &share, &path) && *path == ':';
  if (!shared) return add_file(member(s, i), text, 0);
  return share > 0 && path[1] && !file_is_there(text) && add_file(member(s, i), path + 1, share);
}

static bool set_text(TrainSettings *s, int i, const char *text) {
  switch (setting_row[i].kind) {
    case SETTING_PATH: return *(const char **)member(s, i) = text, true;
    case SETTING_FILES: return set_file(s, i, text);
    case SETTING_WHOLE:
    case SETTING_TOKENS:
    case SETTING_BATCH: return set_count(s, i, text);
    case SETTING_BYTES: return set_bytes(s, i, text);
    case SETTING_REAL: return set_reals(s, i, text, 1);
    case SETTING_PAIR: return set_reals(s, i, text, 2);
    case SETTING_SWITCH: return set_switch(s, i, text);
    case SETTING_WORD:
    case SETTING_CALL: return set_word(s, i, text);
  }
  return false;
}

// What is wrong with a file and its share, of a flag.
static bool wrong_file(const SettingFiles *f, const char *text, RtError *e) {
  if (f->n == SETTING_FILES_MOST) return rt_fail(e, "expected at most %d files, found more", SETTING_FILES_MOST);
  if (file_is_there(text)) return rt_fail(e, "expected a file, or a share and a file, found \"%.80s\", which could be either: the file is ./%.80s", text, text);
  return rt_fail(e, "expected a share above 0 and a file, as in 0.7:a.jsonl, found \"%.80s\"", text);
}

bool settings_set(TrainSettings *s, int i, const char *text, RtError *e) {
  char found[96];
  if (set_text(s, i, text)) return true;
  if (setting_row[i].kind == SETTING_FILES) return wrong_file(member(s, i), text, e);
  snprintf(found, sizeof found, "\"%.80s\"", text);
  return wrong(i, found, e);
}

void settings_clear(TrainSettings *s, int i) {
  if (setting_row[i].kind == SETTING_FILES) *(SettingFiles *)member(s, i) = (SettingFiles){0};
}

void settings_default(TrainSettings *s) {
  *s = (TrainSettings){0};
  for (int i = 0; i < N_SETTINGS; i++) {
    if (!settings_is_train(i)) continue;
    if (setting_row[i].value) set_text(s, i, setting_row[i].value);
    if (setting_row[i].kind == SETTING_BATCH) ((SettingBatch *)member(s, i))->unsaid = true;
    bool counts = setting_row[i].kind == SETTING_WHOLE || setting_row[i].kind == SETTING_BYTES;
    if (!setting_row[i].value && counts) *(int64_t *)member(s, i) = SETTING_AUTO;
  }
}

// ---- from JSON

// A number with a fraction counts as a whole one when it is one. What nobody said is kept as SETTING_AUTO.
static bool json_whole(int i, const json_t *v, int64_t *out) {
  if (json_is_integer(v)) *out = json_integer_value(v);
  else if (json_is_real(v) && fabs(json_real_value(v)) < 0x1p62 && floor(json_real_value(v)) == json_real_value(v)) *out = (int64_t)json_real_value(v);
  else return false;
  return fits(i, (double)*out) || (*out == SETTING_AUTO && setting_row[i].otherwise);
}

// `96 rows`, `4096 tokens` or a plain number (tokens); a checkpoint's says whether it is the default.
static bool json_count(TrainSettings *s, int i, const json_t *v) {
  const json_t *count = json_is_object(v) ? json_object_get(v, "n") : v;
  const char *unit = json_is_object(v) ? json_string_value(json_object_get(v, "unit")) : NULL;
  bool batch = setting_row[i].kind == SETTING_BATCH, rows = unit && !strcmp(unit, "rows");
  int64_t n;
  if (!json_whole(i, count, &n) || (rows && !batch)) return false;
  if (batch) *(SettingBatch *)member(s, i) = (SettingBatch){.n = n, .rows = rows, .unsaid = json_is_true(json_object_get(v, "default"))};
  else *(int64_t *)member(s, i) = n;
  return true;
}

static bool json_reals(TrainSettings *s, int i, const json_t *v, int count) {
  double out[2];
  if (count == 2 && json_array_size(v) != 2) return false;
  for (int k = 0; k < count; k++) {
    const json_t *x = count == 2 ? json_array_get(v, (size_t)k) : v;
    if (!json_is_number(x) || !fits(i, out[k] = json_number_value(x))) return false;
  }
  memcpy(member(s, i), out, (size_t)count * sizeof *out);
  return true;
}

static bool json_switch(TrainSettings *s, int i, const json_t *v) {
  *(bool *)member(s, i) = json_is_true(v) || json_integer_value(v) != 0;
  return json_is_boolean(v) || (json_is_integer(v) && fits(i, json_number_value(v)));
}

// A path, or a list of paths and of [path, share].
static bool json_files(TrainSettings *s, int i, const json_t *v) {
  SettingFiles *f = member(s, i);
  size_t k;
  json_t *x;
  *f = (SettingFiles){0};
  if (json_is_string(v)) return add_file(f, json_string_value(v), 0);
  if (json_is_array(v)) json_array_foreach(v, k, x) {
    const json_t *share = json_array_get(x, 1);
    const char *path = json_string_value(json_is_array(x) ? json_array_get(x, 0) : x);
    bool shared = json_array_size(x) == 2 && json_is_number(share) && json_number_value(share) > 0 && setting_row[i].hi > 0;
    if (!path || (json_is_array(x) && !shared) || !add_file(f, path, shared ? json_number_value(share) : 0)) return false;
  }
  return f->n > 0;
}

static bool json_value(TrainSettings *s, int i, const json_t *v) {
  const char *text = json_string_value(json_is_object(v) ? json_object_get(v, "name") : v);
  if (json_is_null(v)) {                           // `clip = none`
    if (setting_row[i].kind == SETTING_REAL) *(double *)member(s, i) = 0;
    if (setting_row[i].kind == SETTING_PATH) *(const char **)member(s, i) = NULL;
    settings_clear(s, i);
    return true;
  }
  switch (setting_row[i].kind) {
    case SETTING_PATH: return json_is_string(v) && set_text(s, i, text);
    case SETTING_FILES: return json_files(s, i, v);
    case SETTING_WHOLE:
    case SETTING_TOKENS:
    case SETTING_BATCH:
    case SETTING_BYTES: return json_count(s, i, v);
    case SETTING_REAL: return json_reals(s, i, v, 1);
    case SETTING_PAIR: return json_reals(s, i, v, 2);
    case SETTING_SWITCH: return json_switch(s, i, v);
    case SETTING_WORD:
    case SETTING_CALL: return text && set_word(s, i, text);
  }
  return false;
}

// The object that holds a row's value.
static const json_t *block_of(const json_t *o, int i) {
  return strcmp(setting_row[i].block, "train") ? json_object_get(o, setting_row[i].block) : o;
}

bool settings_says(const json_t *o, int i) {
  return json_object_get(block_of(o, i), setting_row[i].name) || (!strcmp(setting_row[i].block, "schedule") && json_object_get(o, "schedule"));
}

bool settings_json(TrainSettings *s, const json_t *o, const char *what, RtError *e) {
  if (!o || json_is_null(o)) return true;
  if (json_object_get(o, "schedule")) s->warmup = 0, s->floor = 0;     // a schedule that is written down says all there is
  for (int i = 0; i < N_SETTINGS; i++) {
    const json_t *v = settings_is_train(i) ? json_object_get(block_of(o, i), setting_row[i].name) : NULL;
    RtError why;
    if (!v || json_value(s, i, v)) continue;
    char found[96];
    if (json_is_number(v)) snprintf(found, sizeof found, "%.12g", json_number_value(v));
    else snprintf(found, sizeof found, "%s%s%.60s%s", rtj_kind(v), json_is_string(v) ? ", \"" : "", json_is_string(v) ? json_string_value(v) : "",
                  json_is_string(v) ? "\"" : "");
    wrong(i, found, &why);
    return rt_fail(e, "%s: %s: %s", what, setting_row[i].name, why.text);
  }
  return true;
}

bool settings_check(const TrainSettings *s, RtError *e) {
  return s->data.n || rt_fail_about(e, RT_ABOUT_DATA, "no training data");
}

int64_t settings_step_tokens(const TrainSettings *s, int64_t longest) {
  int64_t cap = s->tokens_cap, most = s->batch.n * s->accumulate;
  if (s->batch.rows) most = longest > 0 && most <= cap / longest ? most * longest : cap;
  return most < cap ? most : cap;
}

// ---- to JSON and to text

// A path from where it was said to wherever it is read.
static json_t *path_json(const char *path) {
  if (!path) return json_null();
  char *absolute = file_absolute(path);
  json_t *o = json_string(absolute);
  rt_free(absolute);
  return o ? o : json_null();
}

static json_t *files_json(const SettingFiles *f) {
  if (!f->n) return json_null();
  if (f->n == 1 && !f->of[0].share) return path_json(f->of[0].path);
  json_t *list = json_array();
  for (int k = 0; k < f->n; k++) {
    json_t *path = path_json(f->of[k].path);
    json_array_append_new(list, f->of[k].share ? json_pack("[o, f]", path, f->of[k].share) : path);
  }
  return list;
}

static json_t *to_json(const TrainSettings *s, int i) {
  const void *at = value(s, i);
  const SettingBatch *b = at;
  const double *x = at;
  const Setting *row = &setting_row[i];
  switch (row->kind) {
    case SETTING_PATH: return path_json(*(const char *const *)at);
    case SETTING_FILES: return files_json(at);
    case SETTING_WHOLE:
    case SETTING_BYTES:
    case SETTING_TOKENS: return json_integer(*(const int64_t *)at);
    case SETTING_BATCH:
      return json_pack("{s:I, s:s, s:o*}", "n", (json_int_t)b->n, "unit", b->rows ? "rows" : "tokens", "default", b->unsaid ? json_true() : NULL);
    case SETTING_REAL: return json_real(*x);
    case SETTING_PAIR: return json_pack("[f, f]", x[0], x[1]);
    case SETTING_SWITCH: return json_boolean(*(const bool *)at);
    case SETTING_WORD: return json_string(row->words[*(const int *)at]);
    case SETTING_CALL: return json_pack("{s:s}", "name", row->words[*(const int *)at]);
  }
  return NULL;
}

// A call stands before its arguments in the table.
json_t *settings_to_json(const TrainSettings *s) {
  json_t *o = json_object();
  for (int i = 0; i < N_SETTINGS; i++)
    if (settings_is_train(i)) json_object_set_new((json_t *)(uintptr_t)block_of(o, i), setting_row[i].name, to_json(s, i));
  return o;
}

bool settings_same(const TrainSettings *a, const TrainSettings *b, int i) {
  json_t *x = to_json(a, i), *y = to_json(b, i);
  bool same = json_equal(x, y);
  json_decref(x), json_decref(y);
  return same;
}

void settings_copy(TrainSettings *to, const TrainSettings *from, int i) {
  static const size_t SIZE[] = {[SETTING_PATH] = sizeof(char *), [SETTING_FILES] = sizeof(SettingFiles), [SETTING_WHOLE] = sizeof(int64_t), [SETTING_TOKENS] = sizeof(int64_t), [SETTING_BYTES] = sizeof(int64_t),
                                [SETTING_BATCH] = sizeof(SettingBatch), [SETTING_REAL] = sizeof(double), [SETTING_PAIR] = 2 * sizeof(double),
                                [SETTING_SWITCH] = sizeof(bool), [SETTING_WORD] = sizeof(int), [SETTING_CALL] = sizeof(int)};
  memcpy(member(to, i), value(from, i), SIZE[setting_row[i].kind]);
}

void settings_bytes_text(int64_t bytes, char *out, size_t n) {
  bool giga = bytes && bytes % 1000000000 == 0, mega = bytes && bytes % 1000000 == 0;
  snprintf(out, n, "%lld%s", (long long)(giga ? bytes / 1000000000 : mega ? bytes / 1000000 : bytes), giga ? "GB" : mega ? "MB" : "");
}

static void files_text(const Setting *row, const SettingFiles *f, char *out, size_t n) {
  size_t at = (size_t)snprintf(out, n, "%s", f->n ? "" : row->otherwise);
  for (int k = 0; k < f->n && at < n; k++) {
    char share[32] = "";
    if (f->of[k].share) snprintf(share, sizeof share, "%.12g:", f->of[k].share);
    at += (size_t)snprintf(out + at, n - at, "%s%s%s", k ? " " : "", share, f->of[k].path);
  }
}

void settings_text(const TrainSettings *s, int i, char *out, size_t n) {
  const void *at = value(s, i);
  const SettingBatch *b = at;
  const double *x = at;
  const Setting *row = &setting_row[i];
  switch (row->kind) {
    case SETTING_PATH: snprintf(out, n, "%s", *(const char *const *)at ? *(const char *const *)at : row->otherwise); break;
    case SETTING_FILES: files_text(row, at, out, n); break;
    case SETTING_WHOLE:
    case SETTING_TOKENS:
      if (row->otherwise && *(const int64_t *)at == SETTING_AUTO) snprintf(out, n, "%s", row->otherwise);
      else snprintf(out, n, "%lld", (long long)*(const int64_t *)at);
      break;
    case SETTING_BATCH: snprintf(out, n, "%lld%s", (long long)b->n, b->rows ? "rows" : "tokens"); break;
    case SETTING_BYTES:
      if (row->otherwise && *(const int64_t *)at == SETTING_AUTO) snprintf(out, n, "%s", row->otherwise);
      else settings_bytes_text(*(const int64_t *)at, out, n);
      break;
    case SETTING_REAL: snprintf(out, n, "%.12g", *x); break;
    case SETTING_PAIR: snprintf(out, n, "%.12g,%.12g", x[0], x[1]); break;
    case SETTING_SWITCH: snprintf(out, n, "%s", *(const bool *)at ? "true" : "false"); break;
    case SETTING_WORD:
    case SETTING_CALL: snprintf(out, n, "%s", row->words[*(const int *)at]); break;
  }
}

double settings_lr(const TrainSettings *s, int64_t done) {
  int64_t warmup = s->warmup != SETTING_AUTO ? s->warmup : s->steps / 10 < 50 ? s->steps / 10 : 50;
  if (done < warmup) return s->lr * (double)(done + 1) / (double)warmup;
  if (s->schedule == SCHEDULE_constant) return s->lr;
  double span = (double)(s->steps - warmup), at = span > 0 ? (double)(done - warmup) / span : 1;
  if (at > 1) at = 1;
  return s->lr * (s->floor + (1 - s->floor) * 0.5 * (1 + cos(3.14159265358979323846 * at)));
}
