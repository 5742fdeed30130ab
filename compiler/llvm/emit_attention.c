// Attention forward, in blocks of keys with an online softmax (Dao et al., arXiv 2205.14135). One task is a block of query rows and one key head: it
// serves all query heads of that key head's group, so that keys and values are packed once for many rows. Floor: 2 (D + E) operations a pair of query
// and key at the rate of the matrix kernels, and an exponential (12 of a Zen 4's cycles a vector with its maximum, where the products of 64 wide heads are 128, in bf16 64; 6 of a
// Zen 5's, where they are 64 and 32: in bf16 products are 84 % of the time at most).
// Rows of a task are "lines" that lie at one stride in memory: all query rows of one head, or, when there are fewer (decoding), all heads of one query
// row. Lines are handled in chunks whose scores stay in the first cache from the product to the softmax to the next product.
#include <stddef.h>

#include "llvm/emit_attention.h"
#include "runtime/abi/abi.h"

enum {
  FEW = 8,                     // fewer query rows than this, and than heads: a line is a query row's heads
  LEAST_PACKED = 8,            // so many rows of a task pay for packing values
  STATE = 512 << 10,           // bytes of outputs of a pass over the keys: those of a block of half the rows, as a long text has, stay in the second cache
  PANELS = 136 << 10,          // bytes of keys and values that are packed at once, or one key block: they stay there beside
};

typedef struct Fwd {
  int64_t H, K, G, D, E;
  int64_t chunk;               // most rows of a chunk
  int64_t heads;               // of a pass over the keys: their state is held at once
  AttnState s;
  int64_t keys;                // packed at once, a multiple of ATTN_BK
  int64_t kt, vt;              // scratch of as many: packed keys, packed values
  int64_t left;                // a chunk's queries as a left operand; -1: they are too long for one, products read them where they are
  int64_t spans;               // of each chunk of query rows, or of each row: what any of them sees, and what all see (SPAN_*)
  LLVMValueRef lo, hi;         // of all query rows
  LLVMValueRef q0, nq, key0, kh;
  bool pairs;                  // products are of pairs of bf16
  AttnRows all_k, all_v, k, v; // whole; of the sequence, this head
  LLVMValueRef lo_all, hi_all; // what any of the task's rows sees
  LLVMValueRef few, packs;     // i1
  LLVMValueRef M, pad;         // rows of a line, and how far apart the states of lines lie
} Fwd;

typedef struct Block {         // keys that are packed at once
  LLVMValueRef kb, a, n;       // their start; keys [a, n) of them that some row may see
  LLVMValueRef fetched;        // variable: up to which key the next ones are on their way
  LLVMValueRef share;          // as many a chunk and key block fetches
  AttnNext next;               // of the thread's next task, with the last keys
} Block;

enum { SPAN_LO, SPAN_HI, SPAN_INNER_LO, SPAN_INNER_HI, SPAN_WORDS };       // keys, i64

static LLVMValueRef scaled(Cg *g, LLVMValueRef i, int64_t by) { return cg_mul(g, i, cg_i64(g, by)); }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// ---- layout

static void layout(Cg *g, Fwd *f) {
  AttnScratch s = {0};
  int64_t Ep = attn_round16(f->E);
  f->chunk = attn_chunk(g);
  f->heads = smaller(f->G, STATE / (RT_QBLOCK * Ep * (int64_t)sizeof(float)));
  if (f->heads < 1) f->heads = 1;
  int64_t lines = f->heads * RT_QBLOCK, few = (smaller(FEW, f->G) - 1) * attn_round16(f->G), rows = lines > few ? lines : few;
  AttnScratch one = {0};
  attn_panels(g, &one, ATTN_BK, f->D), attn_panels(g, &one, Ep, ATTN_BK);
  f->keys = ATTN_BK * (one.used < PANELS ? PANELS / one.used : 1);
  f->kt = attn_panels(g, &s, f->keys, f->D);
  f->vt = attn_panels(g, &s, Ep, f->keys);
  f->left = f->D <= MM_KC * (f->pairs ? 2 : 1) ? attn_region(&s, f->chunk * ATTN_LEFT) : -1;
  f->s.E = f->E, f->s.Ep = Ep;
  f->s.S = attn_region(&s, f->chunk * ATTN_LEFT);
  f->s.max = attn_region(&s, attn_round16(f->chunk));
  f->s.safe = attn_region(&s, attn_round16(f->chunk));
  f->s.scl = attn_region(&s, attn_round16(f->chunk));
  f->s.O = attn_region(&s, rows * Ep);
  f->s.sum = attn_region(&s, rows * LANES);
  f->s.run = attn_region(&s, rows);
  int64_t chunks = (RT_QBLOCK + f->chunk - 1) / f->chunk;
  f->spans = attn_region(&s, 2 * SPAN_WORDS * (chunks > FEW ? chunks : FEW));
  cg_need_scratch(g, s.used);
}

