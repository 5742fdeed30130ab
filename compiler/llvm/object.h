// A module under construction and what becomes of it. Internal to this folder.
#ifndef CALM_LLVM_OBJECT_H
#define CALM_LLVM_OBJECT_H
#include "llvm/cg.h"
#include "llvm/llvm.h"

// Context, empty module, builder and types.
void cg_begin(Cg *g, const char *module_name);
// Starts a function with the instruction set's attributes (isa NULL: any x86-64); the builder stands at its entry.
LLVMValueRef cg_function(Cg *g, const char *name, LLVMTypeRef type, const Isa *isa, bool external);
// A function void name(…) that kernels share (shared.c). True: it is new, and the builder stands in it until cg_shared_end; false: it is there already.
typedef struct CgShared {
  LLVMValueRef fn, caller;
  LLVMBasicBlockRef here;
} CgShared;
bool cg_shared(Cg *g, CgShared *s, const char *name, LLVMTypeRef type);
void cg_shared_end(Cg *g, const CgShared *s);
LLVMValueRef cg_constant(Cg *g, const char *name, LLVMValueRef init, bool external);
// Verifies (a broken module is a compiler bug), optimises, appends text or object to out, and frees everything.
void cg_finish(Cg *g, EmitKind what, Buf *out);

// The entry functions of a plan (entry.c): returns one function per entry.
void emit_entries(Cg *g, const Plan *p, LLVMValueRef *fn);
#endif
