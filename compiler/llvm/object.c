// Modules: set-up, the kernels and tables of a program, optimisation, output.
#include "llvm/object.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen_gen/codegen_build.h"
#include "dsl/base/alloc.h"
#include "dsl/base/bug.h"
#include "runtime/abi/abi.h"

void cg_begin(Cg *g, const char *module_name) {
  *g = (Cg){.ctx = LLVMContextCreate()};
  LLVMContextRef c = g->ctx;
  g->mod = LLVMModuleCreateWithNameInContext(module_name, c);
  g->b = LLVMCreateBuilderInContext(c);
  g->void_t = LLVMVoidTypeInContext(c);
  g->i1 = LLVMInt1TypeInContext(c);
  g->i8 = LLVMInt8TypeInContext(c);
  g->i16 = LLVMInt16TypeInContext(c);
  g->i32 = LLVMInt32TypeInContext(c);
  g->i64 = LLVMInt64TypeInContext(c);
  g->f32 = LLVMFloatTypeInContext(c);
  g->f64 = LLVMDoubleTypeInContext(c);
  g->ptr = LLVMPointerTypeInContext(c, 0);
  g->v16f32 = LLVMVectorType(g->f32, LANES);
  g->v16i32 = LLVMVectorType(g->i32, LANES);
  g->v16i1 = LLVMVectorType(g->i1, LANES);
}

static void attribute(Cg *g, LLVMValueRef fn, const char *key, const char *value) {
  LLVMAttributeRef a = LLVMCreateStringAttribute(g->ctx, key, (unsigned)strlen(key), value, (unsigned)strlen(value));
  LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, a);
}

LLVMValueRef cg_function(Cg *g, const char *name, LLVMTypeRef type, const Isa *isa, bool external) {
  LLVMValueRef fn = LLVMGetNamedFunction(g->mod, name);
  if (!fn) fn = LLVMAddFunction(g->mod, name, type);
  LLVMSetLinkage(fn, external ? LLVMExternalLinkage : LLVMInternalLinkage);
  if (!external) LLVMSetUnnamedAddress(fn, LLVMGlobalUnnamedAddr);
  unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
  LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(g->ctx, nounwind, 0));
  if (isa) {
    attribute(g, fn, "target-cpu", isa->cpu);
    bool more = cg_has_pairs(isa, g->precision);
    char features[64];
    snprintf(features, sizeof features, "%s%s%s", isa->features, more && isa->features[0] ? "," : "", more ? isa->bf16 : "");
    if (features[0]) attribute(g, fn, "target-features", features);
    attribute(g, fn, "prefer-vector-width", "512");
    attribute(g, fn, "min-legal-vector-width", "512");
  }
  g->fn = fn;
  g->isa = isa;
  LLVMPositionBuilderAtEnd(g->b, LLVMAppendBasicBlockInContext(g->ctx, fn, "entry"));
  return fn;
}

static _Noreturn void fail(const char *what, const char *text) { bug("%s: %s", what, text ? text : ""); }

static LLVMTargetMachineRef machine(Cg *g, LLVMCodeGenOptLevel level) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  const char *triple = "x86_64-unknown-linux-gnu";
  LLVMTargetRef target;
  char *error = NULL;
  if (LLVMGetTargetFromTriple(triple, &target, &error)) fail("no x86-64 target in LLVM", error);
  LLVMTargetMachineRef tm = LLVMCreateTargetMachine(target, triple, "x86-64", "", level, LLVMRelocPIC, LLVMCodeModelDefault);
  LLVMSetTarget(g->mod, triple);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
  LLVMSetModuleDataLayout(g->mod, layout);
  LLVMDisposeTargetData(layout);
  return tm;
}

// What hand-laid vector code needs and no more: kernels that came out equal become one, variables to registers, common addresses, constants out of loops.
static const char pipeline[] =
    "mergefunc,function(sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg,"
    "loop-mssa(loop-instsimplify,loop-simplifycfg,licm),gvn,instcombine<no-verify-fixpoint>,simplifycfg)";

static const char quick[] = "mergefunc,function(sroa,early-cse<memssa>)";   // less of it, and code generation takes longer than that saves
#ifdef CALM_QUICK_CODE         // the build's option
static bool quickly(EmitKind what) { return what == EMIT_OBJ || what == EMIT_QUICK; }
#else
static bool quickly(EmitKind what) { return what == EMIT_QUICK; }
#endif

static void optimise(Cg *g, LLVMTargetMachineRef tm, const char *passes) {
  LLVMPassBuilderOptionsRef o = LLVMCreatePassBuilderOptions();
  LLVMErrorRef e = LLVMRunPasses(g->mod, passes, tm, o);
  if (e) fail("LLVM passes", LLVMGetErrorMessage(e));
  LLVMDisposePassBuilderOptions(o);
}

