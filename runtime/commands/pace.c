// See pace.h.
#include "runtime/commands/pace.h"

#include <stdio.h>
#include <unistd.h>

#include "runtime/core/core.h"

Pace pace_begin(int64_t before, int64_t rows) { return (Pace){.before = before, .rows = rows, .start = rt_now(), .said = rt_now()}; }

void pace_say(Pace *p, int64_t done, int64_t tokens) {
  bool tty = isatty(STDERR_FILENO);
  double now = rt_now(), took = now - p->start;
  if (now - p->said < (tty ? 1 : 10) || !done) return;
  p->said = now, p->shown = tty;
  fprintf(stderr, "%s%lld of %lld rows, %.0f tokens a second, about %.0f s left%s", tty ? "\r" : "", (long long)(p->before + done), (long long)p->rows,
          (double)tokens / took, took / (double)done * (double)(p->rows - p->before - done), tty ? "\033[K" : "\n");
  fflush(stderr);
}

void pace_end(Pace *p) {
  if (p->shown) fputs("\r\033[K", stderr);
  p->shown = false;
}
