// Rows by index: lookup, take, untake, append, lookup_dw; pieces of rows; and sums over rows.

#include "llvm/int8.h"
#include "llvm/mm.h"

#include "dsl/base/bug.h"

enum { COLUMNS = 64, ROWS = 64 };    // columns of a column task, rows of a row task

static LLVMValueRef index_at(Cg *g, int arg, LLVMValueRef i) {
  return LLVMBuildSExt(g->b, cg_load(g, g->i32, cg_at(g, g->i32, cg_arg_ptr(g, arg), i)), g->i64, "");
}

static LLVMValueRef row_at(Cg *g, LLVMTypeRef t, int arg, LLVMValueRef row, int64_t width) {
  return cg_at(g, t, cg_arg_ptr(g, arg), cg_mul(g, row, cg_i64(g, width)));
}

// ---- tasks of ROWS rows
static CgLoop row_loop(Cg *g) {
  LLVMValueRef first = cg_mul(g, cg_task(g), cg_i64(g, ROWS));
  return cg_loop(g, first, cg_min(g, cg_add(g, first, cg_i64(g, ROWS)), cg_rows(g)), 1);
}

static LLVMValueRef row_tasks(Cg *g, LLVMValueRef rows) { return cg_ceildiv(g, rows, ROWS); }

typedef struct Copy {
  Dtype dt;
  LLVMValueRef from, to;
} Copy;

static void copy_lanes(Cg *g, void *user, LLVMValueRef col, LLVMValueRef mask) {
  const Copy *c = user;
  LLVMValueRef v = cg_load16_f32(g, c->dt, cg_at(g, cg_dtype(g, c->dt), c->from, col), mask);
  cg_store_lanes(g, v, cg_at(g, g->f32, c->to, col), mask);
}

LLVMValueRef tasks_LOOKUP(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)k, (void)ptr;
  return row_tasks(g, rows);
}

// One row as int8: the largest magnitude of every group, and its numbers as they are read.
typedef struct Rounding {
  Copy c;
  LLVMValueRef most, scales;   // <16 x i32> variable; f32, all the same
} Rounding;

static LLVMValueRef load_lanes(Cg *g, const Copy *c, LLVMValueRef col, LLVMValueRef mask) {
  return cg_load16_f32(g, c->dt, cg_at(g, cg_dtype(g, c->dt), c->from, col), mask);
}

static void most_lanes(Cg *g, void *user, LLVMValueRef col, LLVMValueRef mask) {
  const Rounding *r = user;
  cg_set(g, r->most, int8_larger(g, int8_magnitude(g, load_lanes(g, &r->c, col, mask)), cg_get(g, g->v16i32, r->most)));
}

static void round_lanes(Cg *g, void *user, LLVMValueRef col, LLVMValueRef mask) {
  const Rounding *r = user;
  LLVMValueRef whole = int8_whole(g, load_lanes(g, &r->c, col, mask), r->scales);
  whole = LLVMBuildSIToFP(g->b, LLVMBuildFPToSI(g->b, whole, g->v16i32, ""), g->v16f32, "");       // as it is kept: there is no -0
  cg_store_lanes(g, cg_fmul(g, whole, r->scales), cg_at(g, g->f32, r->c.to, col), mask);
}

static void round_group(Cg *g, Rounding *r, LLVMValueRef lo, LLVMValueRef hi) {
  r->most = cg_var(g, g->v16i32, LLVMConstNull(g->v16i32));
  cg_columns(g, lo, hi, most_lanes, r);
  LLVMValueRef most = cg_intrinsic(g, "llvm.vector.reduce.umax", &g->v16i32, 1, (LLVMValueRef[]){cg_get(g, g->v16i32, r->most)}, 1);
  r->scales = int8_scales(g, LLVMBuildBitCast(g->b, cg_splat(g, LLVMBuildBitCast(g->b, most, g->f32, "")), g->v16i32, ""));
  cg_columns(g, lo, hi, round_lanes, r);
}

static void round_row(Cg *g, const Copy *c, int64_t width) {
  int64_t whole = width / INT8_GROUP * INT8_GROUP;
  Rounding r = {.c = *c};
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_i64(g, whole), INT8_GROUP);
  round_group(g, &r, l.i, cg_add(g, l.i, cg_i64(g, INT8_GROUP)));
  cg_loop_end(g, &l);
  if (whole < width) round_group(g, &r, cg_i64(g, whole), cg_i64(g, width));
}

