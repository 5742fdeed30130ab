// UTF-8 for the readers: see utf8.h. Table 3-7 of the Unicode standard ("well-formed byte sequences") is the whole rule.
#include "runtime/core/utf8.h"

#include <string.h>

int rt_utf8_scan(const char *s, size_t n) {
  const uint8_t *p = (const uint8_t *)s;
  uint8_t c = p[0], low = 0x80, high = 0xBF;
  int len = c < 0x80 ? 1 : c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
  if (len == 0) return -1;
  if (c == 0xE0) low = 0xA0;
  if (c == 0xED) high = 0x9F;
  if (c == 0xF0) low = 0x90;
  if (c == 0xF4) high = 0x8F;
  for (int i = 1; i < len; i++, low = 0x80, high = 0xBF) {
    if ((size_t)i == n) return 0;
    if (p[i] < low || p[i] > high) return -i;
  }
  return len;
}

size_t rt_utf8_valid(const char *s, size_t n) {
  size_t i = 0;
  while (i < n) {
    uint64_t eight;
    if (i + 8 <= n && (memcpy(&eight, s + i, 8), (eight & 0x8080808080808080u) == 0)) {
      i += 8;
      continue;
    }
    int k = rt_utf8_scan(s + i, n - i);
    if (k <= 0) return i;
    i += (size_t)k;
  }
  return n;
}

size_t rt_utf8_bom(const char *s, size_t n) { return n >= 3 && !memcmp(s, "\xEF\xBB\xBF", 3) ? 3 : 0; }

size_t rt_utf8_next(const char *s, uint32_t *cp) {
  const uint8_t *p = (const uint8_t *)s;
  if (p[0] < 0x80) return *cp = p[0], 1;
  if (p[0] < 0xE0) return *cp = (p[0] & 31u) << 6 | (p[1] & 63u), 2;
  if (p[0] < 0xF0) return *cp = (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u), 3;
  return *cp = (p[0] & 7u) << 18 | (p[1] & 63u) << 12 | (p[2] & 63u) << 6 | (p[3] & 63u), 4;
}

size_t rt_utf8_put(char *o, uint32_t c) {
  if (c < 0x80) return o[0] = (char)c, 1;
  if (c < 0x800) return o[0] = (char)(0xC0 | c >> 6), o[1] = (char)(0x80 | (c & 63)), 2;
  if (c < 0x10000) return o[0] = (char)(0xE0 | c >> 12), o[1] = (char)(0x80 | (c >> 6 & 63)), o[2] = (char)(0x80 | (c & 63)), 3;
  o[0] = (char)(0xF0 | c >> 18);
  o[1] = (char)(0x80 | (c >> 12 & 63));
  o[2] = (char)(0x80 | (c >> 6 & 63));
  o[3] = (char)(0x80 | (c & 63));
  return 4;
}
