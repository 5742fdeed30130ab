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
#include "runtime/files/cache.h"
#include "runtime/files/out.h"

static void sum_name(const struct stat *st, char name[160]) {
  snprintf(name, 160, "sha256-%llx-%llx-%llx-%llx.%09ld-%llx.%09ld", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
           (unsigned long long)st->st_size, (unsigned long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
           (unsigned long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

static bool recall(const FileDir *cache, const char *name, char out[SHA256_HEX]) {
  FileIn *in = cache_find(cache, name);
  bool ok = in && in->size == SHA256_HEX - 1 && file_in_read(in, out, SHA256_HEX - 1, 0);
  rt_end(in);
  out[SHA256_HEX - 1] = 0;
  return ok && strspn(out, "0123456789abcdef") == SHA256_HEX - 1;
}

// A file changed a moment ago might change again within one tick of its clock, unseen: that one is not remembered.
static void keep(const FileDir *cache, const struct stat *st, const char *name, const char hex[SHA256_HEX]) {
  if (time(NULL) - st->st_ctim.tv_sec <= 2) return;
  FileOut *f = file_out_open_at(cache, name, name, NULL);
  if (f && file_out_write(f, hex, SHA256_HEX - 1, NULL)) file_out_commit(f, NULL);
}

bool sha256_known(const FileDir *cache, const FileIn *in, FileSum *sum) {
  struct stat st;
  char name[160];
  if (fstat(in->fd, &st) != 0) return false;
  sum_name(&st, name);
  sum->size = (uint64_t)st.st_size;
  return recall(cache, name, sum->sha256);
}

void sha256_keep(const FileDir *cache, const FileIn *in, const FileSum *sum) {
  struct stat st;
  char name[160];
  if (fstat(in->fd, &st) != 0) return;
  sum_name(&st, name);
  keep(cache, &st, name, sum->sha256);
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
  FileDir *cache = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? cache_open() : NULL;
  if (cache) sum_name(&st, name);
  bool ok = cache && recall(cache, name, sum->sha256);
  if (ok) sum->size = (uint64_t)st.st_size;
  if (!ok && (ok = sha256_read(NULL, path, path, sum, e)) && cache) keep(cache, &st, name, sum->sha256);
  rt_end(cache);
  return ok;
}

bool sha256_file(const char *path, char out[SHA256_HEX], RtError *e) {
  FileSum sum;
  bool ok = sha256_sum(path, &sum, e);
  if (ok) memcpy(out, sum.sha256, SHA256_HEX);
  return ok;
}
