// The register tile of the matrix micro-kernels: m rows times p panels of accumulators, updated by one fused multiply-add per output and
// k, in order. A comes copied (mm_copy.c) with a constant row stride, so the inner loop needs one address register for it.
#include "llvm/mm.h"

enum { LINE = 64 };            // bytes of a cache line

LLVMTypeRef mm_rows_type(Cg *g) {
#define X(name, type) g->type,
  LLVMTypeRef t[MMR_COUNT] = {MM_ROWS_PARAMS(X)};
#undef X
  return LLVMFunctionType(g->void_t, t, MMR_COUNT, 0);
}

typedef struct Tile {          // where a tile reads and writes
  LLVMValueRef A, b[4], c, crs, K, acc;
  LLVMValueRef bks;            // NULL: PANEL, a constant, so that the loads of the inner loop are base + constant
  LLVMValueRef fetch, fps, fks;   // lines to bring to L2 on the side: distances per panel, per k (bytes); fetch NULL: none
  LLVMValueRef turn, leap;     // few rows: from so many k on `leap` bytes further; NULL: nowhere
  LLVMValueRef behind, portion, gap;   // few rows that meet widened panels: the panels that come after these, `portion` bytes of each, `gap` behind it; NULL: none
  int m, p, stride;            // stride: words between rows of A
  int level;                   // of the cache they are brought to, as cg_fetch has it; 0: L2
  const MmKernel *kernel;
} Tile;

// Bytes that a step along k (a word's, in pairs) takes of a panel.
static int step_bytes(const MmKernel *k) { return PANEL * (k->pairs ? 4 : dtype_size(k->B)); }

static LLVMValueRef c_at(Cg *g, const Tile *t, int i, int p) {
  LLVMValueRef off = cg_add(g, cg_mul(g, t->crs, cg_i64(g, i)), cg_i64(g, (int64_t)p * PANEL));
  return cg_at(g, g->f32, t->c, off);
}

// What streams along k beside A: pointers into p panels, and into the lines to fetch.
typedef struct Streams {
  LLVMValueRef b[4], fetch, end;       // end: of the panel of Tile.behind that fetch is in
} Streams;

static LLVMValueRef advance(Cg *g, LLVMValueRef var, LLVMValueRef floats) {
  LLVMValueRef p = cg_get(g, g->ptr, var);
  cg_set(g, var, cg_at(g, g->f32, p, floats));
  return p;
}

// The prefetches of `steps` k together: the scheduler moves no load across one, and so would run out of vector registers were they
// spread between the multiplications.
static void fetch_lines(Cg *g, const Tile *t, const Streams *s, int steps) {
  if (!t->fetch) return;
  int lines = steps * step_bytes(t->kernel) / LINE;
  LLVMValueRef from = cg_get(g, g->ptr, s->fetch);
  cg_set(g, s->fetch, cg_at(g, g->i8, from, cg_mul(g, t->fks, cg_i64(g, steps))));
  for (int p = 0; p < t->p; p++)
    for (int u = 0; u < lines; u++) {
      LLVMValueRef at = cg_at(g, g->i8, cg_at(g, g->i8, from, cg_mul(g, t->fps, cg_i64(g, p))), cg_mul(g, t->fks, cg_i64(g, (int64_t)u * steps / lines)));
      cg_fetch(g, at, t->level ? t->level : 2);
    }
}

// So many bytes more of the panels behind, in the order in which they lie: memory reads one run, however many panels are multiplied side by side.
static void fetch_behind(Cg *g, const Tile *t, const Streams *s, int64_t bytes) {
  if (!t->behind) return;
  LLVMValueRef from = cg_get(g, g->ptr, s->fetch), end = cg_get(g, g->ptr, s->end);
  for (int64_t at = 0; at < bytes; at += LINE) cg_fetch(g, cg_at(g, g->i8, from, cg_i64(g, at)), 2);
  LLVMValueRef next = cg_at(g, g->i8, from, cg_i64(g, bytes)), inside = LLVMBuildICmp(g->b, LLVMIntULT, next, end, "");
  cg_set(g, s->fetch, cg_select(g, inside, next, cg_at(g, g->i8, next, t->gap)));
  cg_set(g, s->end, cg_select(g, inside, end, cg_at(g, g->i8, end, cg_add(g, t->portion, t->gap))));
}

