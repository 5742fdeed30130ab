// The instruction-set paths as code generation knows them: rows of runtime/abi/isa.def.
#include "llvm/cg.h"
#include "llvm/llvm.h"

const Isa isas[] = {
#define X(name, cpu, features, has, rows, regs, regs_per_panel, lanes, bf16, has_bf16) {#name, cpu, features, {rows, regs, regs_per_panel, lanes}, bf16},
#include "runtime/abi/isa.def"
#undef X
    {NULL, NULL, NULL, {0}, NULL},
};

const char *llvm_isa_name(int i) { return isas[i].name; }
