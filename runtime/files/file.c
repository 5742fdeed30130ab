// Files for the readers: read-only maps and atomic replacement (temporary name in the same directory, fsync, rename).
#include "runtime/files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/core/alloc.h"

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

bool file_map(FileMap *m, const char *path, RtError *e) {
  *m = (FileMap){0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return rt_fail(e, "cannot read %s: %s", path, strerror(errno));
  struct stat st;
  if (fstat(fd, &st) != 0) {
    rt_fail(e, "cannot read %s: %s", path, strerror(errno));
    close(fd);
    return false;
  }
  if (!S_ISREG(st.st_mode)) {
    close(fd);
    return rt_fail(e, "cannot read %s: it is not a regular file", path);
  }
  if (st.st_size > 0) {
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
      rt_fail(e, "cannot map %s: %s", path, strerror(errno));
      close(fd);
      return false;
    }
    m->data = p;
    m->size = (size_t)st.st_size;
  }
  close(fd);
  return true;
}

void file_unmap(FileMap *m) {
  if (m->data) munmap((void *)(uintptr_t)m->data, m->size);
  *m = (FileMap){0};
}

struct FileOut {
  int fd;
  char *path, *tmp;            // tmp: NULL where path is a device or a pipe, which is written in place
};

static void out_free(FileOut *f) {
  rt_free(f->path);
  rt_free(f->tmp);
  rt_free(f);
}

// Reports errno, removes the temporary file and frees f.
static bool out_fail(FileOut *f, RtError *e) {
  rt_fail(e, "cannot write %s: %s", f->path, strerror(errno));
  file_out_abandon(f);
  return false;
}

FileOut *file_out_open(const char *path, RtError *e) {
  FileOut *f = rt_alloc(1, sizeof *f);
  f->path = rt_strdup(path);
  struct stat st;
  bool special = stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
  if (!special) f->tmp = rt_format("%s.tmp.%ld", path, (long)getpid());
  f->fd = open(special ? path : f->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (f->fd < 0) {
    rt_fail(e, "cannot write %s: %s", path, strerror(errno));
    out_free(f);
    return NULL;
  }
  return f;
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

// The rename itself lasts only once the directory is on disk. A file system that cannot sync a directory is not an error.
static void sync_dir_of(const char *path) {
  char *dir = file_dirname(path);
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
  rt_free(dir);
}

bool file_out_commit(FileOut *f, RtError *e) {
  if (fsync(f->fd) != 0 && errno != EINVAL && errno != EROFS) return out_fail(f, e);
  int fd = f->fd;
  f->fd = -1;
  if (close(fd) != 0) return out_fail(f, e);
  if (f->tmp && rename(f->tmp, f->path) != 0) return out_fail(f, e);
  if (f->tmp) sync_dir_of(f->path);
  out_free(f);
  return true;
}

void file_out_abandon(FileOut *f) {
  if (f->fd >= 0) close(f->fd);
  if (f->tmp) unlink(f->tmp);
  out_free(f);
}

bool file_save(const char *path, const void *data, size_t n, RtError *e) {
  FileOut *f = file_out_open(path, e);
  return f && file_out_write(f, data, n, e) && file_out_commit(f, e);
}