static LLVMValueRef words(Cg *g, LLVMValueRef v) { return LLVMBuildBitCast(g->b, v, g->v16i32, ""); }

// One k, or word of two: loads p vectors of B, broadcasts m values of A.
static void tile_step(Cg *g, const Tile *t, LLVMValueRef *acc, LLVMValueRef k, const Streams *s, int u) {
  LLVMValueRef b[4];
  for (int p = 0; p < t->p; p++) b[p] = cg_load16(g, advance(g, s->b[p], t->bks ? t->bks : cg_i64(g, PANEL)));
  for (int i = 0; i < t->m; i++) {
    LLVMValueRef a = cg_at(g, g->f32, cg_at(g, g->f32, t->A, k), cg_i64(g, (int64_t)i * t->stride + u));
    a = cg_splat(g, cg_load(g, g->f32, a));
    for (int p = 0; p < t->p; p++) {
      LLVMValueRef var = acc[i * t->p + p], sum = cg_get(g, g->v16f32, var);
      cg_set(g, var, t->kernel->pairs ? mm_pairs(g, sum, words(g, a), words(g, b[p])) : cg_fma(g, a, b[p], sum));
    }
  }
}

// n consecutive k of panels that are stored narrower than they are multiplied: widened in registers, each number once.
static void narrow_steps(Cg *g, const Tile *t, LLVMValueRef *acc, LLVMValueRef k, const Streams *s, int n) {
  LLVMValueRef b[4][MM_UNROLL];
  for (int p = 0; p < t->p; p++) {
    LLVMValueRef panel = cg_get(g, g->ptr, s->b[p]);
    mm_panel_rows(g, t->kernel->B, panel, cg_i64(g, 0), n, b[p]);
    cg_set(g, s->b[p], cg_at(g, cg_dtype(g, t->kernel->B), panel, cg_i64(g, (int64_t)n * PANEL)));
  }
  for (int u = 0; u < n; u++)
    for (int i = 0; i < t->m; i++) {
      LLVMValueRef a = cg_at(g, g->f32, cg_at(g, g->f32, t->A, k), cg_i64(g, (int64_t)i * t->stride + u));
      a = cg_splat(g, cg_load(g, g->f32, a));
      for (int p = 0; p < t->p; p++) {
        LLVMValueRef var = acc[i * t->p + p];
        cg_set(g, var, cg_fma(g, a, b[p][u], cg_get(g, g->v16f32, var)));
      }
    }
}

static void steps(Cg *g, const Tile *t, LLVMValueRef *acc, LLVMValueRef k, const Streams *s, int n) {
  if (t->kernel->B != DT_F32 && !t->kernel->pairs) narrow_steps(g, t, acc, k, s, n);
  else for (int u = 0; u < n; u++) tile_step(g, t, acc, k, s, u);
}

static LLVMValueRef whole_steps(Cg *g, LLVMValueRef k) { return cg_sub(g, k, cg_urem(g, k, cg_i64(g, MM_UNROLL))); }

