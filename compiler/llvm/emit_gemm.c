// Products of token rows with packed matrices, and what is fused behind them. Tasks are blocks of rows times blocks of columns, cut by
// shape alone. A product with an epilogue goes to a tile in the thread's scratch that stays in L2 until the epilogue has read it.
#include <stdio.h>

#include "llvm/emit_row.h"
#include "llvm/mm.h"
#include "llvm/object.h"

enum {
  ROWS = 96, COLS = 256,       // of a task
  // Of many rows: every block of columns copies their numbers anew, so tasks are wider, a whole row where it has no more than WHOLE columns, else at most WIDE.
  MANY = 384, WHOLE = 1024, WIDE = 512,
  AREA = ROWS * WIDE,          // most of such a task: the tile stays in L2
  ROWS_T = 256, COLS_T = 288,  // of a task where panels are re-packed: more rows to pay for it; two make 576, whose rows are then copied twice and not four times
  SHARED_T = 64,               // so many rows are shared by two tasks
  DEPTH_T = MM_KC,             // k of a re-packed block
  PANEL_T = (DEPTH_T + 2) * PANEL,    // from panel to panel of it: no power of two, so that the panels' lines of a k do not fall into one cache set
};

typedef struct Block {         // the part of the output a task makes
  LLVMValueRef r0, rows, c0, cols;
} Block;

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Part rb of so many of nearly equal size.
static void rows_of(Cg *g, Block *b, LLVMValueRef rb, LLVMValueRef blocks) {
  LLVMValueRef rows = cg_rows(g);
  b->r0 = cg_udiv(g, cg_mul(g, rb, rows), blocks);
  b->rows = cg_sub(g, cg_udiv(g, cg_mul(g, cg_add(g, rb, cg_i64(g, 1)), rows), blocks), b->r0);
}

// Blocks of rows for so many of columns: an even number of tasks, so that two threads end together.
static LLVMValueRef even(Cg *g, LLVMValueRef blocks, LLVMValueRef column_blocks) {
  LLVMValueRef two = cg_i64(g, 2);
  return cg_add(g, blocks, cg_mul(g, cg_urem(g, blocks, two), cg_urem(g, column_blocks, two)));
}

// ---- forward
// How a product is cut, by its rows.
typedef struct Cut {
  LLVMValueRef many;           // whether tasks are wide; NULL: never
  LLVMValueRef row_blocks;
  LLVMValueRef blocks[MAX_MATS], cols[MAX_MATS];      // blocks of columns of a matrix, and how many columns each has
} Cut;

static int64_t wide_cols(int64_t N) {
  int64_t blocks = N <= WHOLE ? 1 : ceil_div(N, WIDE);
  return N <= COLS ? COLS : ceil_div(ceil_div(N, blocks), PANEL) * PANEL;
}

// Not of int8, which is widened for a task: fewer rows would not pay for it.
static bool has_wide_tasks(const Kernel *k, int64_t *most) {
  *most = COLS;
  for (int m = 0; m < k->nmat; m++) {
    if (k->arg[KARG(GEMM, packed) + m].dt == DT_I8) return *most = COLS, false;
    if (wide_cols(k->N[m]) > *most) *most = wide_cols(k->N[m]);
  }
  return *most > COLS;
}

static int64_t wide_rows(int64_t most_cols) { return AREA / (most_cols < WIDE ? WIDE : most_cols); }

static LLVMValueRef one_of(Cg *g, const Cut *c, int64_t many, int64_t few) { return c->many ? cg_select(g, c->many, cg_i64(g, many), cg_i64(g, few)) : cg_i64(g, few); }

