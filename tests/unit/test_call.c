// A call that memory ends in drops what it held, objects first, newest first, with the memory they use still there; what is left of a call that ends
// well is its caller's. The host is asked and told.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"
#include "runtime/core/call.h"

typedef struct Trace {
  char text[64];
  bool stop;
  char warned[64];
} Trace;

typedef struct Note {
  Trace *trace;
  char *name;
} Note;

static void note_end(void *object) {
  const Note *n = object;
  strcat(n->trace->text, n->name);
}

static Note *note(Trace *t, const char *name) {
  Note *n = rt_object(sizeof *n, note_end);
  assert_null(n->name);
  *n = (Note){t, rt_strdup(name)};
  return n;
}

static bool inner(void *user, RtError *e) {
  (void)e;
  note(user, "c");
  rt_end(note(user, "x"));
  return true;
}

static bool runs_out(void *user, RtError *e) {
  note(user, "a");
  note(user, "b");
  if (!rt_call(NULL, inner, user, e)) return false;
  note(user, "d");
  assert_string_equal(((Trace *)user)->text, "x");
  rt_alloc(SIZE_MAX / 4, 2);
  fail();
  return true;
}

static void newest_first(void **state) {
  (void)state;
  Trace t = {0};
  RtError e;
  assert_false(rt_call(NULL, runs_out, &t, &e));
  assert_string_equal(t.text, "xdcba");
  assert_string_equal(e.text, "out of memory: 9223372036854775806 bytes could not be had");
}

static bool overflows(void *user, RtError *e) {
  (void)user, (void)e;
  rt_alloc(SIZE_MAX, 2);
  return true;
}

static bool keeps(void *user, RtError *e) {
  *(Note **)user = note((*(Note **)user)->trace, "k");
  return rt_fail(e, "as it says");
}

static void passed_on(void **state) {
  (void)state;
  Trace t = {0};
  RtError e;
  Note first = {.trace = &t}, *n = &first;
  assert_false(rt_call(NULL, keeps, &n, &e));
  assert_string_equal(e.text, "as it says");
  assert_string_equal(t.text, "");
  rt_free(n->name);
  n->name = "!";
  rt_end(n);                                       // outside of any call now
  assert_string_equal(t.text, "!");
  assert_false(rt_call(NULL, overflows, NULL, &e));
  assert_string_equal(e.text, "out of memory: a size is beyond what can be addressed");
}

static void keep_warning(void *user, const char *text) { strcpy(((Trace *)user)->warned, text); }
static bool wants_stop(void *user) { return ((Trace *)user)->stop; }

static bool asks(void *user, RtError *e) {
  Trace *t = user;
  rt_warn("number %d", 7);
  if (rt_stopped(e)) return false;
  t->stop = true;
  return !rt_stopped(e);
}

static void host(void **state) {
  (void)state;
  Trace t = {0};
  RtError e;
  RtHost h = {.warning = keep_warning, .stop = wants_stop, .user = &t};
  assert_false(rt_call(&h, asks, &t, &e));
  assert_int_equal(e.about, RT_ABOUT_STOP);
  assert_string_equal(t.warned, "number 7");
  assert_true(rt_call(NULL, asks, &t, &e));        // a host that is not there stops nothing
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(newest_first), cmocka_unit_test(passed_on), cmocka_unit_test(host)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
