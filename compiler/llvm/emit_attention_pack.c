// Copies of rows of keys, values and queries to panels, in words: an f32, or under bf16 a pair of numbers along what the product sums over. The
// transposing copy is an internal function per instruction set, precision and dtype of the rows, shared by all attention kernels (unrolled transpositions
// are what compiles slowest).
#include <stddef.h>
#include <stdio.h>

#include "llvm/emit_attention.h"
#include "llvm/object.h"
#include "runtime/abi/abi.h"

enum { P_DST, P_SRC, P_STRIDE, P_D, P_FIRST, P_N, P_COUNT };

Dtype attn_panel(Cg *g) { return panel_under(DT_F32, cg_precision(g)); }
bool attn_pairs(Cg *g) { return cg_in_pairs(g, attn_panel(g)); }
static int word_of(Cg *g) { return attn_pairs(g) ? 2 : 1; }                  // numbers of a word

int64_t attn_panels(Cg *g, AttnScratch *s, int64_t cols, int64_t K) {
  Dtype dt = attn_panel(g);
  return attn_region(s, panels_elems(dt, cols, K) * dtype_size(dt) / 4 + LANES * PANEL);
}

MmOperand attn_panels_at(Cg *g, int64_t offset, LLVMValueRef col, LLVMValueRef row, int64_t K) {
  Dtype dt = attn_panel(g);
  LLVMValueRef at = cg_mul(g, col, cg_i64(g, panel_elems(dt, K) / PANEL));
  if (row) at = cg_add(g, at, cg_mul(g, row, cg_i64(g, PANEL)));
  return mm_packed(dt, cg_at(g, cg_dtype(g, dt), cg_scratch(g, offset), at), cg_i64(g, panel_elems(dt, K)));
}

MmOperand attn_left(Cg *g, int64_t offset, LLVMValueRef k) {
  return mm_copied(g, attn_floats(g, offset, word_of(g) == 2 ? cg_udiv(g, k, cg_i64(g, 2)) : k));
}

void attn_put_left(Cg *g, LLVMValueRef v, LLVMValueRef row, LLVMValueRef k) {
  if (word_of(g) == 2) cg_store(g, mm_rounded(g, v), cg_at(g, g->i16, row, k));
  else cg_store16(g, v, cg_at(g, g->f32, row, k));
}

LLVMValueRef attn_put_both(Cg *g, LLVMValueRef v, LLVMValueRef behind, LLVMValueRef row, LLVMValueRef k) {
  LLVMValueRef both = mm_behind(g, v, behind);
  cg_store(g, both, cg_at(g, g->i16, row, k));
  return both;
}

typedef struct Row {
  LLVMValueRef from, to;
} Row;

static void put_vector(Cg *g, void *user, LLVMValueRef at, LLVMValueRef mask) {
  const Row *r = user;
  attn_put_left(g, attn_load(g, r->from, at, mask), r->to, at);
}

void attn_put_row(Cg *g, LLVMValueRef from, int64_t D, LLVMValueRef row) { attn_each16(g, D, put_vector, &(Row){from, row}); }

LLVMValueRef attn_exp2(Cg *g, LLVMValueRef x) { return attn_pairs(g) ? cg_vexp2_scaled(g, x) : cg_vexp2(g, x); }

AttnRows attn_rows(Cg *g, const Kernel *k, int arg, int64_t stride) {
  bool cached = k->narg && k->arg[arg].cached;
  return (AttnRows){.dt = cached ? cache_dtype(cg_precision(g)) : DT_F32, .p = cg_arg_ptr(g, arg), .stride = stride};
}

AttnRows attn_rows_from(Cg *g, AttnRows r, LLVMValueRef element) {
  r.p = cg_at(g, cg_dtype(g, r.dt), r.p, element);
  return r;
}

LLVMValueRef attn_row_at(Cg *g, const AttnRows *r, LLVMValueRef row) {
  return cg_at(g, cg_dtype(g, r->dt), r->p, cg_mul(g, row, cg_i64(g, r->stride)));
}

// ---- transposing

static LLVMTypeRef pack_type(Cg *g) {
  LLVMTypeRef t[P_COUNT] = {g->ptr, g->ptr, g->i64, g->i64, g->i64, g->i64};
  return LLVMFunctionType(g->void_t, t, P_COUNT, false);
}

