// Hashes of files, and their cache. A hash is kept in a file named by what identifies the content: device, inode, size, and both times of
// change, so a stale entry is never found and no locking is needed.
#include "runtime/files/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/core/core.h"
#include "runtime/files/out.h"

static bool is_own(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

// $XDG_CACHE_HOME/calm or ~/.cache/calm, made when missing. What is remembered there is believed, so it has to be a directory that nobody but this
// user may write to. NULL when there is no such place.
static FileDir *cache_dir(void) {
  const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  char *base = xdg && *xdg == '/' ? rt_strdup(xdg) : home && *home ? file_join(home, ".cache") : NULL;
  if (!base) return NULL;
  char *dir = file_join(base, "calm");
  RtError ignored;
  mkdir(base, 0700);
  mkdir(dir, 0700);
  FileDir *d = file_dir_open(dir, &ignored);
  if (d && !is_own(d->fd)) rt_end(d), d = NULL;
  rt_free(base), rt_free(dir);
  return d;
}

static void cache_name(const struct stat *st, char name[160]) {
  snprintf(name, 160, "sha256-%llx-%llx-%llx-%llx.%09ld-%llx.%09ld", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
           (unsigned long long)st->st_size, (unsigned long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
           (unsigned long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

static bool cache_get(const FileDir *cache, const char *name, char out[SHA256_HEX]) {
  RtError ignored;
  FileIn *in = file_in_open_at(cache, name, name, &ignored);
  bool ok = in && in->size == SHA256_HEX - 1 && is_own(in->fd) && file_in_read(in, out, SHA256_HEX - 1, 0);
  rt_end(in);
  out[SHA256_HEX - 1] = 0;
  return ok && strspn(out, "0123456789abcdef") == SHA256_HEX - 1;
}

static void cache_put(const FileDir *cache, const char *name, const char hex[SHA256_HEX]) {
  FileOut *f = file_out_open_at(cache, name, name, NULL);
  if (f && file_out_write(f, hex, SHA256_HEX - 1, NULL)) file_out_commit(f, NULL);
}

// Read piece by piece: a mapping would count a whole model as resident, on top of what a training holds.
bool sha256_read(const FileDir *dir, const char *name, const char *path, FileSum *sum, RtError *e) {
  enum { PIECE = 1 << 18 };
  FileIn *in = file_in_open_at(dir, name, path, e);
  if (!in) return false;
  uint8_t *piece = rt_alloc(PIECE, 1);
  Sha256 s;
  ssize_t n = -1;
  sha256_init(&s);
  while ((n = read(in->fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR))
    if (n > 0) sha256_add(&s, piece, (size_t)n);
  int why = errno;
  rt_end(in);
  rt_free(piece);
  if (n < 0) return rt_fail(e, "cannot read %s: %s", path, strerror(why));
  sum->size = s.bytes;
  sha256_hex(&s, sum->sha256);
  return true;
}

bool sha256_sum(const char *path, FileSum *sum, RtError *e) {
  struct stat st;
  char name[160];
  FileDir *cache = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? cache_dir() : NULL;
  if (cache) cache_name(&st, name);
  bool ok = cache && cache_get(cache, name, sum->sha256);
  if (ok) sum->size = (uint64_t)st.st_size;
  if (!ok && (ok = sha256_read(NULL, path, path, sum, e))) {
    // A file changed a moment ago might change again within one tick of its clock, unseen: that one is not remembered.
    if (cache && time(NULL) - st.st_ctim.tv_sec > 2) cache_put(cache, name, sum->sha256);
  }
  rt_end(cache);
  return ok;
}

bool sha256_file(const char *path, char out[SHA256_HEX], RtError *e) {
  FileSum sum;
  bool ok = sha256_sum(path, &sum, e);
  if (ok) memcpy(out, sum.sha256, SHA256_HEX);
  return ok;
}
