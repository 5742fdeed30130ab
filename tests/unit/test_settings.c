// Settings of a training, by row of the table: every default as text and back, every bound by flag and by JSON, what nobody said, and the JSON
// form that a checkpoint keeps.
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/work/settings.h"

static json_t *of_row(int i, json_t *v) {          // {"steps": v}, {"optimizer": {"name": …, "lr": v}}
  const Setting *r = &setting_row[i];
  json_t *o = json_object(), *inner = !strcmp(r->block, "train") ? o : json_object();
  if (inner != o) json_object_set_new(o, r->block, inner);
  if (inner != o) json_object_set_new(inner, "name", json_string(setting_row[setting_find("train", r->block)].words[0]));
  json_object_set_new(inner, r->name, v);
  return o;
}

static bool takes(int i, json_t *v, RtError *e) {
  TrainSettings s;
  settings_default(&s);
  json_t *o = of_row(i, v);
  bool ok = settings_json(&s, o, "somewhere", e);
  json_decref(o);
  return ok;
}

static void defaults(void **state) {
  (void)state;
  TrainSettings s, back;
  RtError e;
  settings_default(&s);
  settings_default(&back);
  for (int i = 0; i < N_SETTINGS; i++) {
    char text[256], again[256];
    const Setting *r = &setting_row[i];
    assert_true((r->value != NULL) != (r->otherwise != NULL));
    assert_int_equal(setting_find(r->block, r->name), i);
    if (!settings_is_train(i)) continue;
    settings_text(&s, i, text, sizeof text);
    if (!r->value) {
      assert_string_equal(text, r->otherwise);
      continue;
    }
    if (!settings_set(&back, i, text, &e)) fail_msg("%s: its default as text, %s: %s", r->name, text, e.text);
    settings_text(&back, i, again, sizeof again);
    assert_string_equal(text, again);
    if (!settings_set(&back, i, r->value, &e)) fail_msg("%s: its default, %s: %s", r->name, r->value, e.text);
    settings_text(&back, i, again, sizeof again);
    assert_string_equal(text, again);
  }
  assert_true(s.steps == 1000 && s.batch.n == 4096 && !s.batch.rows && s.lr == 3e-4 && s.betas.v[1] == 0.95 && s.shuffle && s.warmup == SETTING_AUTO);
}

// What is refused names the row and what it takes.
static void refused(int i, json_t *v, const char *text) {
  TrainSettings s;
  RtError e;
  char expected[128];
  setting_expected(&setting_row[i], expected, sizeof expected);
  if (v && takes(i, v, &e)) fail_msg("%s takes %s", setting_row[i].name, text);
  if (v && (!strstr(e.text, setting_row[i].name) || !strstr(e.text, expected))) fail_msg("%s: %s", setting_row[i].name, e.text);
  if (settings_set(&s, i, text, &e)) fail_msg("--%s takes %s", setting_row[i].name, text);
  if (!strstr(e.text, expected) || !strstr(e.text, text)) fail_msg("--%s %s: %s", setting_row[i].name, text, e.text);
}

static void bounds(void **state) {
  (void)state;
  RtError e;
  int numbers = 0;
  for (int i = 0; i < N_SETTINGS; i++) {
    const Setting *r = &setting_row[i];
    if (!settings_is_train(i) || r->kind == SETTING_PATH || r->kind == SETTING_FILES) continue;
    bool pair = r->kind == SETTING_PAIR;
    refused(i, json_string("many"), "many");
    refused(i, json_array(), "");
    refused(i, NULL, "nan");
    if (r->words || r->kind == SETTING_SWITCH) continue;
    char text[64];
    double below = r->lo - 1, above = isfinite(r->hi) ? r->hi < 1 ? 1 : r->hi + 1 : INFINITY;
    bool says_auto = r->otherwise && below == SETTING_AUTO;          // theta.json keeps what nobody said so
    snprintf(text, sizeof text, pair ? "%.0f,0.5" : "%.0f", below);
    refused(i, says_auto ? NULL : pair ? json_pack("[f, f]", below, 0.5) : json_real(below), text);
    if (says_auto) assert_true(takes(i, json_integer(SETTING_AUTO), &e));
    snprintf(text, sizeof text, pair ? "0.5,%.0f" : "%.0f", above);
    if (isfinite(above)) refused(i, pair ? json_pack("[f, f]", 0.5, above) : json_real(above), text);
    else refused(i, NULL, "inf");
    if (r->kind != SETTING_REAL && !pair) refused(i, json_real(r->lo + 0.5), "1.5");
    assert_true(takes(i, pair ? json_pack("[f, f]", r->lo, r->lo) : json_real(r->lo), &e));
    numbers++;
  }
  assert_true(numbers > 10);
}

