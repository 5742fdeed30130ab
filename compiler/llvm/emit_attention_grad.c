// Attention backward, without the matrix of probabilities: it is recomputed from lse (Dao et al., arXiv 2205.14135).
// One task is PART query rows and PART keys of a sequence and one key head: it adds to dk and dv of these keys, and to dq of these rows for the heads of the
// group, what they are to each other. What keys get is summed over queries in their order, what queries get over keys in theirs: a task follows that of the
// queries before for the same keys, and that of the keys before for the same queries. So tasks run in phases, those whose parts' numbers have one sum, and
// one long text keeps threads as even as many do, with the bits it has on one. In a task, in order: blocks of SB query rows, heads, blocks of ATTN_BK keys, and within these chunks of keys whose tiles of probabilities stay in the first
// cache. Tiles are keys by queries: then a tile is the left operand of the products for dk and dv as it lies, queries are packed once per head and stay
// in the second cache, and lse, delta and masks are vectors. For dq, which sums over keys, dS is the right operand: it is stored as panels too, and dq is
// held turned until its keys are through. Nothing but keys and values is copied on its way into a product.
//   S = k q^T   dP = v dout^T   P = exp(cap(scale S) - lse)   dS = scale P (dP - delta) cap'   delta = sum_e dout out - dlse
//   dv += P dout   dk += dS q   dq += dS^T k, for a whole block of keys at once
#include <stddef.h>

#include "llvm/emit_attention.h"
#include "runtime/abi/abi.h"

enum { SB = 128, GROUPS = SB / LANES };      // query rows of a block, and the vectors that they are
// Distances that are no power of two, or what is stored to all panels, or rows, at once falls into one cache set.
enum { PART = 512 };           // a multiple of SB and ATTN_BK
enum { DQ = SB + LANES, RIGHT_SPARE = LANES };

typedef struct Place {         // of a task
  LLVMValueRef q0, nq, key0, nk, kh;
  LLVMValueRef rows, row_end, keys, key_end;   // its parts, of the sequence; rows below 0: none
} Place;

typedef struct Bwd {
  int64_t H, K, G, D, E;
  int64_t chunk;               // keys of a chunk, and queries of one of dq's: a few tiles of the matrix kernels
  double scale, cap;
  bool pairs;                  // products are of pairs of bf16
  LLVMValueRef arg[sizeof(KArgs_ATTN_GRAD)];
  LLVMValueRef lo, hi;         // of all query rows
  Place at, then;              // its own; the thread's next task's, without rows and keys where there is none
  AttnNext next;               // what comes after a block and head
  LLVMValueRef k, v, dk, dv;   // key row 0 of the sequence, this head
  int64_t qt, ot, q, o;        // scratch of a block and head: q and dout, transposed to panels and as they are
  int64_t kt;                  // of each key block of the part: k turned, a left operand [D][ATTN_LEFT]
  int64_t kt_blocks, kt_floats;        // so many lie side by side, in as much room
  int64_t kv;                  // the part's rows of k and behind them v, from word v_word on, a left operand too; -1: they are too long for one
  int64_t v_word;
  LLVMValueRef turned_blocks;  // variable: those that have been turned, a bit each
  LLVMValueRef seen_end;       // behind the last key that a row of the task sees
  int64_t P, dS;               // tiles [chunk][ATTN_LEFT], left operands; f32 scores and dP before
  int64_t right;               // dS of a key block, a right operand: panels [SB / 16][words of keys][16], RIGHT words apart
  int64_t dq, turned;          // dq of the block and head: [D][DQ], and turned back
  int64_t lse, delta, from, to;    // per query row of the block: -lse in base 2, -delta scaled, the keys it sees (i32)
  int64_t least, most;         // per group of 16: what any sees (i64)
} Bwd;

typedef struct Block {         // query rows of one head
  LLVMValueRef row, m, head;   // first, number, absolute head
  LLVMValueRef lo, hi, inner_lo, inner_hi;     // the keys of the part that any of them sees, and those of the sequence that each sees
} Block;

typedef struct Chunk {         // keys
  LLVMValueRef key, n;         // first, of the sequence; number
  LLVMValueRef at;             // the first's place in the key block, even
  LLVMValueRef c0, c1;         // the columns that see any of them, multiples of 16
} Chunk;

static LLVMValueRef scaled(Cg *g, LLVMValueRef i, int64_t by) { return cg_mul(g, i, cg_i64(g, by)); }
static LLVMValueRef word_at(Cg *g, LLVMTypeRef t, int64_t offset, LLVMValueRef i) { return cg_at(g, t, cg_scratch(g, offset), i); }

// [row][head] of an array [.][heads][n].
static LLVMValueRef row_of(Cg *g, LLVMValueRef p, LLVMValueRef row, int64_t heads, LLVMValueRef head, int64_t n) {
  return cg_at(g, g->f32, p, scaled(g, cg_add(g, scaled(g, row, heads), head), n));
}

static int64_t right_words(const Bwd *b) { return PANEL * ATTN_BK / (b->pairs ? 2 : 1) + RIGHT_SPARE; }

