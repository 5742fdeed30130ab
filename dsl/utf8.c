// Checking and writing UTF-8. See utf8.h.
#include "dsl/utf8.h"

#include <stdbool.h>

// Length of the well-formed sequence at s, 0 when there is none.
static size_t sequence(const unsigned char *s, size_t n) {
  unsigned char c = s[0];
  if (c >= 0x01 && c < 0x80) return 1;
  size_t len = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
  if (!len || len > n) return 0;
  for (size_t i = 1; i < len; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  bool overlong = (c == 0xe0 && s[1] < 0xa0) || (c == 0xf0 && s[1] < 0x90);
  bool surrogate = c == 0xed && s[1] >= 0xa0, beyond = c == 0xf4 && s[1] >= 0x90;
  return overlong || surrogate || beyond ? 0 : len;
}

size_t utf8_check(const char *s, size_t n) {
  for (size_t i = 0; i < n;) {
    size_t len = sequence((const unsigned char *)s + i, n - i);
    if (!len) return i;
    i += len;
  }
  return n;
}

char *utf8_explain(Arena *a, const char *s, size_t at) {
  size_t line = 1, start = 0;
  for (size_t i = 0; i < at; i++)
    if (s[i] == '\n') {
      line++;
      start = i + 1;
    }
  unsigned char c = (unsigned char)s[at];
  if (!c) return arena_printf(a, "line %zu, byte %zu: a NUL byte, so this is not text", line, at - start + 1);
  return arena_printf(a, "line %zu, byte %zu: 0x%02x is not UTF-8 here", line, at - start + 1, c);
}

void utf8_put(Buf *b, uint32_t c) {
  if (c < 0x80) {
    buf_putc(b, (char)c);
  } else if (c < 0x800) {
    buf_putc(b, (char)(0xc0 | c >> 6));
    buf_putc(b, (char)(0x80 | (c & 63)));
  } else if (c < 0x10000) {
    buf_putc(b, (char)(0xe0 | c >> 12));
    buf_putc(b, (char)(0x80 | (c >> 6 & 63)));
    buf_putc(b, (char)(0x80 | (c & 63)));
  } else {
    buf_putc(b, (char)(0xf0 | c >> 18));
    buf_putc(b, (char)(0x80 | (c >> 12 & 63)));
    buf_putc(b, (char)(0x80 | (c >> 6 & 63)));
    buf_putc(b, (char)(0x80 | (c & 63)));
  }
}
