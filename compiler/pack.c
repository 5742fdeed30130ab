// calmc pack: a program is built, and then told to write its pack file beside itself (runtime/commands/pack.c). Each in a process of its own.
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "driver.h"
#include "dsl/base/alloc.h"

static int build_and_pack(const Options *o, const char *program, const Signals *s) {
  char start[PATH_MAX], out[PATH_MAX];
  if (snprintf(start, sizeof start, "%s%s", strchr(program, '/') ? "" : "./", program) >= PATH_MAX || snprintf(out, sizeof out, "%s.pack", program) >= PATH_MAX) {
    fprintf(stderr, "error: %s: the path is too long\n", program);
    return 1;
  }
  Options made = {.spec = o->spec, .out = program, .isa = o->isa, .context = o->context, .time = o->time, .quiet = true};
  Work build = {driver_build, &made, 1};
  Task make = {.name = "the build", .work = driver_run, .data = &build, .visible = true};
  Ended e;
  task_run(&make, s, &e);
  if (e.status) return e.status < 0 ? 1 : e.status;
  char *argv[7 + 2 * MOST_TEXTS] = {start, (char *)"pack", (char *)"--out", out};
  int n = 4;
  if (o->params) argv[n++] = (char *)"--params", argv[n++] = (char *)o->params;
  n = driver_again(argv, n, "--precision", &o->precision);
  Task run = {.name = "the program", .argv = argv, .visible = true};
  task_run(&run, s, &e);
  return e.status < 0 || e.status > ENDED_BY ? task_failed(&run, &e) : e.status;
}

int driver_pack(const Options *o) {
  Arena *a = arena_new();
  Signals s;
  signals_hold(&s);
  int status = build_and_pack(o, o->out ? o->out : driver_program(a, o->spec), &s);
  signals_release(&s);
  arena_free(a);
  return status;
}
