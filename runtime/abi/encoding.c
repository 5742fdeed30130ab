// See encoding.h. Stands on nothing of calm.
#include "runtime/abi/encoding.h"

#include <stdbool.h>
#include <string.h>

// Do the first bytes repeat a pattern of `width`, in which only byte `place` is not zero?
static bool spread(const char *s, size_t n, size_t width, size_t place) {
  enum { LOOK = 16 };
  if (n < 2 * width) return false;
  for (size_t i = 0; i < LOOK && i < n - n % width; i++)
    if ((s[i] != 0) != (i % width == place)) return false;
  return true;
}

const char *text_encoding(const char *s, size_t n) {
  bool le32 = n >= 4 && !memcmp(s, "\xFF\xFE\0\0", 4), be32 = n >= 4 && !memcmp(s, "\0\0\xFE\xFF", 4);
  bool mark = n >= 2 && (!memcmp(s, "\xFF\xFE", 2) || !memcmp(s, "\xFE\xFF", 2));
  if (le32 || be32 || spread(s, n, 4, 0) || spread(s, n, 4, 3)) return "UTF-32";
  return mark || spread(s, n, 2, 0) || spread(s, n, 2, 1) ? "UTF-16" : NULL;
}