static void layout(Cg *g, Bwd *b) {
  AttnScratch s = {0};
  b->chunk = attn_chunk(g);
  b->qt = attn_panels(g, &s, SB, b->D);
  b->ot = attn_panels(g, &s, SB, b->E);
  b->q = attn_panels(g, &s, b->D, SB);
  b->o = attn_panels(g, &s, b->E, SB);
  b->kt_blocks = MM_KC * (b->pairs ? 2 : 1) / ATTN_BK, b->kt_floats = attn_round16(b->D) * ATTN_LEFT;
  b->kt = attn_region(&s, PART / ATTN_BK / b->kt_blocks * b->kt_floats);
  int64_t word = b->pairs ? 2 : 1;
  b->v_word = attn_round16(b->D) / word;
  b->kv = b->v_word + attn_round16(b->E) / word <= MM_KC ? attn_region(&s, PART * ATTN_LEFT) : -1;
  b->P = attn_region(&s, b->chunk * ATTN_LEFT);
  b->dS = attn_region(&s, b->chunk * ATTN_LEFT);
  b->right = attn_region(&s, GROUPS * right_words(b));
  b->dq = attn_region(&s, attn_round16(b->D) * DQ);
  b->turned = attn_region(&s, SB * attn_round16(b->D));
  b->lse = attn_region(&s, SB), b->delta = attn_region(&s, SB);
  b->from = attn_region(&s, SB), b->to = attn_region(&s, SB);
  b->least = attn_region(&s, 2 * GROUPS), b->most = attn_region(&s, 2 * GROUPS);
  cg_need_scratch(g, s.used);
}

// Sequences times key heads, and the parts of the longest sequence.
static LLVMValueRef seq_heads(Cg *g, LLVMValueRef mask, int64_t K) { return scaled(g, attn_field_i64(g, mask, offsetof(RtMask, nseq)), K); }
static LLVMValueRef most_parts(Cg *g, LLVMValueRef mask) {
  LLVMValueRef seq = attn_field_ptr(g, mask, offsetof(RtMask, seq)), most = cg_var(g, g->i64, cg_i64(g, 1));
  CgLoop l = cg_loop(g, cg_i64(g, 0), attn_field_i64(g, mask, offsetof(RtMask, nseq)), 1);
  LLVMValueRef at = cg_at(g, g->i8, seq, scaled(g, l.i, sizeof(RtSeq)));
  LLVMValueRef longer = cg_max(g, attn_field_i32(g, at, offsetof(RtSeq, nq)), attn_field_i32(g, at, offsetof(RtSeq, nk)));
  cg_set(g, most, cg_max(g, cg_get(g, g->i64, most), longer));
  cg_loop_end(g, &l);
  return cg_ceildiv(g, cg_get(g, g->i64, most), PART);
}

// Of task t of a phase, of lanes (sequences and key heads) by parts.
static Place place(Cg *g, const Bwd *b, LLVMValueRef phase, LLVMValueRef t, LLVMValueRef lanes) {
  LLVMValueRef part = cg_udiv(g, t, lanes), lane = cg_urem(g, t, lanes);
  LLVMValueRef seq = cg_at(g, g->i8, attn_field_ptr(g, b->arg[KARG(ATTN_GRAD, mask)], offsetof(RtMask, seq)), scaled(g, cg_udiv(g, lane, cg_i64(g, b->K)), sizeof(RtSeq)));
  Place p = {.kh = cg_urem(g, lane, cg_i64(g, b->K)), .keys = scaled(g, part, PART), .rows = scaled(g, cg_sub(g, phase, part), PART),
             .q0 = attn_field_i32(g, seq, offsetof(RtSeq, q0)), .nq = attn_field_i32(g, seq, offsetof(RtSeq, nq)),
             .key0 = attn_field_i32(g, seq, offsetof(RtSeq, key0)), .nk = attn_field_i32(g, seq, offsetof(RtSeq, nk))};
  p.key_end = cg_min(g, p.nk, cg_add(g, p.keys, cg_i64(g, PART))), p.row_end = cg_min(g, p.nq, cg_add(g, p.rows, cg_i64(g, PART)));
  return p;
}

// Of the thread's next task. A text that has no such part, beside a longer one, has nothing to fetch: not less than nothing.
static Place next_place(Cg *g, const Bwd *b, LLVMValueRef phase, LLVMValueRef t, LLVMValueRef lanes, LLVMValueRef per_phase) {
  LLVMValueRef zero = cg_i64(g, 0), none, then = attn_task_after(g, b->arg[KARG(ATTN_GRAD, mask)], t, per_phase, &none);
  Place p = place(g, b, phase, then, lanes);
  none = LLVMBuildOr(g->b, none, cg_lt(g, p.rows, zero), "");
  p.rows = cg_select(g, none, zero, p.rows), p.row_end = cg_select(g, none, zero, p.row_end), p.key_end = cg_select(g, none, p.keys, p.key_end);
  p.row_end = cg_max(g, p.rows, p.row_end), p.key_end = cg_max(g, p.keys, p.key_end);
  return p;
}

