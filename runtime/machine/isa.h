// Which of the program's instruction-set paths runs here.
#ifndef CALM_RUNTIME_ISA_H
#define CALM_RUNTIME_ISA_H
#include "runtime/abi/abi.h"
#include "runtime/core/core.h"

// Index into isas (best first) of kernels of this precision: the path that `want` names, or the first that runs on this processor, which is in bf16 one
// that emulates it where no instruction multiplies it (isa_multiplies). -1 and an error naming the built paths when it names another, when the
// processor lacks it, or when none fits. want NULL or "": choose.
int isa_choose(const RtIsa *isas, int64_t n, const char *want, Precision precision, RtError *e);
// Whether a program has kernels of a precision at all.
bool isa_built(const RtIsa *isas, int64_t n, Precision precision);
bool isa_supported(const char *name);
// Whether a path's kernels of a precision multiply by an instruction of this processor: false where they emulate it, or do not run.
bool isa_multiplies(const char *name, Precision precision);
#endif
