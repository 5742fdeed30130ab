// Instruction-set paths by name, each with the processor features its kernels use.
#include "runtime/machine/isa.h"

#include <stdio.h>
#include <string.h>

#define HAS(feature) __builtin_cpu_supports(feature)
#define X(name, cpu, features, has, rows, regs, regs_per_panel, lanes, bf16, has_bf16) \
  static bool has_##name(void) { return has; }                                               \
  static bool multiplies_##name(void) { return has_bf16; }
#include "runtime/abi/isa.def"
#undef X
typedef struct Path {
  const char *name, *bf16;     // bf16: features of kernels that multiply it by an instruction, "" where they emulate it
  bool (*has)(void), (*has_bf16)(void);
} Path;
static const Path PATH[] = {
#define X(name, cpu, features, has, rows, regs, regs_per_panel, lanes, bf16, has_bf16) {#name, bf16, has_##name, multiplies_##name},
#include "runtime/abi/isa.def"
#undef X
};

static const Path *find(const char *name) {
  for (size_t i = 0; i < sizeof PATH / sizeof PATH[0]; i++)
    if (!strcmp(name, PATH[i].name)) return &PATH[i];
  return NULL;
}

bool isa_supported(const char *name) {
  const Path *p = find(name);
  return p && p->has();
}

bool isa_multiplies(const char *name, Precision precision) {
  const Path *p = find(name);
  return p && p->has() && (precision != PRECISION_BF16 || p->has_bf16());
}

static bool runs(const RtIsa *isa) {
  const Path *p = find(isa->name);
  return p && p->has() && (isa->precision != PRECISION_BF16 || !*p->bf16 || p->has_bf16());
}

// Names of the paths that there are in a precision.
static const char *built(const RtIsa *isas, int64_t n, Precision precision, char *out, size_t cap) {
  size_t at = 0;
  out[0] = 0;
  for (int64_t i = 0; i < n && at < cap; i++)
    if (isas[i].precision == precision) at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? ", " : "", isas[i].name);
  return out;
}

bool isa_built(const RtIsa *isas, int64_t n, Precision precision) {
  for (int64_t i = 0; i < n; i++)
    if (isas[i].precision == precision) return true;
  return false;
}

int isa_choose(const RtIsa *isas, int64_t n, const char *want, Precision precision, RtError *e) {
  char list[128];
  const char *name = precision_name(precision);
  bool any = !want || !*want;
  built(isas, n, precision, list, sizeof list);
  if (!*list) return rt_fail(e, "this program has no kernels of precision %s", name), -1;
  for (int64_t i = 0; i < n; i++) {
    if (isas[i].precision != precision || !(any || !strcmp(want, isas[i].name))) continue;
    if (runs(&isas[i])) return (int)i;
    if (any) continue;
    if (isa_supported(want)) rt_fail(e, "%s: this processor does not multiply %s by an instruction (in %s this program has: %s)", want, name, name, list);
    else rt_fail(e, "%s: this processor does not support it (this program has: %s)", want, list);
    return -1;
  }
  if (any) rt_fail(e, "this processor supports none of the instruction-set paths of this program: %s", list);
  else rt_fail(e, "%s: no such instruction-set path; this program has: %s", want, list);
  return -1;
}