static Bwd begin(Cg *g, const Kernel *k) {
  Bwd b = {.H = k->ATTN_GRAD.H, .K = k->ATTN_GRAD.K, .G = k->ATTN_GRAD.H / k->ATTN_GRAD.K, .D = k->ATTN_GRAD.D, .E = k->ATTN_GRAD.E,
           .scale = k->scale, .cap = k->softcap, .pairs = cg_in_pairs(g, attn_panel(g))};
  layout(g, &b);
  for (int i = 0; i < (int)sizeof(KArgs_ATTN_GRAD); i++)
    if (i != KARG(ATTN_GRAD, dlse) || k->ATTN_GRAD.shifted) b.arg[i] = cg_arg_ptr(g, i);
  LLVMValueRef mask = b.arg[KARG(ATTN_GRAD, mask)], lanes = seq_heads(g, mask, b.K), parts = most_parts(g, mask), per_phase = cg_mul(g, lanes, parts);
  LLVMValueRef phase = cg_udiv(g, cg_task(g), per_phase), t = cg_urem(g, cg_task(g), per_phase);
  b.at = place(g, &b, phase, t, lanes), b.then = next_place(g, &b, phase, t, lanes, per_phase);
  b.next.at = cg_var(g, g->i64, cg_i64(g, 0)), b.turned_blocks = cg_var(g, g->i64, cg_i64(g, 0));
  b.lo = attn_field_ptr(g, mask, offsetof(RtMask, lo));
  b.hi = attn_field_ptr(g, mask, offsetof(RtMask, hi));
  b.k = row_of(g, b.arg[KARG(ATTN_GRAD, k)], b.at.key0, b.K, b.at.kh, b.D);
  b.v = row_of(g, b.arg[KARG(ATTN_GRAD, v)], b.at.key0, b.K, b.at.kh, b.E);
  b.dk = row_of(g, b.arg[KARG(ATTN_GRAD, dk)], b.at.key0, b.K, b.at.kh, b.D);
  b.dv = row_of(g, b.arg[KARG(ATTN_GRAD, dv)], b.at.key0, b.K, b.at.kh, b.E);
  return b;
}

// ---- a block of query rows: what is made once for all keys

// What comes after block q of the group's head h: its next head, the task's next rows, or the thread's next task, of whose keys the first block is fetched too.
static void find_next(Cg *g, Bwd *b, const Block *q, LLVMValueRef h) {
  LLVMValueRef one = cg_i64(g, 1), zero = cg_i64(g, 0), G = cg_i64(g, b->G), SIZE = cg_i64(g, SB), below = cg_add(g, cg_sub(g, q->row, b->at.q0), SIZE);
  LLVMValueRef heads = cg_lt(g, cg_add(g, h, one), G), rows = cg_lt(g, below, b->at.row_end), task = LLVMBuildNot(g->b, LLVMBuildOr(g->b, heads, rows, ""), "");
  const Place *t = &b->then;
  LLVMValueRef row = cg_select(g, heads, q->row, cg_select(g, rows, cg_add(g, b->at.q0, below), cg_add(g, t->q0, t->rows)));
  LLVMValueRef m = cg_min(g, SIZE, cg_select(g, heads, q->m, cg_select(g, rows, cg_sub(g, b->at.row_end, below), cg_sub(g, t->row_end, t->rows))));
  LLVMValueRef head = cg_select(g, heads, cg_add(g, q->head, one), cg_mul(g, cg_select(g, rows, b->at.kh, t->kh), G));
  LLVMValueRef n = cg_select(g, task, cg_min(g, cg_i64(g, ATTN_BK), cg_sub(g, t->key_end, t->keys)), zero), key = cg_add(g, t->key0, t->keys);
  LLVMValueRef visits = cg_max(g, one, cg_udiv(g, cg_sub(g, q->hi, q->lo), cg_i64(g, 2)));
  b->next.narray = 0, b->next.share = cg_add(g, cg_udiv(g, cg_max(g, m, n), visits), one);
  static const struct { int arg; bool key, E; } ALL[ATTN_NEXT] = {
    {KARG(ATTN_GRAD, q), false, false}, {KARG(ATTN_GRAD, dout), false, true}, {KARG(ATTN_GRAD, out), false, true}, {KARG(ATTN_GRAD, dq), false, false},
    {KARG(ATTN_GRAD, k), true, false}, {KARG(ATTN_GRAD, v), true, true}, {KARG(ATTN_GRAD, dk), true, false}, {KARG(ATTN_GRAD, dv), true, true}};
  for (int i = 0; i < ATTN_NEXT; i++) {
    int64_t heads_of = ALL[i].key ? b->K : b->H, each = ALL[i].E ? b->E : b->D;
    LLVMValueRef p = ALL[i].key ? row_of(g, b->arg[ALL[i].arg], key, b->K, t->kh, each) : row_of(g, b->arg[ALL[i].arg], row, b->H, head, each);
    attn_next_add(&b->next, (AttnRows){DT_F32, p, heads_of * each}, each, ALL[i].key ? n : m);
  }
  cg_set(g, b->next.at, zero);
}

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

// The columns of a block past its last row are copies of that: of an odd number of columns the last one's pair is multiplied by 0.
static LLVMValueRef row_of_column(Cg *g, const Block *q, LLVMValueRef col) { return cg_min(g, col, cg_sub(g, q->m, cg_i64(g, 1))); }

