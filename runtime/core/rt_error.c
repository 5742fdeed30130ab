// The one way readers report: format into the caller's RtError and return false.
#include "runtime/core/rt_error.h"

#include <stdarg.h>
#include <stdio.h>

bool rt_fail(RtError *e, const char *fmt, ...) {
  if (e) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
  }
  return false;
}
