// Code generation helpers over the LLVM C API: types, loops, masked vectors of 16 floats. Only this folder includes llvm-c/.
// All float vectors are <16 x float> whatever the instruction set (LLVM splits them for AVX2), so that reductions have the same
// lanes and tree everywhere; fused multiply-add is written out (cg_fma), never contracted.
#ifndef CALM_LLVM_CG_H
#define CALM_LLVM_CG_H
#include <llvm-c/Core.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan/plan.h"

enum { LANES = RT_LANES };     // runtime/abi/rt_abi.h
// What one instruction set's matrix kernel looks like. A block of at most `rows` rows of A is copied to the stack with a fixed row stride,
// so that every broadcast of the inner loop is base + constant and rows a power of two apart do not fall into one cache set.
typedef struct MmShape {
  int rows;                    // most rows of a register tile
  int regs;                    // vector registers
  int regs_per_panel;          // 1 with 512-bit vectors, 2 with 256
  int lanes;                   // floats of a vector register: width of the blocks transposed in registers
} MmShape;
typedef struct Isa {
  const char *name;            // suffix of kernel symbols
  const char *cpu;             // LLVM target-cpu, "x86-64-v4"
  const char *features;        // LLVM target-features, with prefer-512 where it matters
  MmShape mm;
  const char *bf16;            // further features of kernels that multiply bf16 by an instruction; "": they emulate it
} Isa;
extern const Isa isas[];       // rows of runtime/abi/isa.def, best first; name NULL ends the table

typedef struct Cg {
  LLVMContextRef ctx;
  LLVMModuleRef mod;
  LLVMBuilderRef b;
  const Isa *isa;
  Precision precision;         // of the function being emitted
  bool asked;                  // cg_precision was: it is not the same in all precisions
  LLVMValueRef fn;             // the function being emitted
  LLVMTypeRef void_t, i1, i8, i16, i32, i64, f32, f64, ptr, v16f32, v16i32, v16i1;
  LLVMValueRef phase;          // of the call whose tasks are asked for: so many at a time (rt_abi.def); NULL: all
  int64_t scratch;             // most scratch bytes asked for so far (cg_need_scratch)
} Cg;

// The precision of products. A kernel that never asks is emitted once for all.
static inline Precision cg_precision(Cg *g) { return g->asked = true, g->precision; }
// What the panels of argument arg hold, and whether products with panels of dt are in pairs of bf16; whether the path has an instruction for them.
static inline Dtype cg_panel(Cg *g, const Kernel *k, int arg) { return panel_under(k->arg[arg].dt, cg_precision(g)); }
static inline bool cg_in_pairs(Cg *g, Dtype dt) { return cg_precision(g) == PRECISION_BF16 && (dt == DT_BF16 || dt == DT_I8); }
static inline bool cg_has_pairs(const Isa *isa, Precision p) { return p == PRECISION_BF16 && isa->bf16[0]; }

// Kernel parameters of the function being emitted.
LLVMValueRef cg_task(Cg *g);                                 // i64
LLVMValueRef cg_rows(Cg *g);                                 // args[0]
LLVMValueRef cg_arg_ptr(Cg *g, int i);                       // pointer argument i (args[1 + i])
LLVMValueRef cg_arg_word(Cg *g, int word);                   // raw i64 word
LLVMValueRef cg_scratch(Cg *g, int64_t offset);              // pointer into the thread's scratch
void cg_need_scratch(Cg *g, int64_t bytes);

