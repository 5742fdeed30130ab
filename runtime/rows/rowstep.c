// See rowstep.h.
#include "runtime/rows/rowstep.h"

void follow_step(const Follow *f, Step *s) {
  for (int k = 1; k < s->nstream; k++) step_follow(s, k, f->s[k].ids, f->s[k].seen);
}

int64_t row_tokens(const DataRow *r) {
  int64_t n = r->n;
  while (n > 1 && r->labels[n - 1] == -100) n--;
  return n > 1 ? n - 1 : 0;
}

int64_t row_most_tokens(const DataRow *r, int64_t n) {
  int64_t most = n;
  for (int k = 1; r->follow && n && k < r->follow->streams->n; k++)
    if (r->follow->s[k].seen[n - 1] > most) most = r->follow->s[k].seen[n - 1];
  return most;
}

bool row_fits(const Step *s, const DataRow *r, int64_t n, int64_t cap) {
  if (s->stream[0].ntok == 0) return true;
  if (s->stream[0].ntok + n > cap) return false;
  for (int k = 1; n && k < s->nstream; k++)
    if (s->stream[k].ntok + r->follow->s[k].seen[n - 1] > cap) return false;
  return true;
}

int64_t row_add(Step *s, const DataRow *r, float gscale) {
  int64_t n = row_tokens(r), labelled = 0;
  if (n == 0) return 0;
  step_add(s, r->ids, n, 0, 0);
  follow_step(r->follow, s);
  for (int64_t t = 0; t < n; t++) {
    if (r->labels[t + 1] == -100) continue;
    step_want(s, t, r->labels[t + 1], gscale);
    labelled++;
  }
  return labelled;
}
