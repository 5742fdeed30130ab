// See compare.h.
#include "runtime/commands/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/commands/streams.h"
#include "runtime/core/core.h"

typedef struct Alone {
  char *name;                  // owned
  EvalResult *r;               // by job
} Alone;

static bool once(const char *path) {
  struct stat st;
  return !strcmp(path, "-") || (!stat(path, &st) && !S_ISREG(st.st_mode));
}

bool compare_asked(const Compare *c, const EvalJob *job, int n, RtError *e) {
  if (!c->o->rt->nalone)
    return rt_fail_about(e, RT_ABOUT_USAGE, "--compare: %s has none of its models alone; build it with calmc build --compare", c->o->program);
  for (int i = 0; i < n; i++)
    if (once(job[i].path)) return rt_fail_about(e, RT_ABOUT_USAGE, "--compare reads the data once for every model, and %s can be read once; give a file", job[i].data);
  return true;
}

void compare_opened(Compare *c, const App *a) {
  const Streams *ss = &a->models->streams;
  c->other = rt_alloc((size_t)c->p->nmodel, sizeof *c->other);
  c->precision = rt_alloc((size_t)c->p->nmodel, sizeof *c->precision);
  for (int i = 0; i < c->p->nmodel; i++) {
    const Stream *s = &ss->s[ss->of[i]];
    c->other[i] = s->silent ? models_other_tokenizer(a->models, i) : s->tok != NULL;
    c->precision[i] = engine_precision(a->en, i);
  }
  c->date = models_date(a->models);
}

const char *compare_only_text(const Compare *c) {
  for (int i = 0; i < c->p->nmodel; i++)
    if (c->other[i]) return c->p->model[i].name;
  return NULL;
}

// The options of a model alone: where it lies, and how things are computed; nothing of what the composition adds.
static Options options_of(const Compare *c, const RtProgram *rt, int model) {
  Options o = *c->o;
  size_t n = strlen(c->p->model[model].name);
  o.rt = rt;
  o.params = o.pack = NULL, o.contributions = o.force = false, o.measured = NULL;
  o.scale = o.ablate = (OptList){0};
  o.date = c->date;
  if (model != c->p->anchor) o.chat_template = NULL;
  memset(o.given, 0, sizeof o.given);
  o.precisions = &c->precision[model], o.precision_by = "the composition computes in it";
  o.model = (OptList){.v = rt_alloc((size_t)c->o->model.n, sizeof *o.model.v)};
  for (int i = 0; i < c->o->model.n; i++)
    if (!strncmp(c->o->model.v[i], c->p->model[model].name, n) && c->o->model.v[i][n] == '=') o.model.v[o.model.n++] = c->o->model.v[i];
  return o;
}

// A model that has no chat template of its own has no figures of conversations; the others have.
static bool without_template(Alone *x, int at, const RtError *e) {
  if (e->about != RT_ABOUT_TEMPLATE) return false;
  rt_warn("%s alone is left out: %s", x->name, e->text);
  x->r[at] = (EvalResult){0};
  return true;
}

static bool take_one(const Compare *c, const RtProgram *rt, const EvalJob *jobs, int n, Alone *out, RtError *e) {
  Prog *p = prog_parse(rt->json, (size_t)rt->json_len);
  int model = prog_model(c->p, p->model[0].name);
  out->name = rt_strdup(p->model[0].name);
  prog_close(p);
  Options o = options_of(c, rt, model);
  App a = {0};
  int64_t cap = o.tokens_cap;
  bool ok = app_open(&a, &o, e);
  if (ok && c->other[model]) a.models->only_text = out->name;
  if (ok) a.models->alone = true;
  ok = ok && eval_load(&a, &o, &cap, e);
  for (int i = 0; i < n && ok; i++) {
    EvalJob job = jobs[i];
    job.cap = cap, job.o = &o, job.of = out->name, job.only_text = NULL;
    ok = eval_take(&a, &job, &out->r[i], e) || without_template(out, i, e);
  }
  app_close(&a);
  rt_free(o.model.v);
  return ok;
}

// ---- what is said

