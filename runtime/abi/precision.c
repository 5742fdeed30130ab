// See precision.h.
#include "runtime/abi/precision.h"

#include <stddef.h>

const char *const precision_words[N_PRECISION + 1] = {
#define X(id, name, what) name,
#include "runtime/abi/precision.def"
#undef X
};
