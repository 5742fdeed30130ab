// Online softmax (Milakov and Gimelshein, arXiv 1805.02867) of a chunk of rows over a key block: a pass for the maxima, one for the exponentials. Rows
// of a chunk that sees a block whole, nearly all in a long text, take neither masks nor loops. A vector that a row does not see is not touched but for the zeros
// that its probabilities are: what is summed is the same.
#include "llvm/emit_attention.h"

static LLVMValueRef infinite(Cg *g) { return cg_splatc(g, -__builtin_inf()); }

// Without a cap the scale waits until the exponential, where it costs nothing: maxima are then of unscaled scores. Scores are multiplied after their
// maximum is subtracted, not before: where they are large, and all of a row's weight is on one, its exponential is of exactly 0.
static bool waits(const AttnState *s) { return s->cap == 0 && s->scale > 0; }
static double factor(const AttnState *s) { return waits(s) ? s->scale * ATTN_LOG2E : ATTN_LOG2E; }

static LLVMValueRef score(Cg *g, const AttnState *s, LLVMValueRef x) {
  if (waits(s)) return x;
  if (s->cap == 0) return cg_fmul(g, x, cg_splatc(g, s->scale));
  return cg_fmul(g, cg_vtanh(g, cg_fmul(g, x, cg_splatc(g, s->scale / s->cap))), cg_splatc(g, s->cap));
}

typedef struct Row {           // a row of a chunk and what it sees of the key block
  LLVMValueRef S;              // its scores
  LLVMValueRef from, to;       // the vectors that hold what it sees, [from, to) within the chunk's columns; empty when from >= to
  LLVMValueRef a, b;           // what it sees, from the block's start
  AttnRow see;
} Row;

static LLVMValueRef scores_of(Cg *g, const AttnState *s, LLVMValueRef r) { return attn_floats(g, s->S, cg_mul(g, r, cg_i64(g, ATTN_LEFT))); }

static Row row_at(Cg *g, const AttnState *s, const AttnChunk *c, LLVMValueRef r) {
  LLVMValueRef q = cg_add(g, c->q, cg_mul(g, r, c->q_row)), zero = cg_i64(g, 0);
  LLVMValueRef a = cg_sub(g, attn_index_i32(g, c->lo, q), c->kb), b = cg_sub(g, attn_index_i32(g, c->hi, q), c->kb);
  Row x = {.S = scores_of(g, s, r), .see = attn_row(g, c->lo, c->hi, q, c->kb), .a = a, .b = b};
  x.from = cg_min(g, cg_max(g, attn_floor(g, cg_max(g, a, zero), LANES), c->first), c->cols);
  x.to = cg_max(g, cg_min(g, attn_ceil(g, cg_max(g, b, zero), LANES), c->cols), x.from);
  return x;
}

// The maximum of a row that sees the block whole.
static LLVMValueRef whole_maximum(Cg *g, const AttnState *s, LLVMValueRef S) {
  LLVMValueRef v[ATTN_BK / LANES];
  for (int i = 0; i < ATTN_BK / LANES; i++) {
    LLVMValueRef at = cg_at(g, g->f32, S, cg_i64(g, (int64_t)i * LANES));
    v[i] = score(g, s, cg_load16(g, at));
    if (!waits(s)) cg_store16(g, v[i], at);
  }
  for (int n = ATTN_BK / LANES; n > 1; n /= 2)
    for (int i = 0; i < n / 2; i++) v[i] = cg_fmax(g, v[i], v[i + n / 2]);
  return v[0];
}

// Of one that may not; what it does not see of the vectors that it does becomes -inf.
static LLVMValueRef part_maximum(Cg *g, const AttnState *s, const AttnChunk *c, LLVMValueRef r) {
  Row x = row_at(g, s, c, r);
  LLVMValueRef most = cg_var(g, g->v16f32, infinite(g));
  CgLoop l = cg_loop(g, x.from, x.to, LANES);
  LLVMValueRef p = cg_at(g, g->f32, x.S, l.i), z = cg_var(g, g->v16f32, score(g, s, cg_load16(g, p)));
  LLVMValueRef edge = LLVMBuildOr(g->b, cg_lt(g, l.i, x.a), cg_lt(g, x.b, cg_add(g, l.i, cg_i64(g, LANES))), "");
  CgIf masked = cg_if(g, waits(s) ? edge : LLVMConstInt(g->i1, 1, false));      // else nothing of it changes
  cg_set(g, z, cg_select(g, attn_visible(g, x.see, l.i), cg_get(g, g->v16f32, z), infinite(g)));
  cg_store16(g, cg_get(g, g->v16f32, z), p);
  cg_endif(g, &masked);
  cg_set(g, most, cg_fmax(g, cg_get(g, g->v16f32, z), cg_get(g, g->v16f32, most)));
  cg_loop_end(g, &l);
  return cg_get(g, g->v16f32, most);
}

