// Memory for everything above. It is there, or the call ends (call.h): no caller has to look. A block belongs to the call that it was made in
// until that call ends well, and is freed on the thread that made it.
#ifndef CALM_RUNTIME_ALLOC_H
#define CALM_RUNTIME_ALLOC_H
#include <stddef.h>

void *rt_alloc(size_t count, size_t size);                  // zeroed; count * size is checked
void *rt_realloc(void *p, size_t count, size_t size);
void rt_free(void *p);
char *rt_strdup(const char *s);
char *rt_strndup(const char *s, size_t n);
char *rt_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
// Memory of another kind (a map, a library's) could not be had: ends the call as above.
_Noreturn void rt_no_memory(size_t bytes);
#endif
