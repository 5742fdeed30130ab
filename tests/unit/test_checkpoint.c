// Checkpoints come back bit for bit and refuse what they do not belong to, what is damaged and what is missing; a full disk leaves the earlier one
// as it was; initial values follow from seed and name; settings follow defaults, spec, flags.
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

#include "runtime/commands/options.h"
#include "runtime/core/alloc.h"
#include "runtime/core/call.h"
#include "runtime/files/sha256.h"
#include "runtime/work/precisions.h"
#include "runtime/work/restore.h"
#include "runtime/files/file.h"
#include "runtime/engine/params.h"
#include "runtime/work/settings.h"

// Members as runtime/abi/program.def has them.
static const char PROGRAM[] =
    "[\"t.calm\", \"%s\","
    "[[\"kv\", \"model\", \"stored\", null, \"made\", null, null, 1, 4, 9, 8, \"%s\", \"row\", {}]], 0, [], [],"
    "[[\"kv.a\", [3, 5], 15, 0, \"normal\", 0.5, 5, 0], [\"kv.b\", [400], 400, 16, \"%s\", 2, 4, 0]], 1024, [], [], [], [], null, []]";

typedef struct Fixture {
  Prog *prog;
  Models models;
  Identity id;
  const char *none[1];
  char *tok[1];
  float flat[3 * 1024];
  TrainVectors x;
} Fixture;

static Fixture *fixture(const char *sha, const char *init, char *tokenizer) {
  Fixture *f = calloc(1, sizeof *f);
  char *text;
  int n = asprintf(&text, PROGRAM, sha, sha, init);
  f->prog = prog_parse(text, (size_t)n);
  free(text);
  f->tok[0] = tokenizer;
  f->models = (Models){.prog = f->prog, .dir = f->none, .tokfile = f->tok};
  f->id.models = &f->models;
  f->x = (TrainVectors){f->flat, f->flat + 1024, f->flat + 2048};
  return f;
}
static void drop(Fixture *f) { identity_drop(&f->id), prog_close(f->prog), free(f); }

// Some parameters and moments; padding between parameters stays 0, since it is not saved.
static void fill(Fixture *f) {
  for (int i = 0; i < 416; i++) f->x.theta[i] = 1.0f / (float)(i + 1), f->x.m[i] = (float)i, f->x.v[i] = -(float)i / 3;
  f->x.theta[15] = f->x.m[15] = f->x.v[15] = 0;
}

// A resumption as a command makes it; warnings are counted.
typedef struct Resumption {
  const char *dir;
  Fixture *f;
  TrainState s;
  Checkpoint *c;
  int warnings;
} Resumption;
static void count_warning(void *user, const char *text) { (void)text, ((Resumption *)user)->warnings++; }
static bool resume_in_call(void *user, RtError *e) {
  Resumption *r = user;
  r->c = checkpoint_open_run(r->dir, &r->f->id, false, e);
  if (!r->c || !checkpoint_state(r->c, &r->s, e)) return false;
  checkpoint_take(r->c, &r->f->x);
  return true;
}
static bool resume(Resumption *r, const char *dir, RtError *e) {
  RtHost host = {.warning = count_warning, .user = r};
  *r = (Resumption){.dir = dir, .f = fixture("abc", "ones", NULL)};
  return rt_call(&host, resume_in_call, r, e);
}
static void drop_resumption(Resumption *r) { checkpoint_close(r->c), drop(r->f); }

// --params of a command.
static bool params(const char *path, Fixture *f, bool force, RtError *e) {
  Checkpoint *c = checkpoint_open_params(path, &f->id, force, e);
  if (c) checkpoint_take(c, &(TrainVectors){.theta = f->x.theta});
  checkpoint_close(c);
  return c != NULL;
}

// Whether it can be gone on with; e otherwise.
static bool can_resume(const char *dir, RtError *e) {
  Resumption r;
  bool ok = resume(&r, dir, e);
  drop_resumption(&r);
  return ok;
}

