// Arena memory: a list of blocks, bump-allocated. See arena.h.
#include "dsl/base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsl/base/alloc.h"

enum { BLOCK = 64 * 1024, ALIGN = 16 };

typedef struct Block {
  struct Block *next;
  size_t used, size;
  _Alignas(16) char data[];
} Block;

struct Arena {
  Block *head;
};

static Block *block_new(size_t size) {
  Block *b = malloc(sizeof(Block) + size);
  if (!b) out_of_memory();
  b->next = NULL;
  b->used = 0;
  b->size = size;
  return b;
}

Arena *arena_new(void) {
  Arena *a = malloc(sizeof *a);
  if (!a) out_of_memory();
  a->head = block_new(BLOCK);
  return a;
}

void arena_free(Arena *a) {
  if (!a) return;
  for (Block *b = a->head; b;) {
    Block *next = b->next;
    free(b);
    b = next;
  }
  free(a);
}

void *arena_alloc(Arena *a, size_t count, size_t size) {
  if (size && count > (SIZE_MAX / 2) / size) out_of_memory();
  size_t need = (count * size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
  if (!need) need = ALIGN;
  Block *b = a->head;
  if (b->size - b->used < need) {
    b = block_new(need > BLOCK ? need : BLOCK);
    b->next = a->head;
    a->head = b;
  }
  void *p = b->data + b->used;
  b->used += need;
  return memset(p, 0, need);
}

char *arena_strndup(Arena *a, const char *s, size_t n) {
  char *p = arena_alloc(a, n + 1, 1);
  if (n) memcpy(p, s, n);
  p[n] = 0;
  return p;
}

char *arena_strdup(Arena *a, const char *s) { return arena_strndup(a, s, strlen(s)); }

char *arena_printf(Arena *a, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(NULL, 0, fmt, ap);
  va_end(ap);
  if (n < 0) out_of_memory();      // the formats are right: nothing else can be wrong
  char *p = arena_alloc(a, (size_t)n + 1, 1);
  va_start(ap, fmt);
  vsnprintf(p, (size_t)n + 1, fmt, ap);
  va_end(ap);
  return p;
}

void *arena_grow(Arena *a, const void *old, size_t old_count, size_t new_count, size_t size) {
  void *p = arena_alloc(a, new_count, size);
  if (old_count) memcpy(p, old, old_count * size);
  return p;
}
