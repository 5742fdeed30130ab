// Weight gradients: dw[N, K] (+)= dy[T, N]^T x[T, K], the one product whose rows are not tokens. Tasks are tiles of the result, cut by N
// and K alone; an output is one chain over the T rows in order, so its bits depend neither on threads nor on where the tile lies.
// A block of x's rows is copied into panels, as a packed matrix has them, and passed through by all of dy's columns.
#include "llvm/cg.h"
#include "llvm/mm.h"

enum {
  TILE = 256,                  // most rows and columns of a tile
  DEPTH = MM_KC,               // rows of x copied at a time: one pass
};

typedef struct Cut {
  int64_t rows, cols;          // of a tile, multiples of 16
  int64_t across, tiles;       // tiles along K; in all
} Cut;

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t part(int64_t n, int64_t parts) { return ceil_div(ceil_div(n, parts), PANEL) * PANEL; }

// An odd number of tiles is doubled, so that two threads share even the smallest matrix.
static Cut cut_for(int64_t N, int64_t K) {
  int64_t pn = ceil_div(N, TILE), pk = ceil_div(K, TILE);
  if (pn * pk % 2 && (N > PANEL || K > PANEL)) {
    if (N >= K) pn *= 2;
    else pk *= 2;
  }
  Cut c = {.rows = part(N, pn), .cols = part(K, pk)};
  c.across = ceil_div(K, c.cols);
  c.tiles = ceil_div(N, c.rows) * c.across;
  return c;
}

LLVMValueRef tasks_DW(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)rows, (void)ptr;
  return cg_i64(g, k->DW.N && k->DW.K ? cut_for(k->DW.N, k->DW.K).tiles : 0);
}

// What becomes of a block of n rows, n floats each, of the source: rows t …, columns c ….
typedef void PutFn(Cg *g, LLVMValueRef dst, LLVMValueRef *v, int n, LLVMValueRef t, LLVMValueRef c);

static void put_panel(Cg *g, LLVMValueRef dst, LLVMValueRef *v, int n, LLVMValueRef t, LLVMValueRef c) {
  LLVMValueRef to = cg_at(g, g->f32, dst, cg_add(g, cg_mul(g, c, cg_i64(g, DEPTH)), cg_mul(g, t, cg_i64(g, PANEL))));
  for (int i = 0; i < n; i++) mm_storen(g, v[i], cg_at(g, g->f32, to, cg_i64(g, (int64_t)i * PANEL)));
}

static void put_turned(Cg *g, LLVMValueRef dst, LLVMValueRef *v, int n, LLVMValueRef t, LLVMValueRef c) {
  mm_transpose(g, v, n);
  LLVMValueRef to = cg_at(g, g->f32, dst, cg_add(g, cg_mul(g, c, cg_i64(g, MM_ASTRIDE)), t));
  for (int i = 0; i < n; i++) mm_storen(g, v[i], cg_at(g, g->f32, to, cg_i64(g, (int64_t)i * MM_ASTRIDE)));
}

// The first `left` of n floats, others 0.
static LLVMValueRef load_part(Cg *g, int n, LLVMValueRef p, LLVMValueRef left) {
  LLVMTypeRef vt = LLVMVectorType(g->f32, (unsigned)n), over[2] = {vt, g->ptr};
  LLVMValueRef lane[LANES], mask = cg_mask16(g, left);
  for (int i = 0; i < n; i++) lane[i] = cg_i32(g, i);
  LLVMValueRef arg[4] = {p, cg_i32(g, 4), LLVMBuildShuffleVector(g->b, mask, LLVMGetPoison(g->v16i1), LLVMConstVector(lane, (unsigned)n), ""), LLVMConstNull(vt)};
  return cg_intrinsic(g, "llvm.masked.load", over, 2, arg, 4);
}

// Rows [0, rows) and columns [0, cols) of src, whose rows are `stride` floats apart, in blocks of n x n. In the last, partial ones columns behind are 0,
// rows behind the last row again.
static void each_block(Cg *g, LLVMValueRef dst, LLVMValueRef src, int64_t stride, LLVMValueRef rows, LLVMValueRef cols, int n, PutFn *put) {
  LLVMValueRef side = cg_i64(g, n), zero = cg_i64(g, 0), v[LANES];
  LLVMValueRef whole_rows = cg_mul(g, cg_udiv(g, rows, side), side), whole_cols = cg_mul(g, cg_udiv(g, cols, side), side);
  for (int below = 0; below < 2; below++) {
    CgLoop t = cg_loop(g, below ? whole_rows : zero, below ? rows : whole_rows, n);
    LLVMValueRef last = cg_sub(g, cg_sub(g, rows, cg_i64(g, 1)), t.i);
    for (int right = 0; right < 2; right++) {
      CgLoop c = cg_loop(g, right ? whole_cols : zero, right ? cols : whole_cols, n);
      for (int i = 0; i < n; i++) {
        LLVMValueRef row = below ? cg_min(g, cg_i64(g, i), last) : cg_i64(g, i);
        LLVMValueRef p = cg_at(g, g->f32, src, cg_add(g, cg_mul(g, cg_add(g, t.i, row), cg_i64(g, stride)), c.i));
        v[i] = right ? load_part(g, n, p, cg_sub(g, cols, whole_cols)) : mm_loadn(g, n, p);
      }
      put(g, dst, v, n, t.i, c.i);
      cg_loop_end(g, &c);
    }
    cg_loop_end(g, &t);
  }
}

