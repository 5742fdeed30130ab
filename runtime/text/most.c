// See most.h.
#include "runtime/text/most.h"

#include <string.h>

bool tk_most_same(const void *own, const TkMostOf *of, TkTokensMost *m) { return (void)own, (void)of, (void)m, true; }

static bool is_sign(const char *s, size_t n) { return n >= 3 && memcmp(s, TK_SIGN, 3) == 0; }

int64_t tk_most_weight(const TkMostOf *of, const char *s, size_t n) {
  int64_t w = 0;
  for (size_t i = 0, k; i < n; i += k) k = is_sign(s + i, n - i) ? 3 : 1, w += k == 3 ? of->sign : 1;
  return w;
}

int64_t tk_most_string(const TkMostOf *of, const TkTokensMost *m, const char *s) {
  int64_t ascii = 0, n = (int64_t)strlen(s);
  for (int64_t i = 0; i < n; i++) ascii += (uint8_t)s[i] < 0x80;
  return ascii * m->ascii + (tk_most_weight(of, s, (size_t)n) - ascii) * m->other;
}
