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

// The user's spec, or one of the model alone, built in the folder and run. Each in a process: whatever ends it, the folder goes away.
static int build_and_run(const Options *o, const Result *folder, const char *model, const Signals *s) {
  char text[PATH_MAX + 32], program[PATH_MAX];
  bool alone = !driver_is_spec(model);
  if (!result_name(folder, "verify", program)) return 1;
  snprintf(text, sizeof text, "anchor model = \"%s\"\n", model);
  Options made = {.spec = o->spec, .text = alone ? text : NULL, .out = program, .isa = "native", .context = o->context, .time = o->time, .quiet = true};
  Work build = {driver_build, &made, 1};
  Task make = {.name = "the build", .work = driver_run, .data = &build, .visible = true};
  Ended e;
  task_run(&make, s, &e);
  if (e.status == 1 && alone) fputs("(of a model whose arch you wrote: calmc verify SPEC.calm, with a spec that has it as its anchor)\n", stderr);
  if (e.status) return e.status < 0 ? 1 : e.status;
  char *argv[8 + 2 * MOST_TEXTS] = {program, (char *)"verify", (char *)"--ref", (char *)o->ref};
  int n = 4;
  if (o->tol) argv[n++] = (char *)"--tol", argv[n++] = (char *)o->tol;
  n = driver_again(argv, n, "--precision", &o->precision);
  Task run = {.name = "the program", .argv = argv, .visible = true};
  task_run(&run, s, &e);
  return e.status < 0 || e.status > ENDED_BY ? task_failed(&run, &e) : e.status;
}

int driver_verify(const Options *o) {
  char model[PATH_MAX];
  if (!realpath(o->spec, model)) {                           // "org/name" of the Hugging Face cache stays as it is
    if ((errno != ENOENT && errno != ENOTDIR) || strlen(o->spec) >= sizeof model) return told("cannot open the model's directory", o->spec);
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
