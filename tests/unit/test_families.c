// Every family of the library against Hugging Face transformers (tests/parity/make_family_fixtures.py): the graphs that the compiler makes of a
// small random checkpoint, evaluated by the reference evaluator, give transformers' hidden states after every block, logits and gradient by the
// embedding output. Then every option of its config.json is changed, one at a time: the change must be refused or seen. Compiled programs of a
// few of them: tests/e2e/families.sh; that compiled code is the graph's meaning: test_native_*.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build/build.h"
#include "dsl/base/glob.h"
#include "graph/eval.h"
#include "runtime/abi/inert.h"
#include "runtime/files/files.h"

#define FAMILIES CALM_SOURCE_DIR "/tests/parity/families/"
static const double TOLERANCE = 1e-4, SEEN = 1e-3;         // of the largest magnitude

// ---- a program of one model

typedef struct Built {
  Arena *a;
  Program *p;
  Buf said;                    // errors
} Built;

static Built build(const char *dir) {
  Built b = {.a = arena_new()};
  Sources sources;
  Diags diags;
  FILE *f = fopen("spec.calm", "wb");
  assert_non_null(f);
  fprintf(f, "anchor base = \"%s\"\n", dir);
  assert_int_equal(fclose(f), 0);
  sources_init(&sources, b.a);
  diags_init(&diags, &sources);
  Spec *spec = spec_parse(b.a, &sources, &diags, "spec.calm");
  b.p = program_build(b.a, spec, &diags);
  if (!b.p) diags_print(&diags, &b.said);
  return b;
}

static void built_free(Built *b) {
  if (b->p) program_close(b->p);
  buf_free(&b->said);
  arena_free(b->a);
}

static const Graph *entry(const Built *b, const char *name) {
  for (int i = 0; i < b->p->nentry; i++)
    if (!strcmp(b->p->entry[i]->name, name)) return b->p->entry[i];
  fail_msg("no entry '%s'", name);
  return NULL;
}

// ---- one row

typedef struct Row {
  const int64_t *id, *label;   // label: -100 where none is wanted
  int n;
} Row;
typedef struct Env {
  Arena *a;
  const Graph *g;
  Safetensors *st;
  Row row;
  bool loss;                   // rows that have a label, else all
  const double *embedded;      // given where the graph asks for it
  EvalMask mask;
} Env;

static double half(uint16_t bits) {
  _Float16 h;
  memcpy(&h, &bits, sizeof h);
  return (double)h;
}

static double stored(const StTensor *t, int64_t i) {
  if (t->dtype == DT_F32) return ((const float *)t->data)[i];
  uint16_t bits = ((const uint16_t *)t->data)[i];
  if (t->dtype == DT_F16) return half(bits);
  assert_int_equal(t->dtype, DT_BF16);
  uint32_t wide = (uint32_t)bits << 16;
  float f;
  memcpy(&f, &wide, sizeof f);
  return f;
}

static double *weight(Env *e, const char *name, int64_t n) {
  const StTensor *t = st_find(e->st, name);
  if (!t || t->elems != n) fail_msg("weight %s", name);
  double *v = ARENA_ARRAY(e->a, double, n + 1);
  for (int64_t i = 0; i < n; i++) v[i] = stored(t, i);
  return v;
}

// Tensors in whose name * is the number, one behind the other.
static double *series(Env *e, const char *name, int64_t n, int64_t count) {
  double *v = ARENA_ARRAY(e->a, double, n + 1);
  const char *star = strchr(name, '*');
  for (int i = 0; i < count; i++)
    memcpy(v + i * (n / count), weight(e, arena_printf(e->a, "%.*s%d%s", (int)(star - name), name, i, star + 1), n / count), (size_t)(n / count) * sizeof *v);
  return v;
}

static bool wanted(const Env *e, int t) { return !e->loss || (t + 1 < e->row.n && e->row.label[t + 1] != -100); }
static int64_t count_wanted(const Env *e) {
  int64_t n = 0;
  for (int t = 0; t < e->row.n; t++) n += wanted(e, t);
  return n;
}

