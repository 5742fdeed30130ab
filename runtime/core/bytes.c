// See bytes.h.
#include "runtime/core/bytes.h"

#include <string.h>

#include "runtime/core/alloc.h"

void bytes_put(Bytes *b, const void *s, size_t n) {
  if (b->n + n + 1 > b->cap) b->s = rt_realloc(b->s, b->cap = (b->n + n) * 2 + 64, 1);
  if (n) memcpy(b->s + b->n, s, n);
  b->s[b->n += n] = 0;
}