static int64_t align_up(int64_t n) { return (n + 63) / 64 * 64; }

typedef struct Tile {
  LLVMValueRef n0, rows, k0, cols;
} Tile;

static Tile tile_at(Cg *g, const Kernel *k, const Cut *cut, LLVMValueRef task) {
  Tile t = {.n0 = cg_mul(g, cg_udiv(g, task, cg_i64(g, cut->across)), cg_i64(g, cut->rows)),
            .k0 = cg_mul(g, cg_urem(g, task, cg_i64(g, cut->across)), cg_i64(g, cut->cols))};
  t.rows = cg_min(g, cg_i64(g, cut->rows), cg_sub(g, cg_i64(g, k->DW.N), t.n0));
  t.cols = cg_min(g, cg_i64(g, cut->cols), cg_sub(g, cg_i64(g, k->DW.K), t.k0));
  return t;
}

// Rows t of x and dy at a tile's place.
static LLVMValueRef x_at(Cg *g, const Kernel *k, const Tile *tile, LLVMValueRef t) {
  return cg_at(g, g->f32, cg_arg_ptr(g, KARG(DW, x)), cg_add(g, cg_mul(g, t, cg_i64(g, k->DW.K)), tile->k0));
}
static LLVMValueRef dy_at(Cg *g, const Kernel *k, const Tile *tile, LLVMValueRef t) {
  return cg_at(g, g->f32, cg_arg_ptr(g, KARG(DW, dy)), cg_add(g, cg_mul(g, t, cg_i64(g, k->DW.N)), tile->n0));
}

void emit_DW(Cg *g, const Kernel *k) {
  LLVMValueRef zero = cg_i64(g, 0), one = cg_i64(g, 1), T = cg_rows(g), adds = cg_arg_word(g, 1 + k->narg), N = cg_i64(g, k->DW.N), K = cg_i64(g, k->DW.K);
  Cut cut = cut_for(k->DW.N, k->DW.K);
  Tile tile = tile_at(g, k, &cut, cg_task(g)), after = tile_at(g, k, &cut, cg_add(g, cg_task(g), one));
  LLVMValueRef dw = cg_at(g, g->f32, cg_arg_ptr(g, KARG(DW, dw)), cg_add(g, cg_mul(g, tile.n0, K), tile.k0));
  int64_t turned_at = align_up(DEPTH * cut.cols * 4);
  cg_need_scratch(g, turned_at + cut.rows * MM_ASTRIDE * 4);
  LLVMValueRef panels = cg_scratch(g, 0), turned = cg_scratch(g, turned_at);
  CgLoop t = cg_loop(g, zero, cg_max(g, T, one), DEPTH);       // without rows: one block of none, which stores zeros
  LLVMValueRef depth = cg_min(g, cg_i64(g, DEPTH), cg_sub(g, T, t.i));
  each_block(g, panels, x_at(g, k, &tile, t.i), k->DW.K, depth, tile.cols, PANEL, put_panel);
  each_block(g, turned, dy_at(g, k, &tile, t.i), k->DW.N, depth, tile.rows, g->isa->mm.lanes, put_turned);
  LLVMValueRef acc = LLVMBuildOr(g->b, adds, LLVMBuildZExt(g->b, cg_lt(g, zero, t.i), g->i64, ""), "");
  // meanwhile the next block comes near, the next task's first when this is the last: half of the rows bring x's, the others dy's
  LLVMValueRef t1 = cg_add(g, t.i, cg_i64(g, DEPTH)), more = cg_lt(g, t1, T), most = cg_i64(g, g->isa->mm.rows);
  LLVMValueRef half = cg_min(g, tile.rows, cg_mul(g, cg_ceildiv(g, tile.rows, 2 * g->isa->mm.rows), most));       // blocks of rows stay whole
  MmCall mm = {.A = mm_rows(DT_F32, turned, cg_i64(g, MM_ASTRIDE)), .B = mm_packed(DT_F32, panels, cg_i64(g, DEPTH * PANEL)),
               .C = mm_rows(DT_F32, dw, K), .M = half, .N = tile.cols, .K = depth, .acc = acc, .next_panel = cg_i64(g, PANEL)};
  mm.next = cg_select(g, more, x_at(g, k, &tile, t1), x_at(g, k, &after, zero)), mm.next_k = K;
  cg_mm(g, &mm);
  mm.A.p = cg_at(g, g->f32, turned, cg_mul(g, half, mm.A.row)), mm.C.p = cg_at(g, g->f32, dw, cg_mul(g, half, K)), mm.M = cg_sub(g, tile.rows, half);
  mm.next = cg_select(g, more, dy_at(g, k, &tile, t1), dy_at(g, k, &after, zero)), mm.next_k = N;
  cg_mm(g, &mm);
  cg_loop_end(g, &t);
}
