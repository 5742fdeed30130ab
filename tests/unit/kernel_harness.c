// See kernel_harness.h.
#include "tests/unit/kernel_harness.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "llvm/llvm.h"
#include "runtime/isa.h"
#include "runtime/rt_abi.h"

enum { GUARD = 256, GUARD_BYTE = 0x5a };

struct HarnessKernel {
  void *library;
  RtEntry *entry;
  RtKernel *const *kernel;
  int64_t scratch_bytes;
  char *scratch;               // scratch_bytes, then GUARD bytes that must stay
  int64_t last_tasks;
};

// What rt_parallel below gets to know: the context the entry hands through begins with the runtime's.
typedef struct HarnessCtx {
  RtCtx rt;
  HarnessKernel *h;
  int64_t ntasks;
} HarnessCtx;

static void die(const char *what, const char *detail) {
  fprintf(stderr, "kernel harness: %s: %s\n", what, detail ? detail : "");
  exit(1);
}

const char *harness_isa(int i) {
  for (int j = 0; llvm_isa_name(j); j++) {
    if (isa_supported(llvm_isa_name(j)) && i-- == 0) return llvm_isa_name(j);
  }
  return NULL;
}

// A plan of one entry with one call.
static void emit_object(const Kernel *k, Buf *out) {
  Kernel copy = *k;
  KArg no_arg[HARNESS_MAX_ARGS] = {0};
  int id[HARNESS_MAX_ARGS];
  PBuf buf[HARNESS_MAX_ARGS] = {0};
  if (!copy.narg) {
    copy.narg = HARNESS_MAX_ARGS;
    copy.arg = no_arg;
  }
  for (int i = 0; i < HARNESS_MAX_ARGS; i++) {
    id[i] = i;
    buf[i] = (PBuf){.id = i, .name = "", .sym = i == 0, .source = -1};
  }
  copy.id = 0;
  Sym sym[2] = {{.name = "T"}, {.name = "R"}};
  Call call = {.sym = 0, .buf = id};
  PlanEntry entry = {.name = "run", .call = &call, .ncall = 1};
  Plan plan = {.sym = sym, .nsym = 2, .kernel = &copy, .nkernel = 1, .buf = buf, .nbuf = HARNESS_MAX_ARGS};
  plan.entry = &entry;
  plan.nentry = 1;
  llvm_emit(&plan, "{}", EMIT_OBJ, out);
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

HarnessKernel *harness_compile(const Kernel *k, const char *isa) {
  Buf object = {0};
  emit_object(k, &object);
  HarnessKernel *h = calloc(1, sizeof *h);
  if (!h) die("memory", NULL);
  h->library = load_object(&object);
  buf_free(&object);
  h->entry = ((RtEntry *const *)symbol(h->library, "calm_entries"))[0];
  const RtIsa *have = symbol(h->library, "calm_isas");
  int64_t n = *(const int64_t *)symbol(h->library, "calm_isa_count");
  for (int64_t i = 0; i < n; i++) {
    if (!strcmp(have[i].name, isa)) h->kernel = have[i].kernel;
  }
  if (!h->kernel) die("no such instruction-set path", isa);
  h->scratch_bytes = *(const int64_t *)symbol(h->library, "calm_scratch_bytes");
  h->scratch = aligned_alloc(64, (size_t)(h->scratch_bytes + 63) / 64 * 64 + GUARD);
  if (!h->scratch) die("memory", NULL);
  return h;
}

// Stands in for the runtime's pool.
void rt_parallel(const RtCtx *ctx, RtKernel *fn, int64_t ntasks, const int64_t *args) {
  HarnessCtx *c = (HarnessCtx *)ctx;
  c->ntasks = ntasks;
  for (int64_t i = ntasks - 1; i >= 0; i--) fn(i, args, c->h->scratch);
}

void harness_run_from(HarnessKernel *h, int64_t rows, int64_t arg0_rows, void *const *arg, int n) {
  void *buf[HARNESS_MAX_ARGS] = {0};
  int64_t sym[2] = {rows, arg0_rows};
  if (n > HARNESS_MAX_ARGS) die("too many arguments", NULL);
  memcpy(buf, arg, (size_t)n * sizeof *buf);
  memset(h->scratch, 0xff, (size_t)h->scratch_bytes);
  memset(h->scratch + h->scratch_bytes, GUARD_BYTE, GUARD);
  HarnessCtx c = {.rt = {.buf = buf, .sym = sym, .kernel = h->kernel}, .h = h};
  h->entry(&c.rt);
  h->last_tasks = c.ntasks;
  for (int i = 0; i < GUARD; i++) {
    if (h->scratch[h->scratch_bytes + i] != GUARD_BYTE) die("a kernel wrote past its scratch", NULL);
  }
}

void harness_run(HarnessKernel *h, int64_t rows, void *const *arg, int n) { harness_run_from(h, rows, rows, arg, n); }

int64_t harness_last_tasks(const HarnessKernel *h) { return h->last_tasks; }

void harness_free(HarnessKernel *h) {
  if (!h) return;
  dlclose(h->library);
  free(h->scratch);
  free(h);
}
