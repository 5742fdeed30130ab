// The instruction-set paths that every program carries, best first. Nothing is built for the machine at hand.
#include "llvm/cg.h"
#include "llvm/llvm.h"

const Isa isas[] = {
    {"avx512", "x86-64-v4", "-prefer-256-bit"},
    {"avx2", "x86-64-v3", ""},
    {NULL, NULL, NULL},
};

const char *llvm_isa_name(int i) { return isas[i].name; }