// Gives the number of tasks.
static LLVMValueRef cut_for(Cg *g, const Kernel *k, LLVMValueRef rows, Cut *c) {
  int64_t most;
  *c = (Cut){.many = has_wide_tasks(k, &most) ? cg_lt(g, cg_i64(g, MANY - 1), rows) : NULL};
  LLVMValueRef across = cg_i64(g, 0);
  for (int m = 0; m < (k->paired ? 1 : k->nmat); m++) {
    int64_t N = k->N[m], wide = wide_cols(N);
    c->cols[m] = one_of(g, c, wide, COLS), c->blocks[m] = one_of(g, c, ceil_div(N, wide), ceil_div(N, COLS));
    across = cg_add(g, across, c->blocks[m]);
  }
  c->row_blocks = cg_udiv(g, cg_add(g, rows, one_of(g, c, wide_rows(most) - 1, ROWS - 1)), one_of(g, c, wide_rows(most), ROWS));
  if (c->many) c->row_blocks = cg_select(g, c->many, even(g, c->row_blocks, across), c->row_blocks);
  return cg_mul(g, c->row_blocks, across);
}

LLVMValueRef tasks_GEMM(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)ptr;
  Cut cut;
  return cut_for(g, k, rows, &cut);
}

static Block block_at(Cg *g, const Kernel *k, const Cut *c, int m, LLVMValueRef rb, LLVMValueRef cb) {
  Block b = {.c0 = cg_mul(g, cb, c->cols[m])};
  b.cols = cg_min(g, c->cols[m], cg_sub(g, cg_i64(g, k->N[m]), b.c0));
  rows_of(g, &b, rb, c->row_blocks);
  return b;
}

// Bytes of the scratch that a task's tile of a matrix takes, and all of them.
static int64_t tile_bytes(const Kernel *k) {
  int64_t most;
  bool wide = has_wide_tasks(k, &most);
  int64_t few = (int64_t)ROWS * COLS, many = wide ? wide_rows(most) * most : 0;
  return (few > many ? few : many) * 4;
}

static int64_t tiles(const Kernel *k) {
  bool fused = k->paired;
  for (int m = 0; m < k->nmat; m++) fused |= k->prog[m].n != 0;
  return fused ? (k->paired ? k->nmat : 1) * tile_bytes(k) : 0;
}

static LLVMValueRef panels_at(Cg *g, const Kernel *k, int m, LLVMValueRef col) {
  int arg = KARG(GEMM, packed) + m;
  Dtype dt = cg_panel(g, k, arg);
  return cg_at(g, cg_dtype(g, dt), cg_arg_ptr(g, arg), cg_mul(g, cg_udiv(g, col, cg_i64(g, PANEL)), cg_i64(g, panel_elems(dt, k->GEMM.K))));
}

// What a few rows meet after this part of a block, whose tasks are `cols` columns each: the other matrix's of the same task, or the next task's of the thread.
static LLVMValueRef panels_after(Cg *g, const Kernel *k, int m, const Block *b, LLVMValueRef cols) {
  if (k->paired && m + 1 < k->nmat) return panels_at(g, k, m + 1, b->c0);
  LLVMValueRef threads = cg_max(g, cg_arg_word(g, 2 + k->narg), cg_i64(g, 1));
  LLVMValueRef then = cg_add(g, b->c0, cg_mul(g, threads, cols)), at = panels_at(g, k, m, then);      // behind a matrix lies the one that is met next
  return k->paired ? cg_select(g, cg_lt(g, then, cg_i64(g, k->N[0])), panels_at(g, k, 0, then), at) : at;
}

// One matrix's part of a block, to C.
static void product(Cg *g, const Kernel *k, int m, const Block *b, LLVMValueRef cols, LLVMValueRef C, LLVMValueRef stride) {
  int arg = KARG(GEMM, packed) + m;
  Dtype dt = cg_panel(g, k, arg);
  LLVMValueRef K = cg_i64(g, k->GEMM.K), panel = cg_i64(g, panel_elems(dt, k->GEMM.K));
  LLVMValueRef A = cg_at(g, g->f32, cg_arg_ptr(g, KARG(GEMM, x)), cg_mul(g, b->r0, K));
  MmCall c = {.A = mm_rows(DT_F32, A, K), .B = mm_packed(dt, panels_at(g, k, m, b->c0), panel), .C = mm_rows(DT_F32, C, stride), .pairs = cg_in_pairs(g, dt),
              .M = b->rows, .N = b->cols, .K = K};
  if (mm_widened(dt, c.pairs))
    c.next = cg_select(g, cg_lt(g, b->rows, cg_i64(g, MM_FEW + 1)), panels_after(g, k, m, b, cols), LLVMConstNull(g->ptr)), c.next_panel = panel;
  if (dt != DT_I8) {
    cg_mm(g, &c);
    return;
  }
  cg_need_scratch(g, tiles(k) + mm_int8_scratch(COLS));
  mm_int8(g, &c, cg_scratch(g, tiles(k)));
}

