// The last step: an object file and the runtime library become one program, through the C compiler driver `cc` (run directly, no shell).
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver.h"
#include "dsl/base/alloc.h"

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

// Folder of the running calmc (a build's), then lib/calm of an installation (bin/calmc).
static const char *const PLACE[] = {"", "../lib/calm/"};
enum { N_PLACES = sizeof PLACE / sizeof *PLACE };

bool find_library(const char *file, const char *built_from, char out[PATH_MAX]) {
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  self[n > 0 ? n : 0] = 0;
  char *slash = strrchr(self, '/');
  if (!slash) {
    fputs("error: cannot read /proc/self/exe, which says where calmc and its libraries are\n", stderr);
    return false;
  }
  slash[1] = 0;
  for (int i = 0; i < N_PLACES; i++)
    if (snprintf(out, PATH_MAX, "%s%s%s", self, PLACE[i], file) < PATH_MAX && !access(out, R_OK)) return true;
  if (built_from && snprintf(out, PATH_MAX, "%s", built_from) < PATH_MAX && !access(out, R_OK)) return true;
  fprintf(stderr, "error: %s, which calmc needs, is neither in %s nor in %s%s", file, self, self, PLACE[1]);
  if (built_from) fprintf(stderr, ", nor is there %s", built_from);
  fputs("; build calm again, or install it with `cmake --install BUILD --prefix DIR`\n", stderr);
  return false;
}

// Whether execvp would find the program.
static bool in_path(const char *program) {
  const char *p = getenv("PATH");
  if (!p) p = "/bin:/usr/bin";
  for (;; p++) {
    size_t n = strcspn(p, ":");
    char file[PATH_MAX];
    struct stat st;
    if (snprintf(file, sizeof file, "%.*s/%s", n ? (int)n : 1, n ? p : ".", program) < PATH_MAX && !access(file, X_OK) &&
        stat(file, &st) == 0 && S_ISREG(st.st_mode))
      return true;
    p += n;
    if (!*p) return false;
  }
}

bool link_possible(void) {
  char path[PATH_MAX];
  for (int i = 0; i < N_LIBRARIES; i++)
    if (!find_library(libraries[i].file, libraries[i].built_from, path)) return false;
  if (in_path("cc")) return true;
  fputs("error: there is no C compiler `cc`, which links programs: install one (on Debian: apt-get install gcc libc6-dev)\n", stderr);
  return false;
}

// argv: room for the objects `from` and 24 words and the libraries more.
static int run_linker(const Result *o, char (*from)[PATH_MAX], int nobject, char *to, char **argv, const Signals *s) {
  char path[N_LIBRARIES][PATH_MAX];
  int n = 0;
  argv[n++] = (char *)"cc";
  argv[n++] = (char *)"-o";
  argv[n++] = to;
  for (int i = 0; i < nobject; i++) argv[n++] = from[i];
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
  argv[n++] = CALM_SANITIZE_FLAG[0] ? (char *)CALM_SANITIZE_FLAG : (char *)"-Wl,--strip-debug";   // the runtime's: a third of a program
  argv[n] = NULL;
  Task t = {.name = "the linker (cc)", .argv = argv, .tmpdir = o->folder};
  Ended e;
  task_run(&t, s, &e);
  if (e.status > 0 && e.status < ENDED_BY && (strstr(e.said, "cannot find Scrt1.o") || strstr(e.said, "cannot find crt1.o"))) {
    fputs("error: cc finds no C library to link with: install its development files (on Debian: apt-get install libc6-dev)\n", stderr);
    return 1;
  }
  if (e.status) return task_failed(&t, &e);
  fputs(e.said, stderr);                           // its warnings
  return 0;
}

int link_program(const Result *o, const char *const *object, int nobject, const char *program, const Signals *s) {
  char to[PATH_MAX];
  char (*from)[PATH_MAX] = need_alloc((size_t)nobject, sizeof *from), **argv = need_alloc((size_t)nobject + N_LIBRARIES + 24, sizeof *argv);
  bool named = result_name(o, program, to);
  for (int i = 0; i < nobject && named; i++) named = result_name(o, object[i], from[i]);
  int status = named ? run_linker(o, from, nobject, to, argv, s) : 1;
  free(from), free(argv);
  return status;
}