// n numbers of a row, those from `left` on 0 and not read; left NULL: all.
static LLVMValueRef load_numbers(Cg *g, LLVMTypeRef number, int n, LLVMValueRef p, LLVMValueRef left) {
  LLVMTypeRef t = LLVMVectorType(number, (unsigned)n);
  return left ? cg_load_mask(g, t, p, cg_mask(g, n, left)) : cg_load(g, t, p);
}

// n words of a row, in a vector of floats.
static LLVMValueRef load_words(Cg *g, Dtype dt, int n, LLVMValueRef p, LLVMValueRef left) {
  LLVMValueRef v;
  if (word_of(g) == 1) return load_numbers(g, g->f32, n, p, left);
  if (dt == DT_F32) {
    LLVMValueRef half = cg_i64(g, n), rest = left ? cg_max(g, cg_sub(g, left, half), cg_i64(g, 0)) : NULL;
    LLVMValueRef a = load_numbers(g, g->f32, n, p, left), b = load_numbers(g, g->f32, n, cg_at(g, g->f32, p, half), rest);
    v = mm_behind(g, a, b);
  } else {
    v = load_numbers(g, g->i16, 2 * n, p, left);
  }
  return LLVMBuildBitCast(g->b, v, LLVMVectorType(g->f32, (unsigned)n), "");
}

// A block of `lanes` keys times as many words; left: numbers of a row there are, NULL: all.
static void pack_square(Cg *g, Dtype dt, int lanes, LLVMValueRef src, LLVMValueRef *row, LLVMValueRef to, LLVMValueRef left) {
  LLVMValueRef v[LANES];
  for (int i = 0; i < lanes; i++) v[i] = load_words(g, dt, lanes, cg_at(g, cg_dtype(g, dt), src, row[i]), left);
  mm_transpose(g, v, lanes);
  for (int i = 0; i < lanes; i++) mm_storen(g, v[i], cg_at(g, g->f32, to, cg_i64(g, (int64_t)i * PANEL)));
}

// Groups of as many keys as transpose in registers, keys past the last one clamped to it; then blocks of as many words. The last block stores zeros past
// the last word: into the next panel, which is written after, or into the spare end of the region.
static void pack_body(Cg *g, Dtype dt, int lanes) {
  int word = word_of(g);
  LLVMTypeRef elem = cg_dtype(g, dt);
  LLVMValueRef arg[P_COUNT], row[LANES], panel = cg_i64(g, PANEL);
  for (unsigned i = 0; i < P_COUNT; i++) arg[i] = LLVMGetParam(g->fn, i);
  LLVMValueRef last = cg_sub(g, arg[P_N], cg_i64(g, 1)), whole = attn_floor(g, arg[P_D], (int64_t)lanes * word);
  LLVMValueRef words = cg_mul(g, cg_ceildiv(g, arg[P_D], word), panel);        // of a panel
  CgLoop l = cg_loop(g, arg[P_FIRST], attn_ceil(g, arg[P_N], PANEL), lanes);
  for (int i = 0; i < lanes; i++) row[i] = cg_mul(g, cg_min(g, cg_add(g, l.i, cg_i64(g, i)), last), arg[P_STRIDE]);
  LLVMValueRef dst = cg_at(g, g->f32, arg[P_DST], cg_add(g, cg_mul(g, cg_udiv(g, l.i, panel), words), cg_urem(g, l.i, panel)));
  CgLoop d = cg_loop(g, cg_i64(g, 0), whole, (int64_t)lanes * word);
  LLVMValueRef to = cg_at(g, g->f32, dst, cg_mul(g, d.i, cg_i64(g, PANEL / word)));
  pack_square(g, dt, lanes, cg_at(g, elem, arg[P_SRC], d.i), row, to, NULL);
  cg_loop_end(g, &d);
  CgIf part = cg_if(g, cg_lt(g, whole, arg[P_D]));
  to = cg_at(g, g->f32, dst, cg_mul(g, whole, cg_i64(g, PANEL / word)));
  pack_square(g, dt, lanes, cg_at(g, elem, arg[P_SRC], whole), row, to, cg_sub(g, arg[P_D], whole));
  cg_endif(g, &part);
  cg_loop_end(g, &l);
}

