// The folder of a build and its way to where the result belongs. See result.h.
#include "result.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/files/files.h"
#include "task.h"

static const char *shown(const Result *o) { return o->path ? o->path : "standard output"; }

static bool told(const char *what, const char *path) {
  fprintf(stderr, "error: %s %s: %s\n", what, path, file_why(errno));
  return false;
}

void standard_files(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) _exit(1);
}

// Beside the result, or, where that is a device or a pipe, with the temporary files. Of a random name and for nobody else (mkdtemp): whatever is
// made in it follows no stranger's link.
static bool make_folder(Result *o) {
  const char *tmp = getenv("TMPDIR"), *slash = strrchr(o->target, '/');
  if (!tmp || !*tmp) tmp = "/tmp";
  int n = o->in_place ? snprintf(o->folder, sizeof o->folder, "%s%s/calmc.XXXXXX", *tmp == '/' ? "" : "./", tmp)
                      : snprintf(o->folder, sizeof o->folder, "%s%.*s.calmc.XXXXXX", *o->target == '/' ? "" : "./",
                                 slash ? (int)(slash - o->target) + 1 : 0, o->target);
  if (n >= (int)sizeof o->folder) errno = ENAMETOOLONG;
  else if (mkdtemp(o->folder)) return true;
  told("cannot write", o->in_place ? o->folder : o->path);
  o->folder[0] = 0;
  return false;
}

bool result_begin(Result *o, const char *path, bool folder) {
  *o = (Result){.path = path && strcmp(path, "-") ? path : NULL, .fd = -1};
  errno = 0;
  if (o->path && (o->fd = file_open_in_place(o->path)) < 0 && (errno || !file_target(o->path, o->target))) return told("cannot write", o->path);
  o->in_place = !o->path || o->fd >= 0;
  return (o->in_place && !folder) || make_folder(o);
}

bool result_folder(Result *o) {
  *o = (Result){.in_place = true, .fd = -1};
  if (!make_folder(o)) return false;
  o->in_place = false;
  o->path = o->folder;
  return true;
}

bool result_name(const Result *o, const char *name, char out[PATH_MAX]) {
  if (snprintf(out, PATH_MAX, "%s/%s", o->folder, name) < PATH_MAX) return true;
  errno = ENAMETOOLONG;
  return told("cannot write", shown(o));
}

int result_open(const Result *o, const char *name) {
  char path[PATH_MAX];
  bool in_place = o->in_place && !name;
  if (in_place) return o->path ? o->fd : STDOUT_FILENO;
  if (!result_name(o, name ? name : RESULT_FILE, path)) return -1;
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) told("cannot write", shown(o));
  return fd;
}

int result_write(const Result *o, int fd, const void *data, size_t n) {
  for (const char *p = data; n > 0;) {
    ssize_t k = write(fd, p, n);
    if (k < 0 && errno == EINTR) continue;
    if (k < 0 && errno == EPIPE) return ENDED_BY + SIGPIPE;
    if (k < 0) return told(o->path ? "cannot write" : "cannot write to", shown(o)), 1;
    p += k;
    n -= (size_t)k;
  }
  return 0;
}

bool result_close(const Result *o, int fd) { return fd == STDOUT_FILENO || fd == o->fd || !close(fd) || told("cannot write", shown(o)); }

static int copy(const Result *o, const char *from) {
  char part[1 << 14];
  ssize_t n;
  int status = 1, in = open(from, O_RDONLY | O_CLOEXEC), out = in >= 0 ? result_open(o, NULL) : -1;
  if (in < 0) told("cannot read", from);
  if (out >= 0) {
    status = 0;
    while (!status && (n = read(in, part, sizeof part)) > 0) status = result_write(o, out, part, (size_t)n);
    if (!result_close(o, out) && !status) status = 1;
  }
  if (in >= 0) close(in);
  return status;
}

int result_commit(const Result *o) {
  char path[PATH_MAX];
  if (!o->folder[0]) return 0;
  if (!result_name(o, RESULT_FILE, path)) return 1;
  if (o->in_place) return copy(o, path);
  return rename(path, o->target) ? told("cannot rename to", o->path), 1 : 0;
}

void result_end(Result *o) {
  char path[PATH_MAX];
  DIR *d = o->folder[0] ? opendir(o->folder) : NULL;
  for (struct dirent *f; d && (f = readdir(d));)
    if (strcmp(f->d_name, ".") && strcmp(f->d_name, "..") && result_name(o, f->d_name, path)) unlink(path);
  if (d) closedir(d);
  if (o->folder[0] && rmdir(o->folder)) told("cannot remove", o->folder);
  o->folder[0] = 0;
  if (o->fd >= 0) close(o->fd);
  o->fd = -1;
}
