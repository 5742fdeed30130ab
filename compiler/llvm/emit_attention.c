// Attention forward: blocked, online softmax (Milakov and Gimelshein, arXiv 1805.02867; blocks as in Dao et al., arXiv
// 2205.14135). One task is a block of query rows and one key head; it serves all query heads of that key head's group,
// so that keys are packed once. Rows of a task are handled in chunks that lie at one stride in memory: all query rows
// of one head, or, when there are fewer rows than heads (decoding), all heads of one query row.
#include <stddef.h>

#include "llvm/emit_attention.h"
#include "runtime/abi/abi.h"

typedef struct Fwd {
  int64_t H, K, G, D, E;
  double scale, cap;
  LLVMValueRef lo, hi;         // of all query rows
  LLVMValueRef q0, key0, kh, kmax;
  LLVMValueRef k, v;           // key row 0 of the sequence, this head
  LLVMValueRef chunks, M, pad; // number of chunks, rows in each, and that rounded up to 16
  LLVMValueRef q_chunk, q_row; // query rows per chunk and per row of a chunk: (0, 1); (1, 0) for one query row
  LLVMValueRef g_chunk, g_row; // the same for heads: (1, 0), or (0, 1)
  int64_t Ep;                  // E rounded up to 16
  int64_t kt;                  // scratch of a key block: packed keys
  int64_t S, max, safe, scl;   // of a chunk: scores [rows][ATTN_BK]; new maxima; those to subtract; rescaling factors
  int64_t O, sum, run;         // state of all rows: output [.][Ep], sum in 16 lanes, maximum
} Fwd;

typedef struct Block {         // a key block
  LLVMValueRef kb, a, n;       // its start; keys [a, n) that some row may see
  LLVMValueRef first, later;   // a rounded down to 16; i64 1 unless it is the task's first block
} Block;

typedef struct Chunk {
  LLVMValueRef q, g, base;     // first query row (absolute) and head (absolute); first row of its state
} Chunk;

static LLVMValueRef floats_at(Cg *g, int64_t offset, LLVMValueRef index) {
  return cg_at(g, g->f32, cg_scratch(g, offset), index);
}
static LLVMValueRef scaled(Cg *g, LLVMValueRef i, int64_t by) { return cg_mul(g, i, cg_i64(g, by)); }

// ---- layout

// Most rows of a chunk, and most state rows (chunks times padded rows), over all possible numbers of query rows.
static void extents(int64_t G, int64_t *chunk, int64_t *state) {
  *chunk = *state = 0;
  for (int64_t nq = 1; nq <= RT_QBLOCK; nq++) {
    int64_t m = attn_round16(nq < G ? G : nq), c = nq < G ? nq : G;
    if (m > *chunk) *chunk = m;
    if (m * c > *state) *state = m * c;
  }
}

static void layout(Cg *g, Fwd *f) {
  int64_t chunk, state;
  AttnScratch s = {0};
  extents(f->G, &chunk, &state);
  f->Ep = attn_round16(f->E);
  f->kt = attn_region(&s, attn_panel_floats(f->D));
  f->S = attn_region(&s, chunk * ATTN_BK);
  f->max = attn_region(&s, chunk);
  f->safe = attn_region(&s, chunk);
  f->scl = attn_region(&s, chunk);
  f->O = attn_region(&s, state * f->Ep);
  f->sum = attn_region(&s, state * LANES);
  f->run = attn_region(&s, state);
  cg_need_scratch(g, s.used);
}

// ---- the task

