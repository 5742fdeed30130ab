// What generated code and the runtime agree on. The compiler takes offsets and names from here.
#ifndef CALM_RUNTIME_RT_ABI_H
#define CALM_RUNTIME_RT_ABI_H
#include <stddef.h>
#include <stdint.h>

// What the plan places and the runtime makes room for (compiler/plan/plan.h).
enum {
  RT_FLAT_WIDTH = 1024,        // the flat parameter vector is rows of so many numbers
  RT_LANES = 16,               // generated code works on vectors of so many numbers; a load of one that begins in an array may end behind it
  RT_ROW_ROUND = RT_LANES,     // so extents of a step are rounded up to so many rows: every array of rows has room for the rest of a vector of them
  RT_BUF_ALIGN = 64,           // bytes
};

// A mask is an interval per query row. Row numbers of keys are relative to the sequence's first key row, so that the cutting of a
// row's keys into blocks depends on the row's own sequence only (row invariance).
enum { RT_QBLOCK = 256 };      // most query rows in a block
// As many rows as a step of nseq sequences cuts its query rows into: keys are packed once a block, but of few sequences there shall be enough blocks to share.
static inline int64_t rt_qblock(int64_t nseq) { return nseq < 4 ? RT_QBLOCK / 2 : RT_QBLOCK; }
typedef struct RtQBlock {
  int32_t q0, nq;              // query rows [q0, q0 + nq), all of one sequence
  int32_t key0;                // first key row of that sequence
  int32_t kmax;                // largest hi of these rows
} RtQBlock;
typedef struct RtSeq {
  int32_t q0, nq;              // its query rows (nq may be 0)
  int32_t key0, nk;            // its key rows
} RtSeq;
typedef struct RtMask {
  const int32_t *lo, *hi;      // per query row, relative to its key0; empty when lo >= hi
  int64_t nblk;
  const RtQBlock *blk;         // blocks cover all query rows
  int64_t nseq;
  const RtSeq *seq;            // sequences cover all query rows and all key rows
  int64_t ahead;               // tasks from one to what its thread probably takes next (as many threads take them in turn), to fetch for; 0: unknown
} RtMask;

// A kernel: one task of a call. args[0] = rows, args[1 + i] = pointer i. scratch: per thread, calm_scratch_bytes, 64-byte aligned.
typedef void RtKernel(int64_t task, const int64_t *args, void *scratch);
enum { RT_PACK_TO = 2 };       // the word of a packing call that says where the panels go

typedef struct RtCtx {
  void **buf;                  // by buffer id
  const int64_t *sym;          // extent of each row symbol in this step
  RtKernel *const *const *kernel;                // of the instruction-set path in use, by Precision, by kernel id
  const int64_t *precision;    // of a call's products: by the model that it is of, and one; 0: of none
  int64_t nkernel;
  struct RtPool *pool;
  int64_t threads;             // of the pool: from a task to what its thread probably takes next; 0: unknown
} RtCtx;
typedef void RtEntry(const RtCtx *ctx);

// Symbols of the compiled object, read by the runtime.
typedef struct RtIsa {
  const char *name;            // "avx512", "avx2"
  RtKernel *const *kernel;
  int64_t precision;           // of its products: a Precision
} RtIsa;
extern const char calm_program_json[];           // the description: program.def says what is in it
extern const int64_t calm_program_json_len;
extern RtEntry *const calm_entries[];            // in the order of "entries" in the description
extern const RtIsa calm_isas[];                  // paths, best first, and each precision of them
extern const int64_t calm_isa_count;
extern const int64_t calm_scratch_bytes;         // most that any kernel needs, per thread
extern const int64_t calm_entry_scratch[];       // of an entry's kernels

// The same as one thing, which the program's main hands down (app/main.c): nothing else names the symbols.
typedef struct RtProgram {
  const char *json;
  int64_t json_len;
  RtEntry *const *entries;
  const RtIsa *isas;
  int64_t isa_count, scratch_bytes;
  const int64_t *entry_scratch;
  const struct RtProgram *const *alone;          // each of its models as a program (calmc build --compare); NULL: none
  int64_t nalone;
} RtProgram;
#define RT_ALONE_SECTION "calm_alone"            // where the linker puts pointers to these together

// Functions generated code calls: rows of rt_abi.def.
#define X(ret, name, args, kinds) ret name args;
#include "runtime/abi/rt_abi.def"
#undef X
#endif
