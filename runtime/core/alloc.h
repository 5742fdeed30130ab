// Memory for everything above.
#ifndef CALM_RUNTIME_ALLOC_H
#define CALM_RUNTIME_ALLOC_H
#include <stddef.h>

// Memory that is there, or the end of the process: a reader has nothing useful to do without it.
void *rt_alloc(size_t count, size_t size);                  // zeroed; count * size is checked
void *rt_realloc(void *p, size_t count, size_t size);
char *rt_strdup(const char *s);
char *rt_strndup(const char *s, size_t n);
#endif
