// Elementary functions on 16 floats: own polynomials, at most 2 ulp (sigmoid 2.1), the same bits on every path with
// fused multiply-add. Arguments are reduced as in Cody & Waite; coefficients for log are those of fdlibm's logf (Sun
// Microsystems), for sin and cos of FreeBSD's k_sinf/k_cosf (evaluated in double), for tanh of Cephes; exp and erf are
// minimax fits.
#include <math.h>

#include "llvm/cg.h"

static LLVMValueRef bits(Cg *g, LLVMValueRef v) { return LLVMBuildBitCast(g->b, v, g->v16i32, ""); }
static LLVMValueRef floats(Cg *g, LLVMValueRef v) { return LLVMBuildBitCast(g->b, v, g->v16f32, ""); }

static LLVMValueRef ints(Cg *g, int32_t v) { return cg_words(g, LANES, (uint32_t)v); }

static LLVMValueRef horner(Cg *g, LLVMValueRef x, const double *c, int n) {
  LLVMValueRef r = cg_splatc(g, c[0]);
  for (int i = 1; i < n; i++) r = cg_fma(g, r, x, cg_splatc(g, c[i]));
  return r;
}

static LLVMValueRef less(Cg *g, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFCmp(g->b, LLVMRealOLT, a, b, ""); }

// Scalars go through lane 0.
typedef LLVMValueRef Fn(Cg *g, LLVMValueRef x);
static LLVMValueRef any(Cg *g, Fn *f, LLVMValueRef x) {
  if (LLVMTypeOf(x) == g->v16f32) return f(g, x);
  return LLVMBuildExtractElement(g->b, f(g, cg_splat(g, x)), cg_i32(g, 0), "");
}

// p 2^n, 2^n as a product of two powers: n may be 128.
static LLVMValueRef scale_by_power(Cg *g, LLVMValueRef p, LLVMValueRef n) {
  LLVMValueRef half = LLVMBuildAShr(g->b, n, ints(g, 1), ""), rest = LLVMBuildSub(g->b, n, half, "");
  LLVMValueRef a = floats(g, LLVMBuildShl(g->b, LLVMBuildAdd(g->b, half, ints(g, 127), ""), ints(g, 23), ""));
  LLVMValueRef b = floats(g, LLVMBuildShl(g->b, LLVMBuildAdd(g->b, rest, ints(g, 127), ""), ints(g, 23), ""));
  return cg_fmul(g, cg_fmul(g, p, a), b);
}

// e^x = 2^n e^r, |r| <= ln2 / 2. Above 89 the result is infinity. Below -87.3, where it would leave the normal range, it
// is 0: a subnormal costs a hundred cycles on many processors, and masked scores (-inf) are common.
static LLVMValueRef exp16(Cg *g, LLVMValueRef x) {
  static const double c[] = {1.37805939e-3, 8.37312452e-3, 4.16695364e-2, 1.66664720e-1, 4.99999851e-1, 1, 1};
  const double magic = 12582912;                      // 1.5 * 2^23: adding it rounds to an integer in the low bits
  LLVMValueRef low = cg_splatc(g, -87.3), high = cg_splatc(g, 89), none = less(g, x, low);
  x = cg_select(g, none, low, x);
  x = cg_select(g, less(g, high, x), high, x);
  LLVMValueRef t = cg_fma(g, x, cg_splatc(g, 1.4426950408889634), cg_splatc(g, magic));
  LLVMValueRef n = cg_fsub(g, t, cg_splatc(g, magic));
  LLVMValueRef r = cg_fma(g, n, cg_splatc(g, -0.693145752), x);
  r = cg_fma(g, n, cg_splatc(g, -1.42860677e-6), r);
  LLVMValueRef power = LLVMBuildSub(g->b, bits(g, t), bits(g, cg_splatc(g, magic)), "");
  return cg_select(g, none, cg_splatc(g, 0), scale_by_power(g, horner(g, r, c, 7), power));
}

LLVMValueRef cg_vexp(Cg *g, LLVMValueRef x) { return any(g, exp16, x); }

// 2^x = 2^n 2^r, |r| <= 1/2, exact apart from the polynomial (minimax in ulp, p(0) = 1). The exponent's bias is part of what is added to round, so
// that the sum's low bits are 2^n; n = -127 makes 0, and whatever is below counts as -127.
static const double EXP2[] = {1.32257072e-3, 9.67176352e-3, 5.55089153e-2, 2.40222365e-1, 6.93146825e-1, 1};
static LLVMValueRef exp2_16(Cg *g, LLVMValueRef x) {
  LLVMValueRef round = cg_splatc(g, 12582912 + 127);  // 1.5 * 2^23
  x = cg_fmax(g, cg_splatc(g, -127), x);
  LLVMValueRef t = cg_fadd(g, x, round), r = cg_fsub(g, x, cg_fsub(g, t, round));
  return cg_fmul(g, horner(g, r, EXP2, 6), floats(g, LLVMBuildShl(g->b, bits(g, t), ints(g, 23), "")));
}

