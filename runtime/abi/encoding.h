// What a file that should hold UTF-8 holds instead, where its first bytes tell: editors save as UTF-16 what looks the same on a screen, and data comes compressed.
#ifndef CALM_RUNTIME_ABI_ENCODING_H
#define CALM_RUNTIME_ABI_ENCODING_H
#include <stddef.h>

// For after "PATH: ": what it is, what was expected, and the command that makes one of the other; NULL: nothing of the kind. UTF-16 and UTF-32 by a byte order
// mark, or where a text begins with ASCII characters by the zeros between them.
const char *text_instead(const char *s, size_t n);
#endif
