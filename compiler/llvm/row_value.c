// The value of a row program at 16 lanes: loads with broadcasting, literals, results of the present loop, and what
// earlier loops kept.

#include "llvm/emit_row.h"
#include "llvm/row_plan.h"

#include "dsl/base/bug.h"

// Element offset of value v at pos (of its first lane), and whether all lanes read the same element.
static LLVMValueRef offset_of(Cg *g, const RowVal *v, const RowPos *pos, bool *same) {
  *same = rowval_elems(v) == 1;
  if (*same) return cg_i64(g, 0);
  if (pos->flat) return pos->inner;
  LLVMValueRef at = cg_i64(g, 0);
  int64_t stride = 1;
  for (int i = 0; i < v->rank; i++) {                       // from the right
    int64_t n = v->dim[v->rank - 1 - i];
    int axis = pos->rank - 1 - i;
    if (n != 1) at = cg_add(g, at, cg_mul(g, i ? pos->outer[axis] : pos->inner, cg_i64(g, stride)));
    stride *= n;
  }
  *same = v->dim[v->rank - 1] == 1;
  return at;
}

typedef struct Place {         // memory that holds a value's row
  LLVMValueRef p;
  Dtype dt;
} Place;

static Place arg_place(RowEmit *e, int arg, LLVMValueRef row) {
  Cg *g = e->g;
  const KArg *a = &e->k->arg[arg];
  LLVMValueRef p = cg_arg_ptr(g, arg);
  if (a->per_row) p = cg_at(g, cg_dtype(g, a->dt), p, cg_mul(g, row, cg_i64(g, a->elems)));
  return (Place){p, a->dt};
}

static Place place_of(RowEmit *e, int i, LLVMValueRef row) {
  const RowVal *v = &e->p->v[i];
  if (v->src == RV_LOAD) return arg_place(e, v->arg, row);
  if (e->keep[i].kind == KEEP_ARG) return arg_place(e, v->store, row);
  if (e->keep[i].kind != KEEP_SCRATCH) bug("value %d of a row program was not kept", i);
  return (Place){cg_scratch(e->g, e->keep[i].offset), DT_F32};
}

static LLVMValueRef from_memory(RowEmit *e, int i, const RowPos *pos, LLVMValueRef shift) {
  Cg *g = e->g;
  bool same;
  Place m = place_of(e, i, pos->row);
  LLVMValueRef at = offset_of(g, &e->p->v[i], pos, &same);
  if (shift) at = cg_add(g, at, shift);
  LLVMValueRef p = cg_at(g, cg_dtype(g, m.dt), m.p, at);
  if (same) return cg_splat(g, cg_load_f32(g, m.dt, p));
  return cg_load16_f32(g, m.dt, p, pos->mask);
}

static LLVMValueRef from_tile(RowEmit *e, const RowVal *v, const RowPos *pos) {
  Cg *g = e->g;
  LLVMValueRef r = cg_sub(g, pos->row, e->acc_row), c = cg_sub(g, pos->inner, e->acc_col);
  LLVMValueRef p = cg_at(g, g->f32, e->acc[v->arg], cg_add(g, cg_mul(g, r, e->acc_stride), c));
  return pos->mask ? cg_load16_mask(g, p, pos->mask) : cg_load16(g, p);
}

// y[j] = j < n/2 ? -x[j + n/2] : x[j - n/2]. The loop visits the two halves apart; outer[rank - 1] holds the half (a
// constant).
static LLVMValueRef rotated(RowEmit *e, const RowVal *v, const RowPos *pos) {
  Cg *g = e->g;
  int64_t half = v->dim[v->rank - 1] / 2;
  bool first = LLVMConstIntGetZExtValue(pos->outer[pos->rank - 1]) == 0;
  LLVMValueRef x = from_memory(e, v->in[0], pos, cg_i64(g, first ? half : -half));
  return first ? cg_fneg(g, x) : x;
}

LLVMValueRef row_value(RowEmit *e, int i, const RowPos *pos) {
  const RowVal *v = &e->p->v[i];
  if (e->cur[i]) return e->cur[i];
  LLVMValueRef r;
  if (v->src == RV_IMM) r = cg_splatc(e->g, v->imm);
  else if (v->src == RV_ACC) r = from_tile(e, v, pos);
  else if (v->src == RV_LOAD) r = from_memory(e, i, pos, NULL);
  else if (e->keep[i].kind == KEEP_VAR && e->loop[i] != e->now)
    r = cg_splat(e->g, cg_get(e->g, e->g->f32, e->keep[i].var));
  else if (e->loop[i] >= 0 && e->loop[i] < e->now) r = from_memory(e, i, pos, NULL);
  else if (row_is_rotate(v)) r = rotated(e, v, pos);
  else {
    LLVMValueRef a = row_value(e, v->in[0], pos), b = v->in[1] >= 0 ? row_value(e, v->in[1], pos) : NULL;
    r = lanes_of(e->g, v->op, a, b);
  }
  return e->cur[i] = r;
}

void row_store(RowEmit *e, int i, LLVMValueRef v, const RowPos *pos) {
  Cg *g = e->g;
  bool same;
  Place m = arg_place(e, e->p->v[i].store, pos->row);
  LLVMValueRef at = offset_of(g, &e->p->v[i], pos, &same);
  LLVMValueRef p = cg_at(g, g->f32, m.p, at);
  if (m.dt != DT_F32) bug("a row kernel writes %s", dtype_name(m.dt));
  if (same) cg_store(g, LLVMBuildExtractElement(g->b, v, cg_i32(g, 0), ""), p);
  else if (pos->mask) cg_store16_mask(g, v, p, pos->mask);
  else if (e->past) cg_store16_past(g, v, p);
  else cg_store16(g, v, p);
}