// `steps` of the four rows that words of int8 hold: numbers as they are multiplied, each made once, the scales in registers.
static void quad_steps(Cg *g, const Tile *t, LLVMValueRef *acc, LLVMValueRef k, const Streams *s, const Int8Scales *scales, int steps) {
  LLVMValueRef word[4];
  fetch_behind(g, t, s, (int64_t)t->p * INT8_QUAD * PANEL);
  for (int p = 0; p < t->p; p++) word[p] = cg_load(g, g->v16i32, advance(g, s->b[p], cg_i64(g, INT8_QUAD * PANEL / 4)));
  for (int u = 0; u < steps; u++) {
    LLVMValueRef b[4];
    for (int p = 0; p < t->p; p++) {
      if (t->kernel->pairs) b[p] = mm_words(g, mm_group_row(g, word[p], 2 * u, &scales[p]), mm_group_row(g, word[p], 2 * u + 1, &scales[p]));
      else b[p] = mm_group_row(g, word[p], u, &scales[p]);
    }
    for (int i = 0; i < t->m; i++) {
      LLVMValueRef a = cg_at(g, g->f32, cg_at(g, g->f32, t->A, k), cg_i64(g, (int64_t)i * t->stride + u));
      a = cg_splat(g, cg_load(g, g->f32, a));
      for (int p = 0; p < t->p; p++) {
        LLVMValueRef var = acc[i * t->p + p], sum = cg_get(g, g->v16f32, var);
        cg_set(g, var, t->kernel->pairs ? mm_pairs(g, sum, words(g, a), b[p]) : cg_fma(g, a, b[p], sum));
      }
    }
  }
}

// All of k, which begins with a group.
static void group_loop(Cg *g, const Tile *t, LLVMValueRef *acc, const Streams *s) {
  int each = t->kernel->pairs ? 2 : 1, quad = INT8_QUAD / each;
  CgLoop groups = cg_loop(g, cg_i64(g, 0), t->K, INT8_GROUP / each);
  LLVMValueRef next = cg_add(g, groups.i, cg_i64(g, INT8_GROUP / each)), end = cg_min(g, t->K, next);
  fetch_behind(g, t, s, (int64_t)t->p * INT8_SCALE_BYTES * PANEL);
  Int8Scales scales[4];
  for (int p = 0; p < t->p; p++) scales[p] = mm_group_scales(g, advance(g, s->b[p], cg_i64(g, INT8_SCALE_BYTES * PANEL / 4)));
  LLVMValueRef whole = cg_sub(g, end, cg_urem(g, end, cg_i64(g, quad)));
  CgLoop l = cg_loop(g, groups.i, whole, quad);
  quad_steps(g, t, acc, l.i, s, scales, quad);
  cg_loop_end(g, &l);
  for (int left = 1; left < quad; left++) {        // the last rows of all
    CgIf rest = cg_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, cg_sub(g, end, whole), cg_i64(g, left), ""));
    quad_steps(g, t, acc, whole, s, scales, left);
    cg_endif(g, &rest);
  }
  cg_loop_end(g, &groups);
}

static void plain_loop(Cg *g, const Tile *t, LLVMValueRef *acc, const Streams *s) {
  LLVMValueRef whole = whole_steps(g, t->K), turn = t->turn ? whole_steps(g, cg_max(g, cg_i64(g, 0), t->turn)) : whole;
  CgLoop l;
  for (int part = 0; part < (t->turn ? 2 : 1); part++) {
    if (part) cg_set(g, s->fetch, cg_at(g, g->i8, cg_get(g, g->ptr, s->fetch), t->leap));
    l = cg_loop(g, part ? turn : cg_i64(g, 0), part ? whole : turn, MM_UNROLL);
    fetch_lines(g, t, s, MM_UNROLL);
    fetch_behind(g, t, s, (int64_t)t->p * MM_UNROLL * step_bytes(t->kernel));
    steps(g, t, acc, l.i, s, MM_UNROLL);
    cg_loop_end(g, &l);
  }
  l = cg_loop(g, whole, t->K, 1);
  steps(g, t, acc, l.i, s, 1);
  cg_loop_end(g, &l);
}

