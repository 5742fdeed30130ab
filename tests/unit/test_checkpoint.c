// Checkpoints come back bit for bit and refuse what they do not belong to; a full disk leaves the earlier one as it
// was; initial values follow from seed and name; settings follow defaults, spec, flags.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include "runtime/core/alloc.h"
#include "runtime/work/checkpoint.h"
#include "runtime/files/file.h"
#include "runtime/engine/params.h"
#include "runtime/work/settings.h"

static const char PROGRAM[] =
    "{\"spec\": \"t.calm\", \"spec_sha256\": \"%s\", \"anchor\": 0, \"theta\": 1024, \"connections\": [], \"syms\": [], \"bufs\": [], \"entries\": [],"
    "\"models\": [{\"name\": \"kv\", \"role\": \"model\", \"dir\": null, \"arch\": \"made\", \"blocks\": 1, \"width\": 4, \"vocab\": 9, \"context\": 8, \"config\": {}}],"
    "\"params\": [{\"name\": \"kv.a\", \"shape\": [3, 5], \"offset\": 0, \"init\": \"normal\", \"a\": 0.5, \"fan_in\": 5, \"model\": 0},"
    "{\"name\": \"kv.b\", \"shape\": [400], \"offset\": 16, \"init\": \"%s\", \"a\": 2, \"fan_in\": 4, \"model\": 0}]}";

typedef struct Fixture {
  Prog *prog;
  Models models;
  Engine en;
  RtIsa isa;
  const char *none[1];
  char *tok[1];
  float flat[4 * 1024];
} Fixture;

static Fixture *fixture(const char *sha, const char *init, char *tokenizer) {
  Fixture *f = calloc(1, sizeof *f);
  char *text;
  int n = asprintf(&text, PROGRAM, sha, init);
  f->en.prog = f->prog = prog_parse(text, (size_t)n);
  free(text);
  f->isa.name = "avx2";
  f->tok[0] = tokenizer;
  f->en.isa = &f->isa;
  f->models = (Models){.prog = f->prog, .dir = f->none, .tokfile = f->tok};
  f->en.theta = f->flat, f->en.grad = f->flat + 1024, f->en.m = f->flat + 2048, f->en.v = f->flat + 3072;
  return f;
}
static void drop(Fixture *f) { prog_close(f->prog), free(f); }

static void initial_values(void **state) {
  (void)state;
  Fixture *f = fixture("s", "fan_in", NULL), *g = fixture("s", "uniform", NULL);
  params_init(f->en.prog, 3, f->en.theta);
  params_init(g->en.prog, 3, g->en.theta);
  assert_memory_equal(f->en.theta, g->en.theta, 15 * sizeof(float));      // another parameter changed, this one did not
  double sum = 0, sq = 0, most = 0;
  for (int i = 16; i < 416; i++) sum += f->en.theta[i], sq += (double)f->en.theta[i] * f->en.theta[i],
      most = fmax(most, fabs((double)g->en.theta[i]));
  assert_true(fabs(sum / 400) < 0.15 && fabs(sqrt(sq / 400) - 1) < 0.12);  // a / sqrt(fan_in) = 1
  assert_true(most <= 2 && most > 1.9);
  params_init(g->en.prog, 4, g->en.theta);
  assert_true(memcmp(f->en.theta, g->en.theta, 15 * sizeof(float)) != 0);
  drop(f), drop(g);
}

static void there_and_back(void **state) {
  const char *dir = *state;
  RtError e;
  char *last = file_join(dir, "run/last");
  Fixture *f = fixture("abc", "ones", NULL), *g = fixture("abc", "ones", NULL);
  for (int i = 0; i < 416; i++) f->flat[i] = 1.0f / (float)(i + 1), f->en.m[i] = (float)i, f->en.v[i] = -(float)i / 3;
  f->flat[15] = f->en.m[15] = f->en.v[15] = 0;                 // padding between parameters is not saved
  TrainState s = {.step = 7, .tokens = 99, .seed = 5, .epoch = 2, .position = 3, .best = INFINITY, .best_train = 0.1,
                  .sum = 1.0 / 3, .count = 2}, r = {0};
  json_t *settings = json_pack("{s:i}", "steps", 12), *back = NULL;
  assert_true(checkpoint_save(&f->en, &f->models, last, &s, settings, true, &e));
  assert_true(checkpoint_save(&f->en, &f->models, last, &s, settings, true, &e));      // over an earlier one
  assert_true(checkpoint_resume(&g->en, &g->models, last, false, &r, &back, &e));
  assert_memory_equal(f->flat, g->flat, sizeof f->flat);
  assert_true(r.step == 7 && r.tokens == 99 && r.seed == 5 && r.epoch == 2 && r.position == 3);
  assert_true(isinf(r.best) && r.best_train == 0.1 && r.sum == 1.0 / 3 && r.count == 2);
  assert_true(json_equal(settings, back));
  json_decref(settings), json_decref(back);
  drop(f), drop(g), rt_free(last);
}

