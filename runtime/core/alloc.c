// See alloc.h.
#include "runtime/core/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *p) {
  if (!p) {
    fputs("error: out of memory\n", stderr);
    exit(1);
  }
  return p;
}

void *rt_alloc(size_t count, size_t size) { return need(calloc(count ? count : 1, size ? size : 1)); }

void *rt_realloc(void *p, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) need(NULL);
  return need(realloc(p, bytes ? bytes : 1));
}

char *rt_strdup(const char *s) { return need(strdup(s)); }
char *rt_strndup(const char *s, size_t n) { return need(strndup(s, n)); }