// The maximum of each row's scores so far.
static void find_maxima(Cg *g, const AttnState *s, const AttnChunk *c, bool whole) {
  CgLoop r = cg_loop(g, cg_i64(g, 0), c->m, 1);
  LLVMValueRef now = cg_max16(g, whole ? whole_maximum(g, s, scores_of(g, s, r.i)) : part_maximum(g, s, c, r.i));
  LLVMValueRef before = cg_load(g, g->f32, attn_floats(g, s->run, cg_add(g, c->base, r.i)));
  cg_store(g, cg_fmax(g, now, before), attn_floats(g, s->max, r.i));
  cg_loop_end(g, &r);
}

// What earlier sums are multiplied with, for 16 rows at a time: 2^(old - new), exactly 1 where the maximum stays. A row that has seen nothing yet (-inf)
// subtracts 0, so that 2^(-inf - 0) is 0 and not NaN.
static void find_rescale(Cg *g, const AttnState *s, const AttnChunk *c) {
  CgLoop r = cg_loop(g, cg_i64(g, 0), c->m, LANES);
  LLVMValueRef mask = cg_mask16(g, cg_sub(g, c->m, r.i)), at = attn_floats(g, s->run, cg_add(g, c->base, r.i));
  LLVMValueRef before = cg_load16_mask(g, at, mask), now = cg_load16(g, attn_floats(g, s->max, r.i));
  LLVMValueRef none = LLVMBuildFCmp(g->b, LLVMRealOEQ, now, infinite(g), "");
  LLVMValueRef safe = cg_select(g, none, cg_splatc(g, 0), now);
  LLVMValueRef same = LLVMBuildFCmp(g->b, LLVMRealOEQ, before, now, "");
  LLVMValueRef scale = cg_select(g, same, cg_splatc(g, 1), cg_vexp2(g, cg_fmul(g, cg_fsub(g, before, safe), cg_splatc(g, factor(s)))));
  cg_store16_mask(g, now, at, mask);
  cg_store16(g, safe, attn_floats(g, s->safe, r.i));
  cg_store16(g, scale, attn_floats(g, s->scl, r.i));
  cg_loop_end(g, &r);
}

static LLVMValueRef exponential(Cg *g, const AttnState *s, LLVMValueRef S, LLVMValueRef col, LLVMValueRef less) {
  return attn_exp2(g, cg_fmul(g, cg_fadd(g, cg_load16(g, cg_at(g, g->f32, S, col)), less), cg_splatc(g, factor(s))));
}

static void clear(Cg *g, LLVMValueRef S, LLVMValueRef from, LLVMValueRef to) {
  CgLoop l = cg_loop(g, from, to, LANES);
  attn_put_left(g, cg_splatc(g, 0), S, l.i);
  cg_loop_end(g, &l);
}

// Columns col … col + 31 of what begins at S, or of f32 col … col + 15, whose probabilities stand where their row's scores do, or under bf16 in the first half
// of that: before whatever of the scores is still read. Gives the sum that goes on. `to`: those from there on are 0; NULL: none.
static LLVMValueRef probabilities(Cg *g, const AttnState *s, LLVMValueRef S, LLVMValueRef col, LLVMValueRef to, LLVMValueRef less, LLVMValueRef sum) {
  LLVMValueRef e = exponential(g, s, S, col, less);
  sum = cg_fadd(g, sum, e);
  if (!attn_pairs(g)) {
    attn_put_left(g, e, S, col);
    return sum;
  }
  LLVMValueRef next = cg_add(g, col, cg_i64(g, LANES)), behind = exponential(g, s, S, next, less);
  if (to) behind = cg_select(g, cg_lt(g, next, to), behind, cg_splatc(g, 0));
  attn_put_both(g, e, behind, S, col);
  return cg_fadd(g, sum, behind);
}

static int64_t at_once(Cg *g) { return attn_pairs(g) ? 2 * LANES : LANES; }

// Probabilities in place of scores, and their sum.
static void part_probabilities(Cg *g, const AttnState *s, const AttnChunk *c, LLVMValueRef r, LLVMValueRef less, LLVMValueRef sum) {
  Row x = row_at(g, s, c, r);
  clear(g, x.S, c->first, x.from);
  CgLoop l = cg_loop(g, x.from, x.to, at_once(g));
  cg_set(g, sum, probabilities(g, s, x.S, l.i, x.to, less, cg_get(g, g->v16f32, sum)));
  cg_loop_end(g, &l);
  clear(g, x.S, x.to, c->cols);
}

