// See out.h.
#include "runtime/files/out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/core/core.h"

// ---- names

static const char TMP[] = ".tmp.";
enum { DIGITS = 16, TRIES = 100 };

// PATH.tmp.0123456789abcdef; of a long name only the beginning, as a directory may hold no longer one.
static bool random_name(const char *path, char out[PATH_MAX]) {
  enum { MOST = NAME_MAX - DIGITS - (int)sizeof TMP };
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
  unsigned long long random;
  for (ssize_t n = 0; n != sizeof random;)
    if ((n = getrandom(&random, sizeof random, 0)) < 0 && errno != EINTR) return false;
  int n = snprintf(out, PATH_MAX, "%.*s%.*s%s%016llx", (int)(base - path), path, MOST, base, TMP, random);
  if (n < PATH_MAX) return true;
  errno = ENAMETOOLONG;
  return false;
}

bool file_is_tmp(const char *name, const char *of) {
  size_t n = strlen(of);
  if (strncmp(name, of, n) || strncmp(name + n, TMP, sizeof TMP - 1)) return false;
  const char *digits = name + n + sizeof TMP - 1;
  return strlen(digits) == DIGITS && strspn(digits, "0123456789abcdef") == DIGITS;
}

// A new file beside path in a directory (AT_FDCWD: where path says). -1 with errno.
static int new_file(int dir, const char *path, char tmp[PATH_MAX]) {
  int fd = -1;
  errno = EEXIST;
  for (int i = 0; i < TRIES && fd < 0 && errno == EEXIST; i++)
    if (!random_name(path, tmp) || (fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666)) >= 0) break;
  return fd;
}

char *file_tmp_dir(const char *path, RtError *e) {
  char *tmp = rt_alloc(PATH_MAX, 1);               // before there is a directory that would be left if memory ended
  bool made = false;
  errno = EEXIST;
  for (int i = 0; i < TRIES && !made && errno == EEXIST; i++)
    if (!random_name(path, tmp) || (made = mkdir(tmp, 0777) == 0)) break;
  if (made) return tmp;
  rt_fail(e, "cannot write %s: %s", path, strerror(errno));
  rt_free(tmp);
  return NULL;
}

// ---- where it goes

bool file_target(const char *path, char out[PATH_MAX]) {
  char link[PATH_MAX], from[PATH_MAX];
  struct stat st;
  errno = ENAMETOOLONG;
  if (snprintf(out, PATH_MAX, "%s", path) >= PATH_MAX) return false;
  if (lstat(path, &st) != 0 || !S_ISLNK(st.st_mode) || realpath(path, out)) return true;
  if (errno != ENOENT) return false;
  memcpy(out, path, strlen(path) + 1);
  for (int i = 0; i < 40; i++) {                   // as many as the kernel follows
    ssize_t n = readlink(out, link, sizeof link - 1);
    if (n < 0) return errno == ENOENT || errno == EINVAL;
    link[n] = 0;
    const char *slash = *link == '/' ? NULL : strrchr(out, '/');
    if (snprintf(from, sizeof from, "%.*s", slash ? (int)(slash - out) + 1 : 0, out) < 0) return false;
    errno = ENAMETOOLONG;
    if (strlen(from) + strlen(link) >= PATH_MAX) return false;
    strcpy(stpcpy(out, from), link);
  }
  errno = ELOOP;
  return false;
}

static bool same_file(const struct stat *a, const struct stat *b) { return a->st_dev == b->st_dev && a->st_ino == b->st_ino; }

// Which of standard output and error a file is; -1: neither.
static int own_stream(const struct stat *st) {
  struct stat own;
  for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
    if (fstat(fd, &own) == 0 && same_file(&own, st)) return fd;
  return -1;
}

int file_open_in_place(const char *path) {
  struct stat st;
  errno = 0;
  if (stat(path, &st) != 0) return errno = errno == ENOENT ? 0 : errno, -1;
  bool opens = S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode);      // by its name too
  int own = opens ? -1 : own_stream(&st);
  if (own >= 0) return fcntl(own, F_DUPFD_CLOEXEC, 3);
  if (S_ISREG(st.st_mode)) return errno = 0, -1;
  if (S_ISDIR(st.st_mode)) return errno = EISDIR, -1;
  if (S_ISBLK(st.st_mode)) return errno = ENOTSUP, -1;
  int fd = -1;
  for (int i = 0; i < 200; i++) {
    fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 || errno != ENXIO || !S_ISFIFO(st.st_mode)) break;
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
  if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  return fd;
}

typedef struct Sought {
  struct stat st;
  bool found;
} Sought;

static void seek_file(void *user, int fd, const char *name) {
  Sought *s = user;
  struct stat st;
  s->found = s->found || (fstatat(fd, name, &st, 0) == 0 && same_file(&st, &s->st));
}

bool file_is_input(const char *out, const char *in) {
  Sought s = {0};
  struct stat st;
  if (stat(out, &s.st) != 0 || S_ISCHR(s.st.st_mode) || stat(in, &st) != 0) return false;
  if (S_ISDIR(st.st_mode)) file_each(in, seek_file, &s);
  return s.found || same_file(&st, &s.st);
}

static bool has_mark(const FileMap *m, const FileMark *k) {
  size_t n = strlen(k->says);
  return m->size >= k->at + n && !memcmp(m->data + k->at, k->says, n) && (!k->within || memmem(m->data, m->size, k->within, strlen(k->within)));
}