// ---- what rows see

static LLVMValueRef span_at(Cg *g, const Fwd *f, LLVMValueRef i, int word) {
  return cg_at(g, g->i64, cg_scratch(g, f->spans), cg_add(g, scaled(g, i, SPAN_WORDS), cg_i64(g, word)));
}

static void find_spans(Cg *g, const Fwd *f) {
  LLVMValueRef each = cg_select(g, f->few, cg_i64(g, 1), cg_i64(g, f->chunk));
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_select(g, f->few, f->nq, cg_ceildiv(g, f->nq, f->chunk)), 1);
  LLVMValueRef from = cg_mul(g, l.i, each), n = cg_min(g, each, cg_sub(g, f->nq, from)), at[SPAN_WORDS];
  attn_span(g, f->lo, f->hi, cg_add(g, f->q0, from), n, &at[SPAN_LO], &at[SPAN_HI]);
  attn_inner(g, f->lo, f->hi, cg_add(g, f->q0, from), n, &at[SPAN_INNER_LO], &at[SPAN_INNER_HI]);
  for (int i = 0; i < SPAN_WORDS; i++) cg_store(g, at[i], span_at(g, f, l.i, i));
  cg_loop_end(g, &l);
}

// ---- the task

// What the thread's next task begins with; none of few rows, whose keys come from a cache. `rows`: beside how many it is fetched.
static void find_next(Cg *g, const Fwd *f, Block *b, LLVMValueRef rows) {
  LLVMValueRef mask = cg_arg_ptr(g, KARG(ATTN, mask)), zero = cg_i64(g, 0), K = cg_i64(g, f->K), none;
  LLVMValueRef t = attn_task_after(g, mask, cg_task(g), cg_mul(g, attn_field_i64(g, mask, offsetof(RtMask, nblk)), K), &none);
  none = LLVMBuildOr(g->b, none, f->few, "");
  LLVMValueRef blk = cg_at(g, g->i8, attn_field_ptr(g, mask, offsetof(RtMask, blk)), scaled(g, cg_udiv(g, t, K), sizeof(RtQBlock)));
  LLVMValueRef q0 = attn_field_i32(g, blk, offsetof(RtQBlock, q0)), nq = attn_field_i32(g, blk, offsetof(RtQBlock, nq)), kh = cg_urem(g, t, K);
  LLVMValueRef keys = cg_min(g, attn_field_i32(g, blk, offsetof(RtQBlock, kmax)), cg_i64(g, f->keys));
  nq = cg_select(g, none, zero, nq), keys = cg_select(g, none, zero, keys);
  LLVMValueRef head = cg_add(g, scaled(g, attn_field_i32(g, blk, offsetof(RtQBlock, key0)), f->K), kh), query = cg_add(g, scaled(g, q0, f->K), kh);
  AttnRows q = {DT_F32, cg_arg_ptr(g, KARG(ATTN, q)), f->H * f->D}, out = {DT_F32, cg_arg_ptr(g, KARG(ATTN, out)), f->H * f->E};
  AttnNext *n = &b->next;
  *n = (AttnNext){.at = cg_var(g, g->i64, zero), .share = cg_add(g, cg_udiv(g, cg_max(g, nq, keys), rows), cg_i64(g, 1))};
  attn_next_add(n, attn_rows_from(g, f->all_k, scaled(g, head, f->D)), f->D, keys);
  attn_next_add(n, attn_rows_from(g, f->all_v, scaled(g, head, f->E)), f->E, keys);
  attn_next_add(n, attn_rows_from(g, q, scaled(g, query, f->G * f->D)), f->G * f->D, nq);
  attn_next_add(n, attn_rows_from(g, out, scaled(g, query, f->G * f->E)), f->G * f->E, nq);
}