static const double *source(void *user, const Graph *g, NodeId id, int64_t n) {
  Env *e = user;
  const char *name = g->node[id].attr.name, *dot = strchr(name, '.');
  if (g->node[id].op == OP_weight) return weight(e, dot + 1, n);
  if (g->node[id].op == OP_weights) return series(e, dot + 1, n, g->node[id].type.dim[0]);
  if (!strncmp(name, "hidden.", 7)) return e->embedded;
  double *v = ARENA_ARRAY(e->a, double, n + 1);
  bool tokens = !strncmp(name, "ids.", 4), places = !strncmp(name, "pos.", 4);
  int64_t k = 0;
  for (int t = 0; t < e->row.n; t++) {
    if (!tokens && !places && !wanted(e, t)) continue;
    assert_true(k < n);
    v[k++] = tokens ? (double)e->row.id[t] : places || !strcmp(name, "rows") ? t : !strcmp(name, "labels") ? (double)e->row.label[t + 1] : 1;
  }
  assert_int_equal(k, n);
  return v;
}

static EvalMask mask(void *user, const Graph *g, NodeId id) {
  Env *e = user;
  int64_t window = g->node[id].attr.of_mask.window;
  int32_t *lo = ARENA_ARRAY(e->a, int32_t, e->row.n), *hi = ARENA_ARRAY(e->a, int32_t, e->row.n);
  for (int t = 0; t < e->row.n; t++) {
    hi[t] = t + 1;
    lo[t] = window && t + 1 > window ? t + 1 - (int32_t)window : 0;
  }
  return (EvalMask){lo, hi};
}

// All values of g on e's row.
static double **evaluate(Env *e, const Graph *g) {
  int64_t sym[16];
  double **value;
  assert_true(g->nsym <= 16);
  for (int i = 0; i < g->nsym; i++) sym[i] = g->sym[i].kind == SYM_TOKENS ? e->row.n : count_wanted(e);
  const char *why = graph_eval(g, &(EvalEnv){sym, source, mask, e}, e->a, &value);
  if (why) fail_msg("%s: %s", g->name, why);
  return value;
}

static const double *output(const Graph *g, double **value, const char *name) {
  for (int i = 0; i < g->nout; i++)
    if (!strcmp(g->out[i].name, name)) return value[g->out[i].node * MAX_OUT];
  fail_msg("no output %s", name);
  return NULL;
}

// The largest difference over the golden's largest magnitude.
static double apart(const double *got, const double *want, int64_t n) {
  double most = 0, top = 1e-30;
  for (int64_t i = 0; i < n; i++) {
    most = isfinite(got[i]) ? fmax(most, fabs(got[i] - want[i])) : INFINITY;
    top = fmax(top, fabs(want[i]));
  }
  return most / top;
}

static double from_golden(Arena *a, Safetensors *golden, int r, const char *key, const double *got) {
  const StTensor *t = st_find(golden, arena_printf(a, "%d.%s", r, key));
  if (!t) fail_msg("golden has no %d.%s", r, key);
  double *want = ARENA_ARRAY(a, double, t->elems + 1);
  for (int64_t i = 0; i < t->elems; i++) want[i] = stored(t, i);
  return apart(got, want, t->elems);
}

// ---- rows and fixtures

enum { MOST_ROWS = 8, MOST_TOKENS = 64, MOST_FIXTURES = 128 };
static Row rows[MOST_ROWS];
static int nrow;

static void read_rows(void) {
  static int64_t id[MOST_ROWS][MOST_TOKENS], label[MOST_ROWS][MOST_TOKENS];
  FILE *f = fopen(FAMILIES "rows.jsonl", "rb");
  assert_non_null(f);
  for (json_t *j; nrow < MOST_ROWS && (j = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL)); json_decref(j), nrow++) {
    json_t *i = json_object_get(j, "input_ids"), *l = json_object_get(j, "labels");
    int n = (int)json_array_size(i);
    assert_true(n > 0 && n <= MOST_TOKENS);
    for (int t = 0; t < n; t++) {
      id[nrow][t] = json_integer_value(json_array_get(i, (size_t)t));
      label[nrow][t] = json_integer_value(json_array_get(l, (size_t)t));
    }
    rows[nrow] = (Row){id[nrow], label[nrow], n};
  }
  fclose(f);
  assert_true(nrow > 1);
}

