// A growing string. See buf.h.
#include "dsl/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsl/base/alloc.h"

static void reserve(Buf *b, size_t extra) {
  if (b->n + extra + 1 <= b->cap) return;
  size_t cap = b->cap ? b->cap : 128;
  while (cap < b->n + extra + 1) cap *= 2;
  b->s = need_realloc(b->s, cap);
  b->cap = cap;
}

void buf_write(Buf *b, const void *s, size_t n) {
  reserve(b, n);
  if (n) memcpy(b->s + b->n, s, n);
  b->n += n;
  b->s[b->n] = 0;
}

void buf_putc(Buf *b, char c) { buf_write(b, &c, 1); }

void buf_puts(Buf *b, const char *s) { buf_write(b, s, strlen(s)); }

void buf_printf(Buf *b, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(NULL, 0, fmt, ap);
  va_end(ap);
  if (n < 0) out_of_memory();      // the formats are right: nothing else can be wrong
  reserve(b, (size_t)n);
  va_start(ap, fmt);
  vsnprintf(b->s + b->n, (size_t)n + 1, fmt, ap);
  va_end(ap);
  b->n += (size_t)n;
}

void buf_free(Buf *b) {
  free(b->s);
  *b = (Buf){0};
}