static bool is_of(const char *path, const FileMark *kind, int n, RtError *unread) {
  FileMap m;
  bool is = false;
  if (!file_map(&m, path, unread)) return false;
  for (int i = 0; i < n && !is; i++) is = has_mark(&m, &kind[i]);
  file_unmap(&m);
  return is;
}

bool file_is_of(const char *path, const FileMark *kind, int n) {
  RtError ignored;
  return is_of(path, kind, n, &ignored);
}

bool file_takes_place(const char *path, const char *what, const FileMark *kind, int n, RtError *e) {
  struct stat st;
  RtError unread = {.text = ""};
  if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || !st.st_size || own_stream(&st) >= 0 || is_of(path, kind, n, &unread)) return true;
  if (unread.text[0]) return rt_fail(e, "cannot write %s: a file is there, and whether it is a %s of calm's cannot be seen: %s", path, what, unread.text);
  return rt_fail(e, "cannot write %s: a file is there that is no %s of calm's, and it is left as it is; name another place, or remove it", path, what);
}

// The directory that path is, or the nearest above it that is there: held open, or -1.
static int open_nearest(const char *path) {
  char s[PATH_MAX];
  if (snprintf(s, sizeof s, "%s", path) >= (int)sizeof s) return -1;
  for (size_t n = strlen(s);; s[n] = 0) {
    int fd = open(n ? s : *path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 || !n) return fd;
    while (n && s[n - 1] == '/') n--;
    while (n && s[n - 1] != '/') n--;
  }
}

bool file_lies_in(const char *path, const char *in) {
  struct stat want, at, last = {0};
  if (stat(in, &want) != 0 || !S_ISDIR(want.st_mode)) return false;
  int fd = open_nearest(path);
  bool found = false;
  while (fd >= 0 && !found && fstat(fd, &at) == 0 && !same_file(&at, &last)) {      // the root is above itself
    found = same_file(&at, &want);
    last = at;
    int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    close(fd);
    fd = up;
  }
  if (fd >= 0) close(fd);
  return found;
}

const char *file_why(int why) {
  switch (why) {
    case ENXIO: return "nobody reads it, or it is a socket";
    case ENOTSUP: return "it is a block device";
    case EISDIR: return "it is a directory";
    default: return strerror(why);
  }
}

// ---- files

struct FileOut {
  int fd, dir;                 // dir: which tmp and to are names in, or AT_FDCWD
  char *path;                  // as errors call it
  char *tmp, *to;              // NULL where it is written in place
};

static void out_end(void *object) {
  FileOut *f = object;
  if (f->fd >= 0) close(f->fd);
  if (f->tmp) unlinkat(f->dir, f->tmp, 0);
  rt_free(f->path);
  rt_free(f->tmp);
  rt_free(f->to);
}

// Reports errno, removes the temporary file and frees f.
static bool out_fail(FileOut *f, RtError *e) {
  rt_fail(e, "cannot write %s: %s", f->path, file_why(errno));
  rt_end(f);
  return false;
}

FileOut *file_out_open(const char *path, RtError *e) { return file_out_open_at(NULL, path, path, e); }

FileOut *file_out_open_at(const FileDir *dir, const char *name, const char *path, RtError *e) {
  FileOut *f = rt_object(sizeof *f, out_end);
  char to[PATH_MAX], tmp[PATH_MAX];
  f->fd = -1;
  f->dir = dir ? dir->fd : AT_FDCWD;
  f->path = rt_strdup(path);
  f->to = rt_alloc(PATH_MAX, 1);                   // before there is a file that would be left if memory ended
  char *made = rt_alloc(PATH_MAX, 1);
  errno = 0;
  if (!dir) f->fd = file_open_in_place(name);
  if (f->fd < 0 && errno == 0 && (dir ? snprintf(to, sizeof to, "%s", name) < PATH_MAX : file_target(name, to))) {
    f->fd = new_file(f->dir, to, tmp);
    if (f->fd >= 0) strcpy(f->to, to), f->tmp = strcpy(made, tmp), made = NULL;
  }
  int why = errno;
  rt_free(made);
  errno = why;
  if (f->fd >= 0) return f;
  out_fail(f, e);
  return NULL;
}

bool file_out_write(FileOut *f, const void *data, size_t n, RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
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
static bool sync_dir(int at, const char *dir) {
  int fd = openat(at, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool ok = fd < 0 ? errno == EACCES : fsync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == EOPNOTSUPP;
  int why = errno;
  if (fd >= 0) close(fd);
  errno = why;
  return ok;
}

static bool sync_dir_of(int at, const char *path) {
  char dir[PATH_MAX];
  const char *slash = strrchr(path, '/');
  int n = slash ? (int)(slash - path) + 1 : 0;
  errno = ENAMETOOLONG;
  return snprintf(dir, sizeof dir, "%.*s", n ? n : 1, n ? path : ".") < PATH_MAX && sync_dir(at, dir);
}

bool file_sync_dir_of(const char *path) { return sync_dir_of(AT_FDCWD, path); }

bool file_out_commit(FileOut *f, RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  if (fsync(f->fd) != 0 && errno != EINVAL && errno != EROFS) return out_fail(f, e);
  int fd = f->fd;
  f->fd = -1;
  if (close(fd) != 0) return out_fail(f, e);
  if (f->tmp) {
    if (renameat(f->dir, f->tmp, f->dir, f->to) != 0) return out_fail(f, e);
    rt_free(f->tmp);
    f->tmp = NULL;
    if (!sync_dir_of(f->dir, f->to)) return out_fail(f, e);
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