static LLVMValueRef output_at(Cg *g, int arg, const Block *b, int64_t N) {
  return cg_at(g, g->f32, cg_arg_ptr(g, arg), cg_add(g, cg_mul(g, b->r0, cg_i64(g, N)), b->c0));
}

static LLVMValueRef tile_at(Cg *g, int m, int64_t bytes) {
  cg_need_scratch(g, (m + 1) * bytes);
  return cg_scratch(g, m * bytes);
}

static void epilogue(Cg *g, const Kernel *k, int prog, LLVMValueRef *tile, LLVMValueRef stride, const Block *b) {
  emit_epilogue(g, k, &k->prog[prog], tile, stride, b->r0, b->rows, b->c0, b->cols);
}

static void one_matrix(Cg *g, const Kernel *k, int m, LLVMValueRef cols, const Block *b) {
  if (!k->prog[m].n) {
    product(g, k, m, b, cols, output_at(g, KARG(GEMM, packed) + k->nmat + m, b, k->N[m]), cg_i64(g, k->N[m]));
    return;
  }
  LLVMValueRef tile[MAX_MATS] = {0};
  tile[m] = tile_at(g, 0, tile_bytes(k));
  product(g, k, m, b, cols, tile[m], cols);
  epilogue(g, k, m, tile, cols, b);
}

static void paired(Cg *g, const Kernel *k, LLVMValueRef cols, const Block *b) {
  LLVMValueRef tile[MAX_MATS];
  for (int m = 0; m < k->nmat; m++) {
    tile[m] = tile_at(g, m, tile_bytes(k));
    product(g, k, m, b, cols, tile[m], cols);
  }
  epilogue(g, k, 0, tile, cols, b);
}

void emit_GEMM(Cg *g, const Kernel *k) {
  // consecutive tasks share their columns: the block of the matrix stays in cache while the rows go by
  Cut cut;
  cut_for(g, k, cg_rows(g), &cut);
  LLVMValueRef rb = cg_urem(g, cg_task(g), cut.row_blocks), cb = cg_udiv(g, cg_task(g), cut.row_blocks);
  if (k->paired) {
    Block b = block_at(g, k, &cut, 0, rb, cb);
    paired(g, k, cut.cols[0], &b);
    return;
  }
  LLVMValueRef first = cg_i64(g, 0);
  for (int m = 0; m < k->nmat; m++) {
    LLVMValueRef mine = cg_sub(g, cb, first);
    CgIf in = cg_if(g, LLVMBuildICmp(g->b, LLVMIntULT, mine, cut.blocks[m], ""));
    Block b = block_at(g, k, &cut, m, rb, mine);
    one_matrix(g, k, m, cut.cols[m], &b);
    cg_endif(g, &in);
    first = cg_add(g, first, cut.blocks[m]);
  }
}

// ---- transposed: the same panels, re-packed for the other direction
// An even number of tasks, so that two threads end together: of an odd number of blocks of rows and of columns one more of columns, for which fewer panels are
// re-packed anew than for more of rows.
typedef struct CutT { LLVMValueRef row_blocks, column_blocks, cols; } CutT;

static CutT cut_t(Cg *g, const Kernel *k, LLVMValueRef rows) {
  int64_t N = k->N[0], few = ceil_div(N, COLS_T), many = few + (few % 2 && N > 2 * PANEL);
  CutT c = {.row_blocks = cg_ceildiv(g, rows, ROWS_T)};
  LLVMValueRef odd = cg_lt(g, cg_i64(g, 0), cg_urem(g, c.row_blocks, cg_i64(g, 2))), shared = cg_lt(g, cg_i64(g, SHARED_T - 1), rows);
  LLVMValueRef more = LLVMBuildAnd(g->b, odd, shared, "");
  int64_t cols[2];
  for (int i = 0; i < 2; i++) cols[i] = few ? ceil_div(ceil_div(N, i ? many : few), 2 * PANEL) * 2 * PANEL : PANEL;       // tiles are of two panels
  c.column_blocks = cg_select(g, more, cg_i64(g, ceil_div(N, cols[1])), cg_i64(g, few)), c.cols = cg_select(g, more, cg_i64(g, cols[1]), cg_i64(g, cols[0]));
  return c;
}