static void initial_values(void **state) {
  RtError e;
  (void)state;
  Fixture *f = fixture("s", "fan_in", NULL), *g = fixture("s", "uniform", NULL);
  assert_true(params_init(f->prog, NULL, 3, f->x.theta, &e));
  assert_true(params_init(g->prog, NULL, 3, g->x.theta, &e));
  assert_memory_equal(f->x.theta, g->x.theta, 15 * sizeof(float));      // another parameter changed, this one did not
  double sum = 0, sq = 0, most = 0;
  for (int i = 16; i < 416; i++) sum += f->x.theta[i], sq += (double)f->x.theta[i] * f->x.theta[i],
      most = fmax(most, fabs((double)g->x.theta[i]));
  assert_true(fabs(sum / 400) < 0.15 && fabs(sqrt(sq / 400) - 1) < 0.12);  // a / sqrt(fan_in) = 1
  assert_true(most <= 2 && most > 1.9);
  assert_true(params_init(g->prog, NULL, 4, g->x.theta, &e));
  assert_true(memcmp(f->x.theta, g->x.theta, 15 * sizeof(float)) != 0);
  drop(f), drop(g);
}

static void there_and_back(void **state) {
  const char *dir = *state;
  RtError e;
  char *last = file_join(dir, "run/last"), *note = file_join(dir, "run/last/note");
  Fixture *f = fixture("abc", "ones", NULL);
  fill(f);
  TrainState s = {.spec_file = "t.calm", .isa = "avx2", .step = 7, .tokens = 99, .seed = UINT64_MAX - 4, .epoch = 2, .position = 3, .best = INFINITY,
                  .best_step = -1};
  json_t *settings = json_pack("{s:{s:i}}", "settings", "steps", 12);
  Resumption r;
  assert_true(checkpoint_save(last, &f->id, &f->x, &s, settings, &e));
  assert_true(file_save(note, "mine", 4, &e));
  for (int again = 0; again < 2; again++) {
    assert_true(checkpoint_save(last, &f->id, &f->x, &s, settings, &e));      // over an earlier one
    assert_true(resume(&r, last, &e));
    assert_memory_equal(f->flat, r.f->flat, sizeof f->flat);
    assert_true(r.s.step == 7 && r.s.tokens == 99 && r.s.seed == UINT64_MAX - 4 && r.s.epoch == 2 && r.s.position == 3 && r.warnings == 0);
    assert_true(isinf(r.s.best) && r.s.best_step == -1);
    assert_string_equal(r.s.spec_file, "t.calm");
    assert_string_equal(r.s.isa, "avx2");
    assert_true(json_equal(json_object_get(settings, "settings"), json_object_get(checkpoint_about(r.c), "settings")));
    drop_resumption(&r);
    assert_true(file_is_regular(note));                        // the user's
  }
  s.best = 1.0 / 3, s.best_step = 4;
  assert_true(checkpoint_save(last, &f->id, &f->x, &s, NULL, &e) && resume(&r, last, &e));
  assert_true(r.s.best == 1.0 / 3 && r.s.best_step == 4);
  drop_resumption(&r);
  json_decref(settings);
  drop(f), rt_free(last), rt_free(note);
}