LLVMValueRef cg_vexp2(Cg *g, LLVMValueRef x) { return any(g, exp2_16, x); }

// The same polynomial p 2^n, n the whole number next to x, by the instruction that processors with pairs of bf16 have for it (0 where n is -inf, of whatever p).
// Elsewhere 2^n is a product of two powers, so that subnormals too are rounded once and all have the same bits.
static LLVMValueRef exp2_scaled_16(Cg *g, LLVMValueRef x) {
  LLVMTypeRef t = g->v16f32;
  LLVMValueRef n = cg_intrinsic(g, "llvm.roundeven", &t, 1, &x, 1), p = horner(g, cg_fsub(g, x, n), EXP2, 6);
  if (cg_has_pairs(g->isa, g->precision)) {
    LLVMValueRef arg[5] = {p, n, cg_splatc(g, 0), LLVMConstAllOnes(g->i16), cg_i32(g, 4)};       // of all lanes; rounded as the modes have it
    return cg_intrinsic(g, "llvm.x86.avx512.mask.scalef.ps.512", NULL, 0, arg, 5);
  }
  LLVMValueRef low = cg_splatc(g, -160), high = cg_splatc(g, 200), none = less(g, n, low), power = cg_select(g, less(g, low, n), n, low);
  power = LLVMBuildFPToSI(g->b, cg_select(g, less(g, power, high), power, high), g->v16i32, "");
  return cg_select(g, none, cg_splatc(g, 0), scale_by_power(g, p, power));
}

LLVMValueRef cg_vexp2_scaled(Cg *g, LLVMValueRef x) { return any(g, exp2_scaled_16, x); }

// ln x = k ln2 + ln m, m in [sqrt(1/2), sqrt 2); ln(1 + f) through s = f / (2 + f).
static LLVMValueRef log_normal(Cg *g, LLVMValueRef x, LLVMValueRef extra) {
  LLVMValueRef ix = LLVMBuildAdd(g->b, bits(g, x), ints(g, 0x3f800000 - 0x3f3504f3), "");
  LLVMValueRef k = LLVMBuildSub(g->b, LLVMBuildLShr(g->b, ix, ints(g, 23), ""), ints(g, 127), "");
  LLVMValueRef m = LLVMBuildAdd(g->b, LLVMBuildAnd(g->b, ix, ints(g, 0x7fffff), ""), ints(g, 0x3f3504f3), "");
  LLVMValueRef dk = cg_fadd(g, LLVMBuildSIToFP(g->b, k, g->v16f32, ""), extra);
  LLVMValueRef f = cg_fsub(g, floats(g, m), cg_splatc(g, 1)), s = cg_fdiv(g, f, cg_fadd(g, cg_splatc(g, 2), f));
  LLVMValueRef z = cg_fmul(g, s, s), w = cg_fmul(g, z, z);
  LLVMValueRef t1 = cg_fmul(g, w, cg_fma(g, w, cg_splatc(g, 0.24279078841), cg_splatc(g, 0.40000972152)));
  LLVMValueRef t2 = cg_fmul(g, z, cg_fma(g, w, cg_splatc(g, 0.28498786688), cg_splatc(g, 0.66666662693)));
  LLVMValueRef half = cg_fmul(g, cg_splatc(g, 0.5), cg_fmul(g, f, f));
  LLVMValueRef r = cg_fmul(g, s, cg_fadd(g, half, cg_fadd(g, t2, t1)));
  r = cg_fma(g, dk, cg_splatc(g, 9.0580006145e-6), r);
  r = cg_fadd(g, cg_fsub(g, r, half), f);
  return cg_fma(g, dk, cg_splatc(g, 6.9313812256e-1), r);
}

static LLVMValueRef log16(Cg *g, LLVMValueRef x) {
  LLVMValueRef zero = cg_splatc(g, 0), tiny = less(g, x, cg_splatc(g, 1.1754943508222875e-38));
  LLVMValueRef up = cg_select(g, tiny, cg_fmul(g, x, cg_splatc(g, 33554432)), x);
  LLVMValueRef r = log_normal(g, up, cg_select(g, tiny, cg_splatc(g, -25), zero));
  LLVMValueRef inf = cg_splatc(g, INFINITY);
  r = cg_select(g, LLVMBuildFCmp(g->b, LLVMRealOEQ, x, zero, ""), cg_splatc(g, -INFINITY), r);
  r = cg_select(g, LLVMBuildFCmp(g->b, LLVMRealOEQ, x, inf, ""), inf, r);
  LLVMValueRef nan = cg_splatc(g, NAN);
  return cg_select(g, LLVMBuildFCmp(g->b, LLVMRealOGE, x, zero, ""), r, nan);
}

