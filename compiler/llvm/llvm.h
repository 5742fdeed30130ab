// The back end's whole interface; needs no LLVM headers. Errors here are compiler bugs and abort.
#ifndef CALM_LLVM_LLVM_H
#define CALM_LLVM_LLVM_H
#include <stdbool.h>

#include "dsl/base/buf.h"
#include "plan/plan.h"

typedef enum EmitKind {
  EMIT_LLVM, EMIT_ASM, EMIT_OBJ,
  EMIT_QUICK                   // an object whose code is not optimised, made in a third of the time: for tests of what is around the code
} EmitKind;
// Compiles a plan and its description (JSON text, embedded) to LLVM text, assembler or an object file, appended to out, with kernels of every
// instruction-set path, or of `path` alone (NULL: every). alone: NULL, or the name of the symbol by which another program has this one beside itself
// (RtProgram.alone). Deterministic.
typedef void LlvmEmit(const Plan *p, const char *json, const char *alone, const char *path, EmitKind what, Buf *out);
LlvmEmit llvm_emit;
extern LlvmEmit *const calm_llvm_emit;             // what calmc, which loads this folder as a library, asks it for
extern const char calm_codegen_build[];            // and which build it is of
// Names of the instruction-set paths a program carries, best first; NULL after the last.
const char *llvm_isa_name(int i);
// The matrix micro-kernels of every instruction set, as an object (used by the build of calm itself: tool calm-mkgen).
void llvm_emit_mm(EmitKind what, Buf *out);
#endif