static void tile(Cg *g, const Tile *t) {
  LLVMValueRef acc[64], zero = cg_splatc(g, 0);
  Streams s;
  for (int i = 0; i < t->m * t->p; i++) acc[i] = cg_var(g, g->v16f32, zero);
  for (int p = 0; p < t->p; p++) s.b[p] = cg_var(g, g->ptr, t->b[p]);
  if (t->fetch) s.fetch = cg_var(g, g->ptr, t->fetch);
  if (t->behind) s.fetch = cg_var(g, g->ptr, t->behind), s.end = cg_var(g, g->ptr, cg_at(g, g->i8, t->behind, t->portion));
  CgIf chain = cg_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, t->acc, cg_i64(g, MM_GOES_ON), ""));
  for (int i = 0; i < t->m; i++)
    for (int p = 0; p < t->p; p++) cg_set(g, acc[i * t->p + p], cg_load16(g, c_at(g, t, i, p)));
  cg_endif(g, &chain);

  if (t->kernel->B == DT_I8) group_loop(g, t, acc, &s);
  else plain_loop(g, t, acc, &s);

  CgIf adds = cg_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, t->acc, cg_i64(g, MM_ADDED), ""));
  for (int i = 0; i < t->m; i++)
    for (int p = 0; p < t->p; p++) cg_set(g, acc[i * t->p + p], cg_fadd(g, cg_load16(g, c_at(g, t, i, p)), cg_get(g, g->v16f32, acc[i * t->p + p])));
  cg_endif(g, &adds);
  for (int i = 0; i < t->m; i++)
    for (int p = 0; p < t->p; p++) cg_store16(g, cg_get(g, g->v16f32, acc[i * t->p + p]), c_at(g, t, i, p));
}

static LLVMValueRef panel_at(Cg *g, Dtype dt, LLVMValueRef B, LLVMValueRef bps, LLVMValueRef n, LLVMValueRef p) {
  LLVMValueRef panel = cg_add(g, cg_udiv(g, n, cg_i64(g, PANEL)), p);
  return cg_at(g, cg_dtype(g, dt), B, cg_mul(g, panel, bps));
}

// Where the lines lie that a tile of p panels from column n fetches.
static LLVMValueRef fetch_at(Cg *g, LLVMValueRef *arg, LLVMValueRef n, int p) {
  LLVMValueRef panel = cg_add(g, cg_udiv(g, n, cg_i64(g, PANEL)), cg_mul(g, arg[MMR_LEAD], cg_i64(g, p)));
  LLVMValueRef at = cg_at(g, g->i8, arg[MMR_FETCH], cg_mul(g, panel, arg[MMR_FETCH_PANEL]));
  LLVMValueRef more = cg_lt(g, cg_add(g, n, cg_i64(g, (int64_t)p * PANEL)), arg[MMR_N]);
  LLVMValueRef here = LLVMBuildOr(g->b, more, cg_lt(g, arg[MMR_LEAD], cg_i64(g, 1)), "");
  return cg_select(g, here, at, arg[MMR_AFTER]);
}

// Few rows that meet panels as they lie: each stream of panels is read ahead, at the end of its panel into the one that it goes on with, p further.
static void read_ahead(Cg *g, Tile *t, LLVMValueRef panel) {
  int64_t step = step_bytes(t->kernel), ahead = (t->p < 4 ? MM_AHEAD : MM_AHEAD_FOUR) / step;
  t->fetch = cg_at(g, g->i8, t->b[0], cg_i64(g, ahead * step)), t->fps = panel, t->fks = cg_i64(g, step);
  t->turn = cg_sub(g, t->K, cg_i64(g, ahead)), t->leap = cg_sub(g, cg_mul(g, panel, cg_i64(g, t->p)), cg_mul(g, t->K, cg_i64(g, step)));
}

