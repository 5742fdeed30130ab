// See gaps.h.
#include "plan/gaps.h"

static const Gap *gap(const Gaps *g, int k) {
  static const Gap all = {0, INT64_MAX};
  return g->cap ? &g->v[k] : &all;
}
static void begin(Arena *a, Gaps *g) {
  Gap all = *gap(g, 0);
  if (!g->cap) ARENA_PUSH(a, g->v, g->n, g->cap, all);
}

// The last gap that begins at or before `at`, -1 when there is none.
static int before(const Gaps *g, int64_t at) {
  int lo = 0, hi = g->n;
  while (lo < hi) {
    int mid = (lo + hi) / 2;
    if (g->v[mid].begin <= at) lo = mid + 1;
    else hi = mid;
  }
  return lo - 1;
}

static void insert(Arena *a, Gaps *g, int k, Gap x) {
  ARENA_PUSH(a, g->v, g->n, g->cap, x);
  for (int i = g->n - 1; i > k; i--) g->v[i] = g->v[i - 1];
  g->v[k] = x;
}
static void drop(Gaps *g, int k) {
  g->n--;
  for (int i = k; i < g->n; i++) g->v[i] = g->v[i + 1];
}

int64_t gaps_first(const Gaps *g, int64_t size) {
  int k = 0;
  while (gap(g, k)->end - gap(g, k)->begin < size) k++;       // the last holds anything
  return gap(g, k)->begin;
}

bool gaps_take(Arena *a, Gaps *g, int64_t at, int64_t size) {
  begin(a, g);
  int k = before(g, at);
  if (size == 0) return true;
  if (k < 0 || g->v[k].end - at < size) return false;
  Gap behind = {at + size, g->v[k].end};
  g->v[k].end = at;
  if (behind.begin < behind.end) insert(a, g, k + 1, behind);
  if (g->v[k].begin == g->v[k].end) drop(g, k);
  return true;
}

bool gaps_give(Arena *a, Gaps *g, int64_t at, int64_t size) {
  begin(a, g);
  int k = before(g, at), next = k + 1;
  if (size == 0) return true;
  if ((k >= 0 && g->v[k].end > at) || (next < g->n && g->v[next].begin < at + size)) return false;
  bool joins = k >= 0 && g->v[k].end == at, joined = next < g->n && g->v[next].begin == at + size;
  if (joins && joined) g->v[k].end = g->v[next].end, drop(g, next);
  else if (joins) g->v[k].end = at + size;
  else if (joined) g->v[next].begin = at;
  else insert(a, g, next, (Gap){at, at + size});
  return true;
}
