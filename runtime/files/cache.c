// See cache.h.
#include "runtime/files/cache.h"

#include <stdlib.h>
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
