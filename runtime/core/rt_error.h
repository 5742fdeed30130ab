// Errors of the readers: a message naming the file, key or line, what was found and what was expected. A function that can
// fail takes an RtError* and returns false (or NULL) after filling it; the message is ready to print after "error: ".
#ifndef CALM_RUNTIME_RT_ERROR_H
#define CALM_RUNTIME_RT_ERROR_H
#include <stdbool.h>

typedef struct RtError {
  char text[1024];
} RtError;

// Always returns false, so that `return rt_fail(e, …)` reads well.
bool rt_fail(RtError *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#endif
