// What a file that should hold UTF-8 holds instead, where its first bytes tell: editors save as UTF-16 what looks the same on a screen.
#ifndef CALM_RUNTIME_ABI_ENCODING_H
#define CALM_RUNTIME_ABI_ENCODING_H
#include <stddef.h>

// "UTF-16" or "UTF-32" by a byte order mark, or where a text begins with ASCII characters by the zeros between them; NULL: neither.
const char *text_encoding(const char *s, size_t n);
// For after "PATH: it is …", with what to do about it; %s is the name.
#define ENCODING_HELP "it is %s, expected UTF-8 (convert it: iconv -f %s -t UTF-8)"
#endif
