// Products with int8 panels. Few rows meet them as they lie; for more than a tile's a block of the panels is widened to the scratch, once for all rows,
// multiplied by the kernels of f32, or of pairs of bf16, and the next one takes its place. Numbers and their order are the same both ways.
#include "llvm/mm.h"

enum { DEPTH = MM_KC };        // words of k of a block: one pass of the kernel

int64_t mm_int8_scratch(int64_t cols) { return DEPTH * ((cols + PANEL - 1) / PANEL * PANEL) * 4; }

static LLVMValueRef word_at(Cg *g, LLVMValueRef to, LLVMValueRef word) { return cg_at(g, g->i32, to, cg_mul(g, word, cg_i64(g, PANEL))); }

// k in [k0, k0 + depth), k0 the first of a group, of all panels of c: to [columns / 16][DEPTH][16], rows of f32 or, in pairs, words. Up to three more rows
// than depth, which the block has room for.
static void widen(Cg *g, const MmCall *c, LLVMValueRef dst, LLVMValueRef k0, LLVMValueRef depth) {
  int each = c->pairs ? 2 : 1;
  LLVMValueRef zero = cg_i64(g, 0), size = cg_i64(g, INT8_GROUP), first = cg_udiv(g, k0, size);
  CgLoop p = cg_loop(g, zero, cg_ceildiv(g, c->N, PANEL), 1);
  LLVMValueRef from = cg_at(g, g->i8, c->B.p, cg_mul(g, p.i, c->B.panel)), to = word_at(g, dst, cg_mul(g, p.i, cg_i64(g, DEPTH)));
  CgLoop i = cg_loop(g, zero, cg_ceildiv(g, depth, INT8_GROUP), 1);
  LLVMValueRef group = mm_group(g, from, cg_add(g, first, i.i)), done = cg_mul(g, i.i, size);
  Int8Scales scales = mm_group_scales(g, group);
  CgLoop k = cg_loop(g, zero, cg_min(g, size, cg_sub(g, depth, done)), INT8_QUAD);
  LLVMValueRef v[INT8_QUAD], at = cg_udiv(g, cg_add(g, done, k.i), cg_i64(g, each));
  mm_group_rows(g, group, &scales, k.i, INT8_QUAD, v);
  for (int row = 0; row < INT8_QUAD; row += each)
    cg_store(g, c->pairs ? mm_words(g, v[row], v[row + 1]) : v[row], word_at(g, to, cg_add(g, at, cg_i64(g, row / each))));
  cg_loop_end(g, &k);
  cg_loop_end(g, &i);
  cg_loop_end(g, &p);
}

static void by_blocks(Cg *g, const MmCall *c, LLVMValueRef scratch) {
  Dtype wide = mm_made_dtype(c->pairs);
  int64_t numbers = DEPTH * (c->pairs ? 2 : 1);
  CgLoop d = cg_loop(g, cg_i64(g, 0), c->K, numbers);
  LLVMValueRef depth = cg_min(g, cg_i64(g, numbers), cg_sub(g, c->K, d.i));
  widen(g, c, scratch, d.i, depth);
  MmCall part = *c;
  part.A.p = cg_at(g, g->f32, c->A.p, d.i);
  part.B = mm_packed(wide, scratch, cg_i64(g, numbers * PANEL));
  part.K = depth;
  part.acc = LLVMBuildZExt(g->b, cg_lt(g, cg_i64(g, 0), d.i), g->i64, "");
  part.next = NULL;
  cg_mm(g, &part);
  cg_loop_end(g, &d);
}

void mm_int8(Cg *g, const MmCall *c, LLVMValueRef scratch) {
  int64_t most = mm_most_rows(g->isa, &(MmKernel){c->A.dt, c->B.dt, c->C.dt, c->pairs, NULL});
  if (!most) {
    by_blocks(g, c, scratch);
    return;
  }
  CgIf few = cg_if(g, cg_lt(g, c->M, cg_i64(g, most + 1)));
  cg_mm(g, c);
  cg_else(g, &few);
  by_blocks(g, c, scratch);
  cg_endif(g, &few);
}
