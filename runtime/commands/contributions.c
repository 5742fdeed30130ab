// See contributions.h.
#include "runtime/commands/contributions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"

bool contributions_asked(const Options *o, bool want_loss, RtError *e) {
  if (!o->contributions || want_loss) return true;
  return rt_fail_about(e, RT_ABOUT_USAGE, "--contributions says what the loss becomes, and --metric %s computes none", o->metric);
}

static bool loss_now(App *a, Step *s, const DataFile *f, const DataOptions *o, int64_t cap, double *out, RtError *e) {
  FeedLoss got = {0};
  if (!feed_loss(a->en, s, f, o, cap, NULL, NULL, &got, e)) return false;
  *out = got.nll / (double)got.labelled;
  return true;
}

bool contributions_take(App *a, Step *s, const DataFile *f, const DataOptions *o, int64_t cap, Contributions *out, RtError *e) {
  const Prog *p = a->prog;
  int n = p->nconnection;
  if (!n) return rt_fail(e, "--contributions: %s connects nothing", p->spec);
  float *was = rt_alloc((size_t)n, sizeof *was);
  out->loss = rt_alloc((size_t)n, sizeof *out->loss);
  bool ok = true;
  for (int i = 0; i < n && ok; i++) {
    was[i] = engine_gain_of(a->en, i);
    engine_gain(a->en, i, 0);
    ok = loss_now(a, s, f, o, cap, &out->loss[i], e);
    engine_gain(a->en, i, was[i]);
  }
  for (int i = 0; i < n && ok; i++) engine_gain(a->en, i, 0);
  out->all = n == 1 ? out->loss[0] : 0;
  if (ok && n > 1) ok = loss_now(a, s, f, o, cap, &out->all, e);
  for (int i = 0; i < n && ok; i++) engine_gain(a->en, i, was[i]);
  rt_free(was);
  return ok;
}

void contributions_free(Contributions *c) {
  rt_free(c->loss);
  *c = (Contributions){0};
}

static void line(const char *name, int width, double loss, double with) { printf("  %-*s  %10.6f  %+10.6f\n", width, name, loss, loss - with); }

void contributions_print(const Contributions *c, const Prog *p, double loss) {
  static const char ALL[] = "all of them", WITHOUT[] = "without";
  int width = sizeof ALL - 1;
  for (int i = 0; i < p->nconnection; i++)
    if ((int)strlen(p->connection[i].name) > width) width = (int)strlen(p->connection[i].name);
  printf("  %-*s  %10s  %10s\n", width, WITHOUT, "loss", "change");
  for (int i = 0; i < p->nconnection; i++) line(p->connection[i].name, width, c->loss[i], loss);
  if (p->nconnection > 1) line(ALL, width, c->all, loss);
}

static json_t *number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

void contributions_json(const Contributions *c, const Prog *p, double loss, json_t *into) {
  json_t *list = json_array();
  for (int i = 0; i < p->nconnection; i++)
    json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "without", p->connection[i].name, "loss", number(c->loss[i]), "change", number(c->loss[i] - loss)));
  json_object_set_new(into, "contributions", list);
  json_object_set_new(into, "loss_without_all", number(c->all));
}
