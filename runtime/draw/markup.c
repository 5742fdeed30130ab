// See markup.h.
#include "runtime/draw/markup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void markup_say(Bytes *out, const char *fmt, ...) {
  char line[512];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  bytes_put(out, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

void markup_words(Bytes *out, const char *text) {
  for (const char *c = text; *c;) {
    size_t left = strlen(c), valid = rt_utf8_valid(c, left);
    if (!valid) {
      bytes_put(out, "?", 1), c++;
      continue;
    }
    for (size_t i = 0; i < valid; i++, c++) {
      const char *as = *c == '&' ? "&amp;" : *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : *c == '"' ? "&quot;" : (unsigned char)*c < ' ' && *c != '\t' && *c != '\n' ? "?" : NULL;
      if (as) bytes_put(out, as, strlen(as));
      else bytes_put(out, c, 1);
    }
  }
}
