// Placing activations: one region per row symbol and one for static data. Two values that live at the same time never overlap; within a
// region the first gap that fits is taken, values in the order in which they begin to live.
#include <stdlib.h>
#include <string.h>

#include "plan/lower.h"

typedef struct Life {
  int buf, first, last;        // calls
  int64_t size;                // bytes, per row of the region
} Life;

static int by_first(const void *x, const void *y) {
  const Life *a = x, *b = y;
  if (a->first != b->first) return a->first < b->first ? -1 : 1;
  if (a->size != b->size) return a->size > b->size ? -1 : 1;
  return a->buf - b->buf;
}

// When each activation of the entry is first and last touched; outputs live to the end.
static int lives(const Plan *p, int entry, Life *life) {
  const PlanEntry *e = &p->entry[entry];
  int *at = ARENA_ARRAY(p->arena, int, p->nbuf + 1), n = 0;
  for (int i = 0; i < p->nbuf; i++) at[i] = -1;
  for (int c = 0; c < e->ncall; c++) {
    for (int k = 0; k < p->kernel[e->call[c].kernel].narg; k++) {
      int b = e->call[c].buf[k];
      if (p->buf[b].kind != BUF_ACT) continue;
      if (at[b] < 0) {
        at[b] = n;
        int64_t unit = p->buf[b].sym < 0 ? 64 : 4;         // static data starts at cache lines; rows: extents are multiples of 16
        int64_t bytes = p->buf[b].elems * dtype_size(p->buf[b].dt);
        life[n++] = (Life){b, c, c, (bytes + unit - 1) / unit * unit};
      }
      life[at[b]].last = c;
    }
  }
  for (int i = 0; i < e->nout; i++) {
    if (at[e->out[i].buf] >= 0) life[at[e->out[i].buf]].last = e->ncall;
  }
  return n;
}

// What is alive in a region, by where it begins.
typedef struct Placed {
  int64_t begin, end;
  int last;
} Placed;
typedef struct Region {
  Placed *v;
  int n, cap;
} Region;

// Takes the first gap that holds x, among what is alive when it begins to be: what has died by then is forgotten.
static int64_t place(Arena *a, Region *r, const Life *x) {
  int n = 0;
  for (int k = 0; k < r->n; k++)
    if (r->v[k].last >= x->first) r->v[n++] = r->v[k];
  r->n = n;
  int64_t at = 0;
  for (int k = 0; k < n && r->v[k].begin - at < x->size; k++)
    if (r->v[k].end > at) at = r->v[k].end;
  Placed p = {at, at + x->size, x->last};
  ARENA_PUSH(a, r->v, r->n, r->cap, p);
  int k = r->n - 1;
  for (; k > 0 && r->v[k - 1].begin > at; k--) r->v[k] = r->v[k - 1];
  r->v[k] = p;
  return at;
}

void plan_place(Plan *p, int entry) {
  PlanEntry *e = &p->entry[entry];
  Life *life = ARENA_ARRAY(p->arena, Life, p->nbuf + 1);
  Region *region = ARENA_ARRAY(p->arena, Region, p->nsym + 1);       // by symbol; the first is the static one
  e->row_bytes = ARENA_ARRAY(p->arena, int64_t, p->nsym + 1);
  int n = lives(p, entry, life);
  if (n) qsort(life, (size_t)n, sizeof *life, by_first);
  for (int i = 0; i < n; i++) {
    PBuf *b = &p->buf[life[i].buf];
    b->act.offset = place(p->arena, &region[b->sym + 1], &life[i]);
    int64_t end = b->act.offset + life[i].size, *top = b->sym < 0 ? &e->static_bytes : &e->row_bytes[b->sym];
    if (end > *top) *top = end;
  }
}
