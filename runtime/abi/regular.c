// See regular.h.
#include "runtime/abi/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

const char *regular_found(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return NULL;
    case S_IFDIR: return "a directory";
    case S_IFIFO: return "a pipe";
    case S_IFSOCK: return "a socket";
    default: return "a device";
  }
}

int regular_open(int dir, const char *name, struct stat *st, const char **found) {
  int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  bool known = fd >= 0 && fstat(fd, st) == 0;
  int why = errno;
  *found = known ? regular_found(st->st_mode) : fd < 0 && why == ENXIO ? "a socket, or a device that is not there" : NULL;
  if (known && !*found) return fd;
  if (fd >= 0) close(fd);
  errno = why;
  return -1;
}