static Fwd begin(Cg *g, const Kernel *k) {
  Fwd f = {.H = k->ATTN.H, .K = k->ATTN.K, .G = k->ATTN.H / k->ATTN.K, .D = k->ATTN.D, .E = k->ATTN.E,
           .s = {.scale = k->scale, .cap = k->softcap}, .pairs = cg_in_pairs(g, attn_panel(g))};
  layout(g, &f);
  LLVMValueRef mask = cg_arg_ptr(g, KARG(ATTN, mask)), G = cg_i64(g, f.G), hi;
  f.kh = cg_urem(g, cg_task(g), cg_i64(g, f.K));
  LLVMValueRef at = scaled(g, cg_udiv(g, cg_task(g), cg_i64(g, f.K)), sizeof(RtQBlock));
  LLVMValueRef blk = cg_at(g, g->i8, attn_field_ptr(g, mask, offsetof(RtMask, blk)), at);
  f.lo = attn_field_ptr(g, mask, offsetof(RtMask, lo));
  f.hi = attn_field_ptr(g, mask, offsetof(RtMask, hi));
  f.q0 = attn_field_i32(g, blk, offsetof(RtQBlock, q0));
  f.nq = attn_field_i32(g, blk, offsetof(RtQBlock, nq));
  f.key0 = attn_field_i32(g, blk, offsetof(RtQBlock, key0));
  LLVMValueRef head = cg_add(g, scaled(g, f.key0, f.K), f.kh);
  f.all_k = attn_rows(g, k, KARG(ATTN, k), f.K * f.D), f.k = attn_rows_from(g, f.all_k, scaled(g, head, f.D));
  f.all_v = attn_rows(g, k, KARG(ATTN, v), f.K * f.E), f.v = attn_rows_from(g, f.all_v, scaled(g, head, f.E));
  attn_span(g, f.lo, f.hi, f.q0, f.nq, &f.lo_all, &hi);
  f.hi_all = cg_min(g, hi, attn_field_i32(g, blk, offsetof(RtQBlock, kmax)));
  f.few = cg_lt(g, f.nq, cg_i64(g, smaller(FEW, f.G)));
  f.packs = f.pairs ? LLVMConstInt(g->i1, 1, false) : cg_lt(g, cg_i64(g, LEAST_PACKED - 1), cg_mul(g, f.nq, G));
  f.M = cg_select(g, f.few, G, f.nq);
  f.pad = cg_select(g, f.few, cg_i64(g, attn_round16(f.G)), cg_i64(g, RT_QBLOCK));
  return f;
}

// Rows of a line from c0 on. h0: the first head of the pass.
typedef struct Lines {
  AttnChunk c;
  LLVMValueRef head;           // absolute, of row 0
  LLVMValueRef span;           // its place among the spans
} Lines;

static Lines lines_at(Cg *g, const Fwd *f, LLVMValueRef h0, LLVMValueRef line, LLVMValueRef c0) {
  LLVMValueRef head = cg_select(g, f->few, c0, cg_add(g, h0, line));
  Lines l = {.head = cg_add(g, scaled(g, f->kh, f->G), head), .span = cg_select(g, f->few, line, cg_udiv(g, c0, cg_i64(g, f->chunk)))};
  l.c = (AttnChunk){.lo = f->lo, .hi = f->hi, .q = cg_add(g, f->q0, cg_select(g, f->few, line, c0)),
                    .q_row = cg_select(g, f->few, cg_i64(g, 0), cg_i64(g, 1)), .m = cg_min(g, cg_i64(g, f->chunk), cg_sub(g, f->M, c0)),
                    .base = cg_add(g, cg_mul(g, line, f->pad), c0)};
  return l;
}

// Row 0 of the lines in an array [query rows][H][n], and the stride of its rows.
static LLVMValueRef lines_ptr(Cg *g, const Fwd *f, const Lines *l, int arg, int64_t n) {
  return cg_at(g, g->f32, cg_arg_ptr(g, arg), scaled(g, cg_add(g, scaled(g, l->c.q, f->H), l->head), n));
}
static LLVMValueRef lines_stride(Cg *g, const Fwd *f, int64_t n) {
  return cg_select(g, f->few, cg_i64(g, n), cg_i64(g, f->H * n));
}

// Does `what` for all chunks of lines of a pass over the heads from h0 on.
typedef void EachLines(Cg *g, const Fwd *f, Lines *l, const Block *b);
static void each_lines(Cg *g, const Fwd *f, LLVMValueRef h0, EachLines *what, const Block *b) {
  LLVMValueRef heads = cg_min(g, cg_i64(g, f->heads), cg_sub(g, cg_i64(g, f->G), h0));
  CgLoop line = cg_loop(g, cg_i64(g, 0), cg_select(g, f->few, f->nq, heads), 1);
  CgLoop c = cg_loop(g, cg_i64(g, 0), f->M, f->chunk);
  Lines l = lines_at(g, f, h0, line.i, c.i);
  what(g, f, &l, b);
  cg_loop_end(g, &c);
  cg_loop_end(g, &line);
}

// ---- a chunk over a key block