// Loops of programs address memory as they are to: looking for other ways is a fifth of the time of a build, and attention is as fast without. LLVM takes an
// option once and keeps it.
static void without_strength_reduction(void) {
  const char *option[2] = {"calmc", "-disable-lsr"};
  LLVMParseCommandLineOptions(2, option, "");
}

void cg_finish(Cg *g, EmitKind what, Buf *out) {
  char *error = NULL;
  LLVMTargetMachineRef tm = machine(g, quickly(what) ? LLVMCodeGenLevelNone : LLVMCodeGenLevelDefault);
  if (LLVMVerifyModule(g->mod, LLVMReturnStatusAction, &error)) fail("malformed LLVM module", error);
  LLVMDisposeMessage(error);
  optimise(g, tm, quickly(what) ? quick : pipeline);
  if (what == EMIT_LLVM) {
    char *text = LLVMPrintModuleToString(g->mod);
    buf_puts(out, text);
    LLVMDisposeMessage(text);
  } else {
    LLVMMemoryBufferRef m;
    LLVMCodeGenFileType file = what == EMIT_ASM ? LLVMAssemblyFile : LLVMObjectFile;
    if (LLVMTargetMachineEmitToMemoryBuffer(tm, g->mod, file, &error, &m))
      fail("LLVM code generation", error);
    buf_write(out, LLVMGetBufferStart(m), LLVMGetBufferSize(m));
    LLVMDisposeMemoryBuffer(m);
  }
  LLVMDisposeTargetMachine(tm);
  LLVMDisposeBuilder(g->b);
  LLVMDisposeModule(g->mod);
  LLVMContextDispose(g->ctx);
}

LLVMValueRef cg_constant(Cg *g, const char *name, LLVMValueRef init, bool external) {
  LLVMValueRef v = LLVMAddGlobal(g->mod, LLVMTypeOf(init), name);
  LLVMSetInitializer(v, init);
  LLVMSetGlobalConstant(v, true);
  if (!external) LLVMSetLinkage(v, LLVMInternalLinkage);
  return v;
}

// ---- a program
// *scratch: raised to what it needs.
static LLVMValueRef emit_kernel(Cg *g, const Kernel *k, const Isa *isa, int64_t *scratch) {
  char name[64];
  snprintf(name, sizeof name, "k%d_%s_%s%s%s", k->id, kernel_class[k->cls].name, isa->name, g->precision ? "_" : "", g->precision ? precision_name(g->precision) : "");
  LLVMTypeRef par[3] = {g->i64, g->ptr, g->ptr};
  LLVMValueRef fn = cg_function(g, name, LLVMFunctionType(g->void_t, par, 3, false), isa, false);
  int64_t others = g->scratch;
  g->scratch = 0;
  kernel_emitters[k->cls].body(g, k);
  if (g->scratch > *scratch) *scratch = g->scratch;
  if (others > g->scratch) g->scratch = others;
  LLVMBuildRetVoid(g->b);
  return fn;
}

// Kernels of a path and a precision; those that do not ask for it, or are exact, are the first precision's, f32.
static LLVMValueRef kernel_table(Cg *g, const Plan *p, const Isa *isa, Precision precision, LLVMValueRef *fn, bool *asks, int64_t *scratch) {
  g->precision = precision;
  for (int i = 0; i < p->nkernel; i++) {
    const Kernel *k = &p->kernel[i];
    if (precision && !asks[i]) continue;
    g->asked = false;
    fn[i] = kernel_emitters[k->cls].body ? emit_kernel(g, k, isa, &scratch[i]) : LLVMConstNull(g->ptr);
    asks[i] = g->asked && !k->exact;
  }
  g->precision = PRECISION_F32;
  char name[64];
  snprintf(name, sizeof name, "kernels_%s_%s", isa->name, precision_name(precision));
  return cg_constant(g, name, LLVMConstArray2(g->ptr, fn, (uint64_t)p->nkernel), false);
}

static LLVMValueRef text(Cg *g, const char *name, const char *s) {
  return cg_constant(g, name, LLVMConstStringInContext2(g->ctx, s, strlen(s), false), false);
}

_Static_assert(offsetof(RtIsa, name) == 0 && offsetof(RtIsa, kernel) == 8 && offsetof(RtIsa, precision) == 16 && sizeof(RtIsa) == 24, "rt_abi.h: RtIsa");

// What a program is (rt_abi.h, RtProgram), in the order of its members.
enum { OF_JSON, OF_JSON_LEN, OF_ENTRIES, OF_ISAS, OF_ISA_COUNT, OF_SCRATCH_BYTES, OF_ENTRY_SCRATCH, N_OF_PROGRAM };
static const char *const of_program[] = {"calm_program_json", "calm_program_json_len", "calm_entries", "calm_isas", "calm_isa_count", "calm_scratch_bytes",
                                         "calm_entry_scratch"};