// Integers (i64 unless said).
LLVMValueRef cg_i64(Cg *g, int64_t v);
LLVMValueRef cg_i32(Cg *g, int32_t v);
LLVMValueRef cg_words(Cg *g, int lanes, uint32_t v);          // <lanes x i32>, all v
LLVMValueRef cg_add(Cg *g, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_sub(Cg *g, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_mul(Cg *g, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_udiv(Cg *g, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_urem(Cg *g, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_ceildiv(Cg *g, LLVMValueRef a, int64_t b);
LLVMValueRef cg_min(Cg *g, LLVMValueRef a, LLVMValueRef b);   // signed
LLVMValueRef cg_max(Cg *g, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_lt(Cg *g, LLVMValueRef a, LLVMValueRef b);    // signed, i1
LLVMValueRef cg_select(Cg *g, LLVMValueRef c, LLVMValueRef a, LLVMValueRef b);

// Memory. p is a pointer, offsets are in elements of the given type.
LLVMValueRef cg_at(Cg *g, LLVMTypeRef elem, LLVMValueRef p, LLVMValueRef index);
LLVMValueRef cg_load(Cg *g, LLVMTypeRef t, LLVMValueRef p);                     // natural alignment of the element
void cg_store(Cg *g, LLVMValueRef v, LLVMValueRef p);
LLVMValueRef cg_load16(Cg *g, LLVMValueRef p);                                   // 16 floats, align 4
void cg_store16(Cg *g, LLVMValueRef v, LLVMValueRef p);
void cg_store16_past(Cg *g, LLVMValueRef v, LLVMValueRef p);                      // past the caches; p at a line's beginning; cg_fence before others read it
void cg_fence(Cg *g);
void cg_fetch(Cg *g, LLVMValueRef p, int level);                                 // prefetch to L1 (3) or L2 (2); p may point anywhere
LLVMValueRef cg_mask(Cg *g, int lanes, LLVMValueRef n);                          // lanes < n (i64), <lanes x i1>
LLVMValueRef cg_mask16(Cg *g, LLVMValueRef n);                                   // of 16
LLVMValueRef cg_load_mask(Cg *g, LLVMTypeRef t, LLVMValueRef p, LLVMValueRef mask);   // a vector; others 0, untouched memory
LLVMValueRef cg_load16_mask(Cg *g, LLVMValueRef p, LLVMValueRef mask);           // others 0, untouched memory
void cg_store16_mask(Cg *g, LLVMValueRef v, LLVMValueRef p, LLVMValueRef mask);
void cg_store_lanes(Cg *g, LLVMValueRef v, LLVMValueRef p, LLVMValueRef mask);   // mask NULL: all
// Stored numbers as f32, exactly, by the row of their type (runtime/abi/dtype.def).
LLVMTypeRef cg_dtype(Cg *g, Dtype dt);                                           // of an element in memory
LLVMValueRef cg_load_f32(Cg *g, Dtype dt, LLVMValueRef p);
LLVMValueRef cg_load16_f32(Cg *g, Dtype dt, LLVMValueRef p, LLVMValueRef mask);  // 16 of them; mask NULL: all; others 0, untouched memory

// Loops: for (i = lo; i < hi; i += step). Loop-carried values are mutable variables (allocas at function entry; mem2reg removes them).
typedef struct CgLoop {
  LLVMBasicBlockRef head, body, exit;
  LLVMValueRef var, i, step;
} CgLoop;
CgLoop cg_loop(Cg *g, LLVMValueRef lo, LLVMValueRef hi, int64_t step);          // positions in the body; .i is the index
void cg_loop_end(Cg *g, CgLoop *l);                                              // positions after
// Columns lo … hi - 1, 16 at a time: f at each first one, with the mask of the tail, or NULL.
typedef void CgLanes(Cg *g, void *user, LLVMValueRef col, LLVMValueRef mask);
void cg_columns(Cg *g, LLVMValueRef lo, LLVMValueRef hi, CgLanes *f, void *user);
void cg_zero_columns(Cg *g, LLVMValueRef lo, LLVMValueRef hi, LLVMValueRef row);   // of f32
typedef struct CgIf {
  LLVMBasicBlockRef otherwise, exit;
  bool has_else;
} CgIf;
CgIf cg_if(Cg *g, LLVMValueRef cond);
void cg_else(Cg *g, CgIf *i);
void cg_endif(Cg *g, CgIf *i);
LLVMValueRef cg_var(Cg *g, LLVMTypeRef t, LLVMValueRef init);                    // alloca in the entry block, init (unless NULL) stored here
LLVMValueRef cg_get(Cg *g, LLVMTypeRef t, LLVMValueRef var);
void cg_set(Cg *g, LLVMValueRef var, LLVMValueRef v);

// Floats: scalars or vectors alike, unless said.
LLVMValueRef cg_f32(Cg *g, double v);
LLVMValueRef cg_splat(Cg *g, LLVMValueRef scalar);                               // to <16 x float>
LLVMValueRef cg_splatc(Cg *g, double v);
LLVMValueRef cg_fadd(Cg *g, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_fsub(Cg *g, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_fmul(Cg *g, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_fdiv(Cg *g, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_fma(Cg *g, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);      // a * b + c, one rounding
LLVMValueRef cg_fmax(Cg *g, LLVMValueRef a, LLVMValueRef b);                     // a > b ? a : b
LLVMValueRef cg_fneg(Cg *g, LLVMValueRef a);
LLVMValueRef cg_sqrt(Cg *g, LLVMValueRef a);
LLVMValueRef cg_sum16(Cg *g, LLVMValueRef v);                                    // fixed tree: 8+8, 4+4, 2+2, 1+1
LLVMValueRef cg_max16(Cg *g, LLVMValueRef v);
LLVMValueRef cg_call(Cg *g, LLVMTypeRef fnty, LLVMValueRef f, LLVMValueRef *args, int n);
LLVMValueRef cg_intrinsic(Cg *g, const char *name, LLVMTypeRef *overload, int nov, LLVMValueRef *args, int n);

// Elementary functions on <16 x float> (or f32): own polynomials, <= 2 ulp, correct at infinities and NaN (vmath.c).
LLVMValueRef cg_vexp(Cg *g, LLVMValueRef x);
LLVMValueRef cg_vexp2(Cg *g, LLVMValueRef x);                                    // 2^x for x < 128: cheaper; 0 from -126.5 down
LLVMValueRef cg_vexp2_scaled(Cg *g, LLVMValueRef x);                             // the same, with subnormals: cheaper still on processors with pairs of bf16, dearer elsewhere
LLVMValueRef cg_vlog(Cg *g, LLVMValueRef x);
LLVMValueRef cg_vbf16(Cg *g, LLVMValueRef x);                // the nearest bf16, ties to even
LLVMValueRef cg_vtanh(Cg *g, LLVMValueRef x);
LLVMValueRef cg_verf(Cg *g, LLVMValueRef x);
LLVMValueRef cg_vsigmoid(Cg *g, LLVMValueRef x);
void cg_vsincos(Cg *g, LLVMValueRef x, LLVMValueRef *s, LLVMValueRef *c);

// The matrix micro-kernels, generated once per instruction set when calm is built (mm.c), in the runtime library as calm_mm_<isa>:
//   C[M, N] (+)= A[M, K] B[K, N]
// Each output is one chain of fused multiply-adds over k in order, starting from 0 or (MM_GOES_ON) from C, or from 0 and added to C at its
// end (MM_ADDED, for K of at most MM_KC), so its bits do not depend on M, N or its place. N need not be a multiple of 16: columns beyond N are
// neither read past the panel nor written; B's panels must be readable for 16 elements per k unless N ends inside (then masked). K = 0 stores zeros
// (or leaves C). M = 0 or N = 0 does nothing.
typedef struct MmOperand {     // distances in elements of dt
  Dtype dt;
  LLVMValueRef p;              // element (0, 0)
  LLVMValueRef row, k;         // from row to row (A, C), and along k (A, B); NULL: 1, of packed B PANEL
  LLVMValueRef panel;          // B: from 16 columns to the next 16; columns of a panel lie side by side
} MmOperand;
MmOperand mm_rows(Dtype dt, LLVMValueRef p, LLVMValueRef row);           // A[m][k] or C[m][n], the last side by side
MmOperand mm_turned(Dtype dt, LLVMValueRef p, LLVMValueRef k);           // A[k][m], m side by side
MmOperand mm_copied(Cg *g, LLVMValueRef p);                              // A[m][MM_ASTRIDE] as the kernel's own copy has it (mm.h), for one pass
MmOperand mm_packed(Dtype dt, LLVMValueRef p, LLVMValueRef panel);       // B in panels [K][16], `panel` apart
MmOperand mm_plain(Cg *g, Dtype dt, LLVMValueRef p, LLVMValueRef k);     // B[k][n], rows `k` apart
typedef enum MmAcc { MM_FRESH, MM_GOES_ON, MM_ADDED } MmAcc;
typedef struct MmCall {
  MmOperand A, B, C;           // a kernel for these three dtypes must be there (mm.c: kernels)
  bool pairs;                  // A is rounded to bf16, and so is B already: products of pairs along k (see above)
  LLVMValueRef M, N, K;
  LLVMValueRef acc;            // i64, an MmAcc; NULL: MM_FRESH
  LLVMValueRef next, next_panel, next_k;   // what the caller reads next, brought to L2 on the side: for panel p of B, the lines next + p * next_panel
                                   // + k * next_k (elements of B; in pairs one line for two k; never faults; next_k NULL: 16); next NULL: nothing
} MmCall;
void cg_mm(Cg *g, const MmCall *c);

// Kernel emitters, one per class: body of a function whose parameters are set up; ends with the builder in a block without terminator
// (the caller adds ret). tasks emits, inside an entry function, the number of tasks (i64) given rows (i64) and the loaded argument
// pointers (for the mask of an attention).
typedef struct KernelEmitter {
  void (*body)(Cg *g, const Kernel *k);
  LLVMValueRef (*tasks)(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr);
} KernelEmitter;
extern const KernelEmitter kernel_emitters[K_COUNT];         // emitters.c
#define X(id, name, form, args, extents, what) void emit_##id(Cg *g, const Kernel *k); LLVMValueRef tasks_##id(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr);
#include "plan/kernels.def"
#undef X
#endif