static Fwd begin(Cg *g, const Kernel *k) {
  Fwd f = {.H = k->ATTN.H, .K = k->ATTN.K, .G = k->ATTN.H / k->ATTN.K, .D = k->ATTN.D, .E = k->ATTN.E, .scale = k->scale,
           .cap = k->softcap};
  layout(g, &f);
  LLVMValueRef mask = cg_arg_ptr(g, KARG(ATTN, mask)), zero = cg_i64(g, 0), one = cg_i64(g, 1), G = cg_i64(g, f.G);
  f.kh = cg_urem(g, cg_task(g), cg_i64(g, f.K));
  LLVMValueRef at = scaled(g, cg_udiv(g, cg_task(g), cg_i64(g, f.K)), sizeof(RtQBlock));
  LLVMValueRef blk = cg_at(g, g->i8, attn_field_ptr(g, mask, offsetof(RtMask, blk)), at);
  f.lo = attn_field_ptr(g, mask, offsetof(RtMask, lo));
  f.hi = attn_field_ptr(g, mask, offsetof(RtMask, hi));
  f.q0 = attn_field_i32(g, blk, offsetof(RtQBlock, q0));
  f.key0 = attn_field_i32(g, blk, offsetof(RtQBlock, key0));
  f.kmax = attn_field_i32(g, blk, offsetof(RtQBlock, kmax));
  LLVMValueRef nq = attn_field_i32(g, blk, offsetof(RtQBlock, nq)), few = cg_lt(g, nq, G);
  LLVMValueRef head = cg_add(g, scaled(g, f.key0, f.K), f.kh);
  f.k = cg_at(g, g->f32, cg_arg_ptr(g, KARG(ATTN, k)), scaled(g, head, f.D));
  f.v = cg_at(g, g->f32, cg_arg_ptr(g, KARG(ATTN, v)), scaled(g, head, f.E));
  f.chunks = cg_select(g, few, nq, G);
  f.M = cg_select(g, few, G, nq);
  f.pad = attn_ceil(g, f.M, LANES);
  f.q_chunk = f.g_row = cg_select(g, few, one, zero);
  f.q_row = f.g_chunk = cg_select(g, few, zero, one);
  return f;
}

static Chunk chunk_at(Cg *g, const Fwd *f, LLVMValueRef c) {
  LLVMValueRef q = cg_add(g, f->q0, cg_mul(g, c, f->q_chunk));
  LLVMValueRef h = cg_add(g, scaled(g, f->kh, f->G), cg_mul(g, c, f->g_chunk));
  return (Chunk){q, h, cg_mul(g, c, f->pad)};
}

// Row 0 of a chunk in an array [query rows][H][n], and the stride of its rows.
static LLVMValueRef chunk_ptr(Cg *g, const Fwd *f, const Chunk *c, int arg, int64_t n) {
  return cg_at(g, g->f32, cg_arg_ptr(g, arg), scaled(g, cg_add(g, scaled(g, c->q, f->H), c->g), n));
}
static LLVMValueRef chunk_stride(Cg *g, const Fwd *f, int64_t n) {
  return scaled(g, cg_add(g, scaled(g, f->q_row, f->H), f->g_row), n);
}

// ---- softmax of one chunk over one key block

// Scores as they enter the softmax: scaled, capped, -inf where not visible.
static LLVMValueRef score(Cg *g, const Fwd *f, LLVMValueRef s, LLVMValueRef visible) {
  if (f->cap != 0) {
    s = cg_vtanh(g, cg_fmul(g, s, cg_splatc(g, f->scale / f->cap)));
    s = cg_fmul(g, s, cg_splatc(g, f->cap));
  } else {
    s = cg_fmul(g, s, cg_splatc(g, f->scale));
  }
  return cg_select(g, visible, s, cg_splatc(g, -__builtin_inf()));
}

