// Kernels and calls: equal kernels are compiled once, whatever the depth.
#include <string.h>

#include "plan/lower.h"

int draft_arg_rows(Lower *l, KernelDraft *d, int buf, bool written, bool per_row, int64_t elems) {
  Arena *a = l->p->arena;
  for (int i = 0; i < d->k.narg; i++) {
    if (d->buf[i] == buf && d->k.arg[i].written == written) return i;
  }
  KArg arg = {.dt = l->p->buf[buf].dt, .per_row = per_row, .written = written, .elems = elems};
  int nbuf = d->k.narg;
  ARENA_PUSH(a, d->k.arg, d->k.narg, d->caparg, arg);
  ARENA_PUSH(a, d->buf, nbuf, d->capbuf, buf);
  return d->k.narg - 1;
}

int draft_arg(Lower *l, KernelDraft *d, int buf, bool written) {
  const PBuf *b = &l->p->buf[buf];
  return draft_arg_rows(l, d, buf, written, b->sym >= 0, b->elems);
}

// ---- identity. A field that is added to one of these structs must be compared, or two kernels would be taken for one: the sizes are a reminder.
_Static_assert(sizeof(Kernel) == 216 && sizeof(KArg) == 16 && sizeof(RowVal) == 88, "compare the new field in the functions below, then write its size here");

static bool same_number(double a, double b) { return !memcmp(&a, &b, sizeof a); }      // 0 is not -0

static bool same_arg(const KArg *a, const KArg *b) {
  return a->dt == b->dt && a->per_row == b->per_row && a->written == b->written && a->cached == b->cached && a->elems == b->elems;
}

static bool same_value(const RowVal *a, const RowVal *b) {
  return a->src == b->src && a->op == b->op && a->in[0] == b->in[0] && a->in[1] == b->in[1] && a->rank == b->rank &&
         !memcmp(a->dim, b->dim, sizeof a->dim) && a->shared == b->shared && a->arg == b->arg && same_number(a->imm, b->imm) && a->store == b->store;
}

static bool same_prog(const RowProg *a, const RowProg *b) {
  bool same = a->n == b->n;
  for (int i = 0; same && i < a->n; i++) same = same_value(&a->v[i], &b->v[i]);
  return same;
}

int loss_bias_arg(KernelClass cls) {
  switch (cls) {
    case K_XENT: return KARG(XENT, bias);
    case K_XENT_GRAD: return KARG(XENT_GRAD, bias);
    case K_XENT_DW: return KARG(XENT_DW, bias);
    default: return -1;
  }
}

bool kernel_equal(const Kernel *a, const Kernel *b) {
  bool same = a->cls == b->cls && a->narg == b->narg && !memcmp(a->dim, b->dim, sizeof a->dim) && same_number(a->f[0], b->f[0]) &&
              same_number(a->f[1], b->f[1]) && a->nmat == b->nmat && !memcmp(a->N, b->N, sizeof a->N) && a->paired == b->paired && a->exact == b->exact;
  for (int i = 0; same && i < a->narg; i++) same = same_arg(&a->arg[i], &b->arg[i]);
  for (int m = 0; same && m < MAX_MATS; m++) same = same_prog(&a->prog[m], &b->prog[m]);
  return same;
}

static int intern(Plan *p, Kernel *k) {
  for (int i = 0; i < p->nkernel; i++)
    if (kernel_equal(&p->kernel[i], k)) return i;
  k->id = p->nkernel;
  ARENA_PUSH(p->arena, p->kernel, p->nkernel, p->capkernel, *k);
  return k->id;
}

Call *plan_call(Plan *p, int entry, KernelDraft *d, int sym, int64_t rows, bool live) {
  Call c = {.kernel = intern(p, &d->k), .sym = sym, .rows = rows, .buf = d->buf, .of = sym < 0 ? -1 : p->sym[sym].model, .live = live};
  PlanEntry *e = &p->entry[entry];
  ARENA_PUSH(p->arena, e->call, e->ncall, e->capcall, c);
  return &e->call[e->ncall - 1];
}

Call *lower_call(Lower *l, KernelDraft *d, int sym, int64_t rows) { return plan_call(l->p, l->entry, d, sym, rows, l->live); }