static int by_name(const void *p, const void *q) { return strcmp(*(char *const *)p, *(char *const *)q); }

static int fixtures(char **name) {
  DIR *d = opendir(FAMILIES);
  int n = 0;
  assert_non_null(d);
  for (struct dirent *e; (e = readdir(d));) {
    char path[4096];
    snprintf(path, sizeof path, FAMILIES "%s/config.json", e->d_name);
    if (access(path, R_OK)) continue;
    assert_true(n < MOST_FIXTURES);
    name[n++] = strdup(e->d_name);
  }
  closedir(d);
  qsort(name, (size_t)n, sizeof *name, by_name);
  return n;
}

static int bad;
#define complain(...) (bad++, print_error(__VA_ARGS__))

// Logits of the first row.
static double *first_logits(const Built *b, Safetensors *st, int64_t *n) {
  Env e = {.a = b->a, .st = st, .row = rows[0]};
  const Graph *g = entry(b, "score");
  double **value = evaluate(&e, g);
  *n = rows[0].n * b->p->model[0].vocab;
  const double *v = output(g, value, "logits");
  double *kept = ARENA_ARRAY(b->a, double, *n);
  memcpy(kept, v, (size_t)*n * sizeof *v);
  eval_free(g, value);
  return kept;
}

static void check_row(const char *name, const Built *b, Safetensors *st, Safetensors *golden, int r) {
  Env e = {.a = b->a, .st = st, .row = rows[r]};
  const Graph *g = entry(b, "score"), *probe = entry(b, "probe");
  double **value = evaluate(&e, g);
  for (int k = 0; k <= (int)b->p->model[0].blocks; k++) {
    const char *key = arena_printf(b->a, "hidden.base.%d", k);
    double off = from_golden(b->a, golden, r, key, output(g, value, key));
    if (!(off <= TOLERANCE)) complain("%s, row %d: %s is %.2g off\n", name, r, key, off);
  }
  double off = from_golden(b->a, golden, r, "logits", output(g, value, "logits"));
  if (!(off <= TOLERANCE)) complain("%s, row %d: logits are %.2g off\n", name, r, off);
  e.loss = true;
  e.embedded = output(g, value, "hidden.base.0");
  double **back = evaluate(&e, probe);
  off = from_golden(b->a, golden, r, "grad.hidden.base.0", output(probe, back, "state_grad.base.0"));
  if (!(off <= TOLERANCE)) complain("%s, row %d: the gradient by the embedding output is %.2g off\n", name, r, off);
  eval_free(probe, back);
  eval_free(g, value);
}

// ---- changed options

// Keys that may change without a change of the logits of these checkpoints: "fixture:path", as in families/unseen.txt.
static bool may_stay(const char *fixture, const char *path) {
  char line[400], key[512];
  FILE *f = fopen(FAMILIES "unseen.txt", "rb");
  bool found = false;
  assert_non_null(f);
  snprintf(key, sizeof key, "%s:%s", fixture, path);
  while (!found && fgets(line, sizeof line, f)) {
    line[strcspn(line, " #\n")] = 0;
    found = line[0] && glob_matches(line, key);
  }
  fclose(f);
  return found;
}

typedef struct Change {
  const char *fixture;
  json_t *config;              // the whole file
  Safetensors *st;
  const double *before;
  int64_t n;
  int seen, refused;
} Change;

// Is the configuration as it is now refused, or other than it was?
static bool is_seen(Change *c) {
  assert_int_equal(json_dump_file(c->config, "m/config.json", 0), 0);
  Built b = build("m");
  bool seen = !b.p;
  c->refused += seen;
  if (b.p) {
    int64_t n;
    double *after = first_logits(&b, c->st, &n);
    seen = n != c->n || apart(after, c->before, n) > SEEN;
    c->seen += seen;
  }
  built_free(&b);
  return seen;
}