LLVMValueRef cg_vlog(Cg *g, LLVMValueRef x) { return any(g, log16, x); }

static LLVMValueRef bf16_16(Cg *g, LLVMValueRef x) {
  LLVMValueRef u = bits(g, x), last = LLVMBuildAnd(g->b, LLVMBuildLShr(g->b, u, ints(g, 16), ""), ints(g, 1), "");
  LLVMValueRef near = LLVMBuildAdd(g->b, LLVMBuildAdd(g->b, u, ints(g, 0x7fff), ""), last, "");
  near = floats(g, LLVMBuildAnd(g->b, near, ints(g, (int32_t)0xffff0000), ""));
  return cg_select(g, LLVMBuildFCmp(g->b, LLVMRealUNO, x, x, ""), x, near);
}

LLVMValueRef cg_vbf16(Cg *g, LLVMValueRef x) { return any(g, bf16_16, x); }

static LLVMValueRef magnitude(Cg *g, LLVMValueRef x) {
  return floats(g, LLVMBuildAnd(g->b, bits(g, x), ints(g, 0x7fffffff), ""));
}

static LLVMValueRef with_sign(Cg *g, LLVMValueRef magnitude_, LLVMValueRef sign_of) {
  LLVMValueRef sign = LLVMBuildAnd(g->b, bits(g, sign_of), ints(g, INT32_MIN), "");
  return floats(g, LLVMBuildOr(g->b, bits(g, magnitude_), sign, ""));
}

// Small: x + x^3 P(x^2). Otherwise 1 - 2 / (e^2|x| + 1).
static LLVMValueRef tanh16(Cg *g, LLVMValueRef x) {
  static const double c[] = {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
                             -3.33332819422e-1};
  LLVMValueRef a = magnitude(g, x), z = cg_fmul(g, x, x);
  LLVMValueRef small = cg_fma(g, cg_fmul(g, horner(g, z, c, 5), z), x, x);
  LLVMValueRef e = exp16(g, cg_fadd(g, a, a)), one = cg_splatc(g, 1);
  LLVMValueRef large = cg_fsub(g, one, cg_fdiv(g, cg_splatc(g, 2), cg_fadd(g, e, one)));
  return cg_select(g, less(g, a, cg_splatc(g, 0.625)), small, with_sign(g, large, x));
}

LLVMValueRef cg_vtanh(Cg *g, LLVMValueRef x) { return any(g, tanh16, x); }

// Small: x + x P(x^2). Otherwise 1 - e^Q(|x|).
static LLVMValueRef erf16(Cg *g, LLVMValueRef x) {
  static const double p[] = {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2,
                             1.12819925e-1, -3.76125336e-1, 1.28379166e-1};
  LLVMValueRef t = magnitude(g, x), s = cg_fmul(g, x, x);
  LLVMValueRef small = cg_fma(g, horner(g, s, p, 6), x, x);
  LLVMValueRef r = cg_fma(g, cg_splatc(g, -1.72853470e-5), t, cg_splatc(g, 3.83197126e-4));
  LLVMValueRef u = cg_fma(g, cg_splatc(g, -3.88396438e-3), t, cg_splatc(g, 2.42546219e-2));
  r = cg_fma(g, r, s, u);
  r = cg_fma(g, r, t, cg_splatc(g, -1.06777877e-1));
  r = cg_fma(g, r, t, cg_splatc(g, -6.34846687e-1));
  r = cg_fma(g, r, t, cg_splatc(g, -1.28717512e-1));
  r = cg_fma(g, r, t, cg_fneg(g, t));
  LLVMValueRef large = cg_fsub(g, cg_splatc(g, 1), exp16(g, r));
  return cg_select(g, less(g, cg_splatc(g, 0.927734375), t), with_sign(g, large, x), small);
}

LLVMValueRef cg_verf(Cg *g, LLVMValueRef x) { return any(g, erf16, x); }

