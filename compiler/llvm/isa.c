// The instruction-set paths as code generation knows them: rows of runtime/abi/isa.def.
#include "llvm/cg.h"
#include "llvm/llvm.h"

const Isa isas[] = {
#define X(name, cpu, features, has, core, rows, regs, regs_per_panel, lanes) {#name, cpu, features, {rows, regs, regs_per_panel, lanes}},
#include "runtime/abi/isa.def"
#undef X
    {NULL, NULL, NULL, {0}},
};

const char *llvm_isa_name(int i) { return isas[i].name; }
