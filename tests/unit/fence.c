// See fence.h.
#include "tests/unit/fence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { FRONT = 256, FRONT_BYTE = 0x5a, FILL = 0xff };       // FRONT bytes at least stand in front

typedef struct Piece {
  unsigned char *map;
  size_t front, mapped;
} Piece;

struct Fences {
  Piece *p;
  size_t n;
};

Fences *fences_new(void) {
  Fences *f = calloc(1, sizeof *f);
  assert_non_null(f);
  return f;
}

void *fenced(Fences *f, size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + FRONT + page - 1) / page * page;
  Piece p = {.front = whole - bytes, .mapped = whole + page};
  p.map = mmap(NULL, p.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(p.map != MAP_FAILED && !mprotect(p.map + whole, page, PROT_NONE));
  memset(p.map, FRONT_BYTE, p.front);
  memset(p.map + p.front, FILL, bytes);
  f->p = realloc(f->p, (f->n + 1) * sizeof *f->p);
  assert_non_null(f->p);
  f->p[f->n++] = p;
  return p.map + p.front;
}

float *fenced_floats(Fences *f, int64_t n, const float *from) {
  float *p = fenced(f, (size_t)n * sizeof *p);
  if (from && n) memcpy(p, from, (size_t)n * sizeof *p);
  return p;
}

void fences_check(const Fences *f) {
  for (size_t i = 0; i < f->n; i++) {
    for (size_t k = 0; k < f->p[i].front; k++) {
      if (f->p[i].map[k] != FRONT_BYTE) fail_msg("a write %zu bytes in front of piece %zu", f->p[i].front - k, i);
    }
  }
}

void fences_free(Fences *f) {
  fences_check(f);
  for (size_t i = 0; i < f->n; i++) munmap(f->p[i].map, f->p[i].mapped);
  free(f->p);
  free(f);
}
