// The plan as a whole, once every entry is in it: train in two, the entries init and prepare, the flat parameter vector, how weights are read.
#include <stdlib.h>
#include <string.h>

#include "plan/lower.h"

// Larger ones first: at the start there is room for the file's pages of a matrix beside its panels, and the last ones then need little of it.
typedef struct ToPack { int64_t elems; int buf; } ToPack;
static int larger_first(const void *a, const void *b) {
  const ToPack *x = a, *y = b;
  return x->elems != y->elems ? (x->elems < y->elems) - (x->elems > y->elems) : x->buf - y->buf;
}

// Packs every matrix of one kind: frozen ones in init, live ones in prepare.
static void pack_entry(Plan *p, const char *name, BufKind kind) {
  PlanEntry e = {.name = name};
  ARENA_PUSH(p->arena, p->entry, p->nentry, p->capentry, e);
  Lower l = {.p = p, .entry = p->nentry - 1};
  ToPack *list = ARENA_ARRAY(p->arena, ToPack, p->nbuf + 1);
  int n = 0;
  for (int i = 0; i < p->nbuf; i++)
    if (p->buf[i].kind == kind) list[n++] = (ToPack){p->buf[i].elems, i};
  qsort(list, (size_t)n, sizeof *list, larger_first);
  for (int k = 0; k < n; k++) {
    int i = list[k].buf;
    ProgPanels m = p->buf[i].packed;
    KernelDraft d = {.k = {.cls = K_PACK, .PACK = {.N = m.N, .K = m.K, .turned = m.turned}, .exact = m.exact}};
    draft_arg_rows(&l, &d, m.source, false, false, m.N * m.K);
    draft_arg_rows(&l, &d, i, true, true, panel_elems(p->buf[i].dt, m.K));
    lower_call(&l, &d, -1, (m.N + PANEL - 1) / PANEL)->of = m.of;
  }
}

enum { PARAM_ALIGN = 16 };
// Slices of the flat vector, in order of appearance; a gradient lies where its parameter lies.
static void place_params(Plan *p) {
  for (int i = 0; i < p->nbuf; i++) {
    if (p->buf[i].kind != BUF_PARAM) continue;
    p->buf[i].slice.offset = p->theta;
    p->theta += (p->buf[i].elems + PARAM_ALIGN - 1) / PARAM_ALIGN * PARAM_ALIGN;
  }
  p->theta = (p->theta + FLAT_WIDTH - 1) / FLAT_WIDTH * FLAT_WIDTH;
  for (int i = 0; i < p->nbuf; i++) {
    int param = p->buf[i].kind == BUF_GRAD ? plan_find(p, BUF_PARAM, p->buf[i].name) : -1;
    if (param >= 0) p->buf[i].slice = p->buf[param].slice;
  }
}

// How weights are read once they are packed: by token ids alone, of so many vectors one each, or as a whole (ProgStored).
static void find_tables(Plan *p) {
  for (int i = 0; i < p->nentry; i++)
    for (int c = 0; c < p->entry[i].ncall; c++) {
      const Call *call = &p->entry[i].call[c];
      const Kernel *k = &p->kernel[call->kernel];
      for (int a = 0; a < k->narg && k->cls != K_PACK; a++) {
        PBuf *b = &p->buf[call->buf[a]];
        if (b->kind != BUF_WEIGHT || b->stored.tables == 1) continue;
        const char *model;
        bool table = k->cls == K_LOOKUP && a == KARG(LOOKUP, table) &&
                     prog_name_is(InputKind_names, INPUT_IDS, p->buf[call->buf[KARG(LOOKUP, ids)]].name, &model);
        b->stored.tables = table ? k->LOOKUP.V : 1;
      }
    }
}

void plan_finish(Plan *p) {
  for (int i = 0, n = p->nentry; i < n; i++)
    for (int k = 0; k < N_SPLIT; k++)
      if (!strcmp(p->entry[i].name, entry_name(prog_splits[k].whole))) plan_split(p, i, &prog_splits[k]);
  pack_entry(p, entry_name(ENTRY_INIT), BUF_PACKED);
  pack_entry(p, entry_name(ENTRY_PREPARE), BUF_LIVE);
  place_params(p);
  for (int i = 0; i < p->nentry; i++) plan_place(p, i);
  find_tables(p);
  plan_check(p);
}
