// Memory that is there, or the end of the process. See alloc.h.
#include "dsl/base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

void tell_out_of(const char *step, const char *what) {
  struct rlimit space;
  char limit[80] = "";
  if (!strcmp(what, OUT_OF_MEMORY) && !getrlimit(RLIMIT_AS, &space) && space.rlim_cur != RLIM_INFINITY)
    snprintf(limit, sizeof limit, " (ulimit -v allows %llu kB)", (unsigned long long)space.rlim_cur / 1024);
  fprintf(stderr, "error: %s: %s%s\n", step, what, limit);
}

void out_of_memory(void) {
  tell_out_of("the compiler", OUT_OF_MEMORY);
  exit(1);
}

void *need_alloc(size_t count, size_t size) {
  void *p = calloc(count ? count : 1, size ? size : 1);
  if (!p) out_of_memory();
  return p;
}

void *need_realloc(void *p, size_t size) {
  p = realloc(p, size ? size : 1);
  if (!p) out_of_memory();
  return p;
}
