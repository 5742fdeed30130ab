// Which of the program's instruction-set paths runs here.
#ifndef CALM_RUNTIME_ISA_H
#define CALM_RUNTIME_ISA_H
#include "runtime/abi/abi.h"
#include "runtime/core/core.h"

// Index into isas (best first): the one that `want` names, or the first this processor supports. -1 and an error naming
// the built paths when it names another, when the processor lacks it, or when none fits. want NULL or "": choose.
int isa_choose(const RtIsa *isas, int64_t n, const char *want, RtError *e);
bool isa_supported(const char *name);
#endif
