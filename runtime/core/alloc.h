// Memory for everything above. It is there, or the call ends (call.h): no caller has to look. A block belongs to the call that it was made in
// until that call ends well, and is freed on the thread that made it.
#ifndef CALM_RUNTIME_ALLOC_H
#define CALM_RUNTIME_ALLOC_H
#include <stdbool.h>
#include <stddef.h>

void *rt_alloc(size_t count, size_t size);                  // zeroed; count * size is checked
void *rt_try_alloc(size_t count, size_t size);              // NULL where there is none: for a library that would lose something were it left
void *rt_realloc(void *p, size_t count, size_t size);
void rt_free(void *p);
char *rt_strdup(const char *s);
char *rt_strndup(const char *s, size_t n);
char *rt_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

// A block for something that is not memory from here (a map, a descriptor, threads, a library's object), belonging to the call in the same way:
// zeroed; end(object) lets go of what it holds, which may be nothing yet. rt_end does that and frees the block; so does the end of a call in
// which memory ended, newest object first and before any memory of the call is freed. end must not allocate.
void *rt_object(size_t bytes, void (*end)(void *object));
void rt_end(void *object);

// Memory of another kind (a map, a library's) could not be had: ends the call as above. 0: more than can be addressed.
_Noreturn void rt_no_memory(size_t bytes);
#endif
