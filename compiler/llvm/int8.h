// Weights as int8 (runtime/abi/int8.h) in generated code: how a group is made. How it is read: mm_panel.c.
#ifndef CALM_LLVM_INT8_H
#define CALM_LLVM_INT8_H
#include "llvm/cg.h"

// The magnitude of 16 numbers as a <16 x i32> that compares as they do, what is not finite above all others; and the larger of two such.
LLVMValueRef int8_magnitude(Cg *g, LLVMValueRef v);
LLVMValueRef int8_larger(Cg *g, LLVMValueRef a, LLVMValueRef b);
// Of the largest magnitudes of 16 groups their scales, f32 that are bf16.
LLVMValueRef int8_scales(Cg *g, LLVMValueRef most);
// What is kept of 16 numbers under their scales: whole numbers, still f32.
LLVMValueRef int8_whole(Cg *g, LLVMValueRef v, LLVMValueRef scales);
#endif