// One file, several, and several with shares, from flags and from JSON, and back; what is none of these.
static void files(void **state) {
  (void)state;
  TrainSettings s, back;
  RtError e;
  settings_default(&s);
  assert_true(settings_set(&s, SET_train_data, "0.7:/a.jsonl", &e) && settings_set(&s, SET_train_data, "3e-1:/b:1.jsonl", &e));
  assert_true(settings_set(&s, SET_train_validate, "0.7:/a.jsonl", &e) && settings_set(&s, SET_train_validate, "/b.jsonl", &e));       // has no shares
  json_t *o = settings_to_json(&s), *form = json_loads("[[\"/a.jsonl\", 0.7], [\"/b:1.jsonl\", 0.3]]", 0, NULL);
  assert_true(json_equal(json_object_get(o, "data"), form));
  assert_int_equal(json_array_size(json_object_get(o, "validate")), 2);
  settings_default(&back);
  assert_true(settings_json(&back, o, "theta.json", &e));
  assert_true(settings_same(&s, &back, SET_train_data) && settings_same(&s, &back, SET_train_validate));
  assert_true(back.data.n == 2 && back.data.of[1].share == 0.3 && !strcmp(back.data.of[1].path, "/b:1.jsonl") && back.validate.of[0].share == 0);
  json_decref(o), json_decref(form);
  const char *const bad[] = {"{\"data\": []}", "{\"data\": [[\"a\", 0]]}", "{\"data\": [[\"a\", -1]]}", "{\"data\": [[\"a\"]]}", "{\"data\": [[0.5, \"a\"]]}", "{\"data\": [1]}",
                             "{\"data\": [[\"a\", \"b\", \"c\"]]}", "{\"data\": 5}", "{\"validate\": [[\"a\", 0.5]]}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    json_t *v = json_loads(bad[i], 0, NULL);
    assert_non_null(v);
    if (settings_json(&back, v, "train", &e)) fail_msg("%s is taken", bad[i]);
    assert_non_null(strstr(e.text, i + 1 < sizeof bad / sizeof *bad ? "expected a path in quotes, or several, all or none of them with a share above 0, as in [" : "expected a path in quotes, or several, as in ["));
    json_decref(v);
  }
  const char *const flag[] = {"0:a", "-0.5:a", "0.5:"};
  for (size_t i = 0; i < sizeof flag / sizeof *flag; i++) assert_false(settings_set(&s, SET_train_data, flag[i], &e));
  settings_clear(&s, SET_train_data);
  for (int k = 0; k < SETTING_FILES_MOST; k++) assert_true(settings_set(&s, SET_train_data, "a", &e));
  assert_false(settings_set(&s, SET_train_data, "a", &e));
  assert_non_null(strstr(e.text, "at most 64 files"));
}

static void kept(void **state) {
  (void)state;
  TrainSettings s, back;
  RtError e;
  settings_default(&s);
  const char *const given[][2] = {{"data", "/a.jsonl"}, {"batch", "96 rows"}, {"betas", "0.8,0.7"}, {"schedule", "constant"}, {"shuffle", "false"},
                                  {"seed", "9007199254740993"}, {"eval_every", "0"}, {"tokens_cap", "100tokens"}, {"lr", "1e-5"}};
  for (size_t k = 0; k < sizeof given / sizeof *given; k++)
    for (int i = 0; i < N_SETTINGS; i++)
      if (settings_is_train(i) && !strcmp(setting_row[i].name, given[k][0])) assert_true(settings_set(&s, i, given[k][1], &e));
  json_t *o = settings_to_json(&s), *form = json_loads(
      "{\"data\": \"/a.jsonl\", \"validate\": null, \"batch\": {\"n\": 96, \"unit\": \"rows\"}, \"clip\": 1.0, \"eval_every\": 0, \"save_every\": -1,"
      "\"optimizer\": {\"name\": \"adamw\", \"betas\": [0.8, 0.7], \"eps\": 1e-8, \"lr\": 1e-5, \"weight_decay\": 0.0}, \"shuffle\": false,"
      "\"schedule\": {\"name\": \"constant\", \"warmup\": -1, \"floor\": 0.1}, \"seed\": 9007199254740993, \"tokens_cap\": 100}", 0, NULL);
  const char *key;
  json_t *v;
  assert_non_null(form);
  json_object_foreach(form, key, v)                // as checkpoints have had it
    if (!json_equal(v, json_object_get(o, key))) fail_msg("%s", key);
  json_decref(form);
  settings_default(&back);
  assert_true(settings_json(&back, o, "theta.json", &e));
  json_t *again = settings_to_json(&back);
  assert_true(json_equal(o, again));
  json_decref(o), json_decref(again);
}

