// The names in program.def.
#include "runtime/abi/program.h"

#define ENUM(E, prefix) const ProgName E##_names[] = {
#define NAME(prefix, id, name, part, what) {name, PROG_##part},
#define END_ENUM(E) {0}};
#include "runtime/abi/program.def"
