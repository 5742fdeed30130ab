// Bytes that grow. All zero before the first, freed with rt_free(s).
#ifndef CALM_RUNTIME_BYTES_H
#define CALM_RUNTIME_BYTES_H
#include <stddef.h>

typedef struct Bytes {
  char *s;                     // n of them, and a NUL; NULL before the first put
  size_t n, cap;
} Bytes;
void bytes_put(Bytes *b, const void *s, size_t n);
#endif
