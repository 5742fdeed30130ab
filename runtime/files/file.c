// Files for the readers: read-only maps and atomic replacement (temporary name in the same directory, fsync, rename).
#include "runtime/files/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/core/core.h"

bool file_is_regular(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode);
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

char *file_dirname(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return rt_strdup(".");
  return slash == path ? rt_strdup("/") : rt_strndup(path, (size_t)(slash - path));
}

bool file_make_dirs(const char *path, RtError *e) {
  char *s = rt_strdup(path);
  bool ok = true;
  for (char *c = s + 1; ok; c++) {
    if (*c && *c != '/') continue;
    char end = *c;
    *c = 0;
    if (mkdir(s, 0777) != 0 && errno != EEXIST) ok = rt_fail(e, "cannot make directory %s: %s", s, strerror(errno));
    *c = end;
    if (!end) break;
  }
  rt_free(s);
  return ok;
}

bool file_each(const char *dir, void (*each)(void *user, int fd, const char *name), void *user) {
  _Alignas(struct dirent64) char room[4096];
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
  rt_fail(e, "cannot read %s: %s", path, strerror(errno));
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

bool file_rewritten(const char *path, const FileStamp *of) {
  struct stat st;
  if (stat(path, &st) != 0) return false;
  FileStamp now = stamp_of(&st);
  return now.device == of->device && now.inode == of->inode &&
         (now.size != of->size || now.seconds != of->seconds || now.nanoseconds != of->nanoseconds);
}

FileIn *file_in_open(const char *path, RtError *e) { return file_in_open_at(NULL, path, path, e); }

FileIn *file_in_open_at(const FileDir *dir, const char *name, const char *path, RtError *e) {
  FileIn *in = rt_object(sizeof *in, in_end);
  in->fd = openat(dir ? dir->fd : AT_FDCWD, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);      // a pipe is refused, not waited for
  struct stat st;
  bool regular = true;
  if (in->fd >= 0 && fstat(in->fd, &st) == 0 && (regular = S_ISREG(st.st_mode))) {
    in->size = (size_t)st.st_size;
    in->stamp = stamp_of(&st);
    return in;
  }
  if (!regular) rt_fail(e, "cannot read %s: it is not a regular file", path);
  else rt_fail(e, "cannot read %s: %s", path, strerror(errno));
  rt_end(in);
  return NULL;
}

bool file_in_read(const FileIn *in, void *out, size_t n, size_t at) {
  errno = 0;
  for (size_t done = 0; done < n;) {
    ssize_t k = pread(in->fd, (char *)out + done, n - done, (off_t)(at + done));
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return false;
    done += (size_t)k;
  }
  return true;
}

typedef struct Mapped {
  void *data;
  size_t size;
} Mapped;

static void mapped_end(void *object) {
  Mapped *m = object;
  if (m->size) munmap(m->data, m->size);
}

bool file_in_map(FileMap *m, const FileIn *in, const char *path, RtError *e) {
  *m = (FileMap){0};
  if (in->size == 0) return true;
  Mapped *held = rt_object(sizeof *held, mapped_end);
  void *p = mmap(NULL, in->size, PROT_READ, MAP_PRIVATE, in->fd, 0);
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

struct FileOut {
  int fd;
  char *path, *tmp;            // tmp: NULL where path is a device or a pipe, which is written in place
};

static void out_end(void *object) {
  FileOut *f = object;
  if (f->fd >= 0) close(f->fd);
  if (f->tmp) unlink(f->tmp);
  rt_free(f->path);
  rt_free(f->tmp);
}

// Reports errno, removes the temporary file and frees f.
static bool out_fail(FileOut *f, RtError *e) {
  rt_fail(e, "cannot write %s: %s", f->path, strerror(errno));
  rt_end(f);
  return false;
}

FileOut *file_out_open(const char *path, RtError *e) {
  FileOut *f = rt_object(sizeof *f, out_end);
  f->fd = -1;
  f->path = rt_strdup(path);
  struct stat st;
  bool special = stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
  char *tmp = special ? NULL : rt_format("%s.tmp.%ld", path, (long)getpid());
  f->fd = open(special ? path : tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (f->fd >= 0) return f->tmp = tmp, f;
  int why = errno;
  rt_free(tmp);
  errno = why;
  out_fail(f, e);
  return NULL;
}

bool file_out_write(FileOut *f, const void *data, size_t n, RtError *e) {
  const uint8_t *p = data;
  while (n > 0) {
    ssize_t k = write(f->fd, p, n < (1u << 30) ? n : (1u << 30));
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) return out_fail(f, e);
    p += k;
    n -= (size_t)k;
  }
  return true;
}

// The rename itself lasts only once the directory is on disk. A directory that cannot be opened by its user, or synced at all, is not an error.
bool file_sync_dir_of(const char *path) {
  char *dir = file_dirname(path);
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool ok = fd < 0 ? errno == EACCES : fsync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == EOPNOTSUPP;
  int why = errno;
  if (fd >= 0) close(fd);
  rt_free(dir);
  errno = why;
  return ok;
}

bool file_out_commit(FileOut *f, RtError *e) {
  if (fsync(f->fd) != 0 && errno != EINVAL && errno != EROFS) return out_fail(f, e);
  int fd = f->fd;
  f->fd = -1;
  if (close(fd) != 0) return out_fail(f, e);
  if (f->tmp) {
    if (rename(f->tmp, f->path) != 0) return out_fail(f, e);
    rt_free(f->tmp);
    f->tmp = NULL;
    if (!file_sync_dir_of(f->path)) return out_fail(f, e);
  }
  rt_end(f);
  return true;
}

void file_out_abandon(FileOut *f) { rt_end(f); }

bool file_save(const char *path, const void *data, size_t n, RtError *e) {
  FileOut *f = file_out_open(path, e);
  return f && file_out_write(f, data, n, e) && file_out_commit(f, e);
}

bool file_flush(FILE *f, const char *name, RtError *e) {
  errno = 0;
  if (fflush(f) == 0 && !ferror(f)) return true;
  int why = errno;                                 // 0: it was an earlier write
  struct pollfd out = {.fd = fileno(f), .events = POLLOUT};
  if (why == EPIPE || (poll(&out, 1, 0) == 1 && out.revents & POLLERR))
    return rt_fail_about(e, RT_ABOUT_READER, "nobody reads %s any more", name);
  return rt_fail(e, "cannot write %s: %s", name, why == EBADF ? "it is closed" : why ? strerror(why) : "a part is lost");
}
