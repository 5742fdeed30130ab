// What must hold of every plan. A violation is a compiler bug: it aborts, naming entry, call and buffer.
#include <string.h>

#include "dsl/base/bug.h"
#include "graph/verify.h"
#include "plan/gaps.h"
#include "plan/lower.h"

static _Noreturn void bug_at(const Plan *p, int entry, int call, int buf, const char *what) {
  bug("plan of entry %s, call %d, buffer b%d (%s): %s", p->entry[entry].name, call, buf, p->buf[buf].name, what);
}

// Experts' panels: buffers that follow each other, alike but for what they are packed from (lower_stack).
static bool holds_stack(const Plan *p, const Kernel *k, int arg, int b) {
  if ((k->cls != K_EXPERTS && k->cls != K_EXPERTS_T) || arg != KARG(EXPERTS, packed)) return true;
  const PBuf *first = &p->buf[b];
  bool same = b + k->EXPERTS.E <= p->nbuf && first->kind == BUF_PACKED && first->packed.stack == k->EXPERTS.E;
  for (int e = 1; same && e < k->EXPERTS.E; e++) {
    const PBuf *x = first + e;
    same = x->kind == BUF_PACKED && x->dt == first->dt && x->elems == first->elems && x->packed.N == first->packed.N && x->packed.K == first->packed.K;
  }
  return same;
}

// Every activation is written by an earlier call before it is read.
static void check_order(const Plan *p, int entry) {
  const PlanEntry *e = &p->entry[entry];
  bool *ready = ARENA_ARRAY(p->arena, bool, p->nbuf + 1);
  for (int c = 0; c < e->ncall; c++) {
    const Kernel *k = &p->kernel[e->call[c].kernel];
    for (int i = 0; i < k->narg; i++) {
      int b = e->call[c].buf[i];
      if (p->buf[b].kind == BUF_ACT && !k->arg[i].written && !ready[b]) bug_at(p, entry, c, b, "read before it is written");
      if (p->buf[b].kind == BUF_ACT && p->buf[b].act.entry != entry) bug_at(p, entry, c, b, "belongs to another entry");
      bool panels = p->buf[b].kind == BUF_PACKED || p->buf[b].kind == BUF_LIVE;
      if (panels && (p->buf[b].packed.exact != k->exact || (!k->exact && p->buf[b].packed.of != e->call[c].of))) bug_at(p, entry, c, b, "panels of another precision");
      if (k->arg[i].cached && p->buf[b].cached.of != e->call[c].of) bug_at(p, entry, c, b, "a cache of another precision");
      if (!holds_stack(p, k, i, b)) bug_at(p, entry, c, b, "the panels of its experts do not lie behind it");
      if (k->arg[i].written && (p->buf[b].kind == BUF_WEIGHT || p->buf[b].kind == BUF_CONST)) bug_at(p, entry, c, b, "a frozen tensor is written");
    }
    for (int i = 0; i < k->narg; i++) {
      if (k->arg[i].written) ready[e->call[c].buf[i]] = true;
    }
  }
  for (int i = 0; i < e->nout; i++) {
    int b = e->out[i].buf;
    if (p->buf[b].kind == BUF_ACT && !ready[b]) bug_at(p, entry, e->ncall, b, "an output nobody writes");
  }
}

// No two activations that live at the same time share bytes.
static void check_overlap(const Plan *p, int entry) {
  const PlanEntry *e = &p->entry[entry];
  int *first = ARENA_ARRAY(p->arena, int, p->nbuf + 1), *last = ARENA_ARRAY(p->arena, int, p->nbuf + 1);
  int *used = ARENA_ARRAY(p->arena, int, p->nbuf + 1), n = 0;
  for (int i = 0; i < p->nbuf; i++) first[i] = -1;
  for (int c = 0; c < e->ncall; c++) {
    for (int k = 0; k < p->kernel[e->call[c].kernel].narg; k++) {
      int b = e->call[c].buf[k];
      if (p->buf[b].kind != BUF_ACT) continue;
      if (first[b] < 0) {
        first[b] = c;
        used[n++] = b;
      }
      last[b] = c;
    }
  }
  for (int i = 0; i < e->nout; i++) last[e->out[i].buf] = e->ncall;
  Gaps *room = ARENA_ARRAY(p->arena, Gaps, p->nsym + 1);
  int *dead = ARENA_ARRAY(p->arena, int, e->ncall + 2), *next = ARENA_ARRAY(p->arena, int, p->nbuf + 1);      // by call; by buffer
  for (int c = 0; c <= e->ncall; c++) dead[c] = -1;
  for (int i = 0, now = 0; i < n; i++) {                    // in the order in which they begin to live
    int b = used[i];
    for (; now < first[b]; now++)
      for (int k = dead[now]; k >= 0; k = next[k]) gaps_give(p->arena, &room[p->buf[k].sym + 1], p->buf[k].act.offset, prog_buf_bytes(&p->buf[k], PRECISION_F32));
    if (!gaps_take(p->arena, &room[p->buf[b].sym + 1], p->buf[b].act.offset, prog_buf_bytes(&p->buf[b], PRECISION_F32)))
      bug_at(p, entry, first[b], b, "overlaps another live buffer");
    next[b] = dead[last[b]];
    dead[last[b]] = b;
  }
}

// In train and loss nothing grows as tokens times tokens (a buffer has one row symbol, so that cannot even be said) or as tokens times
// vocabulary: the matrix of the head, which the loss kernels walk through in chunks, is never multiplied into a buffer.
static void check_head(const Plan *p, int entry) {
  const PlanEntry *e = &p->entry[entry];
  if (!graph_has_loss(e->name)) return;
  for (int c = 0; c < e->ncall; c++) {
    KernelClass cls = p->kernel[e->call[c].kernel].cls;
    if (cls != K_XENT && cls != K_XENT_GRAD) continue;
    for (int o = 0; o < e->ncall; o++) {
      const Kernel *k = &p->kernel[e->call[o].kernel];
      for (int m = 0; k->cls == K_GEMM && m < k->nmat; m++) {
        if (e->call[o].buf[KARG(GEMM, packed) + m] == e->call[c].buf[KARG(XENT, packed)])
          bug_at(p, entry, o, e->call[o].buf[KARG(GEMM, packed) + m], "a row of logits per token");
      }
    }
  }
}

// So many of the arguments that its class has: a loss without a bias ends before it, a gradient of attention without one of lse likewise.
static int arguments(const Kernel *k) {
  int bias = loss_bias_arg(k->cls);
  if (k->cls == K_ATTN_GRAD && !k->ATTN_GRAD.shifted) return KARG(ATTN_GRAD, dlse);
  return bias >= 0 && !k->XENT.biased ? bias : kernel_class[k->cls].narg;
}

// Kernels have the arguments and extents that kernels.def names, and no others.
static void check_kernels(const Plan *p) {
  for (int i = 0; i < p->nkernel; i++) {
    const Kernel *k = &p->kernel[i];
    const KernelClassInfo *c = &kernel_class[k->cls];
    bool ok = c->form == FORM_OPEN ? k->cls == K_ROW || k->narg > KARG(GEMM, packed) : k->narg == arguments(k);
    for (int d = c->nextent; d < 8; d++) ok = ok && k->dim[d] == 0;
    if (!ok) bug("kernel k%d (%s) has %d arguments, or extents beyond the %d of its class", i, c->name, k->narg, c->nextent);
  }
}

void plan_check(const Plan *p) {
  check_kernels(p);
  for (int i = 0; i < p->nentry; i++) {
    check_order(p, i);
    check_overlap(p, i);
    check_head(p, i);
  }
}
