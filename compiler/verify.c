// calmc verify: a model alone, or a spec (of a model whose arch is the user's, say), is compiled to a program in a folder of its own, whose command verify
// compares the anchor with a dump; then everything goes away.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

static int told(const char *what, const char *path) {
  fprintf(stderr, "error: %s: %s: %s\n", path, what, strerror(errno));
  return 1;
}

static bool write_spec(const Result *o, const char *model) {
  Buf text = {0};
  buf_printf(&text, "anchor model = \"%s\"\n", model);
  int fd = result_open(o, "verify.calm");
  bool ok = fd >= 0 && !result_write(o, fd, text.s, text.n);
  ok = fd >= 0 && result_close(o, fd) && ok;
  buf_free(&text);
  return ok;
}

// The spec in the folder, or the user's, built beside it and run. Each in a process: whatever ends it, the folder goes away.
static int build_and_run(const Options *o, const Result *folder, const char *model, const Signals *s) {
  char spec[PATH_MAX], program[PATH_MAX];
  if (!result_name(folder, "verify", program)) return 1;
  if (driver_is_spec(model)) strcpy(spec, model);
  else if (!result_name(folder, "verify.calm", spec) || !write_spec(folder, model)) return 1;
  Options made = {.spec = spec, .out = program, .isa = "native", .context = o->context, .time = o->time, .quiet = true};
  Work build = {driver_build, &made, 1};
  Task make = {.name = "the build", .work = driver_run, .data = &build, .visible = true};
  Ended e;
  task_run(&make, s, &e);
  if (e.status == 1 && !driver_is_spec(model))
    fprintf(stderr, "verify.calm is 'anchor model = \"%s\"'; of a model whose arch you wrote: calmc verify SPEC.calm, with a spec that has it as its anchor\n", model);
  if (e.status) return e.status < 0 ? 1 : e.status;
  char *argv[10] = {program, (char *)"verify", (char *)"--ref", (char *)o->ref};
  int n = 4;
  if (o->tol) argv[n++] = (char *)"--tol", argv[n++] = (char *)o->tol;
  if (o->precision) argv[n++] = (char *)"--precision", argv[n++] = (char *)o->precision;
  Task run = {.name = "the program", .argv = argv, .visible = true};
  task_run(&run, s, &e);
  return e.status < 0 || e.status > ENDED_BY ? task_failed(&run, &e) : e.status;
}

int driver_verify(const Options *o) {
  char model[PATH_MAX];
  if (!realpath(o->spec, model)) {                           // "org/name" of the Hugging Face cache stays as it is
    if (errno != ENOENT || strlen(o->spec) >= sizeof model) return told("cannot open the model's directory", o->spec);
    strcpy(model, o->spec);
  }
  if (strpbrk(model, "\"\\\n")) {
    fprintf(stderr, "error: %s: a path with quotes, backslashes or line ends cannot be named in a spec\n", model);
    return 1;
  }
  Result folder;
  Signals s;
  signals_hold(&s);
  int status = result_folder(&folder) ? build_and_run(o, &folder, model, &s) : 1;
  result_end(&folder);
  signals_release(&s);
  return status;
}
