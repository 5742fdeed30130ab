// Memory for kernels under test: each piece ends at a page that may not be touched, so that reads and writes past it
// end the test; what lies in front of it is checked for writes.
#ifndef CALM_TESTS_FENCE_H
#define CALM_TESTS_FENCE_H
#include <stddef.h>
#include <stdint.h>

typedef struct Fences Fences;

Fences *fences_new(void);
void *fenced(Fences *f, size_t bytes);                      // every byte 0xff: floats are NaN
float *fenced_floats(Fences *f, int64_t n, const float *from);   // NaN when from is NULL
void fences_check(const Fences *f);                         // fails the test when something in front was written
void fences_free(Fences *f);                                // checks as well
#endif
