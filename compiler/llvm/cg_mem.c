// Code generation helpers: memory, and the parameters of the kernel being emitted. Rows of masked lanes touch nothing beyond the mask.
#include "llvm/cg.h"

#include "dsl/base/bug.h"

LLVMValueRef cg_at(Cg *g, LLVMTypeRef elem, LLVMValueRef p, LLVMValueRef index) {
  return LLVMBuildInBoundsGEP2(g->b, elem, p, &index, 1, "");
}

static unsigned natural(Cg *g, LLVMTypeRef t) {
  if (LLVMGetTypeKind(t) == LLVMVectorTypeKind) t = LLVMGetElementType(t);
  if (t == g->i8 || t == g->i1) return 1;
  if (LLVMGetTypeKind(t) == LLVMHalfTypeKind || LLVMGetTypeKind(t) == LLVMBFloatTypeKind || t == g->i16) return 2;
  return t == g->f32 || t == g->i32 ? 4 : 8;
}

LLVMValueRef cg_load(Cg *g, LLVMTypeRef t, LLVMValueRef p) {
  LLVMValueRef v = LLVMBuildLoad2(g->b, t, p, "");
  LLVMSetAlignment(v, natural(g, t));
  return v;
}

void cg_store(Cg *g, LLVMValueRef v, LLVMValueRef p) {
  LLVMSetAlignment(LLVMBuildStore(g->b, v, p), natural(g, LLVMTypeOf(v)));
}

LLVMValueRef cg_load16(Cg *g, LLVMValueRef p) { return cg_load(g, g->v16f32, p); }
void cg_store16(Cg *g, LLVMValueRef v, LLVMValueRef p) { cg_store(g, v, p); }

void cg_store16_past(Cg *g, LLVMValueRef v, LLVMValueRef p) {
  LLVMValueRef store = LLVMBuildStore(g->b, v, p);
  LLVMMetadataRef one = LLVMValueAsMetadata(cg_i32(g, 1));
  LLVMSetAlignment(store, 64);
  LLVMSetMetadata(store, LLVMGetMDKindIDInContext(g->ctx, "nontemporal", 11), LLVMMetadataAsValue(g->ctx, LLVMMDNodeInContext2(g->ctx, &one, 1)));
}

void cg_fence(Cg *g) { cg_intrinsic(g, "llvm.x86.sse.sfence", NULL, 0, NULL, 0); }

void cg_fetch(Cg *g, LLVMValueRef p, int level) {
  LLVMValueRef arg[4] = {p, cg_i32(g, 0), cg_i32(g, level), cg_i32(g, 1)};          // read, locality, data
  cg_intrinsic(g, "llvm.prefetch", &g->ptr, 1, arg, 4);
}

LLVMValueRef cg_mask(Cg *g, int lanes, LLVMValueRef n) {
  LLVMTypeRef t = LLVMVectorType(g->i32, (unsigned)lanes);
  LLVMValueRef lane[2 * LANES], least = LLVMBuildTrunc(g->b, cg_min(g, n, cg_i64(g, lanes)), g->i32, "");
  for (int i = 0; i < lanes; i++) lane[i] = cg_i32(g, i);
  LLVMValueRef one = LLVMBuildInsertElement(g->b, LLVMGetPoison(t), least, cg_i32(g, 0), "");
  LLVMValueRef all = LLVMBuildShuffleVector(g->b, one, LLVMGetPoison(t), LLVMConstNull(t), "");
  return LLVMBuildICmp(g->b, LLVMIntSLT, LLVMConstVector(lane, (unsigned)lanes), all, "");
}

LLVMValueRef cg_mask16(Cg *g, LLVMValueRef n) { return cg_mask(g, LANES, n); }

LLVMValueRef cg_load_mask(Cg *g, LLVMTypeRef t, LLVMValueRef p, LLVMValueRef mask) {
  LLVMTypeRef over[2] = {t, g->ptr};
  LLVMValueRef args[4] = {p, cg_i32(g, (int32_t)natural(g, t)), mask, LLVMConstNull(t)};
  return cg_intrinsic(g, "llvm.masked.load", over, 2, args, 4);
}

LLVMValueRef cg_load16_mask(Cg *g, LLVMValueRef p, LLVMValueRef mask) { return cg_load_mask(g, g->v16f32, p, mask); }

