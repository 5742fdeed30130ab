// Products of rows with the matrices of their experts: ragged groups, multiplied by the kernels that all products have (cg_mm). A task is a block of rows
// times a block of columns, of one expert where each of a row's results has a place of its own, of all of them, in order, where they are added up. It looks
// through the numbers of its rows for an expert's, gathers those rows, multiplies them, and puts the results where they belong: no order of rows is
// made or kept between calls, an expert that no row names is not read, and code does not grow with their number.
#include "llvm/mm.h"
#include "runtime/abi/abi.h"

enum {
  ROWS = 512,                  // rows of a task: an expert's matrix is read once for all of its rows among them
  COLS = 256,                  // columns of a task
  GROUP = 48, GROUP_T = 256,   // rows of an expert that are multiplied at a time; where panels are re-packed, more rows to pay for it
  DEPTH = MM_FEW_KC,           // k of them that are gathered: whole passes, pairs and groups of int8
  DEPTH_T = MM_KC,             // k of a re-packed block
  PANEL_T = (DEPTH_T + 2) * PANEL,      // from panel to panel of it (emit_gemm.c)
};
_Static_assert(DEPTH % INT8_GROUP == 0 && DEPTH % 2 == 0, "a part of k begins at a group's beginning");

typedef struct Experts {
  const Kernel *k;
  int64_t K, N, S;
  bool joins, turned;          // turned: the panels are those of the other direction
  Dtype dt;                    // of them
  int64_t bytes;               // from one expert's to the next's
  LLVMValueRef r0, rows, c0, cols, expert;
  LLVMValueRef found;          // the slots of the expert in the block, i32, in the scratch
  int64_t rows_at, tile_at, panels_at;  // offsets into the scratch: gathered rows, their products, and re-packed or widened panels
} Experts;

static LLVMValueRef column_blocks(Cg *g, int64_t N) { return cg_i64(g, (N + COLS - 1) / COLS); }

LLVMValueRef tasks_EXPERTS(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)ptr;
  LLVMValueRef n = cg_mul(g, cg_ceildiv(g, rows, ROWS), column_blocks(g, k->EXPERTS.N));
  return k->EXPERTS.joins ? n : cg_mul(g, n, cg_i64(g, k->EXPERTS.E));
}
LLVMValueRef tasks_EXPERTS_T(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) { return tasks_EXPERTS(g, k, rows, ptr); }

// ---- an expert's slots

static LLVMValueRef slot(Cg *g, const Experts *x, LLVMValueRef i) {
  return LLVMBuildZExt(g->b, cg_load(g, g->i32, cg_at(g, g->i32, x->found, i)), g->i64, "");
}

// Lists those of the block that name the expert, in their order; gives how many.
static LLVMValueRef find(Cg *g, const Experts *x) {
  LLVMValueRef zero = cg_i64(g, 0), count = cg_var(g, g->i64, zero), left = cg_var(g, g->i64, zero), S = cg_i64(g, x->S);
  LLVMValueRef first = cg_mul(g, x->r0, S), n = cg_mul(g, x->rows, S), ids = cg_at(g, g->i32, cg_arg_ptr(g, KARG(EXPERTS, ids)), first);
  LLVMValueRef one = LLVMBuildInsertElement(g->b, LLVMGetPoison(g->v16i32), LLVMBuildTrunc(g->b, x->expert, g->i32, ""), cg_i32(g, 0), "");
  LLVMValueRef wanted = LLVMBuildShuffleVector(g->b, one, LLVMGetPoison(g->v16i32), LLVMConstNull(g->v16i32), "");
  CgLoop l = cg_loop(g, zero, n, LANES);
  LLVMValueRef mask = cg_mask16(g, cg_sub(g, n, l.i)), named = cg_load_mask(g, g->v16i32, cg_at(g, g->i32, ids, l.i), mask);
  LLVMValueRef hit = LLVMBuildAnd(g->b, mask, LLVMBuildICmp(g->b, LLVMIntEQ, named, wanted, ""), "");
  LLVMValueRef bits = LLVMBuildZExt(g->b, LLVMBuildBitCast(g->b, hit, g->i16, ""), g->i64, "");
  cg_set(g, left, bits);
  CgLoop h = cg_loop(g, zero, cg_intrinsic(g, "llvm.ctpop", &g->i64, 1, &bits, 1), 1);
  LLVMValueRef now = cg_get(g, g->i64, left), arg[2] = {now, LLVMConstInt(g->i1, 1, false)};
  LLVMValueRef at = cg_add(g, first, cg_add(g, l.i, cg_intrinsic(g, "llvm.cttz", &g->i64, 1, arg, 2))), place = cg_get(g, g->i64, count);
  cg_store(g, LLVMBuildTrunc(g->b, at, g->i32, ""), cg_at(g, g->i32, x->found, place));
  cg_set(g, count, cg_add(g, place, cg_i64(g, 1)));
  cg_set(g, left, LLVMBuildAnd(g->b, now, cg_sub(g, now, cg_i64(g, 1)), ""));
  cg_loop_end(g, &h);
  cg_loop_end(g, &l);
  return cg_get(g, g->i64, count);
}