static LLVMValueRef pack_function(Cg *g, Dtype dt) {
  char name[64];
  CgShared s;
  snprintf(name, sizeof name, "attn_pack_%s_%s_%s", g->isa->name, precision_name(cg_precision(g)), dtype_name(dt));
  if (cg_shared(g, &s, name, pack_type(g))) pack_body(g, dt, g->isa->mm.lanes), cg_shared_end(g, &s);
  return s.fn;
}

void attn_pack(Cg *g, int64_t dst, const AttnRows *src, int64_t D, LLVMValueRef first, LLVMValueRef n) {
  LLVMValueRef arg[P_COUNT] = {cg_scratch(g, dst), src->p, cg_i64(g, src->stride), cg_i64(g, D), first, n};
  cg_call(g, pack_type(g), pack_function(g, src->dt), arg, P_COUNT);
}

// ---- transposing what products sum over rows of

enum { T_DST, T_DST_STRIDE, T_SRC, T_STRIDE, T_D, T_FIRST, T_N, T_COUNT };

static LLVMTypeRef turn_type(Cg *g) {
  LLVMTypeRef t[T_COUNT] = {g->ptr, g->i64, g->ptr, g->i64, g->i64, g->i64, g->i64};
  return LLVMFunctionType(g->void_t, t, T_COUNT, false);
}

// A block of as many words as columns. mask: of columns.
static void turn_square(Cg *g, int word, int lanes, LLVMValueRef src, LLVMValueRef *row, LLVMValueRef to, LLVMValueRef stride, LLVMValueRef mask) {
  LLVMTypeRef t = LLVMVectorType(g->f32, (unsigned)lanes);
  LLVMValueRef v[LANES], x[2];
  for (int i = 0; i < lanes; i++) {
    for (int j = 0; j < word; j++) x[j] = cg_load_mask(g, t, cg_at(g, g->f32, src, row[i * word + j]), mask);
    v[i] = word == 2 ? LLVMBuildBitCast(g->b, mm_words(g, x[0], x[1]), t, "") : x[0];
  }
  mm_transpose(g, v, lanes);
  for (int i = 0; i < lanes; i++) mm_storen(g, v[i], cg_at(g, g->f32, to, cg_mul(g, stride, cg_i64(g, i))));
}

static void turn_body(Cg *g, int word, int lanes) {
  LLVMValueRef arg[T_COUNT], row[2 * LANES];
  for (unsigned i = 0; i < T_COUNT; i++) arg[i] = LLVMGetParam(g->fn, i);
  LLVMValueRef last = cg_sub(g, arg[T_N], cg_i64(g, 1));
  CgLoop l = cg_loop(g, arg[T_FIRST], arg[T_N], (int64_t)lanes * word);
  for (int i = 0; i < lanes * word; i++) row[i] = cg_mul(g, cg_min(g, cg_add(g, l.i, cg_i64(g, i)), last), arg[T_STRIDE]);
  CgLoop d = cg_loop(g, cg_i64(g, 0), arg[T_D], lanes);
  LLVMValueRef to = cg_at(g, g->f32, arg[T_DST], cg_add(g, cg_mul(g, d.i, arg[T_DST_STRIDE]), cg_udiv(g, l.i, cg_i64(g, word))));
  turn_square(g, word, lanes, cg_at(g, g->f32, arg[T_SRC], d.i), row, to, arg[T_DST_STRIDE], cg_mask(g, lanes, cg_sub(g, arg[T_D], d.i)));
  cg_loop_end(g, &d);
  cg_loop_end(g, &l);
}

static LLVMValueRef turn_function(Cg *g, int word) {
  char name[64];
  snprintf(name, sizeof name, "attn_turn_%s_%s_%d", g->isa->name, precision_name(cg_precision(g)), word);
  LLVMValueRef have = LLVMGetNamedFunction(g->mod, name), caller = g->fn;
  if (have) return have;
  LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b);
  LLVMValueRef fn = cg_function(g, name, turn_type(g), g->isa, false);
  turn_body(g, word, g->isa->mm.lanes);
  LLVMBuildRetVoid(g->b);
  g->fn = caller;
  LLVMPositionBuilderAtEnd(g->b, here);
  return fn;
}

void attn_turn(Cg *g, int word, LLVMValueRef dst, int64_t stride, const AttnRows *src, int64_t D, LLVMValueRef first, LLVMValueRef n) {
  LLVMValueRef arg[T_COUNT] = {dst, cg_i64(g, stride), src->p, cg_i64(g, src->stride), cg_i64(g, D), first, n};
  cg_call(g, turn_type(g), turn_function(g, word), arg, T_COUNT);
}

