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
#include "runtime/files/file.h"

// $XDG_CACHE_HOME/calm or ~/.cache/calm, made when missing; NULL when there is no place.
static char *cache_dir(void) {
  const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  char *base = xdg && *xdg == '/' ? rt_strdup(xdg) : home && *home ? file_join(home, ".cache") : NULL;
  if (!base) return NULL;
  char *dir = file_join(base, "calm");
  mkdir(base, 0777);
  mkdir(dir, 0777);
  rt_free(base);
  return dir;
}

static char *cache_path(const struct stat *st) {
  char name[160], *dir = cache_dir();
  if (!dir) return NULL;
  snprintf(name, sizeof name, "sha256-%llx-%llx-%llx-%llx.%09ld-%llx.%09ld", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
           (unsigned long long)st->st_size, (unsigned long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
           (unsigned long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
  char *path = file_join(dir, name);
  rt_free(dir);
  return path;
}

static bool cache_get(const char *path, char out[SHA256_HEX]) {
  FILE *f = path ? fopen(path, "r") : NULL;
  if (!f) return false;
  size_t n = fread(out, 1, SHA256_HEX, f);
  fclose(f);
  out[SHA256_HEX - 1] = 0;
  return n == SHA256_HEX - 1 && strspn(out, "0123456789abcdef") == SHA256_HEX - 1;
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

bool sha256_file(const char *path, char out[SHA256_HEX], RtError *e) {
  struct stat st;
  FileSum sum;
  char *cached = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? cache_path(&st) : NULL;
  bool ok = cache_get(cached, out);
  if (!ok && sha256_read(NULL, path, path, &sum, e)) {
    ok = true;
    memcpy(out, sum.sha256, SHA256_HEX);
    // A file changed a moment ago might change again within one tick of its clock, unseen: that one is not remembered.
    if (cached && time(NULL) - st.st_ctim.tv_sec > 2) file_save(cached, out, SHA256_HEX - 1, NULL);
  }
  rt_free(cached);
  return ok;
}