// A table as int8 is read as it is stored, and rounded row by row, by the very arithmetic that packs it for the head: what lies in files needs no memory.
void emit_LOOKUP(Cg *g, const Kernel *k) {
  int64_t width = k->LOOKUP.W;
  Dtype dt = k->arg[KARG(LOOKUP, table)].dt;
  CgLoop r = row_loop(g);
  LLVMValueRef row = cg_add(g, index_at(g, KARG(LOOKUP, ids), r.i), cg_i64(g, k->LOOKUP.from));
  Copy c = {dt, row_at(g, cg_dtype(g, dt), KARG(LOOKUP, table), row, width), row_at(g, g->f32, KARG(LOOKUP, out), r.i, width)};
  if (k->LOOKUP.rounded) round_row(g, &c, width);
  else cg_columns(g, cg_i64(g, 0), cg_i64(g, width), copy_lanes, &c);
  cg_loop_end(g, &r);
}

LLVMValueRef tasks_TAKE(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)k, (void)ptr;
  return row_tasks(g, rows);
}

// Rows are moved as bits: 4-byte elements, whatever they mean.
void emit_TAKE(Cg *g, const Kernel *k) {
  if (k->TAKE.bytes != 4) bug("rows of elements of %lld bytes are moved", (long long)k->TAKE.bytes);
  CgLoop r = row_loop(g);
  Copy c = {DT_F32, row_at(g, g->f32, KARG(TAKE, x), index_at(g, KARG(TAKE, idx), r.i), k->TAKE.W), row_at(g, g->f32, KARG(TAKE, out), r.i, k->TAKE.W)};
  cg_columns(g, cg_i64(g, 0), cg_i64(g, k->TAKE.W), copy_lanes, &c);
  cg_loop_end(g, &r);
}

LLVMValueRef tasks_APPEND(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)k, (void)ptr;
  return row_tasks(g, rows);
}

static void round_to_lanes(Cg *g, void *user, LLVMValueRef col, LLVMValueRef mask) {
  const Copy *c = user;
  LLVMValueRef v = mm_rounded(g, load_lanes(g, c, col, mask)), to = cg_at(g, g->i16, c->to, col);
  LLVMTypeRef over[2] = {LLVMTypeOf(v), g->ptr};
  LLVMValueRef arg[4] = {v, to, cg_i32(g, 2), mask};
  if (mask) cg_intrinsic(g, "llvm.masked.store", over, 2, arg, 4);
  else cg_store(g, v, to);
}

void emit_APPEND(Cg *g, const Kernel *k) {
  CgLoop r = row_loop(g);
  Dtype dt = k->arg[KARG(APPEND, cache)].cached ? cache_dtype(cg_precision(g)) : DT_F32;
  LLVMValueRef to = row_at(g, cg_dtype(g, dt), KARG(APPEND, cache), index_at(g, KARG(APPEND, slots), r.i), k->APPEND.W);
  Copy c = {DT_F32, row_at(g, g->f32, KARG(APPEND, x), r.i, k->APPEND.W), to};
  cg_columns(g, cg_i64(g, 0), cg_i64(g, k->APPEND.W), dt == DT_F32 ? copy_lanes : round_to_lanes, &c);
  cg_loop_end(g, &r);
}

// ---- pieces of rows: A groups of B elements, C of each from `from` on
LLVMValueRef tasks_SLICE(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)k, (void)ptr;
  return row_tasks(g, rows);
}
LLVMValueRef tasks_UNSLICE(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  return tasks_SLICE(g, k, rows, ptr);
}

static void emit_piece(Cg *g, const KExtents_SLICE *e, bool out) {
  int64_t A = e->A, B = e->B, C = e->C, from = e->from;
  LLVMValueRef zero = cg_i64(g, 0);
  CgLoop r = row_loop(g);
  CgLoop a = cg_loop(g, zero, cg_i64(g, A), 1);
  LLVMValueRef group = cg_add(g, cg_mul(g, r.i, cg_i64(g, A)), a.i);
  LLVMValueRef wide = row_at(g, g->f32, out ? KARG(SLICE, x) : KARG(UNSLICE, out), group, B),
               piece = row_at(g, g->f32, out ? KARG(SLICE, out) : KARG(UNSLICE, dy), group, C);
  LLVMValueRef at = cg_at(g, g->f32, wide, cg_i64(g, from));
  Copy c = {DT_F32, out ? at : piece, out ? piece : at};
  if (!out) {
    cg_zero_columns(g, zero, cg_i64(g, from), wide);
    cg_zero_columns(g, cg_i64(g, from + C), cg_i64(g, B), wide);
  }
  cg_columns(g, zero, cg_i64(g, C), copy_lanes, &c);
  cg_loop_end(g, &a);
  cg_loop_end(g, &r);
}
void emit_SLICE(Cg *g, const Kernel *k) { emit_piece(g, &k->SLICE, true); }
void emit_UNSLICE(Cg *g, const Kernel *k) {
  KExtents_SLICE e = {.A = k->UNSLICE.A, .B = k->UNSLICE.B, .C = k->UNSLICE.C, .from = k->UNSLICE.from};
  emit_piece(g, &e, false);
}

