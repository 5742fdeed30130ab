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
void region_free(Region *r);
#endif
