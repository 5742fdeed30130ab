// Arena memory: everything a compilation allocates lives until the arena is freed. Sizes are checked products; running
// out of memory ends the process with a message (there is nothing useful a compiler can do).
#ifndef CALM_DSL_BASE_ARENA_H
#define CALM_DSL_BASE_ARENA_H
#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *a);
void *arena_alloc(Arena *a, size_t count, size_t size);   // zeroed, 16-byte aligned; aborts on overflow of count*size
char *arena_strdup(Arena *a, const char *s);
char *arena_strndup(Arena *a, const char *s, size_t n);
char *arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Grows an arena array: returns a block of new_count elements holding the first old_count of old.
void *arena_grow(Arena *a, const void *old, size_t old_count, size_t new_count, size_t size);

#define ARENA_NEW(a, T) ((T *)arena_alloc((a), 1, sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc((a), (size_t)(n), sizeof(T)))
// Appends v to an arena array (ptr, n, cap): capacity doubles, the old block is left to the arena.
#define ARENA_PUSH(a, ptr, n, cap, v)                                                                     \
  do {                                                                                                    \
    if ((n) == (cap)) {                                                                                   \
      (cap) = (cap) ? (cap) * 2 : 8;                                                                      \
      (ptr) = arena_grow((a), (ptr), (size_t)(n), (size_t)(cap), sizeof *(ptr));                          \
    }                                                                                                     \
    (ptr)[(n)++] = (v);                                                                                   \
  } while (0)
#endif
