// Attention backward, without the matrix of probabilities: it is recomputed from lse (Dao et al., arXiv 2205.14135).
// One task is a sequence and one key head: it owns dk and dv of all its key rows and dq of its query rows for the heads
// of the group, and writes all of them. Per key block, keys and values are packed once; per chunk of rows and head
//   S = q k^T   dP = dout v^T   P = exp(cap(scale S) - lse)   dS = scale P (dP - delta) cap'   delta = sum_e dout out
//   dv += P^T dout   dk += dS^T q   dq += dS k
// always in the same order: key blocks, chunks of rows, heads.
#include <stddef.h>

#include "llvm/emit_attention.h"
#include "runtime/abi/abi.h"

enum { QB = 32 };              // query rows of a chunk

typedef struct Bwd {
  int64_t H, K, G, D, E;
  double scale, cap;
  LLVMValueRef arg[sizeof(KArgs_ATTN_GRAD)];
  LLVMValueRef lo, hi;         // of all query rows
  LLVMValueRef q0, nq, key0, nk, kh;
  LLVMValueRef k, v, dk, dv;   // key row 0 of the sequence, this head
  int64_t kt, vt, P, dS;       // scratch: packed keys and values; S, then P; dP, then dS: [QB][ATTN_BK]
} Bwd;

typedef struct Tile {          // a chunk of query rows against the keys [a, n) of a key block
  LLVMValueRef kb, a, first, n;    // first: a rounded down to 16
  LLVMValueRef row, m;         // absolute first query row, number of rows
  LLVMValueRef head;           // absolute query head
} Tile;

static LLVMValueRef floats_at(Cg *g, int64_t offset, LLVMValueRef index) {
  return cg_at(g, g->f32, cg_scratch(g, offset), index);
}
static LLVMValueRef scaled(Cg *g, LLVMValueRef i, int64_t by) { return cg_mul(g, i, cg_i64(g, by)); }

// [row][head] of an array [.][heads][n].
static LLVMValueRef row_of(Cg *g, LLVMValueRef p, LLVMValueRef row, int64_t heads, LLVMValueRef head, int64_t n) {
  return cg_at(g, g->f32, p, scaled(g, cg_add(g, scaled(g, row, heads), head), n));
}

static void layout(Cg *g, Bwd *b) {
  AttnScratch s = {0};
  b->kt = attn_region(&s, attn_panel_floats(b->D));
  b->vt = attn_region(&s, attn_panel_floats(b->E));
  b->P = attn_region(&s, QB * ATTN_BK);
  b->dS = attn_region(&s, QB * ATTN_BK);
  cg_need_scratch(g, s.used);
}

static Bwd begin(Cg *g, const Kernel *k) {
  Bwd b = {.H = k->ATTN_GRAD.H, .K = k->ATTN_GRAD.K, .G = k->ATTN_GRAD.H / k->ATTN_GRAD.K, .D = k->ATTN_GRAD.D, .E = k->ATTN_GRAD.E,
           .scale = k->scale, .cap = k->softcap};
  layout(g, &b);
  for (int i = 0; i < (int)sizeof(KArgs_ATTN_GRAD); i++) b.arg[i] = cg_arg_ptr(g, i);
  LLVMValueRef mask = b.arg[KARG(ATTN_GRAD, mask)], at = scaled(g, cg_udiv(g, cg_task(g), cg_i64(g, b.K)), sizeof(RtSeq));
  LLVMValueRef seq = cg_at(g, g->i8, attn_field_ptr(g, mask, offsetof(RtMask, seq)), at);
  b.kh = cg_urem(g, cg_task(g), cg_i64(g, b.K));
  b.lo = attn_field_ptr(g, mask, offsetof(RtMask, lo));
  b.hi = attn_field_ptr(g, mask, offsetof(RtMask, hi));
  b.q0 = attn_field_i32(g, seq, offsetof(RtSeq, q0));
  b.nq = attn_field_i32(g, seq, offsetof(RtSeq, nq));
  b.key0 = attn_field_i32(g, seq, offsetof(RtSeq, key0));
  b.nk = attn_field_i32(g, seq, offsetof(RtSeq, nk));
  b.k = row_of(g, b.arg[KARG(ATTN_GRAD, k)], b.key0, b.K, b.kh, b.D);
  b.v = row_of(g, b.arg[KARG(ATTN_GRAD, v)], b.key0, b.K, b.kh, b.E);
  b.dk = row_of(g, b.arg[KARG(ATTN_GRAD, dk)], b.key0, b.K, b.kh, b.D);
  b.dv = row_of(g, b.arg[KARG(ATTN_GRAD, dv)], b.key0, b.K, b.kh, b.E);
  return b;
}

// ---- the elementwise part of a tile

typedef struct Dot {
  LLVMValueRef a, b, sum;
} Dot;

static void dot_vector(Cg *g, void *user, LLVMValueRef at, LLVMValueRef mask) {
  const Dot *d = user;
  LLVMValueRef a = attn_load(g, d->a, at, mask), b = attn_load(g, d->b, at, mask);
  cg_set(g, d->sum, cg_fma(g, a, b, cg_get(g, g->v16f32, d->sum)));
}

