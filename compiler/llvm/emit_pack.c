// Packing: a matrix as stored, w[N, K] row-major (or w[K, N]), to panels [ceil(N / 16)][K][16] f32. One task a panel; each lane is one
// row (column) of w. Rows go through registers in blocks of 16 x 16: loading a large model is as fast as reading it.

#include "dsl/base/bug.h"
#include "llvm/cg.h"
#include "llvm/mm.h"
#include "runtime/abi/abi.h"

_Static_assert(1 + KARG(PACK, packed) == RT_PACK_TO, "rt_abi.h: the word of a packing call");

// 16 numbers from element `at` on; with a mask the others are 0 and not touched.
static LLVMValueRef load_f32(Cg *g, Dtype dt, LLVMValueRef w, LLVMValueRef at, LLVMValueRef mask) {
  return cg_load16_f32(g, dt, cg_at(g, cg_dtype(g, dt), w, at), mask);
}

LLVMValueRef tasks_PACK(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)g, (void)k, (void)ptr;
  return rows;
}

typedef struct Pack {
  int64_t N, K;
  Dtype dt;
  LLVMValueRef w, panel, n0, lanes;   // first row of the panel, and how many of 16 there are
} Pack;

// w[K, N]: the numbers of a k lie together already.
static void columns(Cg *g, const Pack *p, LLVMValueRef mask) {
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_i64(g, p->K), 1);
  LLVMValueRef at = cg_add(g, cg_mul(g, l.i, cg_i64(g, p->N)), p->n0);
  cg_store16(g, load_f32(g, p->dt, p->w, at, mask), cg_at(g, g->f32, p->panel, cg_mul(g, l.i, cg_i64(g, PANEL))));
  cg_loop_end(g, &l);
}

// w[N, K]: numbers k … k + count - 1 of each row, turned. Missing rows read the last one and become 0.
static void block(Cg *g, const Pack *p, LLVMValueRef k, int64_t count, LLVMValueRef rows) {
  LLVMValueRef v[PANEL], mask = count < LANES ? cg_mask16(g, cg_i64(g, count)) : NULL, last = cg_sub(g, p->lanes, cg_i64(g, 1));
  for (int i = 0; i < PANEL; i++) {
    LLVMValueRef row = cg_add(g, p->n0, cg_min(g, cg_i64(g, i), last));
    v[i] = load_f32(g, p->dt, p->w, cg_add(g, cg_mul(g, row, cg_i64(g, p->K)), k), mask);
  }
  mm_transpose(g, v, PANEL);
  for (int i = 0; i < count; i++) {
    LLVMValueRef to = cg_at(g, g->f32, p->panel, cg_mul(g, cg_add(g, k, cg_i64(g, i)), cg_i64(g, PANEL)));
    cg_store16(g, cg_select(g, rows, v[i], cg_splatc(g, 0)), to);
  }
}

void emit_PACK(Cg *g, const Kernel *k) {
  Pack p = {.N = k->PACK.N, .K = k->PACK.K, .dt = k->arg[KARG(PACK, w)].dt, .w = cg_arg_ptr(g, KARG(PACK, w))};
  p.n0 = cg_mul(g, cg_task(g), cg_i64(g, PANEL));
  p.panel = cg_at(g, g->f32, cg_arg_ptr(g, KARG(PACK, packed)), cg_mul(g, p.n0, cg_i64(g, p.K)));
  p.lanes = cg_min(g, cg_i64(g, PANEL), cg_sub(g, cg_i64(g, p.N), p.n0));
  LLVMValueRef rows = cg_mask16(g, p.lanes);
  if (k->PACK.turned) {
    CgIf full = cg_if(g, cg_lt(g, cg_i64(g, PANEL - 1), p.lanes));
    columns(g, &p, NULL);
    cg_else(g, &full);
    columns(g, &p, rows);
    cg_endif(g, &full);
    return;
  }
  int64_t whole = p.K / LANES * LANES;
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_i64(g, whole), LANES);
  block(g, &p, l.i, LANES, rows);
  cg_loop_end(g, &l);
  if (whole < p.K) block(g, &p, cg_i64(g, whole), p.K - whole, rows);
}
