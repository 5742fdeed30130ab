// See piped.h. Read without blocking, so that a pipe without a writer and a user who asks to stop are noticed.
#include "runtime/files/piped.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/core/core.h"

static bool is_stdin(const char *path) { return !strcmp(path, "-"); }
const char *file_said(const char *path) { return is_stdin(path) ? "standard input" : path; }

// A file without a name, for what is read. -1 with errno.
static int nameless(void) {
  const char *dir = getenv("TMPDIR");
  if (!dir || !*dir) dir = "/tmp";
  int fd = open(dir, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  char *name = rt_format("%s/calm.XXXXXX", dir);
  fd = mkostemp(name, O_CLOEXEC);
  int why = errno;
  if (fd >= 0) unlink(name);
  rt_free(name);
  errno = why;
  return fd;
}

static bool write_all(int fd, const char *s, size_t n) {
  while (n > 0) {
    ssize_t k = write(fd, s, n);
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) return false;
    s += k, n -= (size_t)k;
  }
  return true;
}

// Everything of `from` into `to`. opened: it is a pipe by name, which may have no writer.
static bool take_all(int from, int to, bool opened, const char *said, RtError *e) {
  enum { PIECE = 1 << 18, TICK = 100, PATIENCE = 2000 };
  char *piece = rt_alloc(PIECE, 1);
  bool begun = !opened, ok = true;
  for (int waited = 0; ok;) {
    if (!(ok = !rt_stopped(e))) break;
    struct pollfd p = {.fd = from, .events = POLLIN};
    int there = poll(&p, 1, TICK);
    if (there < 0 && errno != EINTR) ok = rt_fail(e, "cannot read %s: %s", said, strerror(errno));
    if (there < 0 || (there == 0 && begun)) continue;
    if (there == 0) {                              // no writer, or one that has written nothing yet
      ssize_t k = read(from, piece, 1);
      if (k == 1) ok = write_all(to, piece, 1) || rt_fail(e, "cannot keep what %s says: %s", said, strerror(errno));
      begun = k == 1 || (k < 0 && errno == EAGAIN);
      if (!begun && (waited += TICK) >= PATIENCE) ok = rt_fail(e, "cannot read %s: it is a pipe that nobody writes to", said);
      continue;
    }
    ssize_t k = read(from, piece, PIECE);
    if (k == 0) break;
    if (k < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    begun = true;
    if (k < 0) ok = rt_fail(e, "cannot read %s: %s", said, strerror(errno));
    else if (!write_all(to, piece, (size_t)k)) ok = rt_fail(e, "cannot keep what %s says: %s (TMPDIR names another place)", said, strerror(errno));
  }
  rt_free(piece);
  return ok;
}

FileIn *file_in_piped(const char *path, RtError *e) {
  struct stat st;
  const char *said = file_said(path);
  bool is_in = is_stdin(path);
  if (is_in ? fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode) && lseek(STDIN_FILENO, 0, SEEK_CUR) == 0 : stat(path, &st) != 0 || !S_ISFIFO(st.st_mode))
    return file_in_open(is_in ? "/dev/stdin" : path, e);
  if (is_in && fstat(STDIN_FILENO, &st) == 0 && S_ISDIR(st.st_mode)) return rt_fail(e, "cannot read %s: it is closed, or a directory", said), NULL;
  int from = is_in ? STDIN_FILENO : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (from < 0) return rt_fail(e, "cannot read %s: %s", said, strerror(errno)), NULL;
  FileIn *in = file_in_of(nameless());
  bool ok = in->fd >= 0 || rt_fail(e, "cannot keep what %s says: %s (TMPDIR names another place)", said, strerror(errno));
  ok = ok && take_all(from, in->fd, !is_in, said, e) && (file_in_look(in) || rt_fail(e, "cannot read %s: %s", said, strerror(errno)));
  if (!is_in) close(from);
  if (ok) return in;
  rt_end(in);
  return NULL;
}
