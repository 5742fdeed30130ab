// Routing: where the largest numbers of a row stand, and the numbers that stand there. A task is a block of rows.
#include <math.h>

#include "llvm/cg.h"

enum { ROWS = 64 };

static CgLoop row_loop(Cg *g) {
  LLVMValueRef first = cg_mul(g, cg_task(g), cg_i64(g, ROWS));
  return cg_loop(g, first, cg_min(g, cg_add(g, first, cg_i64(g, ROWS)), cg_rows(g)), 1);
}

static LLVMValueRef row_at(Cg *g, int arg, LLVMValueRef row, int64_t width) {
  return cg_at(g, g->f32, cg_arg_ptr(g, arg), cg_mul(g, row, cg_i64(g, width)));
}

// ---- the largest

static LLVMValueRef wholes(Cg *g, LLVMValueRef scalar) {                 // of a 32-bit number, 16 of them
  LLVMValueRef one = LLVMBuildInsertElement(g->b, LLVMGetPoison(g->v16i32), scalar, cg_i32(g, 0), "");
  return LLVMBuildShuffleVector(g->b, one, LLVMGetPoison(g->v16i32), LLVMConstNull(g->v16i32), "");
}

// Of each lane's numbers that go behind the one found last: the one that goes first, and where it stands; E where there is none.
typedef struct Search {
  LLVMValueRef x;
  int64_t E;
  LLVMValueRef before, stood;  // f32, i32 variables: what was found last
  LLVMValueRef best, at;       // <16 x float>, <16 x i32> variables
} Search;

static void search_lanes(Cg *g, void *user, LLVMValueRef col, LLVMValueRef mask) {
  Search *s = user;
  LLVMValueRef lane[LANES], v = mask ? cg_load16_mask(g, cg_at(g, g->f32, s->x, col), mask) : cg_load16(g, cg_at(g, g->f32, s->x, col));
  for (int i = 0; i < LANES; i++) lane[i] = cg_i32(g, i);
  LLVMValueRef here = LLVMBuildAdd(g->b, wholes(g, LLVMBuildTrunc(g->b, col, g->i32, "")), LLVMConstVector(lane, LANES), "");
  LLVMValueRef before = cg_splat(g, cg_get(g, g->f32, s->before)), stood = wholes(g, cg_get(g, g->i32, s->stood));
  LLVMValueRef best = cg_get(g, g->v16f32, s->best), at = cg_get(g, g->v16i32, s->at);
  LLVMValueRef further = LLVMBuildICmp(g->b, LLVMIntSGT, here, stood, "");
  LLVMValueRef left = LLVMBuildOr(g->b, LLVMBuildFCmp(g->b, LLVMRealOLT, v, before, ""), LLVMBuildAnd(g->b, LLVMBuildFCmp(g->b, LLVMRealOEQ, v, before, ""), further, ""), "");
  LLVMValueRef none = LLVMBuildICmp(g->b, LLVMIntEQ, at, cg_words(g, LANES, (uint32_t)s->E), "");
  LLVMValueRef better = LLVMBuildAnd(g->b, left, LLVMBuildOr(g->b, none, LLVMBuildFCmp(g->b, LLVMRealOGT, v, best, ""), ""), "");
  if (mask) better = LLVMBuildAnd(g->b, better, mask, "");
  cg_set(g, s->best, cg_select(g, better, v, best));
  cg_set(g, s->at, cg_select(g, better, here, at));
}

LLVMValueRef tasks_LARGEST(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)k, (void)ptr;
  return cg_ceildiv(g, rows, ROWS);
}

