// Sizes that come from a file or a spec: a tensor has at most ELEMENTS_MOST elements, whatever extents say, so that sums and bytes of what is
// counted by them stay far from the end of int64_t.
#ifndef CALM_DSL_BASE_ELEMENTS_H
#define CALM_DSL_BASE_ELEMENTS_H
#include <stdbool.h>
#include <stdint.h>

#define ELEMENTS_MOST ((int64_t)1 << 40)

// *n *= by. False, and *n as it was, where either is negative or the product is more than ELEMENTS_MOST.
bool elements_times(int64_t *n, int64_t by);
#endif
