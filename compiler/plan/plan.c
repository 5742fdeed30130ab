// The plan as a whole: names, the entries init and prepare, the flat parameter vector.
#include "plan/plan.h"

#include <string.h>

#include "plan/lower.h"

const KernelClassInfo kernel_class[K_COUNT] = {
#define X(id, name, form, args, extents, what) {name, FORM_##form, sizeof(KArgs_##id), sizeof(KExtents_##id) / sizeof(int64_t)},
#include "plan/kernels.def"
#undef X
};
#define X(id, name, form, args, extents, what) _Static_assert(sizeof(KExtents_##id) <= sizeof((Kernel *)0)->dim, "extents of " name);
#include "plan/kernels.def"
#undef X

const char *buf_kind_name(BufKind k) {
  static const char *const name[] = {"input", "mask", "weight", "packed", "param", "grad", "live", "cache", "const", "act"};
  return name[k];
}

Plan *plan_new(Arena *a) {
  Plan *p = ARENA_NEW(a, Plan);
  p->arena = a;
  return p;
}

// Packs every matrix of one kind: frozen ones in init, live ones in prepare.
static void pack_entry(Plan *p, const char *name, BufKind kind) {
  PlanEntry e = {.name = name};
  ARENA_PUSH(p->arena, p->entry, p->nentry, p->capentry, e);
  Lower l = {.p = p, .entry = p->nentry - 1};
  for (int i = 0; i < p->nbuf; i++) {
    if (p->buf[i].kind != kind) continue;
    int64_t N = p->buf[i].mask[0], K = p->buf[i].mask[1];
    KernelDraft d = {.k = {.cls = K_PACK, .PACK = {.N = N, .K = K, .turned = p->buf[i].mask[2]}}};
    draft_arg_rows(&l, &d, p->buf[i].source, false, false, N * K);
    draft_arg_rows(&l, &d, i, true, true, PANEL * K);
    lower_call(&l, &d, -1, (N + PANEL - 1) / PANEL);
  }
}

enum { PARAM_ALIGN = 16 };
// Slices of the flat vector, in order of appearance; a gradient lies where its parameter lies.
static void place_params(Plan *p) {
  for (int i = 0; i < p->nbuf; i++) {
    if (p->buf[i].kind != BUF_PARAM) continue;
    p->buf[i].offset = p->theta;
    p->theta += (p->buf[i].elems + PARAM_ALIGN - 1) / PARAM_ALIGN * PARAM_ALIGN;
  }
  p->theta = (p->theta + FLAT_WIDTH - 1) / FLAT_WIDTH * FLAT_WIDTH;
  for (int i = 0; i < p->nbuf; i++) {
    for (int k = 0; p->buf[i].kind == BUF_GRAD && k < p->nbuf; k++) {
      if (p->buf[k].kind == BUF_PARAM && !strcmp(p->buf[k].name, p->buf[i].name)) p->buf[i].offset = p->buf[k].offset;
    }
  }
}

void plan_finish(Plan *p) {
  pack_entry(p, "init", BUF_PACKED);
  pack_entry(p, "prepare", BUF_LIVE);
  place_params(p);
  for (int i = 0; i < p->nentry; i++) plan_place(p, i);
  plan_check(p);
}