// Scores in place, and each row's new maximum.
static void find_maxima(Cg *g, const Fwd *f, const Block *b, const Chunk *c) {
  CgLoop r = cg_loop(g, cg_i64(g, 0), f->M, 1);
  AttnRow row = attn_row(g, f->lo, f->hi, cg_add(g, c->q, cg_mul(g, r.i, f->q_row)), b->kb);
  LLVMValueRef S = floats_at(g, f->S, scaled(g, r.i, ATTN_BK));
  LLVMValueRef most = cg_var(g, g->v16f32, cg_splatc(g, -__builtin_inf()));
  CgLoop l = cg_loop(g, b->first, b->n, LANES);
  LLVMValueRef p = cg_at(g, g->f32, S, l.i), s = score(g, f, cg_load16(g, p), attn_visible(g, row, l.i));
  cg_store16(g, s, p);
  cg_set(g, most, cg_fmax(g, s, cg_get(g, g->v16f32, most)));
  cg_loop_end(g, &l);
  LLVMValueRef now = cg_max16(g, cg_get(g, g->v16f32, most));
  LLVMValueRef before = cg_load(g, g->f32, floats_at(g, f->run, cg_add(g, c->base, r.i)));
  cg_store(g, cg_fmax(g, now, before), floats_at(g, f->max, r.i));
  cg_loop_end(g, &r);
}

// What earlier sums are multiplied with, for 16 rows at a time: exp(old - new), exactly 1 where the maximum stays. A
// row that has seen nothing yet (-inf) subtracts 0, so that exp(-inf - 0) is 0 and not NaN.
static void find_rescale(Cg *g, const Fwd *f, const Chunk *c) {
  CgLoop r = cg_loop(g, cg_i64(g, 0), f->M, LANES);
  LLVMValueRef at = floats_at(g, f->run, cg_add(g, c->base, r.i));
  LLVMValueRef before = cg_load16(g, at), now = cg_load16(g, floats_at(g, f->max, r.i));
  LLVMValueRef none = LLVMBuildFCmp(g->b, LLVMRealOEQ, now, cg_splatc(g, -__builtin_inf()), "");
  LLVMValueRef safe = cg_select(g, none, cg_splatc(g, 0), now);
  LLVMValueRef same = LLVMBuildFCmp(g->b, LLVMRealOEQ, before, now, "");
  LLVMValueRef scale = cg_select(g, same, cg_splatc(g, 1), cg_vexp(g, cg_fsub(g, before, safe)));
  cg_store16(g, now, at);
  cg_store16(g, safe, floats_at(g, f->safe, r.i));
  cg_store16(g, scale, floats_at(g, f->scl, r.i));
  cg_loop_end(g, &r);
}

typedef struct Rescale {
  LLVMValueRef row, by;
} Rescale;

static void rescale_vector(Cg *g, void *user, LLVMValueRef at, LLVMValueRef mask) {
  const Rescale *r = user;
  attn_store(g, cg_fmul(g, attn_load(g, r->row, at, mask), r->by), r->row, at, mask);
}

// Probabilities in place of scores; sums and, after the first block, outputs rescaled.
static void exponentiate(Cg *g, const Fwd *f, const Block *b, const Chunk *c) {
  CgLoop r = cg_loop(g, cg_i64(g, 0), f->M, 1);
  LLVMValueRef state = cg_add(g, c->base, r.i), at = floats_at(g, f->sum, scaled(g, state, LANES));
  LLVMValueRef by = cg_load(g, g->f32, floats_at(g, f->scl, r.i));
  LLVMValueRef safe = cg_splat(g, cg_load(g, g->f32, floats_at(g, f->safe, r.i)));
  LLVMValueRef sum = cg_var(g, g->v16f32, cg_fmul(g, cg_load16(g, at), cg_splat(g, by)));
  LLVMValueRef S = floats_at(g, f->S, scaled(g, r.i, ATTN_BK));
  CgLoop l = cg_loop(g, b->first, b->n, LANES);
  LLVMValueRef p = cg_at(g, g->f32, S, l.i), e = cg_vexp(g, cg_fsub(g, cg_load16(g, p), safe));
  cg_store16(g, e, p);
  cg_set(g, sum, cg_fadd(g, cg_get(g, g->v16f32, sum), e));
  cg_loop_end(g, &l);
  cg_store16(g, cg_get(g, g->v16f32, sum), at);
  LLVMValueRef changed = LLVMBuildFCmp(g->b, LLVMRealUNE, by, cg_f32(g, 1), "");
  CgIf in = cg_if(g, LLVMBuildAnd(g->b, changed, cg_lt(g, cg_i64(g, 0), b->later), ""));
  Rescale o = {floats_at(g, f->O, scaled(g, state, f->Ep)), cg_splat(g, by)};
  attn_each16(g, f->E, rescale_vector, &o);
  cg_endif(g, &in);
  cg_loop_end(g, &r);
}

