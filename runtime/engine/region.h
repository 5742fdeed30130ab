// Anonymous memory of the system's own: large, zeroed, touched only where it is used.
#ifndef CALM_RUNTIME_REGION_H
#define CALM_RUNTIME_REGION_H
#include <stddef.h>

#include "runtime/core/core.h"

typedef struct Region {
  void *data;                  // 64-byte aligned
  size_t bytes;
  void *held;                  // by the call (rt_object)
} Region;

// bytes 0: an empty one. what, about: for the error where the memory is not to be had.
bool region_new(Region *r, size_t bytes, const char *what, RtAbout about, RtError *e);
// Of a region that is filled here and there: pages are had one at a time; region_drop gives all of them back.
void region_sparse(const Region *r);
void region_drop(const Region *r);
void region_free(Region *r);
#endif
