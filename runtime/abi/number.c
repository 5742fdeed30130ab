// See number.h. Stands on nothing of calm.
#include "runtime/abi/number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool digit(char c) { return c >= '0' && c <= '9'; }

bool number_whole(const char *text, int64_t *out, const char **end) {
  char *stop;
  *out = 0, *end = text;
  if (!digit(text[*text == '-'])) return false;
  errno = 0;
  *out = strtoll(text, &stop, 10);
  *end = stop;
  return !errno;
}

// strtod reads what is more than digits, a point and an exponent ("0x10" is 0 with an 'x' behind it), but never more of what is a number.
static const char *real_end(const char *s) {
  const char *from = s += *s == '-';
  while (digit(*s)) s++;
  bool any = s > from;
  if (*s == '.' && (any || digit(s[1])))
    for (any = true, s++; digit(*s);) s++;
  if (any && (*s == 'e' || *s == 'E') && digit(s[1 + (s[1] == '-' || s[1] == '+')]))
    for (s += 2; digit(*s);) s++;
  return any ? s : NULL;
}

bool number_real(const char *text, double *out, const char **end) {
  char *stop;
  const char *stands = real_end(text);
  *out = 0, *end = text;
  if (!stands) return false;
  *out = strtod(text, &stop);
  if (stop > stands) *out = 0;                     // "0x10": the 0 alone
  *end = stands;
  return isfinite(*out);
}

bool number_bytes_text(const char *text, int64_t *out) {
  static const struct { const char *name; double bytes; } UNIT[] = {{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}};
  const char *end;
  double x;
  if (number_whole(text, out, &end) && !*end) return true;
  if (!number_real(text, &x, &end)) return false;
  while (*end == ' ') end++;
  for (size_t i = 0; i < sizeof UNIT / sizeof *UNIT; i++) {
    if (strcmp(end, UNIT[i].name) || fabs(x * UNIT[i].bytes) >= 0x1p62) continue;
    *out = (int64_t)(x * UNIT[i].bytes + (x < 0 ? -0.5 : 0.5));
    return true;
  }
  return false;
}

bool number_whole_text(const char *text, int64_t *out) {
  const char *end;
  return number_whole(text, out, &end) && !*end;
}

bool number_real_text(const char *text, double *out) {
  const char *end;
  return number_real(text, out, &end) && !*end;
}
