// Row kernels. The values of a row program are arranged in loops over one row: a value joins the earliest loop with its
// own extents in which its operands are there; sums, and whatever is read at other extents or through rotate_half, must
// come from an earlier loop. What later loops need waits in the thread's scratch, in the argument it is stored to
// anyway, or, for one number a row, in a register. Values that are the same for all rows come first, once a task.
// Within 16 lanes all loads come before all stores: an argument may be updated in place.
#include <stdlib.h>
#include <string.h>

#include "dsl/base/alloc.h"
#include "llvm/emit_row.h"
#include "llvm/row_plan.h"

enum {
  TASK_WORK = 131072,          // of a task, operations: few tasks go through long runs of memory, which processors read ahead; two rows a task took up to three times as long
  ALIGN = 64,
};

static int64_t place_kept(RowEmit *e, const RowPlan *plan) {
  int64_t at = 0;
  for (int i = 0; i < e->p->n; i++) {
    const RowVal *v = &e->p->v[i];
    if (plan->of[i] < 0) continue;
    if (rowval_elems(v) == 1) e->keep[i] = (Keep){.kind = KEEP_VAR, .var = cg_var(e->g, e->g->f32, cg_f32(e->g, 0))};
    else if (!row_is_sum(v) && !row_read_later(e->p, plan, i)) continue;
    else if (v->store >= 0 && !row_is_sum(v)) e->keep[i].kind = KEEP_ARG;
    else {
      e->keep[i] = (Keep){.kind = KEEP_SCRATCH, .offset = at};
      at += (rowval_elems(v) * 4 + ALIGN - 1) / ALIGN * ALIGN;
    }
  }
  return at;
}

// ---- one loop
typedef struct LoopEmit {
  RowEmit *e;
  const RowPlan *plan;
  const RowLoop *l;
  LLVMValueRef *sum;           // value -> accumulator variable of a sum of this loop
} LoopEmit;

static void clear(RowEmit *e) { memset(e->cur, 0, (size_t)e->p->n * sizeof *e->cur); }

// One number a row: evaluated on lane 0 of everything.
static void scalar_loop(LoopEmit *x, LLVMValueRef row) {
  RowEmit *e = x->e;
  Cg *g = e->g;
  RowPos pos = {.row = row, .flat = true, .inner = cg_i64(g, 0)};
  clear(e);
  for (int i = 0; i < e->p->n; i++) {
    const RowVal *v = &e->p->v[i];
    if (x->plan->of[i] != e->now) continue;
    LLVMValueRef r = row_value(e, row_is_sum(v) ? v->in[0] : i, &pos);
    e->cur[i] = r;
    cg_set(g, e->keep[i].var, LLVMBuildExtractElement(g->b, r, cg_i32(g, 0), ""));
    if (v->store >= 0) row_store(e, i, r, &pos);
  }
}

static void keep_lanes(RowEmit *e, int i, LLVMValueRef r, const RowPos *pos) {
  Cg *g = e->g;
  LLVMValueRef at = pos->inner;
  int64_t stride = 1;
  for (int d = pos->rank - 1; d >= 1 && !pos->flat; d--) {
    stride *= pos->dim[d];
    at = cg_add(g, at, cg_mul(g, pos->outer[d - 1], cg_i64(g, stride)));
  }
  LLVMValueRef p = cg_at(g, g->f32, cg_scratch(g, e->keep[i].offset), at);
  if (pos->mask) cg_store16_mask(g, r, p, pos->mask);
  else cg_store16(g, r, p);
}

