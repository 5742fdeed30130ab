// A growing string, for printers. Freed by its owner; always NUL-terminated.
#ifndef CALM_DSL_BASE_BUF_H
#define CALM_DSL_BASE_BUF_H
#include <stdarg.h>
#include <stddef.h>

typedef struct Buf {
  char *s;
  size_t n, cap;
} Buf;

void buf_putc(Buf *b, char c);
void buf_puts(Buf *b, const char *s);
void buf_write(Buf *b, const void *s, size_t n);
void buf_printf(Buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_free(Buf *b);   // leaves an empty, usable buffer
#endif