// The intervals of the rows, and of groups of them: independent of the head.
static void find_intervals(Cg *g, const Bwd *b, Block *q) {
  LLVMValueRef zero = cg_i64(g, 0);
  CgLoop r = cg_loop(g, zero, attn_ceil(g, q->m, LANES), 1);
  LLVMValueRef at = cg_add(g, q->row, row_of_column(g, q, r.i)), lo = attn_index_i32(g, b->lo, at), hi = attn_index_i32(g, b->hi, at);
  cg_store(g, LLVMBuildTrunc(g->b, lo, g->i32, ""), word_at(g, g->i32, b->from, r.i));
  cg_store(g, LLVMBuildTrunc(g->b, hi, g->i32, ""), word_at(g, g->i32, b->to, r.i));
  cg_loop_end(g, &r);
  r = cg_loop(g, zero, cg_ceildiv(g, q->m, LANES), 1);
  LLVMValueRef first = scaled(g, r.i, LANES), least, most;
  attn_span(g, b->lo, b->hi, cg_add(g, q->row, first), cg_min(g, cg_i64(g, LANES), cg_sub(g, q->m, first)), &least, &most);
  cg_store(g, least, word_at(g, g->i64, b->least, r.i));
  cg_store(g, most, word_at(g, g->i64, b->most, r.i));
  cg_loop_end(g, &r);
  attn_inner(g, b->lo, b->hi, q->row, q->m, &q->inner_lo, &q->inner_hi);
  attn_span(g, b->lo, b->hi, q->row, q->m, &q->lo, &q->hi);
  q->lo = cg_max(g, q->lo, b->at.keys), q->hi = cg_min(g, q->hi, b->at.key_end);
}

static void begin_head(Cg *g, const Bwd *b, const Block *q) {
  int64_t qs = b->H * b->D, os = b->H * b->E;
  LLVMValueRef zero = cg_i64(g, 0), x = row_of(g, b->arg[KARG(ATTN_GRAD, q)], q->row, b->H, q->head, b->D);
  LLVMValueRef dout = row_of(g, b->arg[KARG(ATTN_GRAD, dout)], q->row, b->H, q->head, b->E);
  LLVMValueRef out = row_of(g, b->arg[KARG(ATTN_GRAD, out)], q->row, b->H, q->head, b->E);
  LLVMValueRef lse = row_of(g, b->arg[KARG(ATTN_GRAD, lse)], q->row, b->H, q->head, 1);
  AttnRows q_rows = {DT_F32, x, qs}, o_rows = {DT_F32, dout, os};
  attn_pack(g, b->qt, &q_rows, b->D, zero, q->m);
  attn_pack(g, b->ot, &o_rows, b->E, zero, q->m);
  attn_pack_rows(g, b->q, &q_rows, b->D, SB, zero, q->m);
  attn_pack_rows(g, b->o, &o_rows, b->E, SB, zero, q->m);
  CgIf more = cg_if(g, cg_lt(g, zero, b->at.keys));        // dq goes on from the keys before
  AttnRows dq = {DT_F32, row_of(g, b->arg[KARG(ATTN_GRAD, dq)], q->row, b->H, q->head, b->D), qs};
  attn_turn(g, 1, cg_scratch(g, b->dq), DQ, &dq, b->D, zero, q->m);
  cg_else(g, &more);
  attn_zero(g, cg_scratch(g, b->dq), cg_i64(g, DQ), cg_i64(g, b->D), SB);
  cg_endif(g, &more);
  CgLoop r = cg_loop(g, zero, attn_ceil(g, q->m, LANES), 1);
  LLVMValueRef row = row_of_column(g, q, r.i);
  LLVMValueRef sum = dot(g, cg_at(g, g->f32, dout, scaled(g, row, os)), cg_at(g, g->f32, out, scaled(g, row, os)), b->E);
  if (b->arg[KARG(ATTN_GRAD, dlse)]) {
    LLVMValueRef dlse = row_of(g, b->arg[KARG(ATTN_GRAD, dlse)], q->row, b->H, q->head, 1);
    sum = cg_fsub(g, sum, cg_load(g, g->f32, cg_at(g, g->f32, dlse, scaled(g, row, b->H))));
  }
  cg_store(g, cg_fmul(g, sum, cg_f32(g, b->cap == 0 ? -b->scale : -1)), word_at(g, g->f32, b->delta, r.i));
  LLVMValueRef l = cg_load(g, g->f32, cg_at(g, g->f32, lse, scaled(g, row, b->H)));
  cg_store(g, cg_fneg(g, l), word_at(g, g->f32, b->lse, r.i));
  cg_loop_end(g, &r);
}

// ---- the elementwise part of a tile

static LLVMValueRef ints(Cg *g, int64_t offset, LLVMValueRef i) { return cg_load(g, g->v16i32, word_at(g, g->i32, offset, i)); }

static LLVMValueRef sees(Cg *g, const Bwd *b, LLVMValueRef key, LLVMValueRef col) {
  LLVMValueRef one = LLVMBuildInsertElement(g->b, LLVMGetPoison(g->v16i32), LLVMBuildTrunc(g->b, key, g->i32, ""), cg_i32(g, 0), "");
  LLVMValueRef all = LLVMBuildShuffleVector(g->b, one, LLVMGetPoison(g->v16i32), LLVMConstNull(g->v16i32), "");
  LLVMValueRef from = LLVMBuildICmp(g->b, LLVMIntSLE, ints(g, b->from, col), all, "");
  return LLVMBuildAnd(g->b, from, LLVMBuildICmp(g->b, LLVMIntSLT, all, ints(g, b->to, col), ""), "");
}

