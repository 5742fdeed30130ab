// Kernels and calls: a kernel is known by its complete text form, so that equal ones are compiled once whatever the depth.
#include <string.h>

#include "plan/lower.h"
#include "plan/print.h"

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

static int intern(Plan *p, Kernel *k) {
  Buf text = {0};
  kernel_print(k, &text);
  for (int i = 0; i < p->nkernel; i++) {
    if (!strcmp(p->kernel[i].key, text.s)) {
      buf_free(&text);
      return i;
    }
  }
  k->key = arena_strdup(p->arena, text.s);
  buf_free(&text);
  k->id = p->nkernel;
  ARENA_PUSH(p->arena, p->kernel, p->nkernel, p->capkernel, *k);
  return k->id;
}

void plan_call(Plan *p, int entry, KernelDraft *d, int sym, int64_t rows) {
  Call c = {.kernel = intern(p, &d->k), .sym = sym, .rows = rows, .buf = d->buf};
  PlanEntry *e = &p->entry[entry];
  ARENA_PUSH(p->arena, e->call, e->ncall, e->capcall, c);
}

void lower_call(Lower *l, KernelDraft *d, int sym, int64_t rows) { plan_call(l->p, l->entry, d, sym, rows); }
