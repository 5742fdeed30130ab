// The last step: an object file and the runtime library become one program, through the C compiler driver `cc` (run directly, no shell).
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static bool told(const char *what, const char *path) {
  fprintf(stderr, "calmc: error: %s %s: %s\n", what, path, strerror(errno));
  return false;
}

static bool write_all(int fd, const char *p, size_t n) {
  while (n > 0) {
    ssize_t k = write(fd, p, n);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return false;
    p += k;
    n -= (size_t)k;
  }
  return true;
}

// Writes path, which is a temporary name of `target`.
static bool write_plain(const char *path, const char *target, const void *data, size_t n) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return told("cannot write", target);
  bool ok = write_all(fd, data, n);
  if (!ok) told("cannot write", target);
  if (close(fd) && ok) ok = told("cannot write", target);
  return ok;
}

// A device or a pipe, which is written in place: to rename something over it would take it away from everybody.
static bool is_special(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

bool write_file(const char *path, const void *data, size_t n) {
  char temp[PATH_MAX];
  if (is_special(path)) return write_plain(path, path, data, n);
  snprintf(temp, sizeof temp, "%s.tmp.%ld", path, (long)getpid());
  bool ok = write_plain(temp, path, data, n);
  if (ok && rename(temp, path)) ok = told("cannot rename to", path);
  if (!ok) unlink(temp);
  return ok;
}

// Folder of the running calmc, then of an installation (bin/calmc, lib/calm).
static bool find_library(const char *file, const char *built_from, char out[PATH_MAX]) {
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

int run_command(char *const *argv) {
  int pipe_fd[2];
  if (pipe2(pipe_fd, O_CLOEXEC)) return told("cannot start", argv[0]), -1;
  pid_t child = fork();
  if (child == 0) {
    execvp(argv[0], argv);
    int why = errno;
    if (write(pipe_fd[1], &why, sizeof why) < 0) _exit(126);
    _exit(127);
  }
  close(pipe_fd[1]);
  int why = 0, status = 0;
  bool started = child > 0 && read(pipe_fd[0], &why, sizeof why) == 0;
  close(pipe_fd[0]);
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  if (!started) {
    fprintf(stderr, "calmc: error: cannot run '%s': %s\n", argv[0], strerror(why ? why : errno));
    return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool link_object(const char *object, const char *out) {
  char path[N_LIBRARIES][PATH_MAX];
  char *argv[N_LIBRARIES + 24];
  int n = 0;
  argv[n++] = (char *)"cc";
  argv[n++] = (char *)"-o";
  argv[n++] = (char *)out;
  argv[n++] = (char *)object;
  argv[n++] = (char *)"-Wl,--start-group";
  for (int i = 0; i < N_LIBRARIES; i++) {
    if (!find_library(libraries[i].file, libraries[i].built_from, path[i])) {
      fprintf(stderr,
              "calmc: error: the library %s that programs are linked with is missing: it stands beside calmc, or in "
              "../lib/calm\n",
              libraries[i].file);
      return false;
    }
    argv[n++] = path[i];
  }
  argv[n++] = (char *)"-Wl,--end-group";
  argv[n++] = (char *)"-Wl,--as-needed";
  argv[n++] = (char *)"-lm";
  argv[n++] = (char *)"-lpthread";
  argv[n++] = (char *)"-ldl";
  if (CALM_SANITIZE_FLAG[0]) argv[n++] = (char *)CALM_SANITIZE_FLAG;
  argv[n] = NULL;
  int status = run_command(argv);
  if (status > 0) fprintf(stderr, "calmc: error: '%s' could not link the program\n", argv[0]);
  return status == 0;
}

static bool copy_into(const char *from, const char *to) {
  int fd = open(from, O_RDONLY | O_CLOEXEC);
  struct stat st;
  void *p = fd >= 0 && fstat(fd, &st) == 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  bool ok = p != MAP_FAILED ? write_plain(to, to, p, (size_t)st.st_size) : told("cannot read", from);
  if (p != MAP_FAILED) munmap(p, (size_t)st.st_size);
  if (fd >= 0) close(fd);
  return ok;
}

bool link_program(const Buf *object, const char *out) {
  char away[PATH_MAX], obj[PATH_MAX + 40], temp[PATH_MAX + 40];
  bool special = is_special(out);
  const char *tmpdir = getenv("TMPDIR"), *near = special ? away : out;
  snprintf(away, sizeof away, "%s/calmc", tmpdir && *tmpdir ? tmpdir : "/tmp");
  snprintf(obj, sizeof obj, "%s.tmp.%ld.o", near, (long)getpid());
  snprintf(temp, sizeof temp, "%s.tmp.%ld", near, (long)getpid());
  bool ok = write_plain(obj, out, object->s, object->n) && link_object(obj, temp);
  if (ok && special) ok = copy_into(temp, out);
  if (ok && !special && rename(temp, out)) ok = told("cannot rename to", out);
  if (!ok || special) unlink(temp);
  unlink(obj);
  return ok;
}
