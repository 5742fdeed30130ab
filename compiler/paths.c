// The instruction-set paths that programs can carry, as --isa and doctor name them.
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "runtime/machine/machine.h"

// A row for each path and precision, as in a program.
static const RtIsa ALL[] = {
#define X(path, ...) {.name = #path, .precision = PRECISION_F32}, {.name = #path, .precision = PRECISION_BF16},
#include "runtime/abi/isa.def"
#undef X
};
enum { N_ALL = sizeof ALL / sizeof ALL[0] };
static const char NATIVE[] = "native";

bool path_known(const char *name) {
  bool known = !strcmp(name, NATIVE);
  for (int i = 0; i < N_ALL && !known; i++) known = !strcmp(name, ALL[i].name);
  return known;
}

void path_near(Near *n) {
  near_offer(n, NATIVE);
  for (int i = 0; i < N_ALL; i++) near_offer(n, ALL[i].name);
}

const char *path_best(void) { return ALL[0].name; }

const char *path_native(RtError *e) {
  int i = isa_choose(ALL, N_ALL, getenv("CALM_ISA"), PRECISION_F32, e);
  return i < 0 ? NULL : ALL[i].name;
}

bool path_of(const Options *o, const char **path, RtError *e) {
  *path = o->isa && !strcmp(o->isa, NATIVE) ? path_native(e) : o->isa;
  return *path || !o->isa;
}