static void whole_probabilities(Cg *g, const AttnState *s, LLVMValueRef r, LLVMValueRef less, LLVMValueRef sum) {
  LLVMValueRef all = cg_get(g, g->v16f32, sum), S = scores_of(g, s, r);
  for (int64_t i = 0; i < ATTN_BK; i += at_once(g)) all = probabilities(g, s, S, cg_i64(g, i), NULL, less, all);
  cg_set(g, sum, all);
}

typedef struct Rescale {
  LLVMValueRef row, by;
} Rescale;

static void rescale_vector(Cg *g, void *user, LLVMValueRef at, LLVMValueRef mask) {
  const Rescale *r = user;
  attn_store(g, cg_fmul(g, attn_load(g, r->row, at, mask), r->by), r->row, at, mask);
}

static void find_probabilities(Cg *g, const AttnState *s, const AttnChunk *c, bool whole) {
  CgLoop r = cg_loop(g, cg_i64(g, 0), c->m, 1);
  LLVMValueRef state = cg_add(g, c->base, r.i), at = attn_floats(g, s->sum, cg_mul(g, state, cg_i64(g, LANES)));
  LLVMValueRef by = cg_load(g, g->f32, attn_floats(g, s->scl, r.i));
  LLVMValueRef less = cg_splat(g, cg_fneg(g, cg_load(g, g->f32, attn_floats(g, s->safe, r.i))));
  LLVMValueRef sum = cg_var(g, g->v16f32, cg_fmul(g, cg_load16(g, at), cg_splat(g, by)));
  if (whole) whole_probabilities(g, s, r.i, less, sum);
  else part_probabilities(g, s, c, r.i, less, sum);
  cg_store16(g, cg_get(g, g->v16f32, sum), at);
  attn_next(g, c->next);
  CgIf changed = cg_if(g, LLVMBuildFCmp(g->b, LLVMRealUNE, by, cg_f32(g, 1), ""));
  Rescale o = {attn_floats(g, s->O, cg_mul(g, state, cg_i64(g, s->Ep))), cg_splat(g, by)};
  attn_each16(g, s->E, rescale_vector, &o);
  cg_endif(g, &changed);
  cg_loop_end(g, &r);
}

void attn_softmax(Cg *g, const AttnState *s, const AttnChunk *c) {
  CgIf whole = cg_if(g, c->whole);
  find_maxima(g, s, c, true);
  cg_else(g, &whole);
  find_maxima(g, s, c, false);
  cg_endif(g, &whole);
  find_rescale(g, s, c);
  whole = cg_if(g, c->whole);
  find_probabilities(g, s, c, true);
  cg_else(g, &whole);
  find_probabilities(g, s, c, false);
  cg_endif(g, &whole);
}

void attn_softmax_start(Cg *g, const AttnState *s, LLVMValueRef base, LLVMValueRef m) {
  CgLoop l = cg_loop(g, base, cg_add(g, base, m), 1);
  cg_store16(g, cg_splatc(g, 0), attn_floats(g, s->sum, cg_mul(g, l.i, cg_i64(g, LANES))));
  cg_store(g, cg_f32(g, -__builtin_inf()), attn_floats(g, s->run, l.i));
  cg_loop_end(g, &l);
  attn_zero(g, attn_floats(g, s->O, cg_mul(g, base, cg_i64(g, s->Ep))), cg_i64(g, s->Ep), m, s->Ep);
}

void attn_softmax_end(Cg *g, const AttnState *s, LLVMValueRef base, LLVMValueRef m) {
  CgLoop r = cg_loop(g, cg_i64(g, 0), m, 1);
  LLVMValueRef lanes = cg_load16(g, attn_floats(g, s->sum, cg_mul(g, cg_add(g, base, r.i), cg_i64(g, LANES))));
  cg_store(g, cg_sum16(g, lanes), attn_floats(g, s->max, r.i));
  cg_loop_end(g, &r);
  CgLoop l = cg_loop(g, cg_i64(g, 0), m, LANES);
  LLVMValueRef mask = cg_mask16(g, cg_sub(g, m, l.i)), sum = cg_load16_mask(g, attn_floats(g, s->max, l.i), mask);
  LLVMValueRef run = cg_load16_mask(g, attn_floats(g, s->run, cg_add(g, base, l.i)), mask);
  LLVMValueRef none = LLVMBuildFCmp(g->b, LLVMRealOEQ, sum, cg_splatc(g, 0), "");
  LLVMValueRef lse = cg_select(g, none, infinite(g), cg_fma(g, run, cg_splatc(g, waits(s) ? s->scale : 1), cg_vlog(g, sum)));
  cg_store16(g, cg_select(g, none, cg_splatc(g, 0), cg_fdiv(g, cg_splatc(g, 1), sum)), attn_floats(g, s->safe, l.i));
  cg_store16(g, lse, attn_floats(g, s->scl, l.i));
  cg_loop_end(g, &l);
}
