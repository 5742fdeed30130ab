// Gradients of the loss with respect to the head's input (and the loss again, so that training walks the vocabulary once) and with
// respect to the head itself.
#include "dsl/base/bug.h"
#include "llvm/emit_attention.h"
#include "llvm/emit_xent.h"
#include "llvm/mm.h"

enum {
  // A block whose logits fit into this many bytes keeps them between its two passes: those of 278,528 entries, which is more than any model's known. They come
  // from memory then, a hundredth of the time that multiplying anew takes; all threads together touch no more than one copy of the step's logits.
  KEEP_BYTES = 136 << 20,
  TURNED = (XENT_CHUNK + 2) * PANEL,   // from panel to panel of a chunk that is re-packed: no power of two, so that they do not fall into one cache set
};

typedef struct Slope {
  LLVMValueRef base, log, gscale;   // splat
} Slope;

static void gradient_lanes(Xent *x, void *user, LLVMValueRef p, LLVMValueRef mask) {
  Cg *g = x->g;
  Slope *s = user;
  LLVMValueRef l = mask ? cg_load16_mask(g, p, mask) : cg_load16(g, p);
  LLVMValueRef v = cg_fmul(g, s->gscale, cg_vexp(g, cg_fsub(g, cg_fsub(g, l, s->base), s->log)));
  if (x->cap != 0) {
    LLVMValueRef t = cg_fdiv(g, l, cg_splatc(g, x->cap));
    v = cg_fmul(g, v, cg_fsub(g, cg_splatc(g, 1), cg_fmul(g, t, t)));
  }
  if (mask) cg_store16_mask(g, v, p, mask);
  else cg_store16(g, v, p);
}

void xent_to_gradient(Xent *x, LLVMValueRef row_ptr, LLVMValueRef width, XentSum sum, LLVMValueRef gscale,
                      LLVMValueRef label) {
  Cg *g = x->g;
  CgIf mine = cg_if(g, LLVMBuildICmp(g->b, LLVMIntULT, label, width, ""));
  LLVMValueRef p = cg_at(g, g->f32, row_ptr, label), at_label = cg_var(g, g->f32, cg_load(g, g->f32, p));
  cg_endif(g, &mine);
  Slope s = {cg_splat(g, sum.base), cg_splat(g, sum.log), cg_splat(g, gscale)};
  xent_each16(x, row_ptr, width, gradient_lanes, &s);
  CgIf again = cg_if(g, LLVMBuildICmp(g->b, LLVMIntULT, label, width, ""));
  LLVMValueRef one = gscale;
  if (x->cap != 0) {
    LLVMValueRef t = cg_fdiv(g, cg_get(g, g->f32, at_label), cg_f32(g, x->cap));
    one = cg_fmul(g, one, cg_fsub(g, cg_f32(g, 1), cg_fmul(g, t, t)));
  }
  LLVMValueRef q = cg_at(g, g->f32, row_ptr, label);
  cg_store(g, cg_fsub(g, cg_load(g, g->f32, q), one), q);
  cg_endif(g, &again);
}

static bool in_pairs(const Xent *x) { return cg_in_pairs(x->g, x->dt); }

// Entries [c0, c0 + width) of the head as panels of D: [D / 16][XENT_CHUNK][16], TURNED apart, from the forward panels.
static void pack_chunk(Xent *x, LLVMValueRef dst, LLVMValueRef c0, LLVMValueRef width) {
  Cg *g = x->g;
  LLVMTypeRef t = cg_dtype(g, mm_made_dtype(in_pairs(x)));
  CgLoop vb = cg_loop(g, cg_i64(g, 0), width, PANEL);
  LLVMValueRef src = xent_head(x, cg_add(g, c0, vb.i));
  int64_t whole = x->D / PANEL * PANEL;
  for (int part = 0; part < 2; part++) {                     // whole blocks of 16 columns, then the tail
    int64_t lo = part ? whole : 0, hi = part ? x->D : whole;
    if (lo == hi) continue;
    CgLoop db = cg_loop(g, cg_i64(g, lo), cg_i64(g, hi), PANEL);
    LLVMValueRef v[PANEL];
    int count = part ? (int)(hi - lo) : PANEL;
    LLVMValueRef to = cg_at(g, t, dst, cg_add(g, cg_mul(g, cg_udiv(g, db.i, cg_i64(g, PANEL)), cg_i64(g, TURNED)), cg_mul(g, vb.i, cg_i64(g, PANEL))));
    int rows = mm_turn(g, x->dt, in_pairs(x), src, db.i, count, v);
    for (int i = 0; i < rows; i++) cg_store(g, v[i], cg_at(g, g->f32, to, cg_i64(g, (int64_t)i * PANEL)));
    cg_loop_end(g, &db);
  }
  cg_loop_end(g, &vb);
}

