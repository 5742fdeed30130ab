// The description of a program as C: types from rows of program.def. calmc fills them (compiler/describe.c), a program reads them at start
// (runtime/engine/program.c); the plan's buffers and the graph's symbols are these.
#ifndef CALM_ABI_PROGRAM_H
#define CALM_ABI_PROGRAM_H
#include <stdbool.h>
#include <stdint.h>

#include "runtime/abi/dtype.h"
#include "runtime/abi/precision.h"

#define PROGRAM_MARK "this program was linked by calmc"     // in each (runtime/app), for calmc to know what it may replace

struct json_t;                 // jansson's

#define ENUM(E, prefix) typedef enum E {
#define NAME(prefix, id, name, part, what) prefix##_##id,
#define END_ENUM(E) } E;
#include "runtime/abi/program.def"

// How many: N_EntryKind.
#define ENUM(E, prefix) enum { N_##E = 0
#define NAME(prefix, id, name, part, what) + 1
#define END_ENUM(E) };
#include "runtime/abi/program.def"

typedef enum ProgPart {
  PROG_nothing,
#define RECORD(R)
#define VALUE(type, name, what)
#define LIST(R, name, what)
#define ONE_OF(E)
#define PART(R, name) PROG_##name,
#define END_ONE_OF
#define END(R)
#include "runtime/abi/program.def"
} ProgPart;
typedef struct ProgName {
  const char *name;
  ProgPart part;               // of the union beside a member of this enumeration
} ProgName;
// By value of the enumeration, NULL past the last: Role_names, SymKind_names, BufKind_names.
#define ENUM(E, prefix) extern const ProgName E##_names[];
#define NAME(prefix, id, name, part, what)
#define END_ENUM(E)
#include "runtime/abi/program.def"

// Entries that come in two as well: what of them depends on no parameter, and the rest, which is given that.
typedef struct ProgSplit {
  EntryKind whole, frozen, live;
  InputKind given;
  OutputKind gives;
} ProgSplit;
enum { N_SPLIT = 3 };
extern const ProgSplit prog_splits[N_SPLIT];
const ProgSplit *prog_split_of(EntryKind whole);           // NULL: it has none

typedef struct ProgInts { int n; int64_t *v; } ProgInts;
typedef struct ProgReals { int n; double *v; } ProgReals;

// What a VALUE of a type is in C.
typedef const char *PROG_TEXT, *PROG_TEXT_OR_NULL;
typedef int64_t PROG_INT;
typedef int PROG_INDEX;
typedef bool PROG_BOOL;
typedef double PROG_REAL;
typedef ProgInts PROG_INTS;
typedef ProgReals PROG_REALS;
typedef struct json_t *PROG_JSON;
typedef Dtype PROG_DTYPE;
#define ENUM(E, prefix) typedef E PROG_##E;
#define NAME(prefix, id, name, part, what)
#define END_ENUM(E)
#include "runtime/abi/program.def"

#define RECORD(R) typedef struct Prog##R {
#define VALUE(type, name, what) PROG_##type name;
#define LIST(R, name, what) struct Prog##R *name; int n##name;
#define ONE_OF(E) union {
#define PART(R, name) struct Prog##R name;
#define END_ONE_OF };
#define END(R) } Prog##R;
#include "runtime/abi/program.def"

// The row whose name a name begins with, alone or with '.' behind it, and what stands behind that ("" where nothing does); -1: none.
int prog_named(const ProgName *names, const char *name, const char **rest);
bool prog_name_is(const ProgName *names, int k, const char *name, const char **rest);

static inline const char *entry_name(EntryKind k) { return EntryKind_names[k].name; }
static inline const char *input_name(InputKind k) { return InputKind_names[k].name; }
static inline const char *output_name(OutputKind k) { return OutputKind_names[k].name; }
static inline const char *init_name(InitKind k) { return InitKind_names[k].name; }
static inline const char *buf_kind_name(BufKind k) { return BufKind_names[k].name; }
// The model whose precision a buffer is in, -1: none.
static inline int prog_buf_of(const ProgBuf *b) {
  return b->kind == BUF_CACHE ? b->cached.of : b->kind == BUF_PACKED || b->kind == BUF_LIVE ? b->packed.of : -1;
}
// Of a static buffer, or a row of it, where products of that model have this precision.
static inline int64_t prog_buf_bytes(const ProgBuf *b, Precision p) {
  if (b->kind == BUF_CACHE && b->cached.of >= 0) return b->elems * dtype_size(cache_dtype(p));
  bool rounded = (b->kind == BUF_PACKED || b->kind == BUF_LIVE) && !b->packed.exact;
  Dtype dt = rounded ? panel_under(b->dt, p) : b->dt;
  return (dt == b->dt ? b->elems : panels_elems(dt, b->packed.N, b->packed.K)) * dtype_size(dt);
}
#endif