static void refusals(void **state) {
  const char *dir = *state;
  RtError e;
  char *last = file_join(dir, "refuse"), *theta = file_join(dir, "refuse/theta.safetensors"),
      *tok = file_join(dir, "tokenizer.json");
  assert_true(file_save(tok, "{}", 2, &e));
  Fixture *f = fixture("abc", "ones", tok), *other = fixture("xyz", "ones", tok), *later = fixture("abc", "ones", tok);
  TrainState s = {.spec_file = "t.calm"};
  TrainVectors x = {.theta = f->x.theta};
  assert_true(checkpoint_save(last, &f->id, &x, &s, NULL, &e));
  assert_true(params(last, f, false, &e));
  assert_true(params(theta, f, false, &e));
  other->prog->spec = "other.calm";
  assert_false(params(last, other, false, &e));                // an arch that computes something else
  assert_non_null(strstr(e.text, "trained by t.calm, not other.calm: model kv"));
  assert_true(params(last, other, true, &e));
  assert_true(file_save(tok, "{ }", 3, &e));                   // another tokenizer now
  assert_false(params(last, later, false, &e));
  assert_non_null(strstr(e.text, "tokenizer.json"));
  assert_non_null(strstr(e.text, "kv"));
  assert_true(params(last, later, true, &e));
  // names and shapes, also with --force, and nothing was read by then
  memset(f->x.theta, 7, 16 * sizeof(float));
  f->prog->param[1].shape.v[0] = 401;
  assert_false(params(last, f, true, &e));
  assert_non_null(strstr(e.text, "model kv: tensor kv.b: expected shape [401], found [400]"));
  f->prog->param[1].shape.v[0] = 400, f->prog->nparam = 1;
  assert_false(params(last, f, true, &e));
  assert_non_null(strstr(e.text, "model kv has no tensor kv.b in this program"));
  f->prog->nparam = 2, f->prog->param[1].name = "a.1->kv.2.w";
  assert_false(params(last, f, true, &e));
  assert_non_null(strstr(e.text, "connection a.1->kv.2 is new: there is no tensor a.1->kv.2.w"));
  for (int i = 0; i < 16; i++) assert_int_equal(((char *)f->x.theta)[i * 4], 7);
  drop(f), drop(other), drop(later), rt_free(last), rt_free(theta), rt_free(tok);
}

// Reads a file whole, or writes it in place.
static char *contents(const char *path, size_t *n) {
  RtError e;
  FileMap m;
  if (!file_map(&m, path, &e)) fail_msg("%s", e.text);
  char *s = malloc(m.size + 1);
  memcpy(s, m.data, *n = m.size), s[m.size] = 0;
  file_unmap(&m);
  return s;
}
static void overwrite(const char *path, const char *s, size_t n) {
  FILE *f = fopen(path, "w");
  assert_true(f && fwrite(s, 1, n, f) == n && fclose(f) == 0);
}

static void flipped_bits(void **state) {
  RtError e;
  char *last = file_join(*state, "flip");
  Fixture *f = fixture("abc", "ones", NULL);
  fill(f);
  TrainState s = {.step = 1};
  assert_true(checkpoint_save(last, &f->id, &f->x, &s, NULL, &e));
  const char *const name[] = {"theta.safetensors", "optimizer.safetensors"};
  for (int k = 0; k < 2; k++) {
    char *path = file_join(last, name[k]);
    size_t n;
    char *good = contents(path, &n), *bad = malloc(n);
    const size_t at[] = {0, 3, 8, 60, n / 2, n - 1};          // in the length, in the header, in the data
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
      memcpy(bad, good, n);
      bad[at[i]] ^= (char)(1 << i);
      overwrite(path, bad, n);
      char hex[2][SHA256_HEX];
      sha256_of(good, n, hex[0]), sha256_of(bad, n, hex[1]);
      assert_false(can_resume(last, &e));
      hex[0][12] = hex[1][12] = 0;
      if (!strstr(e.text, name[k]) || !strstr(e.text, hex[0]) || !strstr(e.text, hex[1])) fail_msg("byte %zu of %s: %s", at[i], path, e.text);
      assert_int_equal(params(last, f, false, &e), k == 1);      // moments are not its matter
      assert_int_equal(params(path, f, false, &e), false);
    }
    overwrite(path, good, n - 4);
    assert_false(can_resume(last, &e));
    assert_non_null(strstr(e.text, "bytes"));
    overwrite(path, good, n);
    assert_true(can_resume(last, &e));
    free(good), free(bad), rt_free(path);
  }
  drop(f), rt_free(last);
}