// 16 queries of a key: of scores and dP, probabilities and dS. visible NULL: all. An empty row's lse is -inf: it is hidden, so what comes of it is never taken.
static void columns(Cg *g, const Bwd *b, LLVMValueRef visible, LLVMValueRef P, LLVMValueRef dS, LLVMValueRef col, LLVMValueRef *probability, LLVMValueRef *gradient) {
  LLVMValueRef s = cg_load16(g, cg_at(g, g->f32, P, col)), d = cg_load16(g, cg_at(g, g->f32, dS, col)), less = cg_load16(g, word_at(g, g->f32, b->lse, col));
  LLVMValueRef delta = cg_load16(g, word_at(g, g->f32, b->delta, col)), p, ds;
  if (b->cap != 0) {
    LLVMValueRef t = cg_vtanh(g, cg_fmul(g, s, cg_splatc(g, b->scale / b->cap)));
    LLVMValueRef slope = cg_fmul(g, cg_splatc(g, b->scale), cg_fsub(g, cg_splatc(g, 1), cg_fmul(g, t, t)));
    p = attn_exp2(g, cg_fmul(g, cg_fma(g, t, cg_splatc(g, b->cap), less), cg_splatc(g, ATTN_LOG2E)));
    ds = cg_fmul(g, cg_fmul(g, p, cg_fadd(g, d, delta)), slope);
  } else {
    p = attn_exp2(g, cg_fmul(g, cg_fadd(g, cg_fmul(g, s, cg_splatc(g, b->scale)), less), cg_splatc(g, ATTN_LOG2E)));      // as the forward kernel scaled it: exactly 0 of the one score that counts
    ds = cg_fmul(g, p, cg_fma(g, d, cg_splatc(g, b->scale), delta));
  }
  if (visible) p = cg_select(g, visible, p, cg_splatc(g, 0)), ds = cg_select(g, visible, ds, cg_splatc(g, 0));
  *probability = p, *gradient = ds;
}

// Where key `at` of the block, even, begins in the panel of column col, a multiple of 16.
static LLVMValueRef right_at(Cg *g, const Bwd *b, LLVMValueRef at, LLVMValueRef col) {
  LLVMValueRef panel = cg_mul(g, cg_udiv(g, col, cg_i64(g, PANEL)), cg_i64(g, right_words(b)));
  return attn_floats(g, b->right, cg_add(g, panel, b->pairs ? cg_mul(g, cg_udiv(g, at, cg_i64(g, 2)), cg_i64(g, PANEL)) : scaled(g, at, PANEL)));
}

// Two keys, the second of which nobody sees where there is none.
static void put_right(Cg *g, const Bwd *b, LLVMValueRef at, LLVMValueRef col, LLVMValueRef even, LLVMValueRef odd) {
  LLVMValueRef p = right_at(g, b, at, col);
  if (b->pairs) {
    cg_store(g, mm_words(g, even, odd), p);
    return;
  }
  cg_store16(g, even, p), cg_store16(g, odd, cg_at(g, g->f32, p, cg_i64(g, PANEL)));
}

// Of 32 shorts each of two keys the first or second 16, as pairs.
static LLVMValueRef interleaved(Cg *g, LLVMValueRef even, LLVMValueRef odd, int half) {
  LLVMValueRef at[2 * LANES];
  for (int i = 0; i < 2 * LANES; i++) at[i] = cg_i32(g, half * LANES + i / 2 + i % 2 * 2 * LANES);
  return LLVMBuildShuffleVector(g->b, even, odd, LLVMConstVector(at, 2 * LANES), "");
}

// Two keys' 16 columns, or in pairs 32 of which some may be none of the chunk's: nobody sees the keys there, or nobody reads them.
static void tile_columns(Cg *g, const Bwd *b, const Chunk *c, LLVMValueRef r, LLVMValueRef col, bool masked) {
  LLVMValueRef next = cg_add(g, col, cg_i64(g, LANES)), p[2][2], ds[2][2], words[2];
  int n = b->pairs ? 2 : 1;
  for (int i = 0; i < 2; i++) {
    LLVMValueRef row = cg_add(g, r, cg_i64(g, i)), at = scaled(g, row, ATTN_LEFT), P = attn_floats(g, b->P, at), dS = attn_floats(g, b->dS, at);
    for (int j = 0; j < n; j++) {
      LLVMValueRef from = j ? next : col, visible = masked ? sees(g, b, cg_add(g, c->key, row), from) : NULL;
      columns(g, b, visible, P, dS, from, &p[i][j], &ds[i][j]);
    }
    if (n == 2) attn_put_both(g, p[i][0], p[i][1], P, col), words[i] = attn_put_both(g, ds[i][0], ds[i][1], dS, col);      // over scores already read
    else attn_put_left(g, p[i][0], P, col), attn_put_left(g, ds[i][0], dS, col);
  }
  LLVMValueRef at = cg_add(g, c->at, r);
  if (n == 1) put_right(g, b, at, col, ds[0][0], ds[1][0]);
  else for (int j = 0; j < n; j++) cg_store(g, interleaved(g, words[0], words[1], j), right_at(g, b, at, j ? next : col));
}

