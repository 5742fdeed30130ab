// One row per kernel class: its body and its number of tasks.
#include "llvm/cg.h"

const KernelEmitter kernel_emitters[K_COUNT] = {
#define X(id, name, form, args, extents, what) {emit_##id, tasks_##id},
#include "plan/kernels.def"
#undef X
};
