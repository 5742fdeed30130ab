// Kernel classes as rows of kernels.def; an empty plan.
#include "plan/plan.h"

const KernelClassInfo kernel_class[K_COUNT] = {
#define X(id, name, form, args, extents, what) {name, FORM_##form, sizeof(KArgs_##id), sizeof(KExtents_##id) / sizeof(int64_t)},
#include "plan/kernels.def"
#undef X
};
#define X(id, name, form, args, extents, what) _Static_assert(sizeof(KExtents_##id) <= sizeof((Kernel *)0)->dim, "extents of " name);
#include "plan/kernels.def"
#undef X

Plan *plan_new(Arena *a) {
  Plan *p = ARENA_NEW(a, Plan);
  p->arena = a;
  return p;
}