// theta.json as another calm wrote it, or as somebody spoilt it.
static void fields(void **state) {
  RtError e;
  char *last = file_join(*state, "fields"), *json = file_join(*state, "fields/theta.json");
  Fixture *f = fixture("abc", "ones", NULL);
  fill(f);
  TrainState s = {.step = 3, .seed = 1, .best = 2};
  assert_true(checkpoint_save(last, &f->id, &f->x, &s, NULL, &e));
  json_t *good = json_load_file(json, 0, NULL), *bad = json_deep_copy(good);
  json_object_set_new(bad, "step", json_integer(4));         // the hash of theta.json itself
  assert_int_equal(json_dump_file(bad, json, 0), 0);
  assert_false(can_resume(last, &e));
  assert_non_null(strstr(e.text, "does not say what was saved"));
  json_object_set_new(bad, "step", json_integer(3));
  assert_int_equal(json_dump_file(bad, json, JSON_SORT_KEYS | JSON_INDENT(7)), 0);
  assert_true(can_resume(last, &e));
  json_object_del(good, "sha256"), json_object_del(bad, "sha256");
  enum { OPTIONAL, SAID, NEEDED };
  static const struct { const char *key; int need; } KEY[] = {
#define X(field, kind, need) {#field, need},
#include "runtime/work/checkpoint.def"
#undef X
      {"calm", NEEDED}, {"belongs_to", NEEDED}, {"files", NEEDED}};
  for (size_t i = 0; i < sizeof KEY / sizeof KEY[0]; i++)
    for (int how = 0; how < 3; how++) {                       // absent, null, of another type
      json_object_update(bad, good);
      if (how == 0) json_object_del(bad, KEY[i].key);
      else json_object_set_new(bad, KEY[i].key, how == 1 ? json_null() : json_array());
      assert_int_equal(json_dump_file(bad, json, 0), 0);
      bool ok = can_resume(last, &e);
      if (ok != (how == 0 ? KEY[i].need == OPTIONAL : how == 1 && KEY[i].need != NEEDED)) fail_msg("%s: %s", KEY[i].key, ok ? "loads" : e.text);
      if (!ok && (!strstr(e.text, json) || !strstr(e.text, KEY[i].key))) fail_msg("%s: %s", KEY[i].key, e.text);
    }
  json_object_update(bad, good);
  static const struct { const char *key; json_int_t lo, hi; } BOUND[] = {
#define COUNT(lo, hi) lo, (json_int_t)hi
#define STEP(lo, hi) lo, (json_int_t)hi
#define SEED INT64_MIN, INT64_MAX
#define LOSS 0, 0
#define TIME 0, 0
#define TEXT 0, 0
#define PRECISIONS 0, 0
#define MANY 0x1p53
#define TOKEN INT32_MAX
#define X(field, kind, need) {#field, kind},
#include "runtime/work/checkpoint.def"
#undef X
  };
  int counts = 0;
  for (size_t i = 0; i < sizeof BOUND / sizeof BOUND[0]; i++) {
    if (!BOUND[i].hi || BOUND[i].hi == INT64_MAX) continue;
    const json_int_t no[] = {BOUND[i].lo - 1, -1000000000, INT64_MIN, BOUND[i].hi + 1, INT64_C(1) << 62, INT64_MAX};
    for (size_t k = 0; k < sizeof no / sizeof no[0]; k++) {
      json_object_update(bad, good);
      json_object_set_new(bad, BOUND[i].key, json_integer(no[k]));
      assert_int_equal(json_dump_file(bad, json, 0), 0);
      assert_false(can_resume(last, &e));
      if (!strstr(e.text, json) || !strstr(e.text, BOUND[i].key) || !strstr(e.text, "expected a whole number from")) fail_msg("%s: %s", BOUND[i].key, e.text);
    }
    counts++;
  }
  assert_int_equal(counts, 9);
  // the precision that trained it: f32 where an earlier calm did not say, and none that this calm does not have
  Resumption r;
  for (int p = 0; p <= N_PRECISION; p++) {
    json_object_update(bad, good);
    if (p < N_PRECISION) json_object_set_new(bad, "precision", json_string(precision_name((Precision)p)));
    else json_object_del(bad, "precision");
    assert_int_equal(json_dump_file(bad, json, 0), 0);
    assert_true(resume(&r, last, &e));
    assert_int_equal(r.s.precision != NULL, p < N_PRECISION);
    Precision alone = N_PRECISION;
    assert_true(checkpoint_precision(r.c, f->prog, &alone, &e));
    assert_int_equal(alone, p < N_PRECISION ? p : PRECISION_F32);
    drop_resumption(&r);
  }
  static const char *const NO_PRECISION[] = {"\"fp8\"", "\"\"", "\"bf\"", "\"F32\"", "\"auto\"", "1", "{}", "true", "[\"f32\"]", "{\"kv\": \"fp8\"}", "{\"kv\": {\"kv\": \"f32\"}}", "{\"kv\": null}"};
  for (size_t i = 0; i < sizeof NO_PRECISION / sizeof *NO_PRECISION; i++) {
    json_object_update(bad, good);
    json_object_set_new(bad, "precision", json_loads(NO_PRECISION[i], JSON_DECODE_ANY, NULL));
    assert_int_equal(json_dump_file(bad, json, 0), 0);
    assert_false(can_resume(last, &e));
    if (!strstr(e.text, "\"precision\": expected \"f32\" or \"bf16\", found")) fail_msg("%s: %s", NO_PRECISION[i], e.text);
  }
  // of each model by name: this one's has to be among them
  for (int named = 0; named < 2; named++) {
    Precision of = N_PRECISION;
    json_object_update(bad, good);
    json_object_set_new(bad, "precision", json_pack("{s:s, s:s}", named ? "kv" : "other", "bf16", "more", "f32"));
    assert_int_equal(json_dump_file(bad, json, 0), 0);
    assert_true(resume(&r, last, &e));
    assert_int_equal(checkpoint_precision(r.c, f->prog, &of, &e), named);
    if (named) assert_int_equal(of, PRECISION_BF16);
    else assert_non_null(strstr(e.text, "\"precision\" says nothing of model kv"));
    drop_resumption(&r);
  }
  json_object_update(bad, good);
  json_object_set_new(bad, "calm", json_integer(CHECKPOINT_FORMAT + 1));
  assert_int_equal(json_dump_file(bad, json, 0), 0);
  assert_false(can_resume(last, &e));
  assert_non_null(strstr(e.text, "newer calm"));
  assert_false(params(last, f, false, &e));
  // as calm saved it when it belonged to a text of the spec: the same, and another
  json_object_update(bad, good);
  json_object_set_new(bad, "calm", json_integer(2));
  for (int same = 0; same < 2; same++) {
    json_object_set_new(bad, "belongs_to", json_pack("{s:s, s:{s:{}}}", "spec", same ? "abc" : "xyz", "models", "kv"));
    assert_int_equal(json_dump_file(bad, json, 0), 0);
    assert_true(resume(&r, last, &e));
    assert_true(r.warnings == 1 && r.s.step == 3);
    drop_resumption(&r);
  }
  static const char *const HOSTILE[] = {                       // whom it belongs to, of other kinds than are expected: refused, in words
      "{}", "{\"models\": []}", "{\"models\": {}, \"connections\": {}}", "{\"models\": {\"kv\": 3}, \"connections\": {}}",
      "{\"models\": {\"kv\": {\"files\": \"x\"}}, \"connections\": []}", "{\"models\": {\"kv\": {\"computes\": 5, \"config\": []}}, \"connections\": {\"a\": 1}}",
      "{\"models\": {\"kv\": null, \"other\": null}, \"connections\": {}}"};
  json_object_set_new(bad, "calm", json_integer(CHECKPOINT_FORMAT));
  for (size_t i = 0; i < sizeof HOSTILE / sizeof *HOSTILE; i++) {
    json_object_set_new(bad, "belongs_to", json_loads(HOSTILE[i], 0, NULL));
    assert_int_equal(json_dump_file(bad, json, 0), 0);
    assert_false(can_resume(last, &e));
    if (!strstr(e.text, last) || strlen(e.text) < strlen(last) + 20) fail_msg("%s: %s", HOSTILE[i], e.text);
  }
  json_object_set_new(bad, "belongs_to", json_pack("{s:s, s:{s:{}}}", "spec", "xyz", "models", "kv"));
  json_object_set_new(bad, "calm", json_integer(3));           // that is no way round the check
  assert_int_equal(json_dump_file(bad, json, 0), 0);
  assert_false(can_resume(last, &e));
  assert_non_null(strstr(e.text, "connections"));
  // as calm saved it before there were hashes
  json_object_update(bad, good);
  json_object_set_new(bad, "belongs_to", json_pack("{s:s, s:{s:{}}}", "spec", "abc", "models", "kv"));
  json_object_set_new(bad, "calm", json_integer(1));
  json_object_del(bad, "files"), json_object_del(bad, "best_step");
  json_object_set_new(bad, "best_train", json_real(0.5)), json_object_set_new(bad, "sum", json_real(1)), json_object_set_new(bad, "count", json_real(1));
  assert_int_equal(json_dump_file(bad, json, 0), 0);
  assert_true(resume(&r, last, &e));
  assert_true(r.warnings == 1 && r.s.step == 3 && r.s.best == 2 && r.s.best_step == -1);
  assert_memory_equal(f->flat, r.f->flat, sizeof f->flat);
  drop_resumption(&r);
  json_decref(good), json_decref(bad);
  drop(f), rt_free(last), rt_free(json);
}