static LLVMValueRef dot(Cg *g, LLVMValueRef a, LLVMValueRef b, int64_t n) {
  Dot d = {a, b, cg_var(g, g->v16f32, cg_splatc(g, 0))};
  attn_each16(g, n, dot_vector, &d);
  return cg_sum16(g, cg_get(g, g->v16f32, d.sum));
}

// 16 columns: scores become probabilities, dP becomes dS. An empty row's lse is -inf: its columns are all hidden, so
// exp's infinity is never taken.
static void columns(Cg *g, const Bwd *b, LLVMValueRef visible, LLVMValueRef s_at, LLVMValueRef d_at, LLVMValueRef lse,
                    LLVMValueRef delta) {
  LLVMValueRef s = cg_load16(g, s_at), slope = cg_splatc(g, b->scale), zero = cg_splatc(g, 0);
  if (b->cap != 0) {
    LLVMValueRef t = cg_vtanh(g, cg_fmul(g, s, cg_splatc(g, b->scale / b->cap)));
    s = cg_fmul(g, t, cg_splatc(g, b->cap));
    slope = cg_fmul(g, slope, cg_fsub(g, cg_splatc(g, 1), cg_fmul(g, t, t)));
  } else {
    s = cg_fmul(g, s, slope);
  }
  LLVMValueRef p = cg_select(g, visible, cg_vexp(g, cg_fsub(g, s, lse)), zero);
  LLVMValueRef ds = cg_fmul(g, cg_fmul(g, p, cg_fsub(g, cg_load16(g, d_at), delta)), slope);
  cg_store16(g, p, s_at);
  cg_store16(g, cg_select(g, visible, ds, zero), d_at);
}

static void elementwise(Cg *g, const Bwd *b, const Tile *t) {
  CgLoop r = cg_loop(g, cg_i64(g, 0), t->m, 1);
  LLVMValueRef q = cg_add(g, t->row, r.i), at = scaled(g, r.i, ATTN_BK);
  AttnRow row = attn_row(g, b->lo, b->hi, q, t->kb);
  LLVMValueRef lse = cg_splat(g, cg_load(g, g->f32, row_of(g, b->arg[KARG(ATTN_GRAD, lse)], q, b->H, t->head, 1)));
  LLVMValueRef dout = row_of(g, b->arg[KARG(ATTN_GRAD, dout)], q, b->H, t->head, b->E);
  LLVMValueRef out = row_of(g, b->arg[KARG(ATTN_GRAD, out)], q, b->H, t->head, b->E);
  LLVMValueRef delta = cg_splat(g, dot(g, dout, out, b->E));
  CgLoop l = cg_loop(g, t->first, t->n, LANES);
  LLVMValueRef col = cg_add(g, at, l.i);
  columns(g, b, attn_visible(g, row, l.i), floats_at(g, b->P, col), floats_at(g, b->dS, col), lse, delta);
  cg_loop_end(g, &l);
  cg_loop_end(g, &r);
}

// ---- products

// dst[m, cols] = rows of x times the packed rows [D][16].
static void scores(Cg *g, const Tile *t, LLVMValueRef x, int64_t stride, int64_t packed, int64_t D, int64_t dst) {
  LLVMValueRef cols = cg_sub(g, attn_ceil(g, t->n, PANEL), t->first);
  cg_mm(g, &(MmCall){.A = mm_rows(DT_F32, x, cg_i64(g, stride)),
                     .B = mm_packed(DT_F32, floats_at(g, packed, scaled(g, t->first, D)), cg_i64(g, D * PANEL)),
                     .C = mm_rows(DT_F32, floats_at(g, dst, t->first), cg_i64(g, ATTN_BK)), .M = t->m, .N = cols, .K = cg_i64(g, D)});
}

// dst[keys, D] += the transposed tile times rows of x.
static void to_keys(Cg *g, const Tile *t, int64_t tile, LLVMValueRef x, int64_t stride, LLVMValueRef dst,
                    int64_t dst_stride, int64_t D) {
  LLVMValueRef to = cg_at(g, g->f32, dst, scaled(g, cg_add(g, t->kb, t->a), dst_stride));
  cg_mm(g, &(MmCall){.A = mm_turned(DT_F32, floats_at(g, tile, t->a), cg_i64(g, ATTN_BK)), .B = mm_plain(g, DT_F32, x, cg_i64(g, stride)),
                     .C = mm_rows(DT_F32, to, cg_i64(g, dst_stride)), .M = cg_sub(g, t->n, t->a), .N = cg_i64(g, D), .K = t->m,
                     .acc = cg_i64(g, 1)});
}