// Few rows whose panels are widened: while a tile is multiplied from L2, all of the next one comes there. Widening leaves loads no time to run ahead, and so many
// streams of which each is read ahead get half of what one run does.
static void read_behind(Cg *g, Tile *t, LLVMValueRef *arg, LLVMValueRef n, LLVMValueRef panel) {
  LLVMValueRef more = cg_lt(g, cg_add(g, n, cg_i64(g, (int64_t)t->p * PANEL)), arg[MMR_N]);
  t->portion = cg_mul(g, t->K, cg_i64(g, step_bytes(t->kernel)));
  if (t->kernel->B == DT_I8)
    t->portion = cg_mul(g, cg_ceildiv(g, t->K, INT8_GROUP / (t->kernel->pairs ? 2 : 1)), cg_i64(g, panel_elems(DT_I8, INT8_GROUP)));
  t->gap = cg_sub(g, panel, t->portion);
  t->behind = cg_select(g, more, cg_at(g, g->i8, t->b[0], cg_mul(g, panel, cg_i64(g, t->p))), arg[MMR_AFTER]);
}

static void read_few(Cg *g, Tile *t, LLVMValueRef *arg, LLVMValueRef n) {
  LLVMValueRef panel = cg_mul(g, arg[MMR_B_PANEL], cg_i64(g, dtype_size(t->kernel->B)));
  if (mm_widened(t->kernel->B, t->kernel->pairs)) read_behind(g, t, arg, n, panel);
  else read_ahead(g, t, panel);
}

// Tiles of p whole panels while that many columns are left.
static void whole_panels(Cg *g, LLVMValueRef *arg, LLVMValueRef nvar, int m, int p, bool few, const MmKernel *kernel) {
  LLVMValueRef left = cg_sub(g, arg[MMR_N], cg_get(g, g->i64, nvar));
  LLVMValueRef step = cg_i64(g, (int64_t)p * PANEL);
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_udiv(g, left, step), 1);
  LLVMValueRef n = cg_get(g, g->i64, nvar);
  Tile t = {.A = arg[MMR_A], .bks = arg[MMR_B_K], .c = cg_at(g, g->f32, arg[MMR_C], n), .crs = arg[MMR_C_ROW], .K = arg[MMR_K], .acc = arg[MMR_ACC],
            .m = m, .p = p, .stride = few ? MM_FEW_STRIDE : MM_ASTRIDE, .kernel = kernel};
  for (int i = 0; i < p; i++) t.b[i] = panel_at(g, kernel->B, arg[MMR_B], arg[MMR_B_PANEL], n, cg_i64(g, i));
  if (few) read_few(g, &t, arg, n);
  else if (!t.bks && p < 4 && kernel->B != DT_I8) t.fetch = fetch_at(g, arg, n, p), t.fps = arg[MMR_FETCH_PANEL], t.fks = arg[MMR_FETCH_K];      // four streams are seen by the processor itself
  tile(g, &t);
  cg_set(g, nvar, cg_add(g, n, step));
  cg_loop_end(g, &l);
}

// Copies the first `cols` columns of m rows.
static void copy_columns(Cg *g, int m, LLVMValueRef dst, LLVMValueRef drs, LLVMValueRef src, LLVMValueRef srs, LLVMValueRef cols) {
  LLVMValueRef mask = cg_mask16(g, cols);
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_i64(g, m), 1);
  LLVMValueRef v = cg_load16_mask(g, cg_at(g, g->f32, src, cg_mul(g, l.i, srs)), mask);
  cg_store16_mask(g, v, cg_at(g, g->f32, dst, cg_mul(g, l.i, drs)), mask);
  cg_loop_end(g, &l);
}