// Once for each that is wanted through the row. Where nothing is left, which is so of numbers that are none, the last is named: kernels that read by these
// numbers stay within what is there.
void emit_LARGEST(Cg *g, const Kernel *k) {
  int64_t E = k->LARGEST.E, S = k->LARGEST.S;
  LLVMValueRef least = cg_f32(g, -INFINITY), nothing = cg_words(g, LANES, (uint32_t)E);
  CgLoop r = row_loop(g);
  Search s = {.x = row_at(g, KARG(LARGEST, x), r.i, E), .E = E};
  s.before = cg_var(g, g->f32, cg_f32(g, INFINITY));
  s.stood = cg_var(g, g->i32, cg_i32(g, -1));
  CgLoop j = cg_loop(g, cg_i64(g, 0), cg_i64(g, S), 1);
  s.best = cg_var(g, g->v16f32, cg_splat(g, least));
  s.at = cg_var(g, g->v16i32, nothing);
  cg_columns(g, cg_i64(g, 0), cg_i64(g, E), search_lanes, &s);
  LLVMValueRef best = cg_get(g, g->v16f32, s.best), most = cg_max16(g, best);
  LLVMValueRef is_most = LLVMBuildFCmp(g->b, LLVMRealOEQ, best, cg_splat(g, most), ""), at = cg_select(g, is_most, cg_get(g, g->v16i32, s.at), nothing);
  LLVMValueRef first = cg_intrinsic(g, "llvm.vector.reduce.umin", &g->v16i32, 1, &at, 1);
  cg_set(g, s.before, most);
  cg_set(g, s.stood, first);
  LLVMValueRef found = LLVMBuildICmp(g->b, LLVMIntULT, first, cg_i32(g, (int32_t)E), "");
  LLVMValueRef to = cg_at(g, g->i32, cg_arg_ptr(g, KARG(LARGEST, ids)), cg_add(g, cg_mul(g, r.i, cg_i64(g, S)), j.i));
  cg_store(g, cg_select(g, found, first, cg_i32(g, (int32_t)E - 1)), to);
  cg_loop_end(g, &j);
  cg_loop_end(g, &r);
}

// ---- by numbers

// Element j of the row's S, and element ids[j] of its E.
static void pairs_of_row(Cg *g, const KExtents_PICK *e, LLVMValueRef row, LLVMValueRef wide, LLVMValueRef picked, bool out) {
  CgLoop j = cg_loop(g, cg_i64(g, 0), cg_i64(g, e->S), 1);
  LLVMValueRef id = cg_load(g, g->i32, cg_at(g, g->i32, cg_arg_ptr(g, KARG(PICK, ids)), cg_add(g, cg_mul(g, row, cg_i64(g, e->S)), j.i)));
  LLVMValueRef at = cg_at(g, g->f32, wide, LLVMBuildSExt(g->b, id, g->i64, "")), to = cg_at(g, g->f32, picked, j.i);
  if (out) cg_store(g, cg_load(g, g->f32, at), to);
  else cg_store(g, cg_load(g, g->f32, to), at);
  cg_loop_end(g, &j);
}

LLVMValueRef tasks_PICK(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) { return tasks_LARGEST(g, k, rows, ptr); }
LLVMValueRef tasks_UNPICK(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) { return tasks_LARGEST(g, k, rows, ptr); }

void emit_PICK(Cg *g, const Kernel *k) {
  CgLoop r = row_loop(g);
  pairs_of_row(g, &k->PICK, r.i, row_at(g, KARG(PICK, x), r.i, k->PICK.E), row_at(g, KARG(PICK, out), r.i, k->PICK.S), true);
  cg_loop_end(g, &r);
}

void emit_UNPICK(Cg *g, const Kernel *k) {
  KExtents_PICK e = {.E = k->UNPICK.E, .S = k->UNPICK.S};
  CgLoop r = row_loop(g);
  LLVMValueRef out = row_at(g, KARG(UNPICK, out), r.i, e.E);
  cg_zero_columns(g, cg_i64(g, 0), cg_i64(g, e.E), out);
  pairs_of_row(g, &e, r.i, out, row_at(g, KARG(UNPICK, dy), r.i, e.S), false);
  cg_loop_end(g, &r);
}
