// UTF-8, as the readers need it: validated once, then stepped through without further checks.
#ifndef CALM_RUNTIME_UTF8_H
#define CALM_RUNTIME_UTF8_H
#include <stddef.h>
#include <stdint.h>

// Bytes of the valid prefix of s: n when all of it is valid (shortest form, no surrogates, at most U+10FFFF).
size_t rt_utf8_valid(const char *s, size_t n);
// Bytes of the character that starts at s, which must be valid; its code point in *cp.
size_t rt_utf8_next(const char *s, uint32_t *cp);
// Writes a code point; returns its 1 to 4 bytes.
size_t rt_utf8_put(char *out, uint32_t cp);
// Bytes of the byte order mark that s begins with: 3, or 0 when there is none. Every reader of a text file steps over it.
size_t rt_utf8_bom(const char *s, size_t n);
// Of untrusted bytes s[0 … n), n > 0: the length of the character at s, 0 when the bytes are the beginning of one that is cut off by
// the end, or minus the length of the longest part to be replaced by one U+FFFD (as Rust's from_utf8_lossy and the Unicode standard do).
int rt_utf8_scan(const char *s, size_t n);
#endif
