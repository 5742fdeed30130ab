// See glob.h.
#include "dsl/base/glob.h"

#include <stddef.h>

// Where something does not fit, the last '*' takes one character more: an earlier one need not, for what followed it has been found.
bool glob_matches(const char *pattern, const char *name) {
  const char *star = NULL, *taken = NULL;
  while (*name) {
    if (*pattern == '*') {
      star = ++pattern;
      taken = name;
    } else if (*pattern == '?' || *pattern == *name) {
      pattern++;
      name++;
    } else if (star) {
      pattern = star;
      name = ++taken;
    } else {
      return false;
    }
  }
  while (*pattern == '*') pattern++;
  return !*pattern;
}
