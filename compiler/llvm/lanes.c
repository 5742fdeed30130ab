// Elementwise ops on 16 numbers at a time (or on one): the function that ops.def names for each.
#include "dsl/base/bug.h"
#include "llvm/emit_row.h"

typedef LLVMValueRef Lanes(Cg *g, LLVMValueRef a, LLVMValueRef b);
#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) static Lanes lanes_##lanes;
#include "graph/ops.def"
#undef X

static LLVMValueRef lanes_add(Cg *g, LLVMValueRef a, LLVMValueRef b) { return cg_fadd(g, a, b); }
static LLVMValueRef lanes_sub(Cg *g, LLVMValueRef a, LLVMValueRef b) { return cg_fsub(g, a, b); }
static LLVMValueRef lanes_mul(Cg *g, LLVMValueRef a, LLVMValueRef b) { return cg_fmul(g, a, b); }
static LLVMValueRef lanes_div(Cg *g, LLVMValueRef a, LLVMValueRef b) { return cg_fdiv(g, a, b); }

static LLVMValueRef lanes_gain(Cg *g, LLVMValueRef a, LLVMValueRef b) {
  LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(a)), out = LLVMBuildFCmp(g->b, LLVMRealOEQ, a, zero, "");
  return cg_select(g, out, cg_fneg(g, zero), cg_fmul(g, a, b));
}

// Of one operand; the second is not there.
#define ONE(name, value) \
  static LLVMValueRef lanes_##name(Cg *g, LLVMValueRef a, LLVMValueRef b) { \
    (void)g, (void)a, (void)b; \
    return value; \
  }
static LLVMValueRef one(Cg *g, LLVMValueRef like) { return LLVMTypeOf(like) == g->v16f32 ? cg_splatc(g, 1) : cg_f32(g, 1); }
static LLVMValueRef sine(Cg *g, LLVMValueRef a, bool cosine) {
  LLVMValueRef s, c;
  cg_vsincos(g, a, &s, &c);
  return cosine ? c : s;
}
static LLVMValueRef without_sign(Cg *g, LLVMValueRef a) {
  LLVMTypeRef t = LLVMTypeOf(a);
  return cg_intrinsic(g, "llvm.fabs", &t, 1, &a, 1);
}
static LLVMValueRef to_floor(Cg *g, LLVMValueRef a) {
  LLVMTypeRef t = LLVMTypeOf(a);
  return cg_intrinsic(g, "llvm.floor", &t, 1, &a, 1);
}
ONE(same, a)                                       // of float, too: loads widen
ONE(neg, cg_fneg(g, a))
ONE(abs, without_sign(g, a))
ONE(floor, to_floor(g, a))
ONE(bf16, cg_vbf16(g, a))
ONE(exp, cg_vexp(g, a))
ONE(log, cg_vlog(g, a))
ONE(sqrt, cg_sqrt(g, a))
ONE(rsqrt, cg_fdiv(g, one(g, a), cg_sqrt(g, a)))
ONE(tanh, cg_vtanh(g, a))
ONE(erf, cg_verf(g, a))
ONE(sigmoid, cg_vsigmoid(g, a))
ONE(cos, sine(g, a, true))
ONE(sin, sine(g, a, false))
ONE(none, NULL)

static const struct { Lanes *f; const char *name; } lanes[] = {
#define X(id, name, cls, lo, hi, attrs, shape, grad, eval, lower, lanes, cost, traits, formula) {lanes_##lanes, name},
#include "graph/ops.def"
#undef X
};

LLVMValueRef lanes_of(Cg *g, OpId op, LLVMValueRef a, LLVMValueRef b) {
  LLVMValueRef v = lanes[op].f(g, a, b);
  if (!v) bug("op %s is not elementwise", lanes[op].name);
  return v;
}