// ---- rows in and out

typedef struct Copy { LLVMValueRef from, to; } Copy;
static void copy_lanes(Cg *g, void *user, LLVMValueRef col, LLVMValueRef mask) {
  const Copy *c = user;
  cg_store_lanes(g, cg_load16_f32(g, DT_F32, cg_at(g, g->f32, c->from, col), mask), cg_at(g, g->f32, c->to, col), mask);
}
static void add_lanes(Cg *g, void *user, LLVMValueRef col, LLVMValueRef mask) {
  const Copy *c = user;
  LLVMValueRef to = cg_at(g, g->f32, c->to, col), v = cg_load16_f32(g, DT_F32, cg_at(g, g->f32, c->from, col), mask);
  cg_store_lanes(g, cg_fadd(g, cg_load16_f32(g, DT_F32, to, mask), v), to, mask);
}

static LLVMValueRef row_of(Cg *g, const Experts *x, LLVMValueRef s, bool slots) { return slots ? s : cg_udiv(g, s, cg_i64(g, x->S)); }

// k in [k0, k0 + depth) of slots i0 … i0 + m - 1 of the list, `stride` floats from one to the next.
static LLVMValueRef gather(Cg *g, const Experts *x, LLVMValueRef i0, LLVMValueRef m, LLVMValueRef k0, LLVMValueRef depth, int64_t stride) {
  LLVMValueRef to = cg_scratch(g, x->rows_at);
  CgLoop i = cg_loop(g, cg_i64(g, 0), m, 1);
  LLVMValueRef row = row_of(g, x, slot(g, x, cg_add(g, i0, i.i)), x->joins);
  Copy c = {cg_at(g, g->f32, cg_arg_ptr(g, KARG(EXPERTS, x)), cg_add(g, cg_mul(g, row, cg_i64(g, x->K)), k0)), cg_at(g, g->f32, to, cg_mul(g, i.i, cg_i64(g, stride)))};
  cg_columns(g, cg_i64(g, 0), depth, copy_lanes, &c);
  cg_loop_end(g, &i);
  return to;
}

static LLVMValueRef out_at(Cg *g, const Experts *x, LLVMValueRef row) {
  return cg_at(g, g->f32, cg_arg_ptr(g, KARG(EXPERTS, out)), cg_add(g, cg_mul(g, row, cg_i64(g, x->N)), x->c0));
}

static void scatter(Cg *g, const Experts *x, LLVMValueRef i0, LLVMValueRef m) {
  CgLoop i = cg_loop(g, cg_i64(g, 0), m, 1);
  LLVMValueRef row = row_of(g, x, slot(g, x, cg_add(g, i0, i.i)), !x->joins);
  Copy c = {cg_at(g, g->f32, cg_scratch(g, x->tile_at), cg_mul(g, i.i, cg_i64(g, COLS))), out_at(g, x, row)};
  cg_columns(g, cg_i64(g, 0), x->cols, x->joins ? add_lanes : copy_lanes, &c);
  cg_loop_end(g, &i);
}

// ---- products of m gathered rows, to the tile

static LLVMValueRef panels_of_expert(Cg *g, const Experts *x) {
  return cg_at(g, g->i8, cg_arg_ptr(g, KARG(EXPERTS, packed)), cg_mul(g, x->expert, cg_i64(g, x->bytes)));
}

