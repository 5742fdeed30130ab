// Words of messages.
#ifndef CALM_RUNTIME_WORDS_H
#define CALM_RUNTIME_WORDS_H
#include <stdint.h>

// What a count makes of the noun after it: "%lld row%s" of 1 is "1 row", of anything else "2 rows".
static inline const char *plural(int64_t n) { return n == 1 ? "" : "s"; }
#endif
