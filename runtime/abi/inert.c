// See inert.h. Stands on nothing of calm.
#include "runtime/abi/inert.h"

#include <fnmatch.h>
#include <stddef.h>

bool inert_key(const char *key) {
  static const char *const pattern[] = {
#define KEY(p) p,
#include "runtime/abi/inert.def"
#undef KEY
  };
  for (size_t i = 0; i < sizeof pattern / sizeof *pattern; i++)
    if (!fnmatch(pattern[i], key, 0)) return true;
  return false;
}