// With e = e^-|x| <= 1: 1 / (1 + e), or e / (1 + e) on the negative side, so that neither tail overflows.
static LLVMValueRef sigmoid16(Cg *g, LLVMValueRef x) {
  LLVMValueRef one = cg_splatc(g, 1), e = exp16(g, cg_fneg(g, magnitude(g, x)));
  LLVMValueRef top = cg_select(g, less(g, x, cg_splatc(g, 0)), e, one);
  return cg_fdiv(g, top, cg_fadd(g, one, e));
}

LLVMValueRef cg_vsigmoid(Cg *g, LLVMValueRef x) { return any(g, sigmoid16, x); }

// ---- sin and cos, in double: the reduction by pi/2 is exact enough for |x| up to 2^20
typedef struct Wide {
  Cg *g;
  LLVMTypeRef f, i;            // <16 x double>, <16 x i64>
} Wide;

static LLVMValueRef wide(const Wide *w, double v) {
  LLVMValueRef lane[LANES];
  for (int i = 0; i < LANES; i++) lane[i] = LLVMConstReal(w->g->f64, v);
  return LLVMConstVector(lane, LANES);
}

static LLVMValueRef wide_int(const Wide *w, int64_t v) {
  LLVMValueRef lane[LANES];
  for (int i = 0; i < LANES; i++) lane[i] = cg_i64(w->g, v);
  return LLVMConstVector(lane, LANES);
}

static LLVMValueRef sin_poly(const Wide *w, LLVMValueRef r, LLVMValueRef z) {
  Cg *g = w->g;
  LLVMValueRef p = cg_fma(g, z, wide(w, 0x16cd878c3b46a7.0p-71), wide(w, -0x1a00f9e2cae774.0p-65));
  p = cg_fma(g, p, z, wide(w, 0x111110896efbb2.0p-59));
  p = cg_fma(g, p, z, wide(w, -0x15555554cbac77.0p-55));
  return cg_fma(g, cg_fmul(g, p, z), r, r);
}

static LLVMValueRef cos_poly(const Wide *w, LLVMValueRef z) {
  Cg *g = w->g;
  LLVMValueRef p = cg_fma(g, z, wide(w, 0x199342e0ee5069.0p-68), wide(w, -0x16c087e80f1e27.0p-62));
  p = cg_fma(g, p, z, wide(w, 0x155553e1053a42.0p-57));
  p = cg_fma(g, p, z, wide(w, -0x1ffffffd0c5e81.0p-54));
  return cg_fma(g, p, z, wide(w, 1));
}

static LLVMValueRef bit_set(const Wide *w, LLVMValueRef v, int64_t bit) {
  Cg *g = w->g;
  return LLVMBuildICmp(g->b, LLVMIntNE, LLVMBuildAnd(g->b, v, wide_int(w, bit), ""), wide_int(w, 0), "");
}

void cg_vsincos(Cg *g, LLVMValueRef x, LLVMValueRef *s, LLVMValueRef *c) {
  Wide w = {.g = g, .f = LLVMVectorType(g->f64, LANES), .i = LLVMVectorType(g->i64, LANES)};
  bool scalar = LLVMTypeOf(x) != g->v16f32;
  if (scalar) x = cg_splat(g, x);
  const double magic = 6755399441055744;                    // 1.5 * 2^52
  LLVMValueRef d = LLVMBuildFPExt(g->b, x, w.f, "");
  LLVMValueRef t = cg_fma(g, d, wide(&w, 0.6366197723675814), wide(&w, magic));
  LLVMValueRef k = cg_fsub(g, t, wide(&w, magic));
  LLVMValueRef r = cg_fma(g, k, wide(&w, -1.5707963267948966), d);
  r = cg_fma(g, k, wide(&w, -6.123233995736766e-17), r);
  LLVMValueRef z = cg_fmul(g, r, r), sp = sin_poly(&w, r, z), cp = cos_poly(&w, z);
  LLVMValueRef q = LLVMBuildBitCast(g->b, t, w.i, ""), odd = bit_set(&w, q, 1);
  LLVMValueRef sv = cg_select(g, odd, cp, sp), cv = cg_select(g, odd, sp, cp);
  sv = cg_select(g, bit_set(&w, q, 2), cg_fneg(g, sv), sv);
  cv = cg_select(g, bit_set(&w, LLVMBuildAdd(g->b, q, wide_int(&w, 1), ""), 2), cg_fneg(g, cv), cv);
  *s = LLVMBuildFPTrunc(g->b, sv, g->v16f32, "");
  *c = LLVMBuildFPTrunc(g->b, cv, g->v16f32, "");
  if (!scalar) return;
  *s = LLVMBuildExtractElement(g->b, *s, cg_i32(g, 0), "");
  *c = LLVMBuildExtractElement(g->b, *c, cg_i32(g, 0), "");
}
