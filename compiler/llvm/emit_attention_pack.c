// Copies of rows of keys and values to panels. The transposing one is an internal function per instruction set and module, shared by all attention
// kernels (unrolled transpositions are what compiles slowest).
#include <stdio.h>

#include "llvm/emit_attention.h"
#include "llvm/object.h"

enum { P_DST, P_SRC, P_STRIDE, P_D, P_FIRST, P_N, P_COUNT };

int64_t attn_panel_floats(int64_t D, int64_t keys) { return D * keys + LANES * PANEL; }

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

// A block of `lanes` keys times as many columns; mask: of the columns there are, NULL for all.
static void pack_square(Cg *g, int lanes, LLVMValueRef src, LLVMValueRef *row, LLVMValueRef to, LLVMValueRef mask) {
  LLVMValueRef v[LANES];
  for (int i = 0; i < lanes; i++) {
    LLVMValueRef at = cg_at(g, g->f32, src, row[i]);
    v[i] = mask ? load_part(g, lanes, at, mask) : mm_loadn(g, lanes, at);
  }
  mm_transpose(g, v, lanes);
  for (int i = 0; i < lanes; i++) mm_storen(g, v[i], cg_at(g, g->f32, to, cg_i64(g, (int64_t)i * PANEL)));
}

// Groups of as many keys as transpose in registers, keys past the last one clamped to it; then blocks of as many columns. The last block stores zeros
// past column D: into the next panel, which is written after, or into the spare end of the region.
static void pack_body(Cg *g, int lanes) {
  LLVMValueRef arg[P_COUNT], row[LANES], panel = cg_i64(g, PANEL);
  for (unsigned i = 0; i < P_COUNT; i++) arg[i] = LLVMGetParam(g->fn, i);
  LLVMValueRef last = cg_sub(g, arg[P_N], cg_i64(g, 1)), whole = attn_floor(g, arg[P_D], lanes);
  CgLoop l = cg_loop(g, arg[P_FIRST], attn_ceil(g, arg[P_N], PANEL), lanes);
  for (int i = 0; i < lanes; i++) row[i] = cg_mul(g, cg_min(g, cg_add(g, l.i, cg_i64(g, i)), last), arg[P_STRIDE]);
  LLVMValueRef at = cg_mul(g, cg_mul(g, cg_udiv(g, l.i, panel), arg[P_D]), panel);
  LLVMValueRef dst = cg_at(g, g->f32, arg[P_DST], cg_add(g, at, cg_urem(g, l.i, panel)));
  CgLoop d = cg_loop(g, cg_i64(g, 0), whole, lanes);
  pack_square(g, lanes, cg_at(g, g->f32, arg[P_SRC], d.i), row, cg_at(g, g->f32, dst, cg_mul(g, d.i, panel)), NULL);
  cg_loop_end(g, &d);
  CgIf part = cg_if(g, cg_lt(g, whole, arg[P_D]));
  LLVMValueRef mask = first_lanes(g, lanes, cg_sub(g, arg[P_D], whole));
  pack_square(g, lanes, cg_at(g, g->f32, arg[P_SRC], whole), row, cg_at(g, g->f32, dst, cg_mul(g, whole, panel)), mask);
  cg_endif(g, &part);
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

typedef struct Copy {
  LLVMValueRef from, to;
  int64_t rows;
} Copy;

static void copy_vector(Cg *g, void *user, LLVMValueRef at, LLVMValueRef mask) {
  const Copy *c = user;
  cg_store16(g, attn_load(g, c->from, at, mask), cg_at(g, g->f32, c->to, cg_mul(g, at, cg_i64(g, c->rows))));
}

void attn_pack_rows(Cg *g, LLVMValueRef dst, LLVMValueRef src, int64_t stride, int64_t E, int64_t rows, LLVMValueRef first, LLVMValueRef n) {
  CgLoop l = cg_loop(g, first, n, 1);
  Copy c = {cg_at(g, g->f32, src, cg_mul(g, l.i, cg_i64(g, stride))), cg_at(g, g->f32, dst, cg_mul(g, l.i, cg_i64(g, PANEL))), rows};
  attn_each16(g, E, copy_vector, &c);
  cg_loop_end(g, &l);
}

void attn_fetch(Cg *g, LLVMValueRef src, int64_t stride, int64_t D, LLVMValueRef first, LLVMValueRef n) {
  CgLoop l = cg_loop(g, first, n, 1);
  LLVMValueRef row = cg_at(g, g->f32, src, cg_mul(g, l.i, cg_i64(g, stride)));
  CgLoop d = cg_loop(g, cg_i64(g, 0), cg_i64(g, D), LANES);
  cg_fetch(g, cg_at(g, g->f32, row, d.i), 2);
  cg_loop_end(g, &d);
  cg_loop_end(g, &l);
}
