// Files for the readers: opened without waiting, refused where they are none, mapped read-only.
#include "runtime/files/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"

bool file_is_regular(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool file_is_there(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool file_is_dir(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *file_join(const char *dir, const char *name) {
  size_t a = strlen(dir), b = strlen(name);
  bool slash = a && dir[a - 1] != '/';
  char *s = rt_alloc(a + b + 2, 1);
  memcpy(s, dir, a);
  if (slash) s[a++] = '/';
  memcpy(s + a, name, b);
  return s;
}

char *file_absolute(const char *path) {
  char here[PATH_MAX];
  while (path[0] == '.' && path[1] == '/' && path[2] != '/') path += 2;
  return *path == '/' || !getcwd(here, sizeof here) ? rt_strdup(path) : file_join(here, path);
}

char *file_dirname(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return rt_strdup(".");
  return slash == path ? rt_strdup("/") : rt_strndup(path, (size_t)(slash - path));
}

// A directory that cannot be had: something else has the name, or why.
static bool no_dir(const char *path, int why, const char *to, RtError *e) {
  struct stat st;
  if (stat(path, &st) != 0 || S_ISDIR(st.st_mode)) return rt_fail(e, "cannot %s %s: %s", to, path, strerror(why));
  const char *found = regular_found(st.st_mode);
  return rt_fail(e, "%s: expected a directory, found %s", path, found ? found : "a file");
}

bool file_make_dirs(const char *path, RtError *e) {
  char *s = rt_strdup(path);
  bool ok = true;
  for (char *c = s + (*s != 0); ok; c++) {
    if (*c && *c != '/') continue;
    char end = *c;
    *c = 0;
    if (mkdir(s, 0777) != 0 && (errno != EEXIST || !file_is_dir(s))) ok = no_dir(s, errno, "make directory", e);
    *c = end;
    if (!end) break;
  }
  rt_free(s);
  return ok;
}

bool file_each(const char *dir, void (*each)(void *user, int fd, const char *name), void *user) { return file_each_at(AT_FDCWD, dir, each, user); }

bool file_each_at(int at_dir, const char *dir, void (*each)(void *user, int fd, const char *name), void *user) {
  _Alignas(struct dirent64) char room[4096];
  int fd = openat(at_dir, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ssize_t n = -1;
  while (fd >= 0 && (n = getdents64(fd, room, sizeof room)) > 0)
    for (ssize_t at = 0; at < n;) {
      const struct dirent64 *x = (const struct dirent64 *)(room + at);
      at += x->d_reclen;
      if (strcmp(x->d_name, ".") && strcmp(x->d_name, "..")) each(user, fd, x->d_name);
    }
  int why = errno;
  if (fd >= 0) close(fd);
  errno = why;
  return n == 0;
}

static void in_end(void *object) {
  FileIn *in = object;
  if (in->fd >= 0) close(in->fd);
}

static void dir_end(void *object) {
  FileDir *d = object;
  if (d->fd >= 0) close(d->fd);
}

FileDir *file_dir_open(const char *path, RtError *e) {
  FileDir *d = rt_object(sizeof *d, dir_end);
  d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (d->fd >= 0) return d;
  no_dir(path, errno, "read", e);
  rt_end(d);
  return NULL;
}

bool file_dir_replaced(const FileDir *d, const char *path) {
  struct stat held, there;
  return fstat(d->fd, &held) == 0 && stat(path, &there) == 0 && (held.st_dev != there.st_dev || held.st_ino != there.st_ino);
}

static FileStamp stamp_of(const struct stat *st) {
  return (FileStamp){.device = st->st_dev, .inode = st->st_ino, .size = (uint64_t)st->st_size, .seconds = st->st_mtim.tv_sec,
                     .nanoseconds = st->st_mtim.tv_nsec};
}

bool file_unchanged(const char *path, const FileStamp *of, RtError *e) {
  struct stat st;
  if (stat(path, &st) != 0) return true;
  FileStamp now = stamp_of(&st);
  if (now.device != of->device || now.inode != of->inode) return true;
  if (now.size < of->size) return rt_fail(e, "%s: it became shorter while it was in use", path);
  return (now.size == of->size && now.seconds == of->seconds && now.nanoseconds == of->nanoseconds) ||
         rt_fail(e, "%s: it was written to while it was in use", path);
}

FileIn *file_in_of(int fd) {
  FileIn *in = rt_object(sizeof *in, in_end);
  in->fd = fd;
  return in;
}

bool file_in_look(FileIn *in) {
  struct stat st;
  if (fstat(in->fd, &st) != 0) return false;
  in->size = (size_t)st.st_size;
  in->stamp = stamp_of(&st);
  return true;
}

FileIn *file_in_again(const char *path, const FileStamp *of) {
  RtError ignored;
  FileIn *in = file_in_open(path, &ignored);
  const FileStamp *is = in ? &in->stamp : NULL;
  if (!in || (is->device == of->device && is->inode == of->inode && is->size == of->size && is->seconds == of->seconds && is->nanoseconds == of->nanoseconds)) return in;
  rt_end(in);
  return NULL;
}

FileIn *file_in_open(const char *path, RtError *e) { return file_in_open_at(NULL, path, path, e); }

FileIn *file_in_open_at(const FileDir *dir, const char *name, const char *path, RtError *e) {
  FileIn *in = rt_object(sizeof *in, in_end);
  struct stat st;
  const char *found;
  in->fd = regular_open(dir ? dir->fd : AT_FDCWD, name, &st, &found);
  if (in->fd >= 0) {
    in->size = (size_t)st.st_size;
    in->stamp = stamp_of(&st);
    return in;
  }
  if (found) rt_fail(e, "cannot read %s: it is %s, not a regular file", path, found);
  else rt_fail(e, "cannot read %s: %s", path, strerror(errno));
  rt_end(in);
  return NULL;
}

bool file_in_stands(const FileIn *in) {
  struct stat st;
  if (fstat(in->fd, &st) != 0) return false;
  FileStamp now = stamp_of(&st);
  return now.size == in->stamp.size && now.seconds == in->stamp.seconds && now.nanoseconds == in->stamp.nanoseconds;
}

bool file_read_at(int fd, void *out, size_t n, size_t at) {
  errno = 0;
  for (size_t done = 0; done < n;) {
    ssize_t k = pread(fd, (char *)out + done, n - done, (off_t)(at + done));
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return false;
    done += (size_t)k;
  }
  return true;
}

bool file_in_read(const FileIn *in, void *out, size_t n, size_t at) { return file_read_at(in->fd, out, n, at); }

typedef struct Mapped {
  void *data;
  size_t size;
} Mapped;

static void mapped_end(void *object) {
  Mapped *m = object;
  if (m->size) munmap(m->data, m->size);
}

static bool map(FileMap *m, const FileIn *in, int how, const char *path, RtError *e) {
  *m = (FileMap){0};
  if (in->size == 0) return true;
  Mapped *held = rt_object(sizeof *held, mapped_end);
  void *p = mmap(NULL, in->size, PROT_READ, how, in->fd, 0);
  if (p == MAP_FAILED) {
    if (errno == ENOMEM) rt_fail(e, "out of memory: %s (%.1f MB) could not be mapped", path, (double)in->size / 1e6);
    else rt_fail(e, "cannot map %s: %s", path, strerror(errno));
    rt_end(held);
    return false;
  }
  *held = (Mapped){p, in->size};
  *m = (FileMap){p, in->size, held};
  return true;
}

bool file_in_map(FileMap *m, const FileIn *in, const char *path, RtError *e) { return map(m, in, MAP_PRIVATE, path, e); }
bool file_in_share(FileMap *m, const FileIn *in, const char *path, RtError *e) { return map(m, in, MAP_SHARED, path, e); }

bool file_map(FileMap *m, const char *path, RtError *e) {
  *m = (FileMap){0};
  FileIn *in = file_in_open(path, e);
  bool ok = in && file_in_map(m, in, path, e);
  rt_end(in);
  return ok;
}

void file_unmap(FileMap *m) {
  rt_end(m->held);
  *m = (FileMap){0};
}