static int64_t round16(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

static bool keeps(const Kernel *k) { return XENT_ROWS * round16(k->XENT_GRAD.V) * 4 <= KEEP_BYTES; }

LLVMValueRef tasks_XENT_GRAD(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) { return tasks_XENT(g, k, rows, ptr); }

// ---- from what the first pass left of a chunk to the gradient by its logits

// By logits, kept or computed again.
static void by_logits(Xent *x, LLVMValueRef at, LLVMValueRef gscale, LLVMValueRef r0, LLVMValueRef n, LLVMValueRef c0, LLVMValueRef width) {
  Cg *g = x->g;
  CgLoop r = cg_loop(g, cg_i64(g, 0), n, 1);
  LLVMValueRef whole = cg_add(g, r0, r.i), label = cg_sub(g, xent_label(x, whole), c0);
  xent_to_gradient(x, xent_row(x, at, r.i), width, xent_sum(x, r.i), cg_load(g, g->f32, cg_at(g, g->f32, gscale, whole)), label);
  cg_loop_end(g, &r);
}

static void scale_lanes(Xent *x, void *user, LLVMValueRef p, LLVMValueRef mask) {
  Cg *g = x->g;
  LLVMValueRef v = cg_fmul(g, mask ? cg_load16_mask(g, p, mask) : cg_load16(g, p), user);
  if (mask) cg_store16_mask(g, v, p, mask);
  else cg_store16(g, v, p);
}

// By exponentials: those of a row and chunk need one factor more, gscale exp(top - max - log), taken for 16 rows at a time.
static void by_exponentials(Xent *x, LLVMValueRef at, LLVMValueRef gscale, LLVMValueRef r0, LLVMValueRef n, LLVMValueRef c0, LLVMValueRef width) {
  Cg *g = x->g;
  LLVMValueRef zero = cg_i64(g, 0);
  CgLoop r = cg_loop(g, zero, n, LANES);
  LLVMValueRef given = cg_load16_mask(g, cg_at(g, g->f32, gscale, cg_add(g, r0, r.i)), cg_mask16(g, cg_sub(g, n, r.i)));
  LLVMValueRef rest = cg_fsub(g, cg_load16(g, xent_top(x, c0, r.i)), cg_load16(g, cg_at(g, g->f32, x->max, r.i)));
  rest = cg_vexp(g, cg_fsub(g, rest, cg_load16(g, cg_at(g, g->f32, x->log, r.i))));
  cg_store16(g, cg_fmul(g, given, rest), cg_at(g, g->f32, x->scale, r.i));
  cg_loop_end(g, &r);
  r = cg_loop(g, zero, n, 1);
  LLVMValueRef row = xent_row(x, at, r.i), whole = cg_add(g, r0, r.i), label = cg_sub(g, xent_label(x, whole), c0);
  xent_each16(x, row, width, scale_lanes, cg_splat(g, cg_load(g, g->f32, cg_at(g, g->f32, x->scale, r.i))));
  CgIf mine = cg_if(g, LLVMBuildICmp(g->b, LLVMIntULT, label, width, ""));
  LLVMValueRef p = cg_at(g, g->f32, row, label);
  cg_store(g, cg_fsub(g, cg_load(g, g->f32, p), cg_load(g, g->f32, cg_at(g, g->f32, gscale, whole))), p);
  cg_endif(g, &mine);
  cg_loop_end(g, &r);
}

void emit_XENT_GRAD(Cg *g, const Kernel *k) {
  bool kept = keeps(k);
  Xent x = xent_begin(g, k, kept);
  int64_t panels_at = xent_scratch(k, kept), wide = round16(x.D);
  cg_need_scratch(g, panels_at + wide / PANEL * TURNED * 4);
  LLVMValueRef panels = cg_scratch(g, panels_at), gscale = cg_arg_ptr(g, KARG(XENT_GRAD, g)), D = cg_i64(g, x.D), zero = cg_i64(g, 0);
  XentRows rows = xent_rows(g);
  LLVMValueRef r0 = rows.r0, n = rows.n;
  LLVMValueRef dh = cg_at(g, g->f32, cg_arg_ptr(g, KARG(XENT_GRAD, dh)), cg_mul(g, r0, D));
  attn_zero(g, dh, D, n, x.D);
  xent_pass(&x, r0, n);
  xent_store_nll(&x, cg_arg_ptr(g, KARG(XENT_GRAD, nll)), r0, n);
  CgLoop c = cg_loop(g, zero, cg_i64(g, x.V), XENT_CHUNK);
  LLVMValueRef width = cg_min(g, cg_i64(g, XENT_CHUNK), cg_sub(g, cg_i64(g, x.V), c.i)), at = xent_tile(&x, c.i);
  if (!kept) xent_logits(&x, at, r0, n, c.i, width);
  if (kept && x.cap == 0) by_exponentials(&x, at, gscale, r0, n, c.i, width);
  else by_logits(&x, at, gscale, r0, n, c.i, width);
  pack_chunk(&x, panels, c.i, width);
  // what is packed after lies together: as many lines as the product passes through
  LLVMValueRef next = x.dt == DT_F32 || (x.dt == DT_BF16 && in_pairs(&x)) ? xent_head(&x, cg_add(g, c.i, cg_i64(g, XENT_CHUNK))) : NULL;
  // A chunk's sum is added when it is done: the entries of a head have much in common, which cancels only over the whole vocabulary, and of it one chain
  // of 262,144 additions leaves hundreds of times what sums of chunks do.
  cg_mm(g, &(MmCall){.A = mm_rows(DT_F32, at, cg_i64(g, XENT_CHUNK)), .B = mm_packed(mm_made_dtype(in_pairs(&x)), panels, cg_i64(g, TURNED)),
                     .C = mm_rows(DT_F32, dh, D), .pairs = in_pairs(&x), .M = n, .N = D, .K = width, .acc = cg_i64(g, MM_ADDED), .next = next,
                     .next_panel = cg_i64(g, XENT_CHUNK * PANEL)});
  cg_loop_end(g, &c);
}

// ---- the head's own gradient: tasks of XENT_CHUNK entries go through all rows in order. The log of the sum is the
// label's logit + nll. Gradients by logits meet rows as in every other weight gradient (emit_dw.c), in bf16 in pairs of two rows.
LLVMValueRef tasks_XENT_DW(Cg *g, const Kernel *k, LLVMValueRef rows, LLVMValueRef *ptr) {
  (void)rows, (void)ptr;
  return cg_i64(g, (k->XENT_DW.V + XENT_CHUNK - 1) / XENT_CHUNK);
}

// The label's logit of one row, by the same chain of additions as in the tile: its whole panel's, in place of the maxima, which are not wanted here.
static LLVMValueRef label_logit(Xent *x, LLVMValueRef row, LLVMValueRef label) {
  Cg *g = x->g;
  LLVMValueRef one = cg_i64(g, 1), lane = cg_urem(g, label, cg_i64(g, PANEL)), first = cg_sub(g, label, lane), out = x->max;
  LLVMValueRef A = cg_at(g, g->f32, x->h, cg_mul(g, row, cg_i64(g, x->D)));
  MmCall product = {.A = mm_rows(DT_F32, A, cg_i64(g, x->D)), .B = mm_packed(x->dt, xent_head(x, first), cg_i64(g, panel_elems(x->dt, x->D))),
                    .C = mm_rows(DT_F32, out, cg_i64(g, PANEL)), .pairs = in_pairs(x), .M = one,
                    .N = cg_min(g, cg_i64(g, PANEL), cg_sub(g, cg_i64(g, x->V), first)), .K = cg_i64(g, x->D)};
  if (x->dt == DT_I8) mm_int8(g, &product, x->wide);
  else cg_mm(g, &product);
  LLVMValueRef l = cg_load(g, g->f32, cg_at(g, g->f32, out, lane));
  if (x->bias) l = cg_fadd(g, l, cg_load(g, g->f32, cg_at(g, g->f32, x->bias, label)));
  if (x->cap == 0) return l;
  return cg_fmul(g, cg_vtanh(g, cg_fdiv(g, l, cg_f32(g, x->cap))), cg_f32(g, x->cap));
}

static void zero_lanes(Xent *x, void *user, LLVMValueRef p, LLVMValueRef mask) {
  (void)user;
  attn_store(x->g, cg_splatc(x->g, 0), p, cg_i64(x->g, 0), mask);
}

void emit_XENT_DW(Cg *g, const Kernel *k) {
  Xent x = xent_begin(g, k, false);
  if (k->arg[KARG(XENT_DW, packed)].dt != DT_F32 && !x.bias) bug("the gradient of a head in %s: what is trained is f32", dtype_name(x.dt));
  cg_need_scratch(g, xent_scratch(k, false) + mm_dw_scratch(XENT_CHUNK, DW_TILE));
  LLVMValueRef gscale = cg_arg_ptr(g, KARG(XENT_DW, g)), nll = cg_arg_ptr(g, KARG(XENT_DW, nll)), dw = cg_arg_ptr(g, KARG(XENT_DW, dw)), zero = cg_i64(g, 0), one = cg_i64(g, 1);
  LLVMValueRef c0 = cg_mul(g, cg_task(g), cg_i64(g, XENT_CHUNK));
  LLVMValueRef width = cg_min(g, cg_i64(g, XENT_CHUNK), cg_sub(g, cg_i64(g, x.V), c0));
  LLVMValueRef to = cg_at(g, g->f32, dw, cg_mul(g, c0, cg_i64(g, x.D)));
  LLVMValueRef D = cg_i64(g, x.D), stride = cg_i64(g, XENT_CHUNK);
  cg_mm(g, &(MmCall){.A = mm_rows(DT_F32, x.h, one), .B = mm_plain(g, DT_F32, x.h, D), .C = mm_rows(DT_F32, to, D), .M = width, .N = D,
                     .K = zero});                  // zeros: there may be no rows at all
  LLVMValueRef db = x.bias ? cg_at(g, g->f32, cg_arg_ptr(g, KARG(XENT_DW, db)), c0) : NULL;
  if (db) xent_each16(&x, db, width, zero_lanes, NULL);
  CgLoop b = cg_loop(g, zero, cg_rows(g), XENT_ROWS);
  LLVMValueRef n = cg_min(g, cg_i64(g, XENT_ROWS), cg_sub(g, cg_rows(g), b.i));
  xent_logits(&x, x.tile, b.i, n, c0, width);
  CgLoop r = cg_loop(g, zero, n, 1);
  LLVMValueRef whole = cg_add(g, b.i, r.i), label = xent_label(&x, whole);
  XentSum sum = {label_logit(&x, whole, label), cg_load(g, g->f32, cg_at(g, g->f32, nll, whole))};
  LLVMValueRef row = xent_row(&x, x.tile, r.i);
  xent_to_gradient(&x, row, width, sum, cg_load(g, g->f32, cg_at(g, g->f32, gscale, whole)), cg_sub(g, label, c0));
  if (db) xent_add(&x, db, row, width);             // a row's gradient by its logits
  cg_loop_end(g, &r);
  LLVMValueRef rows = cg_at(g, g->f32, x.h, cg_mul(g, b.i, D));
  CgLoop d = cg_loop(g, zero, D, DW_TILE);
  mm_dw(g, &(DwTile){.dy = x.tile, .n = stride, .x = cg_at(g, g->f32, rows, d.i), .k = D, .dw = cg_at(g, g->f32, to, d.i), .T = n, .adds = one, .rows = width,
                     .cols = cg_min(g, cg_i64(g, DW_TILE), cg_sub(g, D, d.i)), .scratch = cg_scratch(g, xent_scratch(k, false))}, DW_TILE);
  cg_loop_end(g, &d);
  cg_loop_end(g, &b);
}