void cg_store16_mask(Cg *g, LLVMValueRef v, LLVMValueRef p, LLVMValueRef mask) {
  LLVMTypeRef t[2] = {g->v16f32, g->ptr};
  LLVMValueRef args[4] = {v, p, cg_i32(g, 4), mask};
  cg_intrinsic(g, "llvm.masked.store", t, 2, args, 4);
}

void cg_store_lanes(Cg *g, LLVMValueRef v, LLVMValueRef p, LLVMValueRef mask) {
  if (mask) cg_store16_mask(g, v, p, mask);
  else cg_store16(g, v, p);
}

// ---- stored numbers (runtime/abi/dtype.def)

LLVMTypeRef cg_dtype(Cg *g, Dtype dt) {
  return dt == DT_F32 ? g->f32 : LLVMIntTypeInContext(g->ctx, (unsigned)dtype_info[dt].bits);
}

static LLVMTypeRef like(LLVMTypeRef t, bool vector) { return vector ? LLVMVectorType(t, LANES) : t; }

// A scalar or a vector of stored numbers to f32.
static LLVMValueRef to_f32(Cg *g, Dtype dt, LLVMValueRef v, bool vector) {
  const DtypeInfo *d = &dtype_info[dt], *high = &dtype_info[d->high];
  if (dt == DT_F32) return v;
  if (d->use == DTYPE_INDEX || d->use == DTYPE_GROUPS) return LLVMBuildSIToFP(g->b, v, like(g->f32, vector), "");
  if (d->use != DTYPE_STORED) bug("numbers of %s are read", d->name);
  if (high->bits > d->bits) {
    LLVMTypeRef wide = LLVMIntTypeInContext(g->ctx, (unsigned)high->bits);
    LLVMValueRef shift = LLVMConstInt(wide, (unsigned long long)(high->bits - d->bits), false), lane[LANES];
    for (int i = 0; i < LANES; i++) lane[i] = shift;
    v = LLVMBuildShl(g->b, LLVMBuildZExt(g->b, v, like(wide, vector), ""), vector ? LLVMConstVector(lane, LANES) : shift, "");
  }
  bool half = d->high == DT_F16;
  v = LLVMBuildBitCast(g->b, v, like(half ? LLVMHalfTypeInContext(g->ctx) : g->f32, vector), "");
  return half ? LLVMBuildFPExt(g->b, v, like(g->f32, vector), "") : v;
}

LLVMValueRef cg_load_f32(Cg *g, Dtype dt, LLVMValueRef p) { return to_f32(g, dt, cg_load(g, cg_dtype(g, dt), p), false); }

LLVMValueRef cg_load16_f32(Cg *g, Dtype dt, LLVMValueRef p, LLVMValueRef mask) {
  LLVMTypeRef vec = LLVMVectorType(cg_dtype(g, dt), LANES);
  return to_f32(g, dt, mask ? cg_load_mask(g, vec, p, mask) : cg_load(g, vec, p), true);
}

// ---- kernel parameters: the task, the words of the call, the thread's scratch

LLVMValueRef cg_task(Cg *g) { return LLVMGetParam(g->fn, 0); }

LLVMValueRef cg_arg_word(Cg *g, int word) {
  LLVMValueRef p = cg_at(g, g->i64, LLVMGetParam(g->fn, 1), cg_i64(g, word));
  LLVMValueRef v = cg_load(g, g->i64, p);
  // arguments do not change while a kernel runs: without saying so, every store might alias them
  LLVMValueRef none = LLVMMetadataAsValue(g->ctx, LLVMMDNodeInContext2(g->ctx, NULL, 0));
  LLVMSetMetadata(v, LLVMGetMDKindIDInContext(g->ctx, "invariant.load", 14), none);
  return v;
}

LLVMValueRef cg_rows(Cg *g) { return cg_arg_word(g, 0); }

LLVMValueRef cg_arg_ptr(Cg *g, int i) { return LLVMBuildIntToPtr(g->b, cg_arg_word(g, 1 + i), g->ptr, ""); }

LLVMValueRef cg_scratch(Cg *g, int64_t offset) { return cg_at(g, g->i8, LLVMGetParam(g->fn, 2), cg_i64(g, offset)); }

void cg_need_scratch(Cg *g, int64_t bytes) {
  if (bytes > g->scratch) g->scratch = bytes;
}