static void chunk(LoopEmit *x, RowPos *pos) {
  RowEmit *e = x->e;
  Cg *g = e->g;
  clear(e);
  for (int i = 0; i < e->p->n; i++) {
    const RowVal *v = &e->p->v[i];
    if (x->plan->of[i] != e->now) continue;
    if (row_is_sum(v)) {
      LLVMValueRef a = row_value(e, v->in[0], pos);
      if (pos->mask) a = cg_select(g, pos->mask, a, cg_splatc(g, 0));
      cg_set(g, x->sum[i], cg_fadd(g, cg_get(g, g->v16f32, x->sum[i]), a));
      continue;
    }
    LLVMValueRef r = row_value(e, i, pos);
    if (e->keep[i].kind == KEEP_SCRATCH) keep_lanes(e, i, r, pos);
  }
  for (int i = 0; i < e->p->n; i++) {
    if (x->plan->of[i] == e->now && e->p->v[i].store >= 0 && !row_is_sum(&e->p->v[i])) row_store(e, i, e->cur[i], pos);
  }
}

// Lanes lo … hi - 1 of the innermost extent.
static void run(LoopEmit *x, RowPos *pos, int64_t lo, int64_t hi) {
  Cg *g = x->e->g;
  int64_t full = lo + (hi - lo) / LANES * LANES;
  pos->mask = NULL;
  if (full - lo <= 2 * LANES) {
    for (int64_t j = lo; j < full; j += LANES) {
      pos->inner = cg_i64(g, j);
      chunk(x, pos);
    }
  } else {
    CgLoop l = cg_loop(g, cg_i64(g, lo), cg_i64(g, full), LANES);
    pos->inner = l.i;
    chunk(x, pos);
    cg_loop_end(g, &l);
  }
  if (full == hi) return;
  pos->inner = cg_i64(g, full);
  pos->mask = cg_mask16(g, cg_i64(g, hi - full));
  chunk(x, pos);
}

static bool has(const LoopEmit *x, bool (*what)(const RowVal *)) {
  for (int i = 0; i < x->e->p->n; i++) {
    if (x->plan->of[i] == x->e->now && what(&x->e->p->v[i])) return true;
  }
  return false;
}

static bool flat_operand(const LoopEmit *x, int i, int64_t n);
static bool flat_operands(const LoopEmit *x, int i, int64_t n) {
  const RowVal *v = &x->e->p->v[i];
  for (int k = 0; k < 2 && v->src == RV_OP && v->in[k] >= 0; k++) {
    if (!flat_operand(x, v->in[k], n)) return false;
  }
  return true;
}

static bool flat_operand(const LoopEmit *x, int i, int64_t n) {
  int64_t e = rowval_elems(&x->e->p->v[i]);
  if (e != 1 && e != n) return false;
  return x->plan->of[i] >= 0 || flat_operands(x, i, n);
}

static bool is_flat(const LoopEmit *x, int64_t n) {
  if (has(x, row_is_rotate) || (x->l->rank > 1 && has(x, row_is_sum))) return false;
  for (int i = 0; i < x->e->p->n; i++) {
    if (x->plan->of[i] == x->e->now && !flat_operands(x, i, n)) return false;
  }
  return true;
}

static void sums_begin(LoopEmit *x) {
  Cg *g = x->e->g;
  for (int i = 0; i < x->e->p->n; i++) {
    if (x->plan->of[i] == x->e->now && row_is_sum(&x->e->p->v[i])) x->sum[i] = cg_var(g, g->v16f32, cg_splatc(g, 0));
  }
}

static void sums_end(LoopEmit *x, const RowPos *pos) {
  RowEmit *e = x->e;
  Cg *g = e->g;
  for (int i = 0; i < e->p->n; i++) {
    const RowVal *v = &e->p->v[i];
    if (x->plan->of[i] != e->now || !row_is_sum(v)) continue;
    LLVMValueRef s = cg_sum16(g, cg_get(g, g->v16f32, x->sum[i])), at = cg_i64(g, 0);
    if (e->keep[i].kind == KEEP_VAR) cg_set(g, e->keep[i].var, s);
    int64_t stride = 1;
    for (int d = pos->rank - 2; d >= 0; d--) {
      at = cg_add(g, at, cg_mul(g, pos->outer[d], cg_i64(g, stride)));
      stride *= pos->dim[d];
    }
    if (e->keep[i].kind == KEEP_SCRATCH) cg_store(g, s, cg_at(g, g->f32, cg_scratch(g, e->keep[i].offset), at));
    if (v->store < 0) continue;
    LLVMValueRef row = cg_mul(g, pos->row, cg_i64(g, rowval_elems(v)));
    cg_store(g, s, cg_at(g, g->f32, cg_arg_ptr(g, v->store), cg_add(g, row, at)));
  }
}