// ---- not transposing

typedef struct Copy {
  Dtype dt;
  LLVMValueRef from, below, to;        // a row, the next one (NULL: none), its word in the first panel
  int64_t words;               // of a panel
  int word;
} Copy;

static void copy_vector(Cg *g, void *user, LLVMValueRef at, LLVMValueRef mask) {
  const Copy *c = user;
  LLVMTypeRef t = cg_dtype(g, c->dt);
  LLVMValueRef v = cg_load16_f32(g, c->dt, cg_at(g, t, c->from, at), mask);
  LLVMValueRef under = c->below ? cg_load16_f32(g, c->dt, cg_at(g, t, c->below, at), mask) : NULL;
  if (c->word == 2) v = mm_words(g, v, under);
  cg_store(g, v, cg_at(g, g->f32, c->to, cg_mul(g, at, cg_i64(g, c->words / PANEL))));
}

static void copy_row(Cg *g, int64_t dst, const AttnRows *src, int64_t E, int64_t rows, LLVMValueRef row, bool paired) {
  int word = word_of(g);
  LLVMValueRef at = cg_mul(g, cg_udiv(g, row, cg_i64(g, word)), cg_i64(g, PANEL));
  Copy c = {.dt = src->dt, .from = attn_row_at(g, src, row), .below = paired ? attn_row_at(g, src, cg_add(g, row, cg_i64(g, 1))) : NULL,
            .to = attn_floats(g, dst, at), .words = PANEL * ((rows + word - 1) / word), .word = word};
  attn_each16(g, E, copy_vector, &c);
}

void attn_pack_rows(Cg *g, int64_t dst, const AttnRows *src, int64_t E, int64_t rows, LLVMValueRef first, LLVMValueRef n) {
  int word = word_of(g);
  LLVMValueRef whole = cg_max(g, attn_floor(g, n, word), first);
  CgLoop l = cg_loop(g, first, whole, word);
  copy_row(g, dst, src, E, rows, l.i, word == 2);
  cg_loop_end(g, &l);
  if (word == 1) return;
  CgIf odd = cg_if(g, cg_lt(g, whole, n));
  copy_row(g, dst, src, E, rows, whole, false);
  cg_endif(g, &odd);
}

void attn_fetch(Cg *g, const AttnRows *src, int64_t D, LLVMValueRef first, LLVMValueRef n) {
  enum { LINE = 64 };
  CgLoop l = cg_loop(g, first, n, 1);
  LLVMValueRef row = attn_row_at(g, src, l.i);
  CgLoop d = cg_loop(g, cg_i64(g, 0), cg_i64(g, D * dtype_size(src->dt)), LINE);
  cg_fetch(g, cg_at(g, g->i8, row, d.i), 2);
  cg_loop_end(g, &d);
  cg_loop_end(g, &l);
}

LLVMValueRef attn_task_after(Cg *g, LLVMValueRef mask, LLVMValueRef t, LLVMValueRef count, LLVMValueRef *none) {
  LLVMValueRef zero = cg_i64(g, 0), ahead = attn_field_i64(g, mask, offsetof(RtMask, ahead)), then = cg_add(g, t, ahead);
  LLVMValueRef one = LLVMBuildAnd(g->b, cg_lt(g, cg_i64(g, -1), then), cg_lt(g, then, count), "");
  *none = LLVMBuildOr(g->b, LLVMBuildICmp(g->b, LLVMIntEQ, ahead, zero, ""), LLVMBuildNot(g->b, one, ""), "");
  return cg_select(g, *none, t, then);
}

void attn_next_add(AttnNext *next, AttnRows rows, int64_t D, LLVMValueRef n) {
  int i = next->narray++;
  next->array[i].rows = rows, next->array[i].D = D, next->array[i].n = n;
}

void attn_next(Cg *g, const AttnNext *next) {
  LLVMValueRef from = cg_get(g, g->i64, next->at), to = cg_add(g, from, next->share);
  for (int i = 0; i < next->narray; i++) attn_fetch(g, &next->array[i].rows, next->array[i].D, from, cg_min(g, to, next->array[i].n));
  cg_set(g, next->at, to);
}
