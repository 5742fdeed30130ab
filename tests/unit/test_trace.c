// A trace is JSON that says what was measured: every span on its track with its name and time, cut or whole; where it cannot be written, nothing is left.
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runtime/commands/profile.h"
#include "runtime/core/core.h"

enum { THREADS = 2, KERNELS = 3, SPANS = 5000 };
static char folder[] = "/tmp/calm_trace_XXXXXX";

static char *copy(const char *s) { return rt_strdup(s); }

// As an engine's end leaves it, closed at 2 s.
static Profile *measured(const Options *o, bool cut, RtError *e) {
  Profile *p = profile_begin(o, 1, e);
  if (!p) return NULL;
  Meter *m = p->meter = meter_new(KERNELS, THREADS, true);
  p->keep = true, p->nentry = 2;
  strcpy(p->isa, "avx2"), p->precision = copy("f32"), p->each = KERNELS;
  p->kernel = rt_alloc(KERNELS, sizeof *p->kernel), p->entry = rt_alloc(2, sizeof *p->entry);
  for (int i = 0; i < KERNELS; i++) p->kernel[i] = copy(i == 0 ? "gemm 8 -> 16" : i == 1 ? "row 8 exp …" : "pack 16 x 8");
  for (int i = 0; i < 2; i++) p->entry[i] = copy(i ? "train" : "init");
  for (int i = 0; i < SPANS; i++) meter_thread(m, i % THREADS, i % KERNELS, 1 + 1e-4 * i, 1 + 1e-4 * i + 5e-5);
  meter_step(m, 1, 7, 32, 1.25, 1.5);
  m->cut = cut;
  p->phase = RT_PHASE_OPEN, p->since = 1;
  return p;
}

static const json_t *find(const json_t *events, const char *cat, const char *name) {
  size_t i;
  json_t *x;
  json_array_foreach((json_t *)(uintptr_t)events, i, x)
    if (!strcmp(json_string_value(json_object_get(x, "name")), name) && !strcmp(cat, json_object_get(x, "cat") ? json_string_value(json_object_get(x, "cat")) : "")) return x;
  return NULL;
}
static double number(const json_t *x, const char *key) { return json_number_value(json_object_get(x, key)); }

static int files(void) {
  DIR *d = opendir(folder);
  int n = 0;
  for (struct dirent *x; (x = readdir(d));) n += x->d_name[0] != '.';
  closedir(d);
  return n;
}

static bool whole_and_cut(void *user, RtError *e) {
  const Options *o = user;
  for (int cut = 0; cut < 2; cut++) {
    Profile *p = measured(o, cut, e);
    assert_non_null(p);
    assert_true(trace_write(p, 2, e));
    p->out = NULL;
    json_error_t je;
    json_t *t = json_load_file(o->trace, 0, &je);
    assert_non_null(t);
    const json_t *events = json_object_get(t, "traceEvents"), *about = json_object_get(t, "otherData"), *x;
    assert_true(json_is_true(json_object_get(about, "cut")) == cut && fabs(number(about, "seconds") - 1) < 1e-9);
    int kernels[THREADS] = {0}, names = 0;
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)events, i, one) {
      const char *ph = json_string_value(json_object_get(one, "ph")), *cat = json_string_value(json_object_get(one, "cat"));
      names += !strcmp(ph, "M");
      if (cat && !strcmp(cat, "kernel")) kernels[(int)number(one, "tid") - 3]++;
    }
    assert_true(kernels[0] == SPANS / 2 && kernels[1] == SPANS / 2 && names == 2 * (2 + THREADS));
    x = find(events, "step", "train");
    assert_true(x && number(x, "ts") == 250000 && number(x, "dur") == 250000 && number(json_object_get(x, "args"), "tokens") == 32);
    x = find(events, "kernel", "row 8 exp …");
    assert_true(x && fabs(number(x, "ts") - 400) < 0.01 && fabs(number(x, "dur") - 50) < 0.01);
    json_decref(t);
    assert_int_equal(files(), 1);
    assert_true(profile_end(p, e));
  }
  return true;
}

static bool no_room(void *user, RtError *e) {
  Profile *p = measured(user, false, e);
  assert_non_null(p);
  assert_false(profile_end(p, e));
  return false;
}

static bool nowhere(void *user, RtError *e) {
  const Options *o = user;
  assert_null(measured(&(Options){.trace = o->program}, false, e));
  return false;
}

static char path[64], missing[64];
static void is_json(void **state) {
  (void)state;
  RtError e;
  assert_true(rt_call(NULL, whole_and_cut, &(Options){.trace = path}, &e));
}
static void leaves_nothing(void **state) {
  (void)state;
  RtError e;
  struct rlimit before, small;
  unlink(path);
  getrlimit(RLIMIT_FSIZE, &before);
  small = (struct rlimit){4096, before.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  bool ok = rt_call(NULL, no_room, &(Options){.trace = path}, &e);
  setrlimit(RLIMIT_FSIZE, &before);
  assert_false(ok);
  assert_non_null(strstr(e.text, path));
  assert_int_equal(files(), 0);
  assert_false(rt_call(NULL, nowhere, &(Options){.program = missing}, &e));
  assert_non_null(strstr(e.text, missing));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(is_json), cmocka_unit_test(leaves_nothing)};
  if (!mkdtemp(folder)) return 1;
  snprintf(path, sizeof path, "%s/t.json", folder);
  snprintf(missing, sizeof missing, "%s/no/t.json", folder);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  unlink(path), rmdir(folder);
  return failed;
}