static void refusals(void **state) {
  const char *dir = *state;
  RtError e;
  char *last = file_join(dir, "refuse"), *theta = file_join(dir, "refuse/theta.safetensors"),
      *tok = file_join(dir, "tokenizer.json");
  assert_true(file_save(tok, "{}", 2, &e));
  Fixture *f = fixture("abc", "ones", tok), *other = fixture("xyz", "ones", tok);
  TrainState s = {0};
  assert_true(checkpoint_save(&f->en, &f->models, last, &s, NULL, false, &e));
  assert_true(checkpoint_params(&f->en, &f->models, last, false, &e));
  assert_true(checkpoint_params(&f->en, &f->models, theta, false, &e));
  assert_false(checkpoint_params(&other->en, &other->models, last, false, &e));
  assert_non_null(strstr(e.text, "t.calm"));
  assert_true(checkpoint_params(&other->en, &other->models, last, true, &e));
  assert_true(file_save(tok, "{ }", 3, &e));                   // another tokenizer now
  assert_false(checkpoint_params(&f->en, &f->models, last, false, &e));
  assert_non_null(strstr(e.text, "tokenizer.json"));
  assert_non_null(strstr(e.text, "kv"));
  f->prog->param[0].shape[0] = 5, f->prog->param[0].shape[1] = 3;
  ParamsPart part = {"", f->en.theta};
  assert_false(params_load(f->en.prog, &part, 1, theta, &e));
  assert_non_null(strstr(e.text, "kv.a"));
  assert_non_null(strstr(e.text, "[3, 5]"));
  drop(f), drop(other), rt_free(last), rt_free(theta), rt_free(tok);
}

static void full_disk(void **state) {
  const char *dir = *state;
  RtError e;
  char *last = file_join(dir, "full"), *json = file_join(dir, "full/theta.json");
  Fixture *f = fixture("abc", "ones", NULL), *g = fixture("abc", "ones", NULL);
  TrainState s = {.step = 1}, r = {0};
  json_t *settings = NULL;
  assert_true(checkpoint_save(&f->en, &f->models, last, &s, NULL, true, &e));
  struct rlimit old, small;
  getrlimit(RLIMIT_FSIZE, &old);
  small = (struct rlimit){1024, old.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  f->flat[0] = 1, s.step = 2;
  bool ok = checkpoint_save(&f->en, &f->models, last, &s, NULL, true, &e);
  setrlimit(RLIMIT_FSIZE, &old);
  assert_false(ok);
  assert_non_null(strstr(e.text, "cannot write"));
  assert_true(checkpoint_resume(&g->en, &g->models, last, false, &r, &settings, &e));
  assert_true(r.step == 1 && g->flat[0] == 0);
  json_decref(settings);
  drop(f), drop(g), rt_free(last), rt_free(json);
}

static void settings_in_order(void **state) {
  (void)state;
  RtError e;
  TrainSettings s, back;
  settings_default(&s);
  json_t *o = json_loads("{\"data\": \"a\", \"steps\": 110, \"batch\": {\"n\": 96, \"unit\": \"rows\"}, \"clip\": null, \"optimizer\": {\"name\": \"adamw\","
                         "\"lr\": 0.5, \"betas\": [0.8, 0.7]}, \"schedule\": {\"name\": \"cosine\", \"warmup\": 10, \"floor\": 0.1}}", 0, NULL);
  assert_true(settings_json(&s, o, "train", &e));
  assert_true(s.batch_rows && s.batch == 96 && s.clip == 0 && s.lr == 0.5 && s.beta1 == 0.8 && s.beta2 == 0.7 &&
              s.steps == 110);
  assert_true(fabs(settings_lr(&s, 0) - 0.05) < 1e-12 && settings_lr(&s, 9) == 0.5 && settings_lr(&s, 10) == 0.5);
  assert_true(fabs(settings_lr(&s, 60) - 0.5 * 0.55) < 1e-12 && fabs(settings_lr(&s, 110) - 0.05) < 1e-12);
  Options f;
  char *args[] = {"--batch", "10tokens", "--lr=0.25", "--schedule", "constant", "--no-shuffle"};
  assert_true(options_parse(&f, C_TRAIN, 6, args));
  assert_true(settings_flags(&s, &f, &e));
  assert_true(!s.batch_rows && s.batch == 10 && s.lr == 0.25 && settings_lr(&s, 90) == 0.25 && !s.shuffle);
  json_t *kept = settings_to_json(&s);
  settings_default(&back);
  assert_true(settings_json(&back, kept, "theta.json", &e));
  back.data = s.data;
  json_t *again = settings_to_json(&back);
  assert_true(json_equal(kept, again));
  json_decref(o), json_decref(kept), json_decref(again);
  o = json_loads("{\"steps\": \"many\"}", 0, NULL);
  assert_false(settings_json(&s, o, "train", &e));
  assert_non_null(strstr(e.text, "steps"));
  json_decref(o);
  options_free(&f);
}

static int make_dir(void **state) {
  char *dir = strdup("/tmp/calm-checkpoint-XXXXXX");
  *state = mkdtemp(dir);
  return *state ? 0 : -1;
}
static int remove_it(void **state) {
  char *cmd;
  if (asprintf(&cmd, "rm -rf '%s'", (char *)*state) < 0) return -1;
  int rc = system(cmd);
  free(cmd), free(*state);
  return rc;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(initial_values), cmocka_unit_test(there_and_back),
                                     cmocka_unit_test(refusals),
                                     cmocka_unit_test(full_disk), cmocka_unit_test(settings_in_order)};
  return cmocka_run_group_tests(tests, make_dir, remove_it);
}
