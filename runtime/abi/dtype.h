// Element types, from rows of dtype.def: the graph's, the plan's, the files'.
#ifndef CALM_ABI_DTYPE_H
#define CALM_ABI_DTYPE_H
#include <stdbool.h>
#include <stddef.h>

typedef enum Dtype {
#define X(id, name, file, bits, use, high) DT_##id,
#include "runtime/abi/dtype.def"
#undef X
  DT_MASK,                     // an interval per query row (rt_abi.h)
  DT_NONE,                     // no such type
} Dtype;

typedef enum DtypeUse { DTYPE_STORED, DTYPE_INDEX, DTYPE_FILE, DTYPE_GROUPS, DTYPE_NO_NUMBER } DtypeUse;
typedef struct DtypeInfo {
  const char *name, *file;     // "f32"; in safetensors, NULL where it is in none
  int bits;                    // 0: no array
  DtypeUse use;
  Dtype high;                  // see dtype.def
} DtypeInfo;
extern const DtypeInfo dtype_info[DT_NONE];

static inline const char *dtype_name(Dtype t) { return dtype_info[t].name; }
static inline int dtype_size(Dtype t) { return dtype_info[t].bits / 8; }      // bytes; 0 for DT_MASK, and for types that share bytes
// By name; DT_NONE where there is none.
Dtype dtype_named(const char *name);
Dtype dtype_of_file(const char *name);
// Those that are STORED, as files call them: "F32, F16 and BF16".
void dtype_stored_names(char *out, size_t n);
// The number at p, of a STORED type.
double dtype_number(Dtype t, const void *p);
// Writes x there, rounded to the nearest number of a STORED type, ties to even. False where x is finite and the type has none so large: infinity was written.
bool dtype_round(Dtype t, double x, void *p);
#endif
