// Memory outside the arenas. A compilation cannot go on without it, so running out ends the process: one line, exit status 1.
#ifndef CALM_DSL_BASE_ALLOC_H
#define CALM_DSL_BASE_ALLOC_H
#include <stddef.h>

// "error: STEP: WHAT" on standard error, and for OUT_OF_MEMORY the limit that this process runs under, where there is one.
void tell_out_of(const char *step, const char *what);
#define OUT_OF_MEMORY "out of memory"
_Noreturn void out_of_memory(void);                // tells, and ends the process with status 1

void *need_alloc(size_t count, size_t size);       // zeroed; count * size is checked
void *need_realloc(void *p, size_t size);
#endif