// ---- tasks of COLUMNS columns: each goes through all rows in order, so that sums have one order whatever the threads
static LLVMValueRef column_tasks(Cg *g, int64_t width) { return cg_i64(g, (width + COLUMNS - 1) / COLUMNS); }

static void column_range(Cg *g, int64_t width, LLVMValueRef *lo, LLVMValueRef *hi) {
  *lo = cg_mul(g, cg_task(g), cg_i64(g, COLUMNS));
  *hi = cg_min(g, cg_add(g, *lo, cg_i64(g, COLUMNS)), cg_i64(g, width));
}

static void zero_rows(Cg *g, int arg, LLVMValueRef rows, int64_t width, LLVMValueRef lo, LLVMValueRef hi) {
  CgLoop r = cg_loop(g, cg_i64(g, 0), rows, 1);
  cg_zero_columns(g, lo, hi, row_at(g, g->f32, arg, r.i, width));
  cg_loop_end(g, &r);
}

LLVMValueRef tasks_UNTAKE(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)rows, (void)ptr;
  return column_tasks(g, k->UNTAKE.W);
}

void emit_UNTAKE(Cg *g, const Kernel *k) {
  int64_t width = k->UNTAKE.W;
  LLVMValueRef lo, hi;
  column_range(g, width, &lo, &hi);
  zero_rows(g, KARG(UNTAKE, out), cg_rows(g), width, lo, hi);
  CgLoop r = cg_loop(g, cg_i64(g, 0), cg_arg_word(g, 1 + k->narg), 1);
  Copy c = {DT_F32, row_at(g, g->f32, KARG(UNTAKE, dy), r.i, width), row_at(g, g->f32, KARG(UNTAKE, out), index_at(g, KARG(UNTAKE, idx), r.i), width)};
  cg_columns(g, lo, hi, copy_lanes, &c);
  cg_loop_end(g, &r);
}

static void add_lanes(Cg *g, void *user, LLVMValueRef col, LLVMValueRef mask) {
  const Copy *c = user;
  LLVMValueRef to = cg_at(g, g->f32, c->to, col);
  LLVMValueRef v = cg_load16_f32(g, DT_F32, cg_at(g, g->f32, c->from, col), mask);
  cg_store_lanes(g, cg_fadd(g, cg_load16_f32(g, DT_F32, to, mask), v), to, mask);
}

LLVMValueRef tasks_LOOKUP_DW(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)rows, (void)ptr;
  return column_tasks(g, k->LOOKUP_DW.W);
}

void emit_LOOKUP_DW(Cg *g, const Kernel *k) {
  int64_t width = k->LOOKUP_DW.W;
  LLVMValueRef lo, hi;
  column_range(g, width, &lo, &hi);
  zero_rows(g, KARG(LOOKUP_DW, dtable), cg_i64(g, k->LOOKUP_DW.V), width, lo, hi);
  CgLoop r = cg_loop(g, cg_i64(g, 0), cg_rows(g), 1);
  Copy c = {DT_F32, row_at(g, g->f32, KARG(LOOKUP_DW, dy), r.i, width),
            row_at(g, g->f32, KARG(LOOKUP_DW, dtable), cg_add(g, index_at(g, KARG(LOOKUP_DW, ids), r.i), cg_i64(g, k->LOOKUP_DW.from)), width)};
  cg_columns(g, lo, hi, add_lanes, &c);
  cg_loop_end(g, &r);
}

LLVMValueRef tasks_COLSUM(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)rows, (void)ptr;
  return column_tasks(g, k->COLSUM.W);
}

void emit_COLSUM(Cg *g, const Kernel *k) {
  int64_t width = k->COLSUM.W;
  LLVMValueRef lo, hi, out = cg_arg_ptr(g, KARG(COLSUM, out));
  column_range(g, width, &lo, &hi);
  cg_zero_columns(g, lo, hi, out);
  CgLoop r = cg_loop(g, cg_i64(g, 0), cg_rows(g), 1);
  Copy c = {DT_F32, row_at(g, g->f32, KARG(COLSUM, x), r.i, width), out};
  cg_columns(g, lo, hi, add_lanes, &c);
  cg_loop_end(g, &r);
}