// 1 behind the first part of k: the product goes on.
static LLVMValueRef goes_on(Cg *g, LLVMValueRef k0) { return LLVMBuildZExt(g->b, cg_lt(g, cg_i64(g, 0), k0), g->i64, ""); }

static void product(Cg *g, const Experts *x, LLVMValueRef i0, LLVMValueRef m) {
  int64_t panel = panel_elems(x->dt, x->K);
  LLVMTypeRef elem = cg_dtype(g, x->dt);
  LLVMValueRef block = cg_at(g, elem, panels_of_expert(g, x), cg_mul(g, cg_udiv(g, x->c0, cg_i64(g, PANEL)), cg_i64(g, panel)));
  CgLoop d = cg_loop(g, cg_i64(g, 0), cg_i64(g, x->K), DEPTH);
  LLVMValueRef depth = cg_min(g, cg_i64(g, DEPTH), cg_sub(g, cg_i64(g, x->K), d.i)), A = gather(g, x, i0, m, d.i, depth, DEPTH);
  LLVMValueRef B = x->dt == DT_I8 ? mm_group(g, block, cg_udiv(g, d.i, cg_i64(g, INT8_GROUP))) : cg_at(g, elem, block, cg_mul(g, d.i, cg_i64(g, PANEL)));
  MmCall c = {.A = mm_rows(DT_F32, A, cg_i64(g, DEPTH)), .B = mm_packed(x->dt, B, cg_i64(g, panel)), .C = mm_rows(DT_F32, cg_scratch(g, x->tile_at), cg_i64(g, COLS)),
              .pairs = cg_in_pairs(g, x->dt), .M = m, .N = x->cols, .K = depth, .acc = goes_on(g, d.i)};
  if (x->dt == DT_I8) mm_int8(g, &c, cg_scratch(g, x->panels_at));
  else cg_mm(g, &c);
  cg_loop_end(g, &d);
}

// k in [k0, k0 + depth) of the columns: blocks of the forward panels, turned (emit_gemm.c).
static void repack(Cg *g, const Experts *x, LLVMValueRef k0, LLVMValueRef depth) {
  LLVMTypeRef elem = cg_dtype(g, x->dt), to_t = cg_dtype(g, mm_made_dtype(cg_in_pairs(g, x->dt)));
  int64_t panel = panel_elems(x->dt, x->N);
  int rest = (int)(x->N % PANEL);
  LLVMValueRef sixteen = cg_i64(g, PANEL), zero = cg_i64(g, 0), whole = cg_mul(g, cg_udiv(g, x->cols, sixteen), sixteen), dst = cg_scratch(g, x->panels_at);
  CgLoop kb = cg_loop(g, zero, depth, PANEL);
  LLVMValueRef from = cg_at(g, elem, panels_of_expert(g, x), cg_mul(g, cg_udiv(g, cg_add(g, k0, kb.i), sixteen), cg_i64(g, panel)));
  LLVMValueRef to = cg_at(g, to_t, dst, cg_mul(g, kb.i, sixteen));
  CgLoop c = cg_loop(g, zero, whole, PANEL);
  mm_transpose_block(g, x->dt, from, cg_add(g, x->c0, c.i), cg_at(g, to_t, to, cg_mul(g, c.i, cg_i64(g, PANEL_T / PANEL))), PANEL, panel);
  cg_loop_end(g, &c);
  if (rest) {
    CgIf tail = cg_if(g, cg_lt(g, whole, x->cols));
    mm_transpose_block(g, x->dt, from, cg_add(g, x->c0, whole), cg_at(g, to_t, to, cg_mul(g, whole, cg_i64(g, PANEL_T / PANEL))), rest, panel);
    cg_endif(g, &tail);
  }
  cg_loop_end(g, &kb);
}