// Single panels; the last may be partial: then B comes from the padded copy and C goes through a padded tile, so the arithmetic is
// that of a whole panel.
static void last_panels(Cg *g, LLVMValueRef *arg, LLVMValueRef nvar, int m, bool few, const MmKernel *kernel) {
  LLVMValueRef tmp = cg_var(g, LLVMArrayType2(g->v16f32, (uint64_t)m), NULL), width = cg_i64(g, PANEL);
  LLVMValueRef left = cg_sub(g, arg[MMR_N], cg_get(g, g->i64, nvar));
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_ceildiv(g, left, PANEL), 1);
  LLVMValueRef n = cg_get(g, g->i64, nvar), cols = cg_sub(g, arg[MMR_N], n), part = cg_lt(g, cols, width);
  LLVMValueRef c = cg_at(g, g->f32, arg[MMR_C], n);
  CgIf in = cg_if(g, part);
  CgIf chain = cg_if(g, cg_lt(g, cg_i64(g, 0), arg[MMR_ACC]));
  copy_columns(g, m, tmp, width, c, arg[MMR_C_ROW], cols);
  cg_endif(g, &chain);
  cg_endif(g, &in);
  Tile t = {.A = arg[MMR_A], .K = arg[MMR_K], .acc = arg[MMR_ACC], .m = m, .p = 1, .stride = few ? MM_FEW_STRIDE : MM_ASTRIDE, .kernel = kernel};
  t.b[0] = panel_at(g, kernel->B, arg[MMR_B], arg[MMR_B_PANEL], n, cg_i64(g, 0));
  if (kernel->B == DT_F32 && !few) t.b[0] = cg_select(g, part, arg[MMR_TAIL], t.b[0]);
  if (arg[MMR_B_K]) t.bks = cg_select(g, part, width, arg[MMR_B_K]);
  else if (few) read_few(g, &t, arg, n);
  else if (kernel->B != DT_I8) t.fetch = fetch_at(g, arg, n, 1), t.fps = arg[MMR_FETCH_PANEL], t.fks = arg[MMR_FETCH_K];
  t.c = cg_select(g, part, tmp, c);
  t.crs = cg_select(g, part, width, arg[MMR_C_ROW]);
  tile(g, &t);
  CgIf out = cg_if(g, part);
  copy_columns(g, m, c, arg[MMR_C_ROW], tmp, width, cols);
  cg_endif(g, &out);
  cg_set(g, nvar, cg_add(g, n, width));
  cg_loop_end(g, &l);
}

// Accumulators, panels and one broadcast value in registers; of many panels some stay operands in memory. What is widened stands there besides.
static bool fits(const Isa *isa, int m, int p, const MmKernel *kernel) {
  int each = isa->mm.regs_per_panel, panels = p * each, loaded = panels < 4 ? panels : 4;
  bool emulated = kernel->pairs && !isa->bf16[0];
  if (kernel->B == DT_I8) return m * panels + 4 * panels + 10 <= isa->mm.regs;      // scales, words, numbers on their way, constants
  bool widened = emulated || (kernel->B != DT_F32 && !kernel->pairs);
  return m * panels + loaded * (widened ? 2 : 1) + (emulated ? 2 * each + 1 : 1) <= isa->mm.regs;
}

int mm_most_rows(const Isa *isa, const MmKernel *kernel) {
  int m = kernel->B == DT_I8 && kernel->pairs && !isa->bf16[0] ? 0 : isa->mm.rows;
  while (m > 1 && !fits(isa, m, 1, kernel)) m--;
  return m;
}

// The caller has made the function current (mm.c); this fills it.
void mm_rows_body(Cg *g, int m, bool packed, bool few, const MmKernel *kernel) {
  LLVMValueRef arg[MMR_COUNT];
  for (unsigned i = 0; i < MMR_COUNT; i++) arg[i] = LLVMGetParam(g->fn, i);
  if (packed) arg[MMR_B_K] = NULL;
  LLVMValueRef nvar = cg_var(g, g->i64, cg_i64(g, 0));
  // few rows take several panels at once: enough independent chains, and of widened ones, of which the first tile of a task may not be near yet, no more
  for (int p = few && mm_widened(kernel->B, kernel->pairs) ? 2 : 4; p > 1; p /= 2)
    if (fits(g->isa, m, p, kernel)) whole_panels(g, arg, nvar, m, p, few, kernel);
  last_panels(g, arg, nvar, m, few, kernel);
}
