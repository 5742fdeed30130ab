// See native_object.h.
#include "tests/unit/native_object.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "llvm/llvm.h"
#include "runtime/machine/isa.h"

static void die(const char *what, const char *detail) {
  fprintf(stderr, "native object: %s: %s\n", what, detail ? detail : "");
  exit(1);
}

const char *native_isa(int i) {
  for (int j = 0; llvm_isa_name(j); j++) {
    if (isa_supported(llvm_isa_name(j)) && i-- == 0) return llvm_isa_name(j);
  }
  return NULL;
}

static void *load_object(const Buf *object) {
  char dir[] = "/tmp/calm_kernel_XXXXXX", o[64], so[64], cmd[512];
  if (!mkdtemp(dir)) die("mkdtemp", dir);
  snprintf(o, sizeof o, "%s/k.o", dir);
  snprintf(so, sizeof so, "%s/k.so", dir);
  FILE *f = fopen(o, "wb");
  if (!f || fwrite(object->s, 1, object->n, f) != object->n || fclose(f)) die("cannot write", o);
  snprintf(cmd, sizeof cmd, "cc -shared -Wl,-z,text -o %s %s %s/libcalm_mmlib.a", so, o, CALM_BINARY_DIR);
  if (system(cmd)) die("link failed", cmd);
  void *library = dlopen(so, RTLD_NOW | RTLD_LOCAL);
  if (!library) die("dlopen", dlerror());
  unlink(o), unlink(so), rmdir(dir);
  return library;
}

static const void *symbol(void *library, const char *name) {
  const void *p = dlsym(library, name);
  if (!p) die("no symbol", name);
  return p;
}

NativeObject native_load(const Plan *p, const char *path, bool quick) {
  Buf object = {0};
  llvm_emit(p, "{}", NULL, path, quick ? EMIT_QUICK : EMIT_OBJ, &object);
  NativeObject n = {.library = load_object(&object)};
  buf_free(&object);
  n.entry = symbol(n.library, "calm_entries");
  n.scratch_bytes = *(const int64_t *)symbol(n.library, "calm_scratch_bytes");
  return n;
}

bool native_runs(const char *isa, Precision precision) {
  const RtIsa one = {.name = isa, .precision = precision};
  RtError e;
  return isa_choose(&one, 1, isa, precision, &e) == 0;
}

RtKernel *const *native_kernels(const NativeObject *o, const char *isa, Precision precision) {
  const RtIsa *have = symbol(o->library, "calm_isas");
  int64_t n = *(const int64_t *)symbol(o->library, "calm_isa_count");
  for (int64_t i = 0; i < n; i++) {
    if (!strcmp(have[i].name, isa) && have[i].precision == precision) return have[i].kernel;
  }
  die("no such instruction-set path", isa);
  return NULL;
}

void native_unload(NativeObject *o) { dlclose(o->library); }