static const struct { const char *name; int decimals, times; } COLUMN[N_EVAL_FIGURES] = {
    [EVAL_LOSS] = {"loss", 6, 1}, [EVAL_PERPLEXITY] = {"perplexity", 4, 1}, [EVAL_BITS] = {"bits per byte", 4, 1}, [EVAL_EXACT] = {"exact match %", 2, 100},
    [EVAL_BLEU] = {"BLEU", 2, 1}, [EVAL_CHRF] = {"chrF", 2, 1}, [EVAL_SIMILARITY] = {"edit similarity", 4, 1}, [EVAL_NUMBER] = {"last number %", 2, 100}};

static void print_line(const char *name, int width, const EvalResult *r, const bool *shown) {
  printf("  %-*s", width, name);
  for (int f = 0; f < N_EVAL_FIGURES; f++) {
    double x = r ? eval_figure(r, (EvalFigure)f) : NAN;
    int wide = (int)strlen(COLUMN[f].name) < 10 ? 10 : (int)strlen(COLUMN[f].name);
    if (!shown[f]) continue;
    if (!r) printf("  %*s", wide, COLUMN[f].name);
    else if (isnan(x)) printf("  %*s", wide, "-");
    else printf("  %*.*f", wide, COLUMN[f].decimals, x * COLUMN[f].times);
  }
  putchar('\n');
}

static void print_table(const EvalJob *job, const EvalResult *of, const Alone *alone, int n, int at) {
  bool shown[N_EVAL_FIGURES];
  int width = sizeof COMPOSITION - 1;
  for (int f = 0; f < N_EVAL_FIGURES; f++) {
    shown[f] = !isnan(eval_figure(of, (EvalFigure)f));
    for (int k = 0; k < n; k++) shown[f] |= !isnan(eval_figure(&alone[k].r[at], (EvalFigure)f));
  }
  for (int k = 0; k < n; k++)
    if ((int)strlen(alone[k].name) > width) width = (int)strlen(alone[k].name);
  printf("%s, side by side:\n", job->title);
  print_line("", width, NULL, shown);
  for (int k = 0; k < n; k++) print_line(alone[k].name, width, &alone[k].r[at], shown);
  print_line(COMPOSITION, width, of, shown);
}

// Models cut and split rows by their own contexts, and then the figures are not of the same text.
static void tell_unlike(const EvalJob *job, const EvalResult *of, const Alone *x, int at) {
  int64_t bytes = x->r[at].bytes, all = of->bytes, apart = bytes > all ? bytes - all : all - bytes;
  if (bytes > 0 && all > 0 && apart > all / 100)
    rt_warn("%s: %s alone is judged by %lld bytes of the text, the composition by %lld: their contexts, tokenizers or chat templates leave out other parts of it", job->data, x->name,
            (long long)bytes, (long long)all);
}

static void say(const Compare *c, const EvalJob *job, const EvalResult *r, int n, const Alone *alone, json_t *all) {
  for (int i = 0; i < n; i++) {
    json_t *list = json_array();
    for (int64_t k = 0; k < c->o->rt->nalone; k++) {
      json_t *o = eval_json(&job[i], &alone[k].r[i]);
      json_object_set_new(o, "of", json_string(alone[k].name));
      eval_json_end(&alone[k].r[i], o);
      json_array_append_new(list, o);
      tell_unlike(&job[i], &r[i], &alone[k], i);
    }
    json_object_set_new(json_array_get(all, (size_t)i), "alone", list);
    if (!c->o->json) print_table(&job[i], &r[i], alone, (int)c->o->rt->nalone, i);
  }
}

bool compare_take(Compare *c, const EvalJob *job, const EvalResult *r, int n, json_t *all, RtError *e) {
  int64_t m = c->o->rt->nalone;
  Alone *alone = rt_alloc((size_t)m, sizeof *alone);
  bool ok = true;
  for (int64_t k = 0; k < m && ok; k++) {
    alone[k].r = rt_alloc((size_t)n, sizeof *alone[k].r);
    ok = take_one(c, c->o->rt->alone[k], job, n, &alone[k], e);
  }
  if (ok) say(c, job, r, n, alone, all);
  for (int64_t k = 0; k < m; k++) rt_free(alone[k].name), rt_free(alone[k].r);
  rt_free(alone);
  return ok && streams_written(e);
}
