// See cache.h.
#include "runtime/files/cache.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/core/core.h"

static bool is_own(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

FileDir *cache_open(void) {
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

FileIn *cache_find(const FileDir *cache, const char *name) {
  RtError ignored;
  FileIn *in = file_in_open_at(cache, name, name, &ignored);
  if (!in || is_own(in->fd)) return in;
  rt_end(in);
  return NULL;
}

void cache_used(const FileIn *in) { futimens(in->fd, NULL); }

typedef struct Remembered {
  char *name;
  int64_t bytes;
  struct timespec used;
} Remembered;
typedef struct Trimmed {
  const char *begin;
  Remembered *file;
  int n, cap;
  int64_t bytes;               // of all of them
} Trimmed;

static void note_file(void *user, int fd, const char *name) {
  Trimmed *t = user;
  struct stat st;
  if (strncmp(name, t->begin, strlen(t->begin)) || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) return;
  if (t->n == t->cap) t->file = rt_realloc(t->file, (size_t)(t->cap = t->cap * 2 + 16), sizeof *t->file);
  t->file[t->n++] = (Remembered){rt_strdup(name), st.st_size, st.st_mtim};
  t->bytes = size_sum(t->bytes, st.st_size);
}

static int by_use(const void *x, const void *y) {
  const struct timespec *a = &((const Remembered *)x)->used, *b = &((const Remembered *)y)->used;
  if (a->tv_sec != b->tv_sec) return a->tv_sec < b->tv_sec ? -1 : 1;
  return (a->tv_nsec > b->tv_nsec) - (a->tv_nsec < b->tv_nsec);
}

void cache_trim(const FileDir *cache, const char *begin, int64_t most) {
  Trimmed t = {.begin = begin};
  file_each_at(cache->fd, ".", note_file, &t);
  if (t.n) qsort(t.file, (size_t)t.n, sizeof *t.file, by_use);
  for (int i = 0; i < t.n && t.bytes > most; i++)
    if (unlinkat(cache->fd, t.file[i].name, 0) == 0) t.bytes -= t.file[i].bytes;
  for (int i = 0; i < t.n; i++) rt_free(t.file[i].name);
  rt_free(t.file);
}
