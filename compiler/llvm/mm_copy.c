// Copies of the left operand for the matrix micro-kernels, and transposition in registers.
#include "llvm/mm.h"

LLVMValueRef mm_loadn(Cg *g, int n, LLVMValueRef p) {
  LLVMValueRef v = LLVMBuildLoad2(g->b, LLVMVectorType(g->f32, (unsigned)n), p, "");
  LLVMSetAlignment(v, 4);
  return v;
}

void mm_storen(Cg *g, LLVMValueRef v, LLVMValueRef p) { LLVMSetAlignment(LLVMBuildStore(g->b, v, p), 4); }

static LLVMValueRef shuffle(Cg *g, LLVMValueRef a, LLVMValueRef b, const int *index, int n) {
  LLVMValueRef m[16];
  for (int i = 0; i < n; i++) m[i] = cg_i32(g, index[i]);
  return LLVMBuildShuffleVector(g->b, a, b, LLVMConstVector(m, (unsigned)n), "");
}

// Recursive halves, smallest blocks first: exchanging blocks of s columns between rows i and i + s is one two-input shuffle that the
// instruction sets have (unpack of 32 and 64 bits inside 128-bit parts, then whole parts).
void mm_transpose(Cg *g, LLVMValueRef *v, int n) {
  for (int s = 1; s < n; s *= 2)
    for (int i = 0; i < n; i++) {
      if (i & s) continue;
      int lo[16], hi[16];
      for (int j = 0; j < n; j++) {
        lo[j] = j & s ? n + (j ^ s) : j;
        hi[j] = j & s ? n + j : j ^ s;
      }
      LLVMValueRef a = v[i], b = v[i + s];
      v[i] = shuffle(g, a, b, lo, n);
      v[i + s] = shuffle(g, a, b, hi, n);
    }
}

// Row i of the copy from k on.
static LLVMValueRef row_at(Cg *g, bool pairs, LLVMValueRef dst, LLVMValueRef i, LLVMValueRef k) {
  LLVMValueRef row = cg_at(g, g->f32, dst, cg_mul(g, i, cg_i64(g, MM_ASTRIDE)));
  return cg_at(g, pairs ? g->i16 : g->f32, row, k);
}

static void store_copied(Cg *g, bool pairs, LLVMValueRef v, LLVMValueRef at) {
  if (pairs) cg_store(g, mm_rounded(g, v), at);
  else cg_store16(g, v, at);
}

// aks = 1: rows as they are. Columns past k up to the next multiple of 16 become zeros.
static void copy_rows(Cg *g, bool pairs, LLVMValueRef dst, LLVMValueRef A, LLVMValueRef ars, LLVMValueRef m, LLVMValueRef k) {
  LLVMValueRef whole = cg_sub(g, k, cg_urem(g, k, cg_i64(g, LANES))), mask = cg_mask16(g, cg_sub(g, k, whole));
  CgLoop rows = cg_loop(g, cg_i64(g, 0), m, 1);
  LLVMValueRef src = cg_at(g, g->f32, A, cg_mul(g, rows.i, ars));
  CgLoop l = cg_loop(g, cg_i64(g, 0), whole, LANES);
  store_copied(g, pairs, cg_load16(g, cg_at(g, g->f32, src, l.i)), row_at(g, pairs, dst, rows.i, l.i));
  cg_loop_end(g, &l);
  CgIf part = cg_if(g, cg_lt(g, whole, k));
  store_copied(g, pairs, cg_load16_mask(g, cg_at(g, g->f32, src, whole), mask), row_at(g, pairs, dst, rows.i, whole));
  cg_endif(g, &part);
  cg_loop_end(g, &rows);
}

// Any strides, one by one, for k in [k0, k). Of pairs, the half behind an odd k becomes 0.
static void copy_scalars(Cg *g, bool pairs, LLVMValueRef dst, LLVMValueRef A, LLVMValueRef ars, LLVMValueRef aks, LLVMValueRef m, LLVMValueRef k0,
                         LLVMValueRef k) {
  CgLoop rows = cg_loop(g, cg_i64(g, 0), m, 1);
  LLVMValueRef src = cg_at(g, g->f32, A, cg_mul(g, rows.i, ars));
  CgLoop l = cg_loop(g, k0, k, 1);
  LLVMValueRef v = cg_load(g, g->f32, cg_at(g, g->f32, src, cg_mul(g, l.i, aks)));
  if (pairs) v = LLVMBuildExtractElement(g->b, mm_rounded(g, cg_splat(g, v)), cg_i32(g, 0), "");
  cg_store(g, v, row_at(g, pairs, dst, rows.i, l.i));
  cg_loop_end(g, &l);
  if (pairs) {
    CgIf odd = cg_if(g, cg_lt(g, cg_i64(g, 0), cg_urem(g, k, cg_i64(g, 2))));
    cg_store(g, LLVMConstNull(g->i16), row_at(g, pairs, dst, rows.i, k));
    cg_endif(g, &odd);
  }
  cg_loop_end(g, &rows);
}

// ars = 1 (A is stored transposed): blocks of `lanes` words of k through registers, the rest one by one.
static void copy_transposed(Cg *g, bool pairs, LLVMValueRef dst, LLVMValueRef A, LLVMValueRef aks, LLVMValueRef m, LLVMValueRef k) {
  int n = g->isa->mm.lanes, word = pairs ? 2 : 1;            // numbers of a word
  LLVMValueRef whole = cg_sub(g, k, cg_urem(g, k, cg_i64(g, (int64_t)n * word))), mask = cg_mask(g, n, m), v[16];
  LLVMTypeRef row = LLVMVectorType(g->f32, (unsigned)n);
  CgLoop l = cg_loop(g, cg_i64(g, 0), whole, (int64_t)n * word);
  for (int i = 0; i < n; i++) {
    LLVMValueRef x[2];
    for (int j = 0; j < word; j++)
      x[j] = cg_load_mask(g, row, cg_at(g, g->f32, A, cg_mul(g, cg_add(g, l.i, cg_i64(g, (int64_t)i * word + j)), aks)), mask);
    v[i] = pairs ? LLVMBuildBitCast(g->b, mm_words(g, x[0], x[1]), LLVMTypeOf(x[0]), "") : x[0];
  }
  mm_transpose(g, v, n);
  for (int i = 0; i < n; i++) mm_storen(g, v[i], row_at(g, pairs, dst, cg_i64(g, i), l.i));
  cg_loop_end(g, &l);
  copy_scalars(g, pairs, dst, A, cg_i64(g, 1), aks, m, whole, k);
}

void mm_copy_a(Cg *g, bool pairs, LLVMValueRef dst, LLVMValueRef A, LLVMValueRef ars, LLVMValueRef aks, LLVMValueRef m, LLVMValueRef k) {
  LLVMValueRef one = cg_i64(g, 1);
  CgIf plain = cg_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, aks, one, ""));
  copy_rows(g, pairs, dst, A, ars, m, k);
  cg_else(g, &plain);
  CgIf turned = cg_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, ars, one, ""));
  copy_transposed(g, pairs, dst, A, aks, m, k);
  cg_else(g, &turned);
  copy_scalars(g, pairs, dst, A, ars, aks, m, cg_i64(g, 0), k);
  cg_endif(g, &turned);
  cg_endif(g, &plain);
}