// The outputs += probabilities times the values of keys [a, n) of the key block that begins at `at` of what is packed.
static void weigh(Cg *g, const Fwd *f, const Lines *l, LLVMValueRef at, LLVMValueRef a, LLVMValueRef n) {
  LLVMValueRef Ep = cg_i64(g, f->s.Ep);
  MmCall c = {.A = attn_left(g, f->s.S, a),
              .C = mm_rows(DT_F32, attn_floats(g, f->s.O, cg_mul(g, l->c.base, Ep)), Ep), .M = l->c.m, .K = cg_sub(g, n, a), .acc = cg_i64(g, 1),
              .pairs = f->pairs};
  c.B = attn_panels_at(g, f->vt, cg_i64(g, 0), cg_add(g, at, a), f->keys);
  c.N = Ep;
  if (f->pairs) {
    cg_mm(g, &c);
    return;
  }
  CgIf packs = cg_if(g, f->packs);
  cg_mm(g, &c);
  cg_else(g, &packs);
  c.B = mm_plain(g, DT_F32, attn_row_at(g, &f->v, cg_add(g, l->c.kb, a)), cg_i64(g, f->v.stride));
  c.N = cg_i64(g, f->E);
  cg_mm(g, &c);
  cg_endif(g, &packs);
}

// What the next keys and values need comes near (to L2), a few rows at a time: a burst of so many lines would be waited for.
static void fetch_share(Cg *g, const Fwd *f, const Block *b) {
  LLVMValueRef from = cg_get(g, g->i64, b->fetched), to = cg_min(g, f->hi_all, cg_add(g, from, b->share));
  attn_fetch(g, &f->k, f->D, from, to);
  attn_fetch(g, &f->v, f->E, from, to);
  cg_set(g, b->fetched, cg_max(g, from, to));
}

// A chunk's queries as a left operand.
static MmOperand queries(Cg *g, const Fwd *f, const Lines *l) {
  LLVMValueRef p = lines_ptr(g, f, l, KARG(ATTN, q), f->D), stride = lines_stride(g, f, f->D);
  if (f->left < 0) return mm_rows(DT_F32, p, stride);
  CgLoop r = cg_loop(g, cg_i64(g, 0), l->c.m, 1);
  attn_put_row(g, cg_at(g, g->f32, p, cg_mul(g, r.i, stride)), f->D, attn_floats(g, f->left, scaled(g, r.i, ATTN_LEFT)));
  cg_loop_end(g, &r);
  return attn_left(g, f->left, cg_i64(g, 0));
}

// The key block that begins at `at` of what is packed. see: SPAN_* from the start of that.
static void key_block(Cg *g, const Fwd *f, Lines *l, const Block *b, const MmOperand *q, LLVMValueRef at, LLVMValueRef see[SPAN_WORDS]) {
  LLVMValueRef zero = cg_i64(g, 0), size = cg_i64(g, ATTN_BK), a = cg_max(g, cg_sub(g, see[SPAN_LO], at), zero);
  LLVMValueRef n = cg_min(g, cg_sub(g, cg_min(g, see[SPAN_HI], b->n), at), size);
  l->c.kb = cg_add(g, b->kb, at);
  l->c.first = attn_floor(g, a, PANEL);
  l->c.cols = attn_ceil(g, n, PANEL);
  l->c.whole = LLVMBuildAnd(g->b, cg_lt(g, see[SPAN_INNER_LO], cg_add(g, at, cg_i64(g, 1))), cg_lt(g, cg_add(g, at, cg_i64(g, ATTN_BK - 1)), see[SPAN_INNER_HI]), "");
  cg_mm(g, &(MmCall){.A = *q, .B = attn_panels_at(g, f->kt, cg_add(g, at, l->c.first), NULL, f->D), .pairs = f->pairs,
                     .C = mm_rows(DT_F32, attn_floats(g, f->s.S, l->c.first), cg_i64(g, ATTN_LEFT)), .M = l->c.m,
                     .N = cg_sub(g, l->c.cols, l->c.first), .K = cg_i64(g, f->D)});
  l->c.next = &b->next;
  attn_softmax(g, &f->s, &l->c);
  weigh(g, f, l, at, f->pairs ? attn_floor(g, a, 2) : a, n);
  fetch_share(g, f, b);
}

static void chunk_keys(Cg *g, const Fwd *f, Lines *l, const Block *b) {
  LLVMValueRef see[SPAN_WORDS];
  for (int i = 0; i < SPAN_WORDS; i++) see[i] = cg_sub(g, cg_load(g, g->i64, span_at(g, f, l->span, i)), b->kb);
  LLVMValueRef a = cg_max(g, see[SPAN_LO], cg_i64(g, 0)), n = cg_min(g, see[SPAN_HI], b->n);
  CgIf some = cg_if(g, cg_lt(g, a, n));
  MmOperand q = queries(g, f, l);
  CgLoop at = cg_loop(g, attn_floor(g, a, ATTN_BK), n, ATTN_BK);
  key_block(g, f, l, b, &q, at.i, see);
  cg_loop_end(g, &at);
  cg_endif(g, &some);
}