static void full_disk(void **state) {
  const char *dir = *state;
  RtError e;
  char *last = file_join(dir, "full");
  Fixture *f = fixture("abc", "ones", NULL);
  TrainState s = {.step = 1};
  assert_true(checkpoint_save(last, &f->id, &f->x, &s, NULL, &e));
  struct rlimit old, small;
  getrlimit(RLIMIT_FSIZE, &old);
  small = (struct rlimit){1024, old.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  f->flat[0] = 1, s.step = 2;
  bool ok = checkpoint_save(last, &f->id, &f->x, &s, NULL, &e);
  setrlimit(RLIMIT_FSIZE, &old);
  assert_false(ok);
  assert_non_null(strstr(e.text, "cannot write"));
  Resumption r;
  assert_true(resume(&r, last, &e));
  assert_true(r.s.step == 1 && r.f->flat[0] == 0);
  drop_resumption(&r);
  drop(f), rt_free(last);
}

static void settings_in_order(void **state) {
  (void)state;
  RtError e;
  TrainSettings s, back;
  settings_default(&s);
  json_t *o = json_loads("{\"data\": \"a\", \"steps\": 110, \"batch\": {\"n\": 96, \"unit\": \"rows\"}, \"clip\": null, \"optimizer\": {\"name\": \"adamw\","
                         "\"lr\": 0.5, \"betas\": [0.8, 0.7]}, \"schedule\": {\"name\": \"cosine\", \"warmup\": 10, \"floor\": 0.1}}", 0, NULL);
  assert_true(settings_json(&s, o, "train", &e));
  assert_true(s.batch.rows && s.batch.n == 96 && s.clip == 0 && s.lr == 0.5 && s.betas.v[0] == 0.8 && s.betas.v[1] == 0.7 &&
              s.steps == 110);
  assert_true(fabs(settings_lr(&s, 0) - 0.05) < 1e-12 && settings_lr(&s, 9) == 0.5 && settings_lr(&s, 10) == 0.5);
  assert_true(fabs(settings_lr(&s, 60) - 0.5 * 0.55) < 1e-12 && fabs(settings_lr(&s, 110) - 0.05) < 1e-12);
  Options f;
  char *args[] = {"--batch", "10tokens", "--lr=0.25", "--schedule", "constant", "--no-shuffle"};
  assert_true(options_parse(&f, C_TRAIN, 6, args));
  for (int i = 0; i < N_SETTINGS; i++) assert_true(!f.setting[i] || settings_set(&s, i, f.setting[i], &e));
  assert_true(!s.batch.rows && s.batch.n == 10 && s.lr == 0.25 && settings_lr(&s, 90) == 0.25 && !s.shuffle);
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
                                     cmocka_unit_test(refusals), cmocka_unit_test(flipped_bits), cmocka_unit_test(fields),
                                     cmocka_unit_test(full_disk), cmocka_unit_test(settings_in_order)};
  return cmocka_run_group_tests(tests, make_dir, remove_it);
}