static void chunk_block(Cg *g, const Fwd *f, const Block *b, const Chunk *c) {
  LLVMValueRef bk = cg_i64(g, ATTN_BK), D = cg_i64(g, f->D), E = cg_i64(g, f->E);
  LLVMValueRef cols = cg_sub(g, attn_ceil(g, b->n, PANEL), b->first);
  cg_mm(g, &(MmCall){.A = mm_rows(DT_F32, chunk_ptr(g, f, c, KARG(ATTN, q), f->D), chunk_stride(g, f, f->D)),
                     .B = mm_packed(DT_F32, floats_at(g, f->kt, cg_mul(g, b->first, D)), cg_i64(g, f->D * PANEL)),
                     .C = mm_rows(DT_F32, floats_at(g, f->S, b->first), bk), .M = f->M, .N = cols, .K = D});
  find_maxima(g, f, b, c);
  find_rescale(g, f, c);
  exponentiate(g, f, b, c);
  LLVMValueRef stride = cg_i64(g, f->K * f->E), key = cg_add(g, b->kb, b->a);
  cg_mm(g, &(MmCall){.A = mm_rows(DT_F32, floats_at(g, f->S, b->a), bk),
                     .B = mm_plain(g, DT_F32, cg_at(g, g->f32, f->v, cg_mul(g, key, stride)), stride),
                     .C = mm_rows(DT_F32, floats_at(g, f->O, scaled(g, c->base, f->Ep)), cg_i64(g, f->Ep)), .M = f->M, .N = E,
                     .K = cg_sub(g, b->n, b->a), .acc = b->later});
}

// ---- start and end of a task

static void start(Cg *g, const Fwd *f) {
  LLVMValueRef rows = cg_mul(g, f->chunks, f->pad);
  attn_zero(g, cg_scratch(g, f->sum), cg_i64(g, LANES), rows, LANES);
  CgLoop l = cg_loop(g, cg_i64(g, 0), rows, LANES);
  cg_store16(g, cg_splatc(g, -__builtin_inf()), floats_at(g, f->run, l.i));
  cg_loop_end(g, &l);
}

// Per 16 rows: 1 / sum to safe, lse to scl.
static void normalisers(Cg *g, const Fwd *f, const Chunk *c) {
  CgLoop r = cg_loop(g, cg_i64(g, 0), f->M, 1);
  LLVMValueRef lanes = cg_load16(g, floats_at(g, f->sum, scaled(g, cg_add(g, c->base, r.i), LANES)));
  cg_store(g, cg_sum16(g, lanes), floats_at(g, f->max, r.i));
  cg_loop_end(g, &r);
  CgLoop l = cg_loop(g, cg_i64(g, 0), f->M, LANES);
  LLVMValueRef sum = cg_load16(g, floats_at(g, f->max, l.i));
  LLVMValueRef run = cg_load16(g, floats_at(g, f->run, cg_add(g, c->base, l.i)));
  LLVMValueRef none = LLVMBuildFCmp(g->b, LLVMRealOEQ, sum, cg_splatc(g, 0), "");
  LLVMValueRef lse = cg_select(g, none, cg_splatc(g, -__builtin_inf()), cg_fadd(g, run, cg_vlog(g, sum)));
  cg_store16(g, cg_select(g, none, cg_splatc(g, 0), cg_fdiv(g, cg_splatc(g, 1), sum)), floats_at(g, f->safe, l.i));
  cg_store16(g, lse, floats_at(g, f->scl, l.i));
  cg_loop_end(g, &l);
}

