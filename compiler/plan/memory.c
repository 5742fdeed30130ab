// Placing activations: one region per row symbol and one for static data. Two values that live at the same time never overlap; within a
// region the first gap that fits is taken, values in the order in which they begin to live.
#include <stdlib.h>
#include <string.h>

#include "plan/gaps.h"
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

// Values by when they die: the head of a list for every call, and behind the last the outputs.
typedef struct Deaths {
  int *first, *next;           // by call; by value
} Deaths;

static void give_back(Plan *p, Gaps *room, const Life *life, const Deaths *d, int call) {
  for (int i = d->first[call]; i >= 0; i = d->next[i]) {
    const PBuf *b = &p->buf[life[i].buf];
    gaps_give(p->arena, &room[b->sym + 1], b->act.offset, life[i].size);
  }
}

void plan_place(Plan *p, int entry) {
  PlanEntry *e = &p->entry[entry];
  Life *life = ARENA_ARRAY(p->arena, Life, p->nbuf + 1);
  Gaps *room = ARENA_ARRAY(p->arena, Gaps, p->nsym + 1);             // by symbol; the first is the static one
  Deaths d = {ARENA_ARRAY(p->arena, int, e->ncall + 2), ARENA_ARRAY(p->arena, int, p->nbuf + 1)};
  e->row_bytes = ARENA_ARRAY(p->arena, int64_t, p->nsym + 1);
  for (int c = 0; c <= e->ncall; c++) d.first[c] = -1;
  int n = lives(p, entry, life), now = 0;
  if (n) qsort(life, (size_t)n, sizeof *life, by_first);
  for (int i = 0; i < n; i++) {
    for (; now < life[i].first; now++) give_back(p, room, life, &d, now);
    PBuf *b = &p->buf[life[i].buf];
    Gaps *g = &room[b->sym + 1];
    b->act.offset = gaps_first(g, life[i].size);
    gaps_take(p->arena, g, b->act.offset, life[i].size);
    d.next[i] = d.first[life[i].last];
    d.first[life[i].last] = i;
    int64_t end = b->act.offset + life[i].size, *top = b->sym < 0 ? &e->static_bytes : &e->row_bytes[b->sym];
    if (end > *top) *top = end;
  }
}
