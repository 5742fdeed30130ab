// See cut.h.
#include "runtime/rows/cut.h"

#include <string.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"

static int64_t context_of(const CutRules *c, int k) { return k ? c->streams->s[k].context : c->context; }

// What is left of a row must leave room, but in a context that a text of its own fills, which does not grow; one that fits as it is need not.
static int64_t limit_of(const CutRules *c, const Follow *f, int k, int64_t drop) {
  int64_t context = context_of(c, k), room = !drop ? 0 : c->room < context / 2 ? c->room : context / 2, behind = k ? 0 : c->behind;
  if (k && f->s[k].own) return context;
  return context - (room > behind ? room : behind);
}

// The row without `drop` tokens: does it fit, and if not, in which stream?
static bool attempt(const CutRules *c, const CutRow *r, int64_t drop, CutDone *d, bool *fits, RtError *e) {
  int64_t n = r->n - drop;
  follow_free(d->follow);
  *d = (CutDone){.drop = drop};
  *fits = n <= limit_of(c, NULL, 0, drop);
  if (!*fits || !r->follow) return true;
  if (!(d->follow = r->follow(r->user, drop, e))) return false;
  int64_t there = d->follow->n < n ? d->follow->n : n;
  for (int k = 1; *fits && there && k < c->streams->n; k++)
    if (d->follow->s[k].seen[there - 1] > limit_of(c, d->follow, k, drop)) *fits = false, d->by = k;
  return true;
}

static bool refuse(const CutRules *c, const CutRow *r, int by, const char *way, RtError *e) {
  char size[48] = "";
  int64_t context = context_of(c, by);
  if (!by) snprintf(size, sizeof size, " of %lld token%s", (long long)r->n, plural(r->n));
  return rt_fail_about(e, RT_ABOUT_LONG_ROW, "the %s%s %s %s's context of %lld token%s%s", r->what, size, !by && r->n <= context ? "leaves no room in" : "is longer than", c->streams ? streams_narrow(c->streams, by) : "the model", (long long)context,
                 plural(context), way);
}

int cut_own_over(const Follow *f) {
  for (int k = 1; k < f->streams->n; k++)
    if (f->s[k].own && f->s[k].n > f->streams->s[k].context) return k;
  return 0;
}

bool cut_refuse_own(const Follow *f, int by, RtError *e) {
  const Stream *s = &f->streams->s[by];
  return rt_fail_about(e, RT_ABOUT_LONG_ROW, "\"augment\": %s's own text of %lld token%s is longer than %s's context of %lld token%s, and is never cut; too_long = skip leaves such rows out",
                       s->model, (long long)f->s[by].n, plural(f->s[by].n), streams_narrow(f->streams, by), (long long)s->context, plural(s->context));
}

// So many tokens of the prompt are too few to drop, and so many are all that may be: the first token has nothing to be predicted from.
static int64_t too_few(const CutRules *c, const CutRow *r) { return r->n > c->context ? r->n - c->context - 1 : 0; }
static int64_t all_of(const CutRow *r) { return r->prompt - (r->keep ? r->keep : 1); }

// Does the row without its prompt fit?
static bool attempt_bare(const CutRules *c, const CutRow *r, CutDone *d, bool *fits, RtError *e) {
  *fits = false;
  return all_of(r) <= too_few(c, r) || attempt(c, r, all_of(r), d, fits, e);
}

// The fewest tokens of the prompt to drop, by halves: what other streams make of less text is, but for a token or two, less.
static bool cut_prompt(const CutRules *c, const CutRow *r, int by, CutDone *d, RtError *e) {
  int64_t lo = too_few(c, r), hi = all_of(r);
  bool fits;
  if (!attempt_bare(c, r, d, &fits, e)) return false;
  int own = !fits && d->follow ? cut_own_over(d->follow) : 0;
  if (own) return cut_refuse_own(d->follow, own, e);
  if (!fits) return refuse(c, r, by, ", and so is what is left without its prompt, which is all that too_long = truncate cuts; too_long = skip leaves such rows out", e);
  while (hi - lo > 1) {
    int64_t mid = lo + (hi - lo) / 2;
    if (!attempt(c, r, mid, d, &fits, e)) return false;
    if (fits) hi = mid;
    else lo = mid;
  }
  return d->drop == hi || attempt(c, r, hi, d, &fits, e);
}

// What can be done about a row that is an error.
static const char *way_out(const CutRules *c, const CutRow *r, CutDone *d) {
  bool fits;
  RtError ignored;
  return attempt_bare(c, r, d, &fits, &ignored) && fits ? "; too_long = skip leaves such rows out, truncate cuts their prompts from the left"
                                                        : ", and so is what is left without its prompt; too_long = skip leaves such rows out";
}

bool cut_row(const CutRules *c, const CutRow *r, CutDone *d, RtError *e) {
  bool fits;
  *d = (CutDone){0};
  bool ok = attempt(c, r, 0, d, &fits, e);
  int by = d->by;
  if (ok && !fits) {
    d->out = c->too_long == TOO_LONG_skip;
    if (c->too_long != TOO_LONG_skip && by && d->follow->s[by].own) ok = cut_refuse_own(d->follow, by, e);
    else if (c->too_long == TOO_LONG_error) ok = refuse(c, r, by, way_out(c, r, d), e);
    else if (!d->out) ok = cut_prompt(c, r, by, d, e);
    d->by = by;
  }
  if (!ok || d->out) follow_free(d->follow), d->follow = NULL;
  return ok;
}

int64_t cut_keep(const Tokenizer *tok, int32_t bos, const int32_t *ids, int64_t n) {
  const int32_t *prefix = &bos;
  int64_t np = tok ? tokenizer_prefix(tok, &prefix) : 0;
  if (!np) prefix = &bos, np = bos >= 0;
  return np <= n && !memcmp(ids, prefix, (size_t)np * sizeof *ids) ? np : 0;
}

void cut_out(int32_t *v, int64_t n, int64_t keep, int64_t drop) {
  if (v) memmove(v + keep, v + keep + drop, (size_t)(n - keep - drop) * sizeof *v);
}
