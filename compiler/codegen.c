// Code generation, in a process of its own and from a library of its own (compiler/llvm and the LLVM it needs): where it ends, calmc can still
// say why, and where there is no memory to load it, calmc can still start.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "codegen_gen/codegen_build.h"
#include "driver.h"
#include "dsl/base/alloc.h"

typedef struct Job {
  const Plan *plan;
  const char *json, *alone, *path;
  EmitKind kind;
  const Result *out;
  const char *name;
} Job;

// The library's only door. One of another build, which lies where a calmc was copied to, would take a plan for what it is not.
static LlvmEmit *open_generator(void) {
  char path[PATH_MAX];
  if (!find_library(CODEGEN_LIBRARY, NULL, path)) return NULL;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  const char *why = library ? NULL : dlerror(), *lacks = why ? ran_out_of(why) : NULL, *build = library ? dlsym(library, "calm_codegen_build") : NULL;
  LlvmEmit *const *emit = library ? dlsym(library, "calm_llvm_emit") : NULL;
  if (emit && build && !strcmp(build, CODEGEN_BUILD)) return *emit;
  if (lacks) tell_out_of("code generation", lacks);
  else if (why) fprintf(stderr, "error: cannot load the code generator %s: %s\n", path, why);
  else fprintf(stderr, "error: %s, which calmc needs, is of another build than this calmc; copy both together, build calm again, or install it with `cmake --install BUILD --prefix DIR`\n", path);
  return NULL;
}

static int generate(void *data) {
  const Job *j = data;
  Buf code = {0};
  LlvmEmit *emit = open_generator();
  if (!emit) return 1;
  emit(j->plan, j->json, j->alone, j->path, j->kind, &code);
  int fd = result_open(j->out, j->name), status = fd < 0 ? 1 : result_write(j->out, fd, code.s, code.n);
  if (fd >= 0 && !result_close(j->out, fd) && !status) status = 1;
  buf_free(&code);
  return status;
}

int codegen(const Plan *plan, const char *json, const char *alone, const char *path, EmitKind kind, const Result *out, const char *name, const Signals *s) {
  Job job = {plan, json, alone, path, kind, out, name};
  Task t = {.name = "code generation", .work = generate, .data = &job};
  Ended e;
  task_run(&t, s, &e);
  return e.status ? task_failed(&t, &e) : 0;
}