LLVMValueRef tasks_GEMM_T(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)ptr;
  CutT c = cut_t(g, k, rows);
  return cg_mul(g, c.row_blocks, c.column_blocks);
}

static Block block_t(Cg *g, const Kernel *k) {
  CutT c = cut_t(g, k, cg_rows(g));
  LLVMValueRef rb = cg_urem(g, cg_task(g), c.row_blocks), cb = cg_udiv(g, cg_task(g), c.row_blocks);
  Block b = {.c0 = cg_mul(g, cb, c.cols)};
  rows_of(g, &b, rb, c.row_blocks);
  b.cols = cg_min(g, c.cols, cg_sub(g, cg_i64(g, k->N[0]), b.c0));
  return b;
}

// See mm.h: a function that all such kernels share.
enum { T_PANEL, T_N, T_DST, T_AHEAD, T_COUNT };
static void transpose_body(Cg *g, Dtype dt, bool pairs, int count) {
  LLVMValueRef v[PANEL], panel = LLVMGetParam(g->fn, T_PANEL), n = LLVMGetParam(g->fn, T_N), dst = LLVMGetParam(g->fn, T_DST);
  LLVMValueRef next = cg_at(g, cg_dtype(g, dt), panel, cg_add(g, cg_mul(g, n, cg_i64(g, PANEL)), LLVMGetParam(g->fn, T_AHEAD)));
  for (int64_t i = 0; i < PANEL * PANEL * dtype_size(dt); i += 64) cg_fetch(g, cg_at(g, g->i8, next, cg_i64(g, i)), 3);
  int rows = mm_turn(g, dt, pairs, panel, n, count, v);
  for (int i = 0; i < rows; i++) cg_store(g, v[i], cg_at(g, g->f32, dst, cg_i64(g, (int64_t)i * PANEL)));
}

void mm_transpose_block(Cg *g, Dtype dt, LLVMValueRef panel, LLVMValueRef n, LLVMValueRef dst, int count, int64_t ahead) {
  LLVMTypeRef t[T_COUNT] = {g->ptr, g->i64, g->ptr, g->i64}, type = LLVMFunctionType(g->void_t, t, T_COUNT, false);
  LLVMValueRef arg[T_COUNT] = {panel, n, dst, cg_i64(g, ahead)};
  bool pairs = cg_in_pairs(g, dt);
  char name[64];
  CgShared s;
  snprintf(name, sizeof name, "turn_%s_%s%s_%d", g->isa->name, dtype_name(dt), pairs ? "_pairs" : "", count);
  if (cg_shared(g, &s, name, type)) transpose_body(g, dt, pairs, count), cg_shared_end(g, &s);
  cg_call(g, type, s.fn, arg, T_COUNT);
}

// The forward panel of k.
static LLVMValueRef forward_panel(Cg *g, const Kernel *k, LLVMValueRef at_k) {
  Dtype dt = cg_panel(g, k, KARG(GEMM_T, packed));
  LLVMValueRef panel = cg_mul(g, cg_udiv(g, at_k, cg_i64(g, PANEL)), cg_i64(g, panel_elems(dt, k->N[0])));
  return cg_at(g, cg_dtype(g, dt), cg_arg_ptr(g, KARG(GEMM_T, packed)), panel);
}