static void tile_rows(Cg *g, const Bwd *b, const Chunk *c, bool masked) {
  int64_t each = b->pairs ? 2 * LANES : LANES;
  CgLoop r = cg_loop(g, cg_i64(g, 0), c->n, 2);
  attn_next(g, &b->next);
  CgLoop l = cg_loop(g, attn_floor(g, c->c0, each), c->c1, each);
  tile_columns(g, b, c, r.i, l.i, masked);
  cg_loop_end(g, &l);
  cg_loop_end(g, &r);
}

// ---- a chunk of keys: dk, dv and a part of dS

// The chunk's rows of k, or of v.
static MmOperand key_rows(Cg *g, const Bwd *b, const Chunk *c, bool of_v) {
  int64_t D = of_v ? b->E : b->D, stride = b->K * D;
  if (b->kv < 0) return mm_rows(DT_F32, cg_at(g, g->f32, of_v ? b->v : b->k, scaled(g, c->key, stride)), cg_i64(g, stride));
  return mm_copied(g, attn_floats(g, b->kv, cg_add(g, scaled(g, cg_sub(g, c->key, b->at.keys), ATTN_LEFT), cg_i64(g, of_v ? b->v_word : 0))));
}

// dst[n, columns] = these rows times the packed queries [D][16].
static void scores(Cg *g, const Bwd *b, const Chunk *c, bool of_v, int64_t packed, LLVMValueRef dst) {
  int64_t D = of_v ? b->E : b->D;
  cg_mm(g, &(MmCall){.A = key_rows(g, b, c, of_v), .B = attn_panels_at(g, packed, c->c0, NULL, D), .pairs = b->pairs,
                     .C = mm_rows(DT_F32, cg_at(g, g->f32, dst, c->c0), cg_i64(g, ATTN_LEFT)), .M = c->n, .N = cg_sub(g, c->c1, c->c0), .K = cg_i64(g, D)});
}

// dst[n, D] += the tile times the queries' rows of x.
static void to_keys(Cg *g, const Bwd *b, const Chunk *c, int64_t tile, int64_t packed, LLVMValueRef dst, int64_t stride, int64_t D, LLVMValueRef m) {
  cg_mm(g, &(MmCall){.A = attn_left(g, tile, c->c0),
                     .B = attn_panels_at(g, packed, cg_i64(g, 0), c->c0, SB), .pairs = b->pairs,
                     .C = mm_rows(DT_F32, dst, cg_i64(g, stride)), .M = c->n, .N = cg_i64(g, D), .K = cg_sub(g, cg_min(g, c->c1, m), c->c0),
                     .acc = cg_i64(g, 1)});
}

// The columns between the first and the last group of queries that sees any of the keys.
static void find_columns(Cg *g, const Bwd *b, const Block *q, Chunk *c) {
  LLVMValueRef first = cg_var(g, g->i64, cg_i64(g, SB)), last = cg_var(g, g->i64, cg_i64(g, 0)), end = cg_add(g, c->key, c->n);
  CgLoop l = cg_loop(g, cg_i64(g, 0), cg_ceildiv(g, q->m, LANES), 1);
  LLVMValueRef least = cg_load(g, g->i64, word_at(g, g->i64, b->least, l.i)), most = cg_load(g, g->i64, word_at(g, g->i64, b->most, l.i));
  LLVMValueRef some = LLVMBuildAnd(g->b, cg_lt(g, least, end), cg_lt(g, c->key, most), ""), at = scaled(g, l.i, LANES);
  cg_set(g, first, cg_select(g, some, cg_min(g, cg_get(g, g->i64, first), at), cg_get(g, g->i64, first)));
  cg_set(g, last, cg_select(g, some, cg_add(g, at, cg_i64(g, LANES)), cg_get(g, g->i64, last)));
  cg_loop_end(g, &l);
  c->c0 = cg_get(g, g->i64, first), c->c1 = cg_max(g, cg_get(g, g->i64, last), c->c0);
}

// Columns [from, to) of the chunk's rows of dS: no gradient.
static void clear_columns(Cg *g, const Bwd *b, const Chunk *c, LLVMValueRef from, LLVMValueRef to) {
  CgLoop l = cg_loop(g, from, to, LANES);
  CgLoop r = cg_loop(g, cg_i64(g, 0), c->n, 2);
  put_right(g, b, cg_add(g, c->at, r.i), l.i, cg_splatc(g, 0), cg_splatc(g, 0));
  cg_loop_end(g, &r);
  cg_loop_end(g, &l);
}

static void chunk(Cg *g, const Bwd *b, const Block *q, Chunk *c) {
  int64_t ks = b->K * b->D, vs = b->K * b->E;
  LLVMValueRef d_at = scaled(g, c->key, ks), e_at = scaled(g, c->key, vs), dS = cg_scratch(g, b->dS), P = cg_scratch(g, b->P);
  find_columns(g, b, q, c);
  clear_columns(g, b, c, cg_i64(g, 0), cg_min(g, c->c0, q->m));
  clear_columns(g, b, c, c->c1, q->m);
  CgIf some = cg_if(g, cg_lt(g, c->c0, c->c1));
  scores(g, b, c, false, b->qt, P);
  scores(g, b, c, true, b->ot, dS);
  LLVMValueRef whole = LLVMBuildAnd(g->b, cg_lt(g, q->inner_lo, cg_add(g, c->key, cg_i64(g, 1))),
                                    cg_lt(g, cg_add(g, c->key, cg_sub(g, c->n, cg_i64(g, 1))), q->inner_hi), "");
  whole = LLVMBuildAnd(g->b, whole, LLVMBuildICmp(g->b, LLVMIntEQ, cg_urem(g, c->n, cg_i64(g, 2)), cg_i64(g, 0), ""), "");
  CgIf all = cg_if(g, whole);
  tile_rows(g, b, c, false);
  cg_else(g, &all);
  tile_rows(g, b, c, true);
  cg_endif(g, &all);
  to_keys(g, b, c, b->P, b->o, cg_at(g, g->f32, b->dv, e_at), vs, b->E, q->m);
  to_keys(g, b, c, b->dS, b->q, cg_at(g, g->f32, b->dk, d_at), ks, b->D, q->m);
  cg_endif(g, &some);
}