static void nest(LoopEmit *x, RowPos *pos, int axis) {
  Cg *g = x->e->g;
  if (axis < x->l->rank - 1) {
    CgLoop l = cg_loop(g, cg_i64(g, 0), cg_i64(g, x->l->dim[axis]), 1);
    pos->outer[axis] = l.i;
    nest(x, pos, axis + 1);
    cg_loop_end(g, &l);
    return;
  }
  int64_t n = x->l->dim[axis];
  sums_begin(x);
  if (has(x, row_is_rotate)) {
    for (int half = 0; half < 2; half++) {
      pos->outer[axis] = cg_i64(g, half);
      run(x, pos, half * (n / 2), (half + 1) * (n / 2));
    }
  } else {
    run(x, pos, 0, n);
  }
  sums_end(x, pos);
}

static void emit_loop(LoopEmit *x, LLVMValueRef row) {
  if (!x->l->rank) {
    scalar_loop(x, row);
    return;
  }
  int64_t n = 1;
  for (int i = 0; i < x->l->rank; i++) n *= x->l->dim[i];
  RowPos pos = {.row = row, .dim = x->l->dim, .rank = x->l->rank};
  if (is_flat(x, n)) {
    pos.flat = true;
    pos.dim = &n;
    pos.rank = 1;
    sums_begin(x);
    run(x, &pos, 0, n);
    sums_end(x, &pos);
  } else {
    nest(x, &pos, 0);
  }
}

// ---- the kernel
static int64_t rows_per_task(const RowProg *p) {
  int64_t work = row_work(p);
  return work < TASK_WORK ? TASK_WORK / work : 1;
}

LLVMValueRef tasks_ROW(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)ptr;
  return cg_ceildiv(g, rows, rows_per_task(&k->prog[0]));
}

static void emit_loops(RowEmit *e, const RowPlan *plan, LLVMValueRef *sum, int to, LLVMValueRef row) {
  for (; e->now < to; e->now++) {
    LoopEmit x = {.e = e, .plan = plan, .l = &plan->loop[e->now], .sum = sum};
    emit_loop(&x, row);
  }
}

void emit_ROW(Cg *g, const Kernel *k) {
  const RowProg *p = &k->prog[0];
  size_t n = (size_t)p->n + 1;
  RowPlan plan;
  row_plan(p, &plan);
  RowEmit e = {.g = g, .k = k, .p = p, .loop = plan.of};
  e.keep = need_alloc(n, sizeof *e.keep);
  e.cur = need_alloc(n, sizeof *e.cur);
  LLVMValueRef *sum = need_alloc(n, sizeof *sum);
  cg_need_scratch(g, place_kept(&e, &plan));
  emit_loops(&e, &plan, sum, plan.nshared, cg_i64(g, 0));
  LLVMValueRef first = cg_mul(g, cg_task(g), cg_i64(g, rows_per_task(p)));
  LLVMValueRef last = cg_min(g, cg_add(g, first, cg_i64(g, rows_per_task(p))), cg_rows(g));
  CgLoop rows = cg_loop(g, first, last, 1);
  emit_loops(&e, &plan, sum, plan.nloop, rows.i);
  cg_loop_end(g, &rows);
  row_plan_free(&plan);
  free(e.keep);
  free(e.cur);
  free(sum);
}
