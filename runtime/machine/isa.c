// Instruction-set paths by name, each with the processor features its kernels use.
#include "runtime/machine/isa.h"

#include <stdio.h>
#include <string.h>

#define HAS(feature) __builtin_cpu_supports(feature)
#define X(name, cpu, features, has, core, rows, regs, regs_per_panel, lanes) static bool has_##name(void) { return has; }
#include "runtime/abi/isa.def"
#undef X
static const struct { const char *name; bool (*has)(void); } PATH[] = {
#define X(name, cpu, features, has, core, rows, regs, regs_per_panel, lanes) {#name, has_##name},
#include "runtime/abi/isa.def"
#undef X
};

bool isa_supported(const char *name) {
  for (size_t i = 0; i < sizeof PATH / sizeof PATH[0]; i++)
    if (!strcmp(name, PATH[i].name)) return PATH[i].has();
  return false;
}

static const char *built(const RtIsa *isas, int64_t n, char *out, size_t cap) {
  size_t at = 0;
  out[0] = 0;
  for (int64_t i = 0; i < n && at < cap; i++) at += (size_t)snprintf(out + at, cap - at, "%s%s", i ? ", " : "",
      isas[i].name);
  return out;
}

int isa_choose(const RtIsa *isas, int64_t n, const char *want, RtError *e) {
  char list[128];
  bool any = !want || !*want;
  for (int64_t i = 0; i < n; i++) {
    if (any ? isa_supported(isas[i].name) : !strcmp(want, isas[i].name)) {
      if (any || isa_supported(want)) return (int)i;
      rt_fail(e, "%s: this processor does not support it (this program has: %s)", want,
              built(isas, n, list, sizeof list));
      return -1;
    }
  }
  if (any)
    rt_fail(e, "this processor supports none of the instruction-set paths of this program: %s",
            built(isas, n, list, sizeof list));
  else
    rt_fail(e, "%s: no such instruction-set path; this program has: %s", want,
            built(isas, n, list, sizeof list));
  return -1;
}
