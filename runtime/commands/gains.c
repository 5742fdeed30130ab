// See gains.h.
#include "runtime/commands/gains.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"

struct Gain {                  // what a flag says
  const char *flag;
  char *name;                  // of a model, or a connection; owned
  float by;
  int model, connection;       // one is -1
};

static bool reads(const Prog *p, int model) {
  for (int i = 0; i < p->nconnection; i++)
    if (p->connection[i].from == model) return true;
  return false;
}

static bool no_such(const Prog *p, const Gain *g, RtError *e) {
  Near near = near_begin(g->name);
  for (int i = 0; i < p->nmodel; i++)
    if (reads(p, i)) near_offer(&near, p->model[i].name);
  for (int i = 0; i < p->nconnection; i++) near_offer(&near, p->connection[i].name);
  if (!p->nconnection) return rt_fail_about(e, RT_ABOUT_USAGE, "--%s %s: this program connects nothing", g->flag, g->name);
  return rt_fail_about(e, RT_ABOUT_USAGE, "--%s %s: expected a model that connections read, or a connection such as %s (see info)%s%s%s", g->flag, g->name,
                       p->connection[0].name, near.best ? "; did you mean '" : "", near.best ? near.best : "", near.best ? "'?" : "");
}

static bool find(const Prog *p, Gain *g, RtError *e) {
  g->connection = -1;
  for (int i = 0; i < p->nconnection; i++)
    if (!strcmp(p->connection[i].name, g->name)) g->connection = i;
  g->model = g->connection < 0 ? prog_model(p, g->name) : -1;
  return g->connection >= 0 || (g->model >= 0 && reads(p, g->model)) || no_such(p, g, e);
}

// NAME=X. A connection's name has no '='.
static bool read_scale(Gain *g, const char *text, RtError *e) {
  const char *eq = strchr(text, '=');
  double x;
  if (!eq || eq == text) return rt_fail_about(e, RT_ABOUT_USAGE, "--scale %s: expected NAME=X, as in --scale code=0.5", text);
  if (!number_real_text(eq + 1, &x) || !isfinite((float)x))
    return rt_fail_about(e, RT_ABOUT_USAGE, "--scale %s: expected a number behind '=', found \"%s\"", text, eq + 1);
  g->by = (float)x;
  g->name = rt_strndup(text, (size_t)(eq - text));
  return true;
}

static bool read_one(const Prog *p, const Options *o, int k, Gain *all, RtError *e) {
  Gain *g = &all[k];
  g->flag = k < o->scale.n ? "scale" : "ablate";
  if (k >= o->scale.n) g->name = rt_strdup(o->ablate.v[k - o->scale.n]);
  else if (!read_scale(g, o->scale.v[k], e)) return false;
  if (!find(p, g, e)) return false;
  for (int i = 0; i < k; i++)
    if (!strcmp(all[i].name, g->name)) return rt_fail_about(e, RT_ABOUT_USAGE, "--%s %s: %s is named twice", g->flag, g->name, g->name);
  return true;
}

static bool means(const Prog *p, const Gain *g, int connection) {
  return g->connection >= 0 ? connection == g->connection : p->connection[connection].from == g->model;
}

static void weigh(const Prog *p, const Gain *all, int n, float *by) {
  for (int i = 0; i < p->nconnection; i++) by[i] = 1;
  for (int own = 0; own < 2; own++)                          // a connection's own goes before its model's
    for (int k = 0; k < n; k++)
      for (int i = 0; i < p->nconnection; i++)
        if ((all[k].connection >= 0) == own && means(p, &all[k], i)) by[i] = all[k].by;
}

// Whether a command gives states of the model as they are: --hidden MODEL.BLOCK[,…].
static bool is_shown(const Options *o, const char *model) {
  size_t n = strlen(model);
  for (int i = 0; i < o->hidden.n; i++)
    for (const char *w = o->hidden.v[i]; w; w = strchr(w, ',') ? strchr(w, ',') + 1 : NULL)
      if (!strncmp(w, model, n) && w[n] == '.') return true;
  return false;
}

// The models that nothing reads which counts.
static void find_silent(const Prog *p, const Options *o, const float *by, bool *silent) {
  for (int m = 0; m < p->nmodel; m++) silent[m] = m != p->anchor && !is_shown(o, p->model[m].name);
  for (bool more = true; more;) {
    more = false;
    for (int i = 0; i < p->nconnection; i++) {
      const ProgConnection *c = &p->connection[i];
      if (by[i] == 0 || silent[c->to] || !silent[c->from]) continue;
      silent[c->from] = false, more = true;
    }
  }
}

bool gains_read(Gains *g, const Prog *p, const Options *o, RtError *e) {
  bool ok = true;
  *g = (Gains){.n = o->scale.n + o->ablate.n};
  g->all = rt_alloc((size_t)g->n, sizeof *g->all);
  for (int k = 0; k < g->n && ok; k++) ok = read_one(p, o, k, g->all, e);
  if (!ok || !g->n) return ok;
  g->by = rt_alloc((size_t)p->nconnection, sizeof *g->by), g->silent = rt_alloc((size_t)p->nmodel, sizeof *g->silent);
  weigh(p, g->all, g->n, g->by);
  find_silent(p, o, g->by, g->silent);
  return true;
}

void gains_set(App *a, const Gains *g) {
  const Prog *p = a->prog;
  for (int i = 0; g->by && i < p->nconnection; i++) engine_gain(a->en, i, g->by[i]);
  for (int k = 0; k < g->n; k++) {
    const Gain *said = &g->all[k];
    int n = 0;
    for (int i = 0; i < p->nconnection; i++) n += means(p, said, i);
    if (said->by == 0) rt_note("%s: left out (%d connection%s)", said->name, n, plural(n));
    else rt_note("%s: counts %g times (%d connection%s)", said->name, (double)said->by, n, plural(n));
  }
}

void gains_free(Gains *g) {
  for (int k = 0; k < g->n; k++) rt_free(g->all[k].name);
  rt_free(g->all), rt_free(g->by), rt_free(g->silent);
}

json_t *gains_json(const App *a) {
  json_t *o = json_object();
  for (int i = 0; i < a->prog->nconnection; i++) {
    float by = engine_gain_of(a->en, i);
    if (by != 1) json_object_set_new(o, a->prog->connection[i].name, json_real((double)by));
  }
  if (json_object_size(o)) return o;
  json_decref(o);
  return NULL;
}
