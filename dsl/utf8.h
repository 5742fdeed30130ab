// The little UTF-8 the language needs: checking a text and writing an escape.
#ifndef CALM_DSL_UTF8_H
#define CALM_DSL_UTF8_H
#include <stddef.h>
#include <stdint.h>

#include "dsl/base/arena.h"
#include "dsl/base/buf.h"

// Index of the first byte that is not well-formed UTF-8 (RFC 3629) or is NUL; n when there is none.
size_t utf8_check(const char *s, size_t n);
// "line 3, byte 17: 0xff is not UTF-8", for the byte at `at`.
char *utf8_explain(Arena *a, const char *s, size_t at);
// Appends a code point (a scalar value: no surrogate, at most 0x10ffff).
void utf8_put(Buf *b, uint32_t c);
#endif