typedef struct Finish {
  LLVMValueRef from, to, by, some;
} Finish;

// An empty row's sums hold nothing meaningful: exactly 0 by selection. + 0 turns -0 into 0.
static void finish_vector(Cg *g, void *user, LLVMValueRef at, LLVMValueRef mask) {
  const Finish *f = user;
  LLVMValueRef zero = cg_splatc(g, 0), o = cg_fmul(g, attn_load(g, f->from, at, mask), f->by);
  attn_store(g, cg_select(g, f->some, cg_fadd(g, o, zero), zero), f->to, at, mask);
}

static void finish(Cg *g, const Fwd *f, const Chunk *c) {
  normalisers(g, f, c);
  LLVMValueRef out = chunk_ptr(g, f, c, KARG(ATTN, out), f->E), lse = chunk_ptr(g, f, c, KARG(ATTN, lse), 1);
  CgLoop r = cg_loop(g, cg_i64(g, 0), f->M, 1);
  LLVMValueRef by = cg_load(g, g->f32, floats_at(g, f->safe, r.i));
  Finish to = {.from = floats_at(g, f->O, scaled(g, cg_add(g, c->base, r.i), f->Ep)),
               .to = cg_at(g, g->f32, out, cg_mul(g, r.i, chunk_stride(g, f, f->E))),
               .by = cg_splat(g, by),
               .some = LLVMBuildFCmp(g->b, LLVMRealUNE, by, cg_f32(g, 0), "")};
  attn_each16(g, f->E, finish_vector, &to);
  LLVMValueRef lse_at = cg_at(g, g->f32, lse, cg_mul(g, r.i, chunk_stride(g, f, 1)));
  cg_store(g, cg_load(g, g->f32, floats_at(g, f->scl, r.i)), lse_at);
  cg_loop_end(g, &r);
}

void emit_ATTN(Cg *g, const Kernel *k) {
  Fwd f = begin(g, k);
  LLVMValueRef zero = cg_i64(g, 0), lo, hi;
  start(g, &f);
  LLVMValueRef nq = cg_select(g, cg_lt(g, zero, f.q_row), f.M, f.chunks);
  attn_span(g, f.lo, f.hi, f.q0, nq, &lo, &hi);
  LLVMValueRef kb0 = attn_floor(g, lo, ATTN_BK), end = cg_min(g, hi, f.kmax);

  CgLoop l = cg_loop(g, kb0, end, ATTN_BK);
  Block b = {.kb = l.i, .a = cg_max(g, cg_sub(g, lo, l.i), zero)};
  b.n = cg_min(g, cg_sub(g, end, l.i), cg_i64(g, ATTN_BK));
  b.first = attn_floor(g, b.a, PANEL);
  b.later = LLVMBuildZExt(g->b, cg_lt(g, kb0, l.i), g->i64, "");
  attn_pack(g, cg_scratch(g, f.kt), cg_at(g, g->f32, f.k, scaled(g, l.i, f.K * f.D)), f.K * f.D, f.D, b.first, b.n);
  CgLoop c = cg_loop(g, zero, f.chunks, 1);
  Chunk at = chunk_at(g, &f, c.i);
  chunk_block(g, &f, &b, &at);
  cg_loop_end(g, &c);
  cg_loop_end(g, &l);

  c = cg_loop(g, zero, f.chunks, 1);
  at = chunk_at(g, &f, c.i);
  finish(g, &f, &at);
  cg_loop_end(g, &c);
}

LLVMValueRef tasks_ATTN(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)rows;
  return scaled(g, attn_field_i64(g, ptr[KARG(ATTN, mask)], offsetof(RtMask, nblk)), k->ATTN.K);
}