// k in [k0, k0 + depth), columns of b: forward panels to [cols / 16][DEPTH_T][16], PANEL_T apart, of f32 or, in pairs, bf16.
static void repack(Cg *g, const Kernel *k, const Block *b, LLVMValueRef dst, LLVMValueRef k0, LLVMValueRef depth) {
  Dtype dt = cg_panel(g, k, KARG(GEMM_T, packed));
  LLVMTypeRef to_t = cg_dtype(g, mm_made_dtype(cg_in_pairs(g, dt)));
  int64_t ahead = panel_elems(dt, k->N[0]);
  int rest = (int)(k->N[0] % PANEL);
  LLVMValueRef sixteen = cg_i64(g, PANEL), zero = cg_i64(g, 0), whole = cg_mul(g, cg_udiv(g, b->cols, sixteen), sixteen);
  CgLoop kb = cg_loop(g, zero, depth, PANEL);
  LLVMValueRef from = forward_panel(g, k, cg_add(g, k0, kb.i)), to = cg_at(g, to_t, dst, cg_mul(g, kb.i, sixteen));
  CgLoop c = cg_loop(g, zero, whole, PANEL);
  mm_transpose_block(g, dt, from, cg_add(g, b->c0, c.i), cg_at(g, to_t, to, cg_mul(g, cg_udiv(g, c.i, sixteen), cg_i64(g, PANEL_T))), PANEL, ahead);
  cg_loop_end(g, &c);
  if (rest) {
    CgIf tail = cg_if(g, cg_lt(g, whole, b->cols));
    mm_transpose_block(g, dt, from, cg_add(g, b->c0, whole), cg_at(g, to_t, to, cg_mul(g, cg_udiv(g, whole, sixteen), cg_i64(g, PANEL_T))), rest, ahead);
    cg_endif(g, &tail);
  }
  cg_loop_end(g, &kb);
}

void emit_GEMM_T(Cg *g, const Kernel *k) {
  bool fused = k->prog[0].n;
  LLVMValueRef K = cg_i64(g, k->GEMM_T.K), zero = cg_i64(g, 0);
  Block b = block_t(g, k);
  LLVMValueRef tile[MAX_MATS] = {fused ? tile_at(g, 0, ROWS_T * COLS_T * 4) : output_at(g, KARG(GEMM_T, out), &b, k->N[0])};
  int64_t stride = fused ? COLS_T : k->N[0], panels_at = fused ? ROWS_T * COLS_T * 4 : 0;
  cg_need_scratch(g, panels_at + PANEL_T * COLS_T / PANEL * 4);
  LLVMValueRef panels = cg_scratch(g, panels_at);
  CgLoop d = cg_loop(g, zero, K, DEPTH_T);
  LLVMValueRef depth = cg_min(g, cg_i64(g, DEPTH_T), cg_sub(g, K, d.i));
  repack(g, k, &b, panels, d.i, depth);
  LLVMValueRef A = cg_at(g, g->f32, cg_arg_ptr(g, KARG(GEMM_T, dy)), cg_add(g, cg_mul(g, b.r0, K), d.i));
  LLVMValueRef later = LLVMBuildZExt(g->b, cg_lt(g, zero, d.i), g->i64, "");
  // meanwhile the block that is re-packed after comes near: the next task's first when this is the last
  LLVMValueRef after = cg_add(g, d.i, cg_i64(g, DEPTH_T)), k1 = cg_select(g, cg_lt(g, after, K), after, zero);
  Dtype dt = cg_panel(g, k, KARG(GEMM_T, packed));
  bool soon = dt == DT_F32 || (dt == DT_BF16 && cg_in_pairs(g, dt));      // what is widened has half the lines, and the time for them to come by themselves
  LLVMValueRef next = soon ? cg_at(g, cg_dtype(g, dt), forward_panel(g, k, k1), cg_mul(g, b.c0, cg_i64(g, PANEL))) : NULL;
  cg_mm(g, &(MmCall){.A = mm_rows(DT_F32, A, K), .B = mm_packed(mm_made_dtype(cg_in_pairs(g, dt)), panels, cg_i64(g, PANEL_T)),
                     .C = mm_rows(DT_F32, tile[0], cg_i64(g, stride)), .pairs = cg_in_pairs(g, dt), .M = b.rows, .N = b.cols, .K = depth, .acc = later, .next = next,
                     .next_panel = cg_i64(g, panel_elems(dt, k->N[0]))});
  cg_loop_end(g, &d);
  if (fused) epilogue(g, k, 0, tile, cg_i64(g, stride), &b);
}
