// A plan compiled by the real back end and loaded into the test: llvm_emit, an object, a shared library.
#ifndef CALM_TESTS_NATIVE_OBJECT_H
#define CALM_TESTS_NATIVE_OBJECT_H
#include "plan/plan.h"
#include "runtime/abi/rt_abi.h"

typedef struct NativeObject {
  void *library;
  RtEntry *const *entry;       // in the plan's order
  int64_t scratch_bytes;
} NativeObject;

// Name of the i-th instruction-set path this processor runs, best first; NULL ends.
const char *native_isa(int i);

// Kernels of all instruction-set paths, or of `path` alone; quick: code that is not optimised, which is there sooner. Exits
// with a message when anything goes wrong.
NativeObject native_load(const Plan *p, const char *path, bool quick);
// Whether this processor runs kernels of a path and a precision: in bf16, those with an instruction that it lacks it does not.
bool native_runs(const char *isa, Precision precision);
RtKernel *const *native_kernels(const NativeObject *o, const char *isa, Precision precision);   // by kernel id
void native_unload(NativeObject *o);
#endif