static void tile(Cg *g, const Bwd *b, const Tile *t) {
  int64_t qs = b->H * b->D, os = b->H * b->E, ks = b->K * b->D, vs = b->K * b->E;
  LLVMValueRef q = row_of(g, b->arg[KARG(ATTN_GRAD, q)], t->row, b->H, t->head, b->D);
  LLVMValueRef dq = row_of(g, b->arg[KARG(ATTN_GRAD, dq)], t->row, b->H, t->head, b->D);
  LLVMValueRef dout = row_of(g, b->arg[KARG(ATTN_GRAD, dout)], t->row, b->H, t->head, b->E);
  scores(g, t, q, qs, b->kt, b->D, b->P);
  scores(g, t, dout, os, b->vt, b->E, b->dS);
  elementwise(g, b, t);
  to_keys(g, t, b->P, dout, os, b->dv, vs, b->E);
  to_keys(g, t, b->dS, q, qs, b->dk, ks, b->D);
  LLVMValueRef keys = cg_at(g, g->f32, b->k, scaled(g, cg_add(g, t->kb, t->a), ks));
  cg_mm(g, &(MmCall){.A = mm_rows(DT_F32, floats_at(g, b->dS, t->a), cg_i64(g, ATTN_BK)), .B = mm_plain(g, DT_F32, keys, cg_i64(g, ks)),
                     .C = mm_rows(DT_F32, dq, cg_i64(g, qs)), .M = t->m, .N = cg_i64(g, b->D), .K = cg_sub(g, t->n, t->a),
                     .acc = cg_i64(g, 1)});
}

// ---- loops

// Query rows c0 … of a key block.
static void chunk(Cg *g, const Bwd *b, LLVMValueRef kb, LLVMValueRef keys, LLVMValueRef c0) {
  LLVMValueRef lo, hi, zero = cg_i64(g, 0);
  Tile t = {.kb = kb, .row = cg_add(g, b->q0, c0), .m = cg_min(g, cg_i64(g, QB), cg_sub(g, b->nq, c0))};
  attn_span(g, b->lo, b->hi, t.row, t.m, &lo, &hi);
  t.a = cg_max(g, cg_sub(g, lo, kb), zero);
  t.n = cg_min(g, cg_sub(g, hi, kb), keys);
  t.first = attn_floor(g, t.a, PANEL);
  CgIf some = cg_if(g, cg_lt(g, t.a, t.n));
  CgLoop l = cg_loop(g, zero, cg_i64(g, b->G), 1);
  t.head = cg_add(g, scaled(g, b->kh, b->G), l.i);
  tile(g, b, &t);
  cg_loop_end(g, &l);
  cg_endif(g, &some);
}

// The keys [kb, kb + keys), of which those below n are seen by some row. Gradients are cleared right before they are
// added to.
static void key_block(Cg *g, const Bwd *b, LLVMValueRef kb, LLVMValueRef keys, LLVMValueRef n) {
  int64_t ks = b->K * b->D, vs = b->K * b->E;
  LLVMValueRef zero = cg_i64(g, 0), d_at = scaled(g, kb, ks), e_at = scaled(g, kb, vs);
  attn_zero(g, cg_at(g, g->f32, b->dk, d_at), cg_i64(g, ks), keys, b->D);
  attn_zero(g, cg_at(g, g->f32, b->dv, e_at), cg_i64(g, vs), keys, b->E);
  CgIf some = cg_if(g, cg_lt(g, zero, n));
  attn_pack(g, cg_scratch(g, b->kt), cg_at(g, g->f32, b->k, d_at), ks, b->D, zero, n);
  attn_pack(g, cg_scratch(g, b->vt), cg_at(g, g->f32, b->v, e_at), vs, b->E, zero, n);
  CgLoop c = cg_loop(g, zero, b->nq, QB);
  chunk(g, b, kb, n, c.i);
  cg_loop_end(g, &c);
  cg_endif(g, &some);
}

void emit_ATTN_GRAD(Cg *g, const Kernel *k) {
  Bwd b = begin(g, k);
  LLVMValueRef lo, hi, zero = cg_i64(g, 0), most = cg_i64(g, ATTN_BK);
  LLVMValueRef dq = row_of(g, b.arg[KARG(ATTN_GRAD, dq)], b.q0, b.K, b.kh, b.G * b.D);   // the group's heads lie together
  attn_zero(g, dq, cg_i64(g, b.H * b.D), b.nq, b.G * b.D);
  attn_span(g, b.lo, b.hi, b.q0, b.nq, &lo, &hi);
  CgLoop l = cg_loop(g, zero, b.nk, ATTN_BK);
  LLVMValueRef keys = cg_min(g, cg_sub(g, b.nk, l.i), most), n = cg_min(g, cg_sub(g, hi, l.i), keys);
  n = cg_select(g, cg_lt(g, lo, cg_add(g, l.i, most)), n, zero);
  key_block(g, &b, l.i, keys, n);
  cg_loop_end(g, &l);
}

LLVMValueRef tasks_ATTN_GRAD(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)rows;
  return scaled(g, attn_field_i64(g, ptr[KARG(ATTN_GRAD, mask)], offsetof(RtMask, nseq)), k->ATTN_GRAD.K);
}