_Static_assert(offsetof(RtProgram, json) == 0 && offsetof(RtProgram, json_len) == 8 && offsetof(RtProgram, entries) == 16 && offsetof(RtProgram, isas) == 24 &&
               offsetof(RtProgram, isa_count) == 32 && offsetof(RtProgram, scratch_bytes) == 40 && offsetof(RtProgram, entry_scratch) == 48, "rt_abi.h: RtProgram");

// What the kernels of each entry need, of all paths and precisions the most.
static LLVMValueRef scratch_table(Cg *g, const Plan *p, const int64_t *scratch) {
  LLVMValueRef *entry = need_alloc((size_t)p->nentry + 1, sizeof *entry);
  for (int i = 0; i < p->nentry; i++) {
    int64_t most = 0;
    for (int c = 0; c < p->entry[i].ncall; c++)
      if (scratch[p->entry[i].call[c].kernel] > most) most = scratch[p->entry[i].call[c].kernel];
    entry[i] = cg_i64(g, most);
  }
  LLVMValueRef table = LLVMConstArray2(g->i64, entry, (uint64_t)p->nentry);
  free(entry);
  return table;
}

static void isa_tables(Cg *g, const Plan *p, const char *path, LLVMValueRef *of) {
  enum { MOST = 8 };
  LLVMValueRef row[MOST], *fn = need_alloc((size_t)p->nkernel + 1, sizeof *fn);
  bool *asks = need_alloc((size_t)p->nkernel + 1, sizeof *asks);
  int64_t *scratch = need_alloc((size_t)p->nkernel + 1, sizeof *scratch);
  int64_t n = 0;
  LLVMTypeRef row_t[3] = {g->ptr, g->ptr, g->i64};
  for (const Isa *isa = isas; isa->name; isa++) {
    if (path && strcmp(path, isa->name)) continue;
    char name[64];
    snprintf(name, sizeof name, "isa_%s", isa->name);
    LLVMValueRef member[3] = {text(g, name, isa->name)};
    for (Precision precision = 0; precision < N_PRECISION; precision++) {
      member[1] = kernel_table(g, p, isa, precision, fn, asks, scratch), member[2] = cg_i64(g, precision);
      row[n++] = LLVMConstStructInContext(g->ctx, member, 3, false);
    }
  }
  of[OF_ISAS] = LLVMConstArray2(LLVMStructTypeInContext(g->ctx, row_t, 3, false), row, (uint64_t)n);
  of[OF_ISA_COUNT] = cg_i64(g, n);
  of[OF_ENTRY_SCRATCH] = scratch_table(g, p, scratch);
  free(fn), free(asks), free(scratch);
}

LlvmEmit *const calm_llvm_emit = llvm_emit;
const char calm_codegen_build[] = CODEGEN_BUILD;

static bool is_number(int member) { return member == OF_JSON_LEN || member == OF_ISA_COUNT || member == OF_SCRATCH_BYTES; }

// One of those that a program has beside itself: an RtProgram, to which the section RT_ALONE_SECTION has a pointer.
static void emit_alone(Cg *g, const char *alone, LLVMValueRef *of) {
  for (int i = 0; i < N_OF_PROGRAM; i++)
    if (!is_number(i)) of[i] = cg_constant(g, of_program[i], of[i], false);
  LLVMValueRef program = cg_constant(g, "alone", LLVMConstStructInContext(g->ctx, of, N_OF_PROGRAM, false), false);
  LLVMValueRef pointer = cg_constant(g, alone, program, true);
  LLVMSetSection(pointer, RT_ALONE_SECTION);
  LLVMSetAlignment(pointer, sizeof(void *));
}

void llvm_emit(const Plan *p, const char *json, const char *alone, const char *path, EmitKind what, Buf *out) {
  Cg g;
  LLVMValueRef of[N_OF_PROGRAM];
  cg_begin(&g, "calm");
  without_strength_reduction();
  isa_tables(&g, p, path, of);
  LLVMValueRef *entry = need_alloc((size_t)p->nentry + 1, sizeof *entry);
  emit_entries(&g, p, entry);
  of[OF_ENTRIES] = LLVMConstArray2(g.ptr, entry, (uint64_t)p->nentry);
  free(entry);
  of[OF_SCRATCH_BYTES] = cg_i64(&g, g.scratch);
  of[OF_JSON] = LLVMConstStringInContext2(g.ctx, json, strlen(json), false);
  of[OF_JSON_LEN] = cg_i64(&g, (int64_t)strlen(json));
  if (alone) emit_alone(&g, alone, of);
  else for (int i = 0; i < N_OF_PROGRAM; i++) cg_constant(&g, of_program[i], of[i], true);
  cg_finish(&g, what, out);
}
