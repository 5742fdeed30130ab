// Text of XML and HTML, as it grows.
#ifndef CALM_RUNTIME_MARKUP_H
#define CALM_RUNTIME_MARKUP_H
#include "runtime/core/core.h"

// What is no text of a user's: up to 512 bytes.
void markup_say(Bytes *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Any text, escaped, in quotes too; bytes that XML has no place for become '?'.
void markup_words(Bytes *out, const char *text);
#endif
