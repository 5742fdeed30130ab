// Weight gradients: dw[N, K] (+)= dy[T, N]^T x[T, K], the one product whose rows are not tokens. Tasks are tiles of the result, cut by N
// and K alone; an output is one chain over the T rows in order, so its bits depend neither on threads nor on where the tile lies.
// A block of x's rows is copied into panels, as a packed matrix has them, and passed through by all of dy's columns. In bf16 both are rounded on their way
// there, and two rows are a pair.
//
// What a tile does depends on no shape: it is a function of the micro-kernels' library, calm_dw_<isa>, emitted once when calm is built.
#include <stdio.h>

#include "llvm/cg.h"
#include "llvm/mm.h"
#include "llvm/object.h"

enum {
  DEPTH = MM_KC,               // words along the rows copied at a time: one pass
};

typedef struct Cut {
  int64_t rows, cols;          // of a tile, multiples of 16
  int64_t across, tiles;       // tiles along K; in all
} Cut;

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t part(int64_t n, int64_t parts) { return ceil_div(ceil_div(n, parts), PANEL) * PANEL; }

// An odd number of tiles becomes even, so that two threads share even the smallest matrix: by one more part along N or K, whichever copies less (each part
// of one copies the other once).
static Cut cut_for(int64_t N, int64_t K) {
  int64_t pn = ceil_div(N, DW_TILE), pk = ceil_div(K, DW_TILE);
  if (pn * pk % 2 && (N > PANEL || K > PANEL)) {
    if (N >= K) pn++;
    else pk++;
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

// A matrix on its way into scratch. In pairs two rows of it become one row of words, rounded to bf16.
typedef struct Source {
  LLVMValueRef p;
  LLVMValueRef stride;         // floats from row to row
  bool pairs;
} Source;

// What becomes of a block of n rows, floats or words: rows t …, columns c … of what is written.
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

typedef struct Block {         // of a source, n columns: row t …, columns c …
  LLVMValueRef t, c;
  LLVMValueRef rows, cols;     // how many of each there are, others count 0; NULL: all
  int n;
} Block;

static LLVMValueRef row(Cg *g, const Source *s, const Block *b, int i) {
  LLVMValueRef at = cg_i64(g, i);
  if (b->rows) at = cg_min(g, at, cg_sub(g, b->rows, cg_i64(g, 1)));
  LLVMValueRef p = cg_at(g, g->f32, s->p, cg_add(g, cg_mul(g, cg_add(g, b->t, at), s->stride), b->c));
  LLVMValueRef v = b->cols ? cg_load_mask(g, LLVMVectorType(g->f32, (unsigned)b->n), p, cg_mask(g, b->n, b->cols)) : mm_loadn(g, b->n, p);
  return b->rows ? cg_select(g, cg_lt(g, cg_i64(g, i), b->rows), v, LLVMConstNull(LLVMTypeOf(v))) : v;
}

static void move(Cg *g, LLVMValueRef dst, const Source *s, const Block *b, PutFn *put) {
  LLVMValueRef v[LANES];
  for (int i = 0; i < b->n; i++) {
    if (!s->pairs) v[i] = row(g, s, b, i);
    else v[i] = LLVMBuildBitCast(g->b, mm_words(g, row(g, s, b, 2 * i), row(g, s, b, 2 * i + 1)), LLVMVectorType(g->f32, (unsigned)b->n), "");
  }
  put(g, dst, v, b->n, s->pairs ? cg_udiv(g, b->t, cg_i64(g, 2)) : b->t, b->c);
}

// Rows [0, rows) and columns [0, cols) of a source in blocks of n columns and as many rows of what is written.
static void each_block(Cg *g, LLVMValueRef dst, const Source *s, LLVMValueRef rows, LLVMValueRef cols, int n, PutFn *put) {
  int high = s->pairs ? 2 * n : n;
  LLVMValueRef zero = cg_i64(g, 0), whole_rows = cg_sub(g, rows, cg_urem(g, rows, cg_i64(g, high))), whole_cols = cg_sub(g, cols, cg_urem(g, cols, cg_i64(g, n)));
  for (int below = 0; below < 2; below++) {
    CgLoop t = cg_loop(g, below ? whole_rows : zero, below ? rows : whole_rows, high);
    for (int right = 0; right < 2; right++) {
      CgLoop c = cg_loop(g, right ? whole_cols : zero, right ? cols : whole_cols, n);
      Block b = {.t = t.i, .c = c.i, .rows = below ? cg_sub(g, rows, whole_rows) : NULL, .cols = right ? cg_sub(g, cols, whole_cols) : NULL, .n = n};
      move(g, dst, s, &b, put);
      cg_loop_end(g, &c);
    }
    cg_loop_end(g, &t);
  }
}

// Parameters of calm_dw_<isa>: a tile of `rows` x `cols`, where it begins in dy, x and dw; where the next task's begins in dy and x; room for copies.
#define DW_PARAMS(X)                                                                                                                          \
  X(DY, ptr) X(N, i64) X(X, ptr) X(K, i64) X(DW, ptr) X(T, i64) X(ADDS, i64) X(ROWS, i64) X(COLS, i64) X(DY_AFTER, ptr) X(X_AFTER, ptr) \
  X(PANELS, ptr) X(TURNED, ptr)
#define X(name, type) P_##name,
enum { DW_PARAMS(X) P_COUNT };
#undef X

static LLVMTypeRef dw_type(Cg *g) {
#define X(name, type) g->type,
  LLVMTypeRef t[P_COUNT] = {DW_PARAMS(X)};
#undef X
  return LLVMFunctionType(g->void_t, t, P_COUNT, 0);
}

static void dw_name(char out[64], const Isa *isa, Precision p) { snprintf(out, 64, "calm_dw_%s%s%s", isa->name, p ? "_" : "", p ? precision_name(p) : ""); }

// The product of what was copied, in parts of the tile's rows: while the last rows of a part are multiplied, lines of one of the sources that are copied
// next come near (in pairs every other row of it).
static void multiply(Cg *g, MmCall *mm, LLVMValueRef rows, const Source *next) {
  int parts = mm->pairs ? 4 : 2, most = g->isa->mm.rows, width = mm->pairs ? 2 : 1;      // width: numbers of B in a float
  LLVMValueRef turned = mm->A.p, dw = mm->C.p, part = cg_mul(g, cg_ceildiv(g, rows, (int64_t)parts * most), cg_i64(g, most));
  for (int i = 0; i < parts; i++) {
    const Source *s = &next[i % 2];
    LLVMValueRef first = cg_min(g, cg_mul(g, part, cg_i64(g, i)), rows);
    mm->M = cg_min(g, part, cg_sub(g, rows, first));
    mm->A.p = cg_at(g, g->f32, turned, cg_mul(g, first, mm->A.row)), mm->C.p = cg_at(g, g->f32, dw, cg_mul(g, first, mm->C.row));
    mm->next = i < 2 ? s->p : cg_at(g, g->f32, s->p, s->stride);
    mm->next_k = cg_mul(g, s->stride, cg_i64(g, width)), mm->next_panel = cg_i64(g, (int64_t)PANEL * width);
    cg_mm(g, mm);
  }
}

static LLVMValueRef rows_from(Cg *g, LLVMValueRef p, LLVMValueRef t, LLVMValueRef stride) { return cg_at(g, g->f32, p, cg_mul(g, t, stride)); }

void mm_emit_dw(Cg *g, const Isa *isa, Precision precision) {
  char name[64];
  dw_name(name, isa, precision);
  g->precision = precision;
  cg_function(g, name, dw_type(g), isa, true);
  LLVMValueRef arg[P_COUNT], zero = cg_i64(g, 0);
  for (unsigned i = 0; i < P_COUNT; i++) arg[i] = LLVMGetParam(g->fn, i);
  bool pairs = precision == PRECISION_BF16;
  int64_t at_once = pairs ? 2 * DEPTH : DEPTH;
  CgLoop t = cg_loop(g, zero, cg_max(g, arg[P_T], cg_i64(g, 1)), at_once);      // without rows: one block of none, which stores zeros
  LLVMValueRef depth = cg_min(g, cg_i64(g, at_once), cg_sub(g, arg[P_T], t.i)), t1 = cg_add(g, t.i, cg_i64(g, at_once)), more = cg_lt(g, t1, arg[P_T]);
  Source dy = {rows_from(g, arg[P_DY], t.i, arg[P_N]), arg[P_N], pairs}, x = {rows_from(g, arg[P_X], t.i, arg[P_K]), arg[P_K], pairs};
  Source next[2] = {x, dy};
  next[0].p = cg_select(g, more, rows_from(g, arg[P_X], t1, arg[P_K]), arg[P_X_AFTER]);
  next[1].p = cg_select(g, more, rows_from(g, arg[P_DY], t1, arg[P_N]), arg[P_DY_AFTER]);
  each_block(g, arg[P_TURNED], &dy, depth, arg[P_ROWS], isa->mm.lanes, put_turned);
  each_block(g, arg[P_PANELS], &x, depth, arg[P_COLS], PANEL, put_panel);
  MmCall mm = {.A = mm_copied(g, arg[P_TURNED]), .C = mm_rows(DT_F32, arg[P_DW], arg[P_K]), .N = arg[P_COLS], .K = depth, .pairs = pairs};
  mm.B = mm_packed(mm_made_dtype(pairs), arg[P_PANELS], cg_i64(g, at_once * PANEL));
  mm.acc = LLVMBuildOr(g->b, arg[P_ADDS], LLVMBuildZExt(g->b, cg_lt(g, zero, t.i), g->i64, ""), "");
  multiply(g, &mm, arg[P_ROWS], next);
  cg_loop_end(g, &t);
  LLVMBuildRetVoid(g->b);
}

// ---- the kernel

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

static LLVMValueRef arg_at(Cg *g, int arg, LLVMValueRef at) { return cg_at(g, g->f32, cg_arg_ptr(g, arg), at); }

static int64_t turned_at(int64_t cols) { return (DEPTH * cols * 4 + 63) / 64 * 64; }
int64_t mm_dw_scratch(int64_t most_rows, int64_t most_cols) { return turned_at(most_cols) + most_rows * MM_ASTRIDE * 4; }

void mm_dw(Cg *g, const DwTile *t, int64_t most_cols) {
  char name[64];
  dw_name(name, g->isa, cg_precision(g));
  LLVMValueRef fn = LLVMGetNamedFunction(g->mod, name);
  LLVMValueRef arg[P_COUNT] = {
      [P_DY] = t->dy, [P_N] = t->n, [P_X] = t->x, [P_K] = t->k, [P_DW] = t->dw, [P_T] = t->T, [P_ADDS] = t->adds, [P_ROWS] = t->rows, [P_COLS] = t->cols,
      [P_DY_AFTER] = t->dy_after ? t->dy_after : t->dy, [P_X_AFTER] = t->x_after ? t->x_after : t->x,
      [P_PANELS] = t->scratch, [P_TURNED] = cg_at(g, g->i8, t->scratch, cg_i64(g, turned_at(most_cols)))};
  cg_call(g, dw_type(g), fn ? fn : LLVMAddFunction(g->mod, name, dw_type(g)), arg, P_COUNT);
}

void emit_DW(Cg *g, const Kernel *k) {
  Cut cut = cut_for(k->DW.N, k->DW.K);
  Tile tile = tile_at(g, k, &cut, cg_task(g)), after = tile_at(g, k, &cut, cg_add(g, cg_task(g), cg_i64(g, 1)));
  cg_need_scratch(g, mm_dw_scratch(cut.rows, cut.cols));
  LLVMValueRef N = cg_i64(g, k->DW.N), K = cg_i64(g, k->DW.K);
  mm_dw(g, &(DwTile){.dy = arg_at(g, KARG(DW, dy), tile.n0), .n = N, .x = arg_at(g, KARG(DW, x), tile.k0), .k = K,
                     .dw = arg_at(g, KARG(DW, dw), cg_add(g, cg_mul(g, tile.n0, K), tile.k0)), .T = cg_rows(g), .adds = cg_arg_word(g, 1 + k->narg),
                     .rows = tile.rows, .cols = tile.cols, .dy_after = arg_at(g, KARG(DW, dy), after.n0), .x_after = arg_at(g, KARG(DW, x), after.k0),
                     .scratch = cg_scratch(g, 0)}, cut.cols);
}
