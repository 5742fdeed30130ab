// Compiles one kernel with the real back end (llvm_emit, an object, a shared library) and runs it on given memory: what
// the tests of compiler/llvm share. Tasks of a phase run one after the other, the last first: they must not depend on each other.
// The scratch is filled with NaN before every run and checked for writes past its declared size.
#ifndef CALM_TESTS_KERNEL_HARNESS_H
#define CALM_TESTS_KERNEL_HARNESS_H
#include <stdint.h>

#include "plan/plan.h"

enum { HARNESS_MAX_ARGS = 32 };
typedef struct HarnessKernel HarnessKernel;

// Name of the i-th instruction-set path this processor runs, best first; NULL ends.
const char *harness_isa(int i);

// Kernels whose class fixes the arguments may leave narg 0. The kernel's memory must stay until harness_free. Fails the
// test (exits with a message) when anything goes wrong.
HarnessKernel *harness_compile(const Kernel *k, const char *isa);                          // in f32
HarnessKernel *harness_compile_in(const Kernel *k, const char *isa, Precision precision);
// For all paths and precisions, where a test runs them all: the best path's in f32, the others by harness_other.
HarnessKernel *harness_compile_all(const Kernel *k);
// The same kernel of another path or precision, out of h's object, which is of all paths where it is another: freed before h is.
HarnessKernel *harness_other(const HarnessKernel *h, const char *isa, Precision precision);
// One call with n pointer arguments.
void harness_run(HarnessKernel *h, int64_t rows, void *const *arg, int n);
// The same where argument 0 has rows of its own (untake).
void harness_run_from(HarnessKernel *h, int64_t rows, int64_t arg0_rows, void *const *arg, int n);
void harness_add(HarnessKernel *h, int64_t rows, void *const *arg, int n);      // the same, adding to what is there (dw)
void harness_bare(HarnessKernel *h);                         // for timing: the scratch is no longer filled before a run, and tasks run in their order
int64_t harness_last_tasks(const HarnessKernel *h);          // tasks of the last run
void harness_free(HarnessKernel *h);
#endif
