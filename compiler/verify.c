// calmc verify: a model alone is compiled to a program in a folder of its own, whose command verify compares it with a dump; then
// everything goes away.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"

static int told(const char *what, const char *path) {
  fprintf(stderr, "calmc: error: %s: %s: %s\n", path, what, strerror(errno));
  return 1;
}

// The spec in folder `dir` (absolute), built beside it and run.
static int build_and_run(const Options *o, const char *model, const char *spec, const char *program) {
  Buf text = {0};
  buf_printf(&text, "anchor model = \"%s\"\n", model);
  bool written = write_file(spec, text.s, text.n);
  buf_free(&text);
  if (!written) return 1;
  Options build = {.spec = spec, .out = program, .time = o->time};
  int status = driver_build(&build);
  if (status) return status;
  char *argv[8] = {(char *)program, (char *)"verify", (char *)"--ref", (char *)o->ref};
  if (o->tol) argv[4] = (char *)"--tol", argv[5] = (char *)o->tol;
  status = run_command(argv);
  return status < 0 ? 1 : status;
}

int driver_verify(const Options *o) {
  const char *tmp = getenv("TMPDIR");
  char model[PATH_MAX], dir[PATH_MAX], spec[PATH_MAX + 16], program[PATH_MAX + 16];
  if (!realpath(o->spec, model)) {                           // "org/name" of the Hugging Face cache stays as it is
    if (errno != ENOENT || strlen(o->spec) >= sizeof model) return told("cannot open the model's directory", o->spec);
    strcpy(model, o->spec);
  }
  if (strpbrk(model, "\"\\\n")) {
    fprintf(stderr, "calmc: error: %s: a path with quotes, backslashes or line ends cannot be named in a spec\n", model);
    return 1;
  }
  snprintf(dir, sizeof dir, "%s/calm-verify.XXXXXX", tmp && *tmp ? tmp : "/tmp");
  if (!mkdtemp(dir)) return told("cannot make a folder", dir);
  snprintf(spec, sizeof spec, "%s/verify.calm", dir);
  snprintf(program, sizeof program, "%s/verify", dir);
  int status = build_and_run(o, model, spec, program);
  unlink(spec);
  unlink(program);
  rmdir(dir);
  return status;
}
