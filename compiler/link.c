// The last step: an object file and the runtime library become one program, through the C compiler driver `cc` (run directly, no shell).
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

// Where the static libraries were found when calm was configured; an installed calmc has copies beside the runtime library.
static const struct { const char *file, *built_from; } libraries[] = {
    {"libcalm_app.a", NULL},
    {"libcalm_rt.a", NULL},
    {"libcalm_mmlib.a", NULL},
    {"libjansson.a", CALM_JANSSON_LIB},
    {"libpcre2-8.a", CALM_PCRE2_LIB},
    {"libutf8proc.a", CALM_UTF8PROC_LIB},
};
enum { N_LIBRARIES = sizeof libraries / sizeof *libraries };

// Folder of the running calmc, then of an installation (bin/calmc, lib/calm).
static bool there_is(const char *file, const char *built_from, char out[PATH_MAX]) {
  static const char *const place[] = {"", "../lib/calm/"};
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0) return false;
  self[n] = 0;
  char *slash = strrchr(self, '/');
  slash[1] = 0;
  for (size_t i = 0; i < sizeof place / sizeof *place; i++)
    if (snprintf(out, PATH_MAX, "%s%s%s", self, place[i], file) < PATH_MAX && !access(out, R_OK)) return true;
  return built_from && snprintf(out, PATH_MAX, "%s", built_from) < PATH_MAX && !access(out, R_OK);
}

bool find_library(const char *file, const char *built_from, char out[PATH_MAX]) {
  if (there_is(file, built_from, out)) return true;
  fprintf(stderr, "calmc: error: the library %s that calm needs is missing: it stands beside calmc, or in ../lib/calm\n", file);
  return false;
}

int link_program(const Result *o, const char *object, const char *program, const Signals *s) {
  char path[N_LIBRARIES][PATH_MAX], from[PATH_MAX], to[PATH_MAX];
  char *argv[N_LIBRARIES + 24];
  int n = 0;
  if (!result_name(o, object, from) || !result_name(o, program, to)) return 1;
  argv[n++] = (char *)"cc";
  argv[n++] = (char *)"-o";
  argv[n++] = to;
  argv[n++] = from;
  argv[n++] = (char *)"-Wl,--start-group";
  for (int i = 0; i < N_LIBRARIES; i++) {
    if (!find_library(libraries[i].file, libraries[i].built_from, path[i])) return 1;
    argv[n++] = path[i];
  }
  argv[n++] = (char *)"-Wl,--end-group";
  argv[n++] = (char *)"-Wl,--as-needed";
  argv[n++] = (char *)"-lm";
  argv[n++] = (char *)"-lpthread";
  argv[n++] = (char *)"-ldl";
  if (CALM_SANITIZE_FLAG[0]) argv[n++] = (char *)CALM_SANITIZE_FLAG;
  argv[n] = NULL;
  Task t = {.name = "the linker (cc)", .argv = argv, .tmpdir = o->folder};
  Ended e;
  task_run(&t, s, &e);
  if (e.status) return task_failed(&t, &e);
  fputs(e.said, stderr);                           // its warnings
  return 0;
}
