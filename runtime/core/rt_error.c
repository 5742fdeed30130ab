// The one way readers report: format into the caller's RtError and return false.
#include "runtime/core/rt_error.h"

#include <stdarg.h>
#include <stdio.h>

static void fill(RtError *e, RtAbout about, const char *fmt, va_list ap) {
  if (!e) return;
  e->about = about;
  vsnprintf(e->text, sizeof e->text, fmt, ap);
}

bool rt_fail(RtError *e, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fill(e, RT_ABOUT_NOTHING, fmt, ap);
  va_end(ap);
  return false;
}

bool rt_fail_about(RtError *e, RtAbout about, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fill(e, about, fmt, ap);
  va_end(ap);
  return false;
}
