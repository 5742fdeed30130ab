// Functions that kernels of a program share: what is the same for many shapes is compiled once for each instruction set, its extents arguments.
#include "llvm/object.h"

bool cg_shared(Cg *g, CgShared *s, const char *name, LLVMTypeRef type) {
  *s = (CgShared){.fn = LLVMGetNamedFunction(g->mod, name), .caller = g->fn, .here = LLVMGetInsertBlock(g->b)};
  if (s->fn) return false;
  s->fn = cg_function(g, name, type, g->isa, false);
  LLVMAddAttributeAtIndex(s->fn, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(g->ctx, LLVMGetEnumAttributeKindForName("noinline", 8), 0));
  return true;
}

void cg_shared_end(Cg *g, const CgShared *s) {
  LLVMBuildRetVoid(g->b);
  g->fn = s->caller;
  LLVMPositionBuilderAtEnd(g->b, s->here);
}