// Keys and values to panels.
static void pack(Cg *g, const Fwd *f, const Block *b) {
  AttnRows k = attn_rows_from(g, f->k, scaled(g, b->kb, f->k.stride)), v = attn_rows_from(g, f->v, scaled(g, b->kb, f->v.stride));
  attn_pack(g, f->kt, &k, f->D, attn_floor(g, b->a, PANEL), b->n);
  CgIf packs = cg_if(g, f->packs);
  attn_pack_rows(g, f->vt, &v, f->E, f->keys, attn_floor(g, b->a, 2), b->n);
  cg_endif(g, &packs);
}

// ---- start and end of a pass

static void start(Cg *g, const Fwd *f, Lines *l, const Block *b) {
  (void)f, (void)b;
  attn_softmax_start(g, &f->s, l->c.base, l->c.m);
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

static void finish(Cg *g, const Fwd *f, Lines *l, const Block *b) {
  (void)b;
  attn_softmax_end(g, &f->s, l->c.base, l->c.m);
  LLVMValueRef out = lines_ptr(g, f, l, KARG(ATTN, out), f->E), lse = lines_ptr(g, f, l, KARG(ATTN, lse), 1);
  CgLoop r = cg_loop(g, cg_i64(g, 0), l->c.m, 1);
  LLVMValueRef by = cg_load(g, g->f32, attn_floats(g, f->s.safe, r.i));
  Finish to = {.from = attn_floats(g, f->s.O, scaled(g, cg_add(g, l->c.base, r.i), f->s.Ep)),
               .to = cg_at(g, g->f32, out, cg_mul(g, r.i, lines_stride(g, f, f->E))),
               .by = cg_splat(g, by),
               .some = LLVMBuildFCmp(g->b, LLVMRealUNE, by, cg_f32(g, 0), "")};
  attn_each16(g, f->E, finish_vector, &to);
  LLVMValueRef lse_at = cg_at(g, g->f32, lse, cg_mul(g, r.i, lines_stride(g, f, 1)));
  cg_store(g, cg_load(g, g->f32, attn_floats(g, f->s.scl, r.i)), lse_at);
  cg_loop_end(g, &r);
}

void emit_ATTN(Cg *g, const Kernel *k) {
  Fwd f = begin(g, k);
  LLVMValueRef zero = cg_i64(g, 0), G = cg_i64(g, f.G);
  find_spans(g, &f);
  CgLoop pass = cg_loop(g, zero, cg_select(g, f.few, cg_i64(g, 1), G), f.heads);
  each_lines(g, &f, pass.i, start, NULL);
  LLVMValueRef lines = cg_select(g, f.few, f.nq, cg_min(g, cg_i64(g, f.heads), cg_sub(g, G, pass.i))), chunks = cg_mul(g, lines, cg_ceildiv(g, f.M, f.chunk));
  Block b = {.fetched = cg_var(g, g->i64, zero), .share = cg_add(g, cg_udiv(g, cg_i64(g, ATTN_BK), chunks), cg_i64(g, 1))};
  find_next(g, &f, &b, cg_mul(g, lines, f.M));
  LLVMValueRef share = b.next.share;
  CgLoop l = cg_loop(g, attn_floor(g, f.lo_all, ATTN_BK), f.hi_all, f.keys);
  b.next.share = cg_select(g, cg_lt(g, cg_add(g, l.i, cg_i64(g, f.keys - 1)), f.hi_all), zero, share);       // with the last keys
  b.kb = l.i, b.a = cg_max(g, cg_sub(g, f.lo_all, l.i), zero), b.n = cg_min(g, cg_sub(g, f.hi_all, l.i), cg_i64(g, f.keys));
  cg_set(g, b.fetched, cg_add(g, l.i, cg_i64(g, f.keys)));
  pack(g, &f, &b);
  each_lines(g, &f, pass.i, chunk_keys, &b);
  cg_loop_end(g, &l);
  each_lines(g, &f, pass.i, finish, NULL);
  cg_loop_end(g, &pass);
}

LLVMValueRef tasks_ATTN(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)rows;
  return scaled(g, attn_field_i64(g, ptr[KARG(ATTN, mask)], offsetof(RtMask, nblk)), k->ATTN.K);
}
