// See lock.h. The file says who holds it, for others to read; what counts is the lock alone.
#include "runtime/files/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/core/core.h"

enum { TEXT = 400 };
#define BEGINS "calm: process "

static void read_text(int fd, char text[TEXT]) {
  ssize_t n = pread(fd, text, TEXT - 1, 0);
  text[n > 0 ? n : 0] = 0;
}

static void own_host(char host[256]) {
  if (gethostname(host, 256) != 0) snprintf(host, 256, "?");
  host[255] = 0;
  for (char *c = host; *c; c++)
    if (*c == ' ' || *c == '\n') *c = '_';
}

static bool write_holder(int fd, const char *path, RtError *e) {
  char host[256], since[64], text[TEXT];
  time_t now = time(NULL);
  struct tm utc;
  own_host(host);
  strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&now, &utc));
  int n = snprintf(text, sizeof text, BEGINS "%ld on %s since %s\n", (long)getpid(), host, since);
  if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) return rt_fail(e, "cannot write %s: %s", path, strerror(errno));
  return true;
}

// Who wrote the file. False where that is nobody who lives on this machine: the holder has the lock, but has not written yet.
static bool read_holder(int fd, char who[TEXT]) {
  char text[TEXT], host[256], since[64], mine[256];
  long pid;
  snprintf(who, TEXT, "another process");
  read_text(fd, text);
  if (sscanf(text, BEGINS "%ld on %255s since %63[^\n]", &pid, host, since) != 3) return false;
  own_host(mine);
  bool here = !strcmp(host, mine);
  snprintf(who, TEXT, "process %ld%s%s, since %s", pid, here ? "" : " on ", here ? "" : host, since);
  return !here || kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

static bool fail_held(int fd, const char *what, RtError *e) {
  char who[TEXT];
  for (int tries = 0; !read_holder(fd, who) && tries < 50; tries++) nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
  return rt_fail(e, "%s: %s", what, who);
}

static int open_lock(const char *path, int flags, RtError *e) {
  int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
  if (fd < 0) {
    rt_fail(e, "cannot open %s: %s", path, errno == ELOOP ? "it is a symbolic link" : strerror(errno));
    return -1;
  }
  struct stat st;
  char text[TEXT];
  read_text(fd, text);
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_size == 0 || !strncmp(text, BEGINS, sizeof BEGINS - 1))) return fd;
  rt_fail(e, "%s: expected a lock of calm's or nothing, found something else; it is left as it is", path);
  close(fd);
  return -1;
}

typedef struct Held {
  char *path;
  int fd;
} Held;

// The holder removes the file when it ends: what was opened may be gone, or another may stand in its place.
static bool is_there(int fd, const char *path) {
  struct stat mine, there;
  return fstat(fd, &mine) == 0 && lstat(path, &there) == 0 && mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

static void held_end(void *object) {
  Held *h = object;
  if (h->fd >= 0) {
    if (is_there(h->fd, h->path)) unlink(h->path);
    close(h->fd);
  }
  rt_free(h->path);
}

// The descriptor of the file, locked; -1 and an error.
static int take(const char *path, const char *what, RtError *e) {
  for (;;) {
    int fd = open_lock(path, O_RDWR | O_CREAT, e);
    if (fd < 0) return -1;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int why = fcntl(fd, F_OFD_SETLK, &whole) == 0 ? 0 : errno;
    if (why == EAGAIN || why == EACCES) {
      fail_held(fd, what, e);
    } else if (is_there(fd, path)) {
      if (why) rt_warn("%s: this file system has no locks (%s), so nothing keeps another process from using the directory too", path, strerror(why));
      if (write_holder(fd, path, e)) return fd;
    } else {
      close(fd);
      continue;
    }
    close(fd);
    return -1;
  }
}

bool lock_take(Lock *l, const char *path, const char *what, RtError *e) {
  Held *h = rt_object(sizeof *h, held_end);
  *h = (Held){.fd = -1};
  h->path = rt_strdup(path);
  h->fd = take(path, what, e);
  *l = (Lock){h->fd < 0 ? NULL : h};
  if (!l->held) rt_end(h);
  return l->held;
}

bool lock_stands(const Lock *l) {
  const Held *h = l->held;
  return h && is_there(h->fd, h->path);
}

bool lock_is_held(const char *path, const char *what, RtError *e) {
  RtError ignored;
  int fd = open_lock(path, O_RDONLY, &ignored);
  if (fd < 0) return false;
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  bool held = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
  if (held) fail_held(fd, what, e);
  close(fd);
  return held;
}

void lock_release(Lock *l) {
  rt_end(l->held);
  *l = (Lock){0};
}