static void product_t(Cg *g, const Experts *x, LLVMValueRef i0, LLVMValueRef m) {
  bool pairs = cg_in_pairs(g, x->dt);
  CgLoop d = cg_loop(g, cg_i64(g, 0), cg_i64(g, x->K), DEPTH_T);
  LLVMValueRef depth = cg_min(g, cg_i64(g, DEPTH_T), cg_sub(g, cg_i64(g, x->K), d.i)), A = gather(g, x, i0, m, d.i, depth, DEPTH_T);
  repack(g, x, d.i, depth);
  cg_mm(g, &(MmCall){.A = mm_rows(DT_F32, A, cg_i64(g, DEPTH_T)), .B = mm_packed(mm_made_dtype(pairs), cg_scratch(g, x->panels_at), cg_i64(g, PANEL_T)),
                     .C = mm_rows(DT_F32, cg_scratch(g, x->tile_at), cg_i64(g, COLS)), .pairs = pairs, .M = m, .N = x->cols, .K = depth, .acc = goes_on(g, d.i)});
  cg_loop_end(g, &d);
}

// ---- tasks

// All rows of the block that go to the expert, so many at a time.
static void one_expert(Cg *g, Experts *x) {
  int64_t group = x->turned ? GROUP_T : GROUP;
  LLVMValueRef n = find(g, x);
  CgLoop i = cg_loop(g, cg_i64(g, 0), n, group);
  LLVMValueRef m = cg_min(g, cg_i64(g, group), cg_sub(g, n, i.i));
  if (x->turned) product_t(g, x, i.i, m);
  else product(g, x, i.i, m);
  scatter(g, x, i.i, m);
  cg_loop_end(g, &i);
}

static void clear(Cg *g, const Experts *x) {
  CgLoop r = cg_loop(g, cg_i64(g, 0), x->rows, 1);
  cg_zero_columns(g, cg_i64(g, 0), x->cols, out_at(g, x, cg_add(g, x->r0, r.i)));
  cg_loop_end(g, &r);
}

// Room in the scratch: what is found, rows, products, panels.
static void place(Cg *g, Experts *x) {
  int64_t group = x->turned ? GROUP_T : GROUP, panels = x->turned ? PANEL_T * (COLS / PANEL) * 4 : x->dt == DT_I8 ? mm_int8_scratch(COLS) : 0;
  x->rows_at = (int64_t)ROWS * x->S * 4;
  x->tile_at = x->rows_at + group * (x->turned ? DEPTH_T : DEPTH) * 4;
  x->panels_at = x->tile_at + group * COLS * 4;
  cg_need_scratch(g, x->panels_at + panels);
  x->found = cg_scratch(g, 0);
}

static void emit(Cg *g, const Kernel *k, bool turned) {
  const KExtents_EXPERTS *e = &k->EXPERTS;
  Experts x = {.k = k, .K = e->K, .N = e->N, .S = e->S, .joins = e->joins != 0, .turned = turned, .dt = cg_panel(g, k, KARG(EXPERTS, packed))};
  int64_t bytes = panels_elems(x.dt, turned ? x.K : x.N, turned ? x.N : x.K) * dtype_size(x.dt);
  x.bytes = (bytes + RT_BUF_ALIGN - 1) / RT_BUF_ALIGN * RT_BUF_ALIGN;
  place(g, &x);
  LLVMValueRef across = column_blocks(g, x.N), E = cg_i64(g, e->E), task = cg_task(g);
  // consecutive tasks share their expert and columns
  LLVMValueRef blocks = cg_ceildiv(g, cg_rows(g), ROWS), rb = cg_urem(g, task, blocks), rest = cg_udiv(g, task, blocks);
  x.r0 = cg_mul(g, rb, cg_i64(g, ROWS)), x.rows = cg_min(g, cg_i64(g, ROWS), cg_sub(g, cg_rows(g), x.r0));
  x.c0 = cg_mul(g, cg_urem(g, rest, across), cg_i64(g, COLS)), x.cols = cg_min(g, cg_i64(g, COLS), cg_sub(g, cg_i64(g, x.N), x.c0));
  if (!x.joins) {
    x.expert = cg_udiv(g, rest, across);
    one_expert(g, &x);
    return;
  }
  clear(g, &x);
  CgLoop l = cg_loop(g, cg_i64(g, 0), E, 1);
  x.expert = l.i;
  one_expert(g, &x);
  cg_loop_end(g, &l);
}

void emit_EXPERTS(Cg *g, const Kernel *k) { emit(g, k, false); }
void emit_EXPERTS_T(Cg *g, const Kernel *k) { emit(g, k, true); }