// That nobody set the batch is kept, and ends where somebody does.
static void batch_unsaid(void **state) {
  (void)state;
  TrainSettings s, back;
  RtError e;
  settings_default(&s);
  assert_true(s.batch.unsaid);
  json_t *o = settings_to_json(&s), *said = json_loads("{\"batch\": {\"n\": 4096, \"unit\": \"tokens\"}}", 0, NULL);
  settings_default(&back);
  assert_true(settings_json(&back, said, "train", &e) && back.batch.n == 4096 && !back.batch.unsaid);
  assert_true(settings_json(&back, o, "theta.json", &e) && back.batch.n == 4096 && back.batch.unsaid);
  assert_true(settings_set(&back, SET_train_batch, "4096", &e) && !back.batch.unsaid);
  json_decref(o), json_decref(said);
}

// ---- the table of MANUAL.md

// The row of a setting as MANUAL.md has it; '|' of a help text would end a cell.
static void table_row(char *out, size_t room, const Setting *s) {
  size_t n = 0;
  char flag[64];
  snprintf(flag, sizeof flag, "%s", s->name);
  for (char *c = flag; *c; c++)
    if (*c == '_') *c = '-';
  bool call = strcmp(s->block, "train") && strcmp(s->block, "eval");
  n += (size_t)snprintf(out + n, room - n, "| %s%s `%s` | `--%s` | %s%s%s | ", call ? "train " : "", s->block, s->name, flag, s->value ? "`" : "",
                        s->value ? s->value : s->otherwise, s->value ? "`" : "");
  for (const char *c = s->help; *c; c++) n += (size_t)snprintf(out + n, room - n, *c == '|' ? "\\|" : "%c", *c);
  snprintf(out + n, room - n, " |\n");
}

static void manual(void **state) {
  (void)state;
  FILE *f = fopen(CALM_SOURCE_DIR "/MANUAL.md", "rb");
  assert_non_null(f);
  static char text[1 << 17], rows[1 << 15] = "| setting | flag | default | |\n|---|---|---|---|\n";
  text[fread(text, 1, sizeof text - 1, f)] = 0;
  fclose(f);
  for (int i = 0; i < N_SETTINGS; i++) table_row(rows + strlen(rows), sizeof rows - strlen(rows), &setting_row[i]);
  const char *at = strstr(text, rows);
  if (!at) fputs(rows, stderr);
  if (!at) fail_msg("MANUAL.md does not have the settings of runtime/abi/settings.def; the table above is to stand in it");
  assert_true(at[strlen(rows)] == '\n');           // and no more
}

// The reader of numbers of specs, flags, settings and the environment; and sizes that do not fit.
static void numbers(void **state) {
  (void)state;
  int64_t n;
  double x;
  const char *end;
  static const char *const NO[] = {"", " 1", "1 ", "+1", "-", "--1", "0x10", "1e", "1e+", ".", "-.", "e5", "inf", "nan", "-inf", "1,5", "\t2", "1_000"};
  for (size_t i = 0; i < sizeof NO / sizeof *NO; i++)
    if (number_whole_text(NO[i], &n) || number_real_text(NO[i], &x)) fail_msg("\"%s\" is a number", NO[i]);
  static const struct { const char *text; int64_t n; } WHOLE[] = {{"0", 0}, {"-0", 0}, {"007", 7}, {"-12", -12}, {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN}};
  for (size_t i = 0; i < sizeof WHOLE / sizeof *WHOLE; i++)
    if (!number_whole_text(WHOLE[i].text, &n) || n != WHOLE[i].n) fail_msg("%s: %lld", WHOLE[i].text, (long long)n);
  assert_false(number_whole_text("9223372036854775808", &n) || number_whole_text("1.0", &n) || number_real_text("1e400", &x));
  static const struct { const char *text; double x; } REAL[] = {{"0.5", 0.5}, {".5", 0.5}, {"-2.", -2}, {"3e-4", 3e-4}, {"1E+2", 100}, {"12", 12}, {"1e-400", 0}};
  for (size_t i = 0; i < sizeof REAL / sizeof *REAL; i++)
    if (!number_real_text(REAL[i].text, &x) || x != REAL[i].x) fail_msg("%s: %g", REAL[i].text, x);
  assert_true(number_whole("96 rows", &n, &end) && n == 96 && !strcmp(end, " rows"));
  assert_true(number_real("0.8,0.7", &x, &end) && x == 0.8 && !strcmp(end, ",0.7"));
  assert_true(number_real("0x10", &x, &end) && x == 0 && !strcmp(end, "x10"));
  assert_true(size_product(INT64_C(1) << 62, 2) == INT64_MAX && size_product(3, 5) == 15 && size_product(0, INT64_MAX) == 0);
  assert_true(size_sum(INT64_MAX, 1) == INT64_MAX && size_sum(2, 3) == 5 && size_round(INT64_MAX, 64) == INT64_MAX && size_round(65, 64) == 128 && size_round(64, 64) == 64);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(defaults), cmocka_unit_test(bounds), cmocka_unit_test(files), cmocka_unit_test(kept), cmocka_unit_test(batch_unsaid), cmocka_unit_test(manual)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