// ---- a block of keys

// k and v of `keys` keys from kb on as a left operand.
static void put_keys(Cg *g, const Bwd *b, LLVMValueRef kb, LLVMValueRef keys) {
  if (b->kv < 0) return;
  CgLoop r = cg_loop(g, kb, cg_add(g, kb, keys), 1);
  LLVMValueRef to = scaled(g, cg_sub(g, r.i, b->at.keys), ATTN_LEFT);
  attn_put_row(g, cg_at(g, g->f32, b->k, scaled(g, r.i, b->K * b->D)), b->D, attn_floats(g, b->kv, to));
  attn_put_row(g, cg_at(g, g->f32, b->v, scaled(g, r.i, b->K * b->E)), b->E, attn_floats(g, b->kv, cg_add(g, to, cg_i64(g, b->v_word))));
  cg_loop_end(g, &r);
}

// k turned, of the key block that begins at kb: once for all query rows and heads of the task, and so are k and v copied. Where it lies.
static LLVMValueRef turned_block(Cg *g, const Bwd *b, LLVMValueRef kb) {
  int64_t word = b->pairs ? 2 : 1, ks = b->K * b->D;
  LLVMValueRef i = cg_udiv(g, cg_sub(g, kb, b->at.keys), cg_i64(g, ATTN_BK)), blocks = cg_i64(g, b->kt_blocks);
  LLVMValueRef at = cg_add(g, scaled(g, cg_udiv(g, i, blocks), b->kt_floats), scaled(g, cg_urem(g, i, blocks), ATTN_BK / word));
  LLVMValueRef bit = LLVMBuildShl(g->b, cg_i64(g, 1), i, ""), were = cg_get(g, g->i64, b->turned_blocks);
  CgIf turn = cg_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, LLVMBuildAnd(g->b, were, bit, ""), cg_i64(g, 0), ""));
  LLVMValueRef keys = cg_min(g, cg_i64(g, ATTN_BK), cg_sub(g, b->seen_end, kb));
  attn_turn(g, (int)word, attn_floats(g, b->kt, at), ATTN_LEFT, &(AttnRows){DT_F32, cg_at(g, g->f32, b->k, scaled(g, kb, ks)), ks}, b->D, cg_i64(g, 0), keys);
  put_keys(g, b, kb, keys);
  cg_set(g, b->turned_blocks, LLVMBuildOr(g->b, were, bit, ""));
  cg_endif(g, &turn);
  return at;
}

// dq, turned, of 32 query rows from the keys of the block that they see; k is turned at kt.
enum { COLUMNS = 2 * PANEL };
static void to_queries(Cg *g, const Bwd *b, const Block *q, LLVMValueRef kb, LLVMValueRef keys, LLVMValueRef kt, LLVMValueRef r) {
  LLVMValueRef m = cg_min(g, cg_i64(g, COLUMNS), cg_sub(g, q->m, r)), lo, hi;
  attn_span(g, b->lo, b->hi, cg_add(g, q->row, r), m, &lo, &hi);
  LLVMValueRef a = attn_floor(g, cg_max(g, cg_sub(g, lo, kb), cg_i64(g, 0)), 2), n = cg_min(g, cg_sub(g, hi, kb), keys);
  CgIf some = cg_if(g, cg_lt(g, a, n));
  MmOperand k = attn_left(g, b->kt, a);
  k.p = cg_at(g, g->f32, k.p, kt);
  cg_mm(g, &(MmCall){.A = k,
                     .B = mm_packed(attn_panel(g), right_at(g, b, a, r), cg_i64(g, right_words(b) * (b->pairs ? 2 : 1))), .pairs = b->pairs,
                     .C = mm_rows(DT_F32, attn_floats(g, b->dq, r), cg_i64(g, DQ)), .M = cg_i64(g, b->D), .N = attn_ceil(g, m, PANEL),
                     .K = cg_sub(g, n, a), .acc = cg_i64(g, 1)});
  cg_endif(g, &some);
}

typedef struct Row {
  LLVMValueRef from, to;
} Row;

static void copy_vector(Cg *g, void *user, LLVMValueRef at, LLVMValueRef mask) {
  const Row *r = user;
  attn_store(g, attn_load(g, r->from, at, mask), r->to, at, mask);
}

