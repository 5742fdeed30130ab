// The transposing copy of key rows to panels: one internal function per instruction set and module, shared by all
// attention
// kernels (unrolled transpositions are what compiles slowest).
#include <stdio.h>

#include "llvm/emit_attention.h"
#include "llvm/mm.h"
#include "llvm/object.h"

enum { P_DST, P_SRC, P_STRIDE, P_D, P_FIRST, P_N, P_COUNT };

int64_t attn_panel_floats(int64_t D) { return D * ATTN_BK + LANES * PANEL; }

static LLVMTypeRef pack_type(Cg *g) {
  LLVMTypeRef t[P_COUNT] = {g->ptr, g->ptr, g->i64, g->i64, g->i64, g->i64};
  return LLVMFunctionType(g->void_t, t, P_COUNT, false);
}

// `lanes` floats of which those below the mask's number are read, the others 0.
static LLVMValueRef load_part(Cg *g, int lanes, LLVMValueRef p, LLVMValueRef mask) {
  LLVMTypeRef vt = LLVMVectorType(g->f32, (unsigned)lanes), over[2] = {vt, g->ptr};
  LLVMValueRef arg[4] = {p, cg_i32(g, 4), mask, LLVMConstNull(vt)};
  return cg_intrinsic(g, "llvm.masked.load", over, 2, arg, 4);
}

// Lanes below n, of `lanes`.
static LLVMValueRef first_lanes(Cg *g, int lanes, LLVMValueRef n) {
  LLVMValueRef mask = cg_mask16(g, n), index[LANES];
  for (int i = 0; i < lanes; i++) index[i] = cg_i32(g, i);
  LLVMValueRef part = LLVMConstVector(index, (unsigned)lanes);
  return lanes == LANES ? mask : LLVMBuildShuffleVector(g->b, mask, LLVMGetPoison(g->v16i1), part, "");
}

// Groups of as many keys as transpose in registers, keys past the last one clamped to it; then blocks of as many
// columns. The last block
// stores zeros past column D: into the next panel, which is written after, or into the spare end of the region.
static void pack_body(Cg *g, int lanes) {
  LLVMValueRef arg[P_COUNT], row[LANES], v[LANES], panel = cg_i64(g, PANEL);
  for (unsigned i = 0; i < P_COUNT; i++) arg[i] = LLVMGetParam(g->fn, i);
  LLVMValueRef last = cg_sub(g, arg[P_N], cg_i64(g, 1));
  CgLoop l = cg_loop(g, arg[P_FIRST], attn_ceil(g, arg[P_N], PANEL), lanes);
  for (int i = 0; i < lanes; i++) row[i] = cg_mul(g, cg_min(g, cg_add(g, l.i, cg_i64(g, i)), last), arg[P_STRIDE]);
  LLVMValueRef at = cg_mul(g, cg_mul(g, cg_udiv(g, l.i, panel), arg[P_D]), panel);
  LLVMValueRef dst = cg_at(g, g->f32, arg[P_DST], cg_add(g, at, cg_urem(g, l.i, panel)));
  CgLoop d = cg_loop(g, cg_i64(g, 0), arg[P_D], lanes);
  LLVMValueRef src = cg_at(g, g->f32, arg[P_SRC], d.i), mask = first_lanes(g, lanes, cg_sub(g, arg[P_D], d.i));
  for (int i = 0; i < lanes; i++) v[i] = load_part(g, lanes, cg_at(g, g->f32, src, row[i]), mask);
  mm_transpose(g, v, lanes);
  LLVMValueRef to = cg_at(g, g->f32, dst, cg_mul(g, d.i, panel));
  for (int i = 0; i < lanes; i++) mm_storen(g, v[i], cg_at(g, g->f32, to, cg_i64(g, (int64_t)i * PANEL)));
  cg_loop_end(g, &d);
  cg_loop_end(g, &l);
}

static LLVMValueRef pack_function(Cg *g) {
  char name[64];
  snprintf(name, sizeof name, "attn_pack_%s", g->isa->name);
  LLVMValueRef have = LLVMGetNamedFunction(g->mod, name), caller = g->fn;
  if (have) return have;
  LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b);
  LLVMValueRef fn = cg_function(g, name, pack_type(g), g->isa, false);
  pack_body(g, g->isa->mm.lanes);
  LLVMBuildRetVoid(g->b);
  g->fn = caller;
  LLVMPositionBuilderAtEnd(g->b, here);
  return fn;
}

void attn_pack(Cg *g, LLVMValueRef dst, LLVMValueRef src, int64_t stride, int64_t D, LLVMValueRef first,
               LLVMValueRef n) {
  LLVMValueRef arg[P_COUNT] = {dst, src, cg_i64(g, stride), cg_i64(g, D), first, n};
  cg_call(g, pack_type(g), pack_function(g), arg, P_COUNT);
}