// Another value of v's kind, the k-th that is tried; NULL: there is none. Of a list its first element is changed.
static json_t *changed(json_t *v, int k) {
  json_t *first, *list;
  if (k && !json_is_number(v) && !json_is_array(v)) return NULL;
  switch (json_typeof(v)) {
    case JSON_INTEGER: return json_integer(k ? json_integer_value(v) / 2 : json_integer_value(v) + 1);
    case JSON_REAL: return json_real(json_real_value(v) * (k ? 0.5 : 1.5));
    case JSON_TRUE: return json_false();
    case JSON_FALSE: return json_true();
    case JSON_STRING: return json_string("unheard of");
    case JSON_ARRAY:
      first = json_array_size(v) ? changed(json_array_get(v, 0), k) : NULL;
      if (!first) return NULL;
      list = json_copy(v);
      json_array_set_new(list, 0, first);
      return list;
    default: return NULL;
  }
}

static void change_all(Change *c, json_t *v, const char *path) {
  const char *key;
  json_t *w, *other;
  void *next;
  char inner[256];
  json_object_foreach_safe(v, next, key, w) {
    snprintf(inner, sizeof inner, "%s%s%s", path, path[0] ? "." : "", key);
    json_incref(w);
    bool seen = inert_key(key) || may_stay(c->fixture, inner), any = false;
    for (int k = 0; k < 2 && !seen && (other = changed(w, k)); k++) {
      json_object_set_new(v, key, other);
      any = true;
      seen = is_seen(c);
    }
    if (any && !seen) complain("%s: nobody sees that %s is changed\n", c->fixture, inner);
    json_object_set_new(v, key, w);
    if (json_is_object(w)) change_all(c, w, inner);
  }
}

static void check_changes(const char *name, const Built *b, Safetensors *st) {
  Change c = {.fixture = name, .st = st};
  char path[4096];
  mkdir("m", 0777);
  unlink("m/model.safetensors");
  snprintf(path, sizeof path, FAMILIES "%s/model.safetensors", name);
  assert_int_equal(symlink(path, "m/model.safetensors"), 0);
  snprintf(path, sizeof path, FAMILIES "%s/config.json", name);
  c.config = json_load_file(path, 0, NULL);
  assert_non_null(c.config);
  c.before = first_logits(b, st, &c.n);
  change_all(&c, c.config, "");
  print_message("%s: %d changes seen, %d refused\n", name, c.seen, c.refused);
  json_decref(c.config);
}

static void all(void **state) {
  (void)state;
  char *name[MOST_FIXTURES];
  const char *only = getenv("FAMILY");
  int n = fixtures(name);
  assert_true(n > 0);
  read_rows();
  for (int i = 0; i < n; i++) {
    char path[4096];
    RtError e;
    if (!only || !strncmp(name[i], only, strlen(only))) {
      snprintf(path, sizeof path, FAMILIES "%s", name[i]);
      Built b = build(path);
      Safetensors *st = st_open_dir(path, false, &e);
      snprintf(path, sizeof path, FAMILIES "%s.golden.safetensors", name[i]);
      Safetensors *golden = st_open_file(path, false, &e);
      if (!st || !golden) fail_msg("%s: %s", name[i], e.text);
      if (!b.p) complain("%s: %s\n", name[i], b.said.s);
      for (int r = 0; b.p && r < nrow; r++) check_row(name[i], &b, st, golden, r);
      if (b.p) check_changes(name[i], &b, st);
      built_free(&b);
      st_close(st);
      st_close(golden);
    }
    free(name[i]);
  }
  assert_int_equal(bad, 0);
}

int main(void) {
  char dir[] = "/tmp/calm_families_XXXXXX";
  if (!mkdtemp(dir) || chdir(dir)) return 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test(all)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  unlink("m/config.json"), unlink("m/model.safetensors"), rmdir("m"), unlink("spec.calm");
  return chdir("/") || rmdir(dir) || failed;
}