static void end_head(Cg *g, const Bwd *b, const Block *q) {
  LLVMValueRef zero = cg_i64(g, 0), dq = row_of(g, b->arg[KARG(ATTN_GRAD, dq)], q->row, b->H, q->head, b->D);
  int64_t stride = attn_round16(b->D);
  attn_turn(g, 1, cg_scratch(g, b->turned), stride, &(AttnRows){DT_F32, cg_scratch(g, b->dq), DQ}, SB, zero, cg_i64(g, b->D));
  CgLoop r = cg_loop(g, zero, q->m, 1);
  Row row = {attn_floats(g, b->turned, scaled(g, r.i, stride)), cg_at(g, g->f32, dq, scaled(g, r.i, b->H * b->D))};
  attn_each16(g, b->D, copy_vector, &row);
  cg_loop_end(g, &r);
}

// What the next block of keys needs comes near meanwhile.
static void fetch(Cg *g, const Bwd *b, LLVMValueRef from, LLVMValueRef to) {
  int64_t ks = b->K * b->D, vs = b->K * b->E;
  attn_fetch(g, &(AttnRows){DT_F32, b->k, ks}, b->D, from, to);
  attn_fetch(g, &(AttnRows){DT_F32, b->v, vs}, b->E, from, to);
  attn_fetch(g, &(AttnRows){DT_F32, b->dk, ks}, b->D, from, to);
  attn_fetch(g, &(AttnRows){DT_F32, b->dv, vs}, b->E, from, to);
}

static void key_block(Cg *g, const Bwd *b, const Block *q, LLVMValueRef kb) {
  LLVMValueRef zero = cg_i64(g, 0), end = cg_min(g, b->at.key_end, q->hi), keys = cg_min(g, cg_i64(g, ATTN_BK), cg_sub(g, end, kb));
  LLVMValueRef a = attn_floor(g, cg_max(g, zero, cg_sub(g, q->lo, kb)), 2), next = cg_add(g, kb, cg_i64(g, ATTN_BK));
  fetch(g, b, next, cg_min(g, end, cg_add(g, next, cg_i64(g, ATTN_BK))));
  LLVMValueRef kt = turned_block(g, b, kb);
  CgLoop l = cg_loop(g, a, keys, b->chunk);
  Chunk c = {.key = cg_add(g, kb, l.i), .n = cg_min(g, cg_i64(g, b->chunk), cg_sub(g, keys, l.i)), .at = l.i};
  chunk(g, b, q, &c);
  cg_loop_end(g, &l);
  l = cg_loop(g, zero, q->m, COLUMNS);
  to_queries(g, b, q, kb, keys, kt, l.i);
  cg_loop_end(g, &l);
}

void emit_ATTN_GRAD(Cg *g, const Kernel *k) {
  Bwd b = begin(g, k);
  LLVMValueRef zero = cg_i64(g, 0), one = cg_i64(g, 1);
  CgIf first = cg_if(g, LLVMBuildICmp(g->b, LLVMIntEQ, b.at.rows, zero, ""));
  int64_t ks = b.K * b.D, vs = b.K * b.E;
  LLVMValueRef n = cg_sub(g, b.at.key_end, b.at.keys);     // below 0: none
  attn_zero(g, cg_at(g, g->f32, b.dk, scaled(g, b.at.keys, ks)), cg_i64(g, ks), n, b.D);
  attn_zero(g, cg_at(g, g->f32, b.dv, scaled(g, b.at.keys, vs)), cg_i64(g, vs), n, b.E);
  cg_endif(g, &first);
  LLVMValueRef none = cg_lt(g, b.at.rows, zero), lo, hi;
  attn_span(g, b.lo, b.hi, cg_add(g, b.at.q0, b.at.rows), cg_select(g, none, zero, cg_sub(g, b.at.row_end, b.at.rows)), &lo, &hi);
  b.seen_end = cg_min(g, b.at.key_end, hi);
  CgLoop s = cg_loop(g, b.at.rows, cg_select(g, none, b.at.rows, b.at.row_end), SB);
  Block q = {.row = cg_add(g, b.at.q0, s.i), .m = cg_min(g, cg_i64(g, SB), cg_sub(g, b.at.row_end, s.i))};
  find_intervals(g, &b, &q);
  LLVMValueRef some = LLVMBuildOr(g->b, cg_lt(g, q.lo, q.hi), cg_lt(g, b.at.keys, one), "");      // the first keys' task begins dq of rows without any
  CgIf work = cg_if(g, some);
  CgLoop h = cg_loop(g, zero, cg_i64(g, b.G), 1);
  q.head = cg_add(g, scaled(g, b.at.kh, b.G), h.i);
  find_next(g, &b, &q, h.i);
  begin_head(g, &b, &q);
  CgLoop l = cg_loop(g, attn_floor(g, q.lo, ATTN_BK), q.hi, ATTN_BK);
  key_block(g, &b, &q, l.i);
  cg_loop_end(g, &l);
  end_head(g, &b, &q);
  cg_loop_end(g, &h);
  cg_endif(g, &work);
  cg_loop_end(g, &s);
}

LLVMValueRef tasks_ATTN_GRAD(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)rows;
  LLVMValueRef mask = ptr[KARG(ATTN_GRAD, mask)], parts = most_parts(g, mask);
  g->phase = cg_mul(g, seq_heads(g, mask, k->ATTN_GRAD.K), parts);
  return cg_mul(g, g->phase, cg_sub(g, scaled(g, parts, 2), cg_i64(g, 1)));
}
