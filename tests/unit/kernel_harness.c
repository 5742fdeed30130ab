// See kernel_harness.h.
#include "tests/unit/kernel_harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/native_object.h"

enum { GUARD = 256, GUARD_BYTE = 0x5a };

struct HarnessKernel {
  NativeObject object;
  bool shares;                 // the object is another's
  RtKernel *const *kernel;
  char *scratch;               // object.scratch_bytes, then GUARD bytes that must stay
  int64_t last_tasks;
  bool bare;
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

const char *harness_isa(int i) { return native_isa(i); }

// A plan of two entries with one call each: the second adds to what is there.
static NativeObject load_kernel(const Kernel *k, const char *path) {
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
    buf[i] = (PBuf){.name = "", .sym = i == 0};
  }
  copy.id = 0;
  Sym sym[2] = {{.name = "T"}, {.name = "R"}};
  Call call[2] = {{.sym = 0, .buf = id}, {.sym = 0, .buf = id, .accumulate = true}};
  PlanEntry entry[2] = {{.name = "run", .call = &call[0], .ncall = 1}, {.name = "add", .call = &call[1], .ncall = 1}};
  Plan plan = {.sym = sym, .nsym = 2, .kernel = &copy, .nkernel = 1, .buf = buf, .nbuf = HARNESS_MAX_ARGS};
  plan.entry = entry;
  plan.nentry = 2;
  return native_load(&plan, path, false);
}

HarnessKernel *harness_compile(const Kernel *k, const char *isa) { return harness_compile_in(k, isa, PRECISION_F32); }

static HarnessKernel *of_object(const NativeObject *o, const char *isa, Precision precision) {
  HarnessKernel *h = calloc(1, sizeof *h);
  if (!h) die("memory", NULL);
  h->object = *o;
  h->kernel = native_kernels(&h->object, isa, precision);
  h->scratch = aligned_alloc(64, (size_t)(h->object.scratch_bytes + 63) / 64 * 64 + GUARD);
  if (!h->scratch) die("memory", NULL);
  return h;
}

HarnessKernel *harness_compile_in(const Kernel *k, const char *isa, Precision precision) {
  NativeObject o = load_kernel(k, isa);
  return of_object(&o, isa, precision);
}

HarnessKernel *harness_compile_all(const Kernel *k) {
  NativeObject o = load_kernel(k, NULL);
  return of_object(&o, harness_isa(0), PRECISION_F32);
}

HarnessKernel *harness_other(const HarnessKernel *h, const char *isa, Precision precision) {
  HarnessKernel *other = of_object(&h->object, isa, precision);
  other->shares = true;
  return other;
}

// Stands in for the runtime's pool.
void rt_parallel(const RtCtx *ctx, int64_t of, int64_t kernel, int64_t ntasks, int64_t phase, const int64_t *args) {
  HarnessCtx *c = (HarnessCtx *)ctx;
  RtKernel *fn = ctx->kernel[ctx->precision[of]][kernel];
  c->ntasks = ntasks;
  for (int64_t done = 0, n; done < ntasks; done += n) {
    n = ntasks - done < phase ? ntasks - done : phase;
    for (int64_t i = 0; i < n; i++) fn(done + (c->h->bare ? i : n - 1 - i), args, c->h->scratch);
  }
}

static void run(HarnessKernel *h, int entry, int64_t rows, int64_t arg0_rows, void *const *arg, int n) {
  void *buf[HARNESS_MAX_ARGS] = {0};
  int64_t sym[2] = {rows, arg0_rows};
  if (n > HARNESS_MAX_ARGS) die("too many arguments", NULL);
  memcpy(buf, arg, (size_t)n * sizeof *buf);
  if (!h->bare) memset(h->scratch, 0xff, (size_t)h->object.scratch_bytes);
  memset(h->scratch + h->object.scratch_bytes, GUARD_BYTE, GUARD);
  const int64_t all_alike[2] = {0, 0};
  HarnessCtx c = {.rt = {.buf = buf, .sym = sym, .kernel = &h->kernel, .precision = all_alike}, .h = h};
  h->object.entry[entry](&c.rt);
  h->last_tasks = c.ntasks;
  for (int i = 0; i < GUARD; i++) {
    if (h->scratch[h->object.scratch_bytes + i] != GUARD_BYTE) die("a kernel wrote past its scratch", NULL);
  }
}

void harness_run(HarnessKernel *h, int64_t rows, void *const *arg, int n) { run(h, 0, rows, rows, arg, n); }
void harness_run_from(HarnessKernel *h, int64_t rows, int64_t arg0_rows, void *const *arg, int n) { run(h, 0, rows, arg0_rows, arg, n); }
void harness_add(HarnessKernel *h, int64_t rows, void *const *arg, int n) { run(h, 1, rows, rows, arg, n); }

void harness_bare(HarnessKernel *h) { h->bare = true; }

int64_t harness_last_tasks(const HarnessKernel *h) { return h->last_tasks; }

void harness_free(HarnessKernel *h) {
  if (!h) return;
  if (!h->shares) native_unload(&h->object);
  free(h->scratch);
  free(h);
}
