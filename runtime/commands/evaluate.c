// eval: loss, perplexity and bits per byte of the labelled tokens, and how near generated texts are to the rows' (evaltexts.c); --out says it of every row.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/commands/budget.h"
#include "runtime/commands/command.h"
#include "runtime/commands/compare.h"
#include "runtime/commands/contributions.h"
#include "runtime/commands/evaljob.h"
#include "runtime/commands/gains.h"
#include "runtime/commands/memory.h"
#include "runtime/commands/rundata.h"
#include "runtime/commands/streams.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

static void tally_loss(void *user, const DataRow *r, double nll) {
  Tally *t = user;
  int64_t said = t->says ? row_said(t->m->tok, r) : 0;
  t->rows++, t->tokens += r->n;
  t->bytes = said < 0 || t->bytes < 0 ? -1 : t->bytes + said;
  evaltexts_tally(t, r);
  if (t->each) evalrows_add(t->each, r, &(EvalRowLoss){t->says, nll, said}, evaltexts_counts(t, r));
  pace_say(&t->pace, r->row + 1, t->tokens);
}

// Is there anything of what is wanted in the rows?
static bool can_score(const Tally *t, int64_t labelled, RtError *e) {
  const EvalJob *job = t->job;
  const Models *m = t->m;
  if ((job->want_exact && m->tok && t->pairs) || (job->want_loss && labelled)) return true;
  if (job->want_loss)
    return rt_fail(e, "%s: nothing to score: none of its %lld row%s has a labelled token", job->data, (long long)t->rows, plural(t->rows));
  if (!m->tok) return rt_fail(e, "%s: exact match compares texts, and %s has no tokenizer", job->data, m->prog->model[m->prog->anchor].name);
  return rt_fail(e, "%s: nothing to score: exact match takes rows with \"prompt\" and \"completion\", and none of its %lld row%s has both", job->data,
                 (long long)t->rows, plural(t->rows));
}

// Without a loss to compute on the way.
static bool tally_rows(const DataFile *file, const DataOptions *o, Tally *t, RtError *e) {
  Feeder f;
  const DataRow *next;
  bool ok = true;
  char *what = rt_format("reading %s", data_path(file));
  feeder_start(&f, file, o, &(FeedPlan){.once = true});
  while (ok && (ok = feeder_peek(&f, &next, e)) && next) {
    DataRow r = feeder_take(&f);
    tally_loss(t, &r, 0);
    data_row_free(&r);
    rt_progress(what, f.at.position, data_count(file));
    ok = !rt_stopped(e);
  }
  rt_progress(what, 1, 1);
  if (ok && !file->held) feed_tell(t->m, data_path(file), f.read);
  feeder_end(&f), rt_free(what);
  return ok;
}

// --memory: whether a step of the longest row fits, than which there is none smaller.
static bool longest_fits(App *a, const EvalJob *job, const Data *d, RtError *e) {
  Shape s = shape_of_data(a->models, d, 1, false);
  RtError why;
  bool ok = memory_check(a, job->o, &(Load){.tables = -1, .nstep = 1, .step = {{a->en->entry[ENTRY_LOSS], s.tokens, s.rows}}}, &why);
  int64_t n = feed_longest(d);
  shape_free(&s);
  return ok || rt_fail_about(e, why.about, "%s: %.800s, for a step of the longest row (%lld token%s)", job->data, why.text, (long long)n, plural(n));
}

// A look at the data before anything is computed: all of it, where it is not large. early: no weight is read yet.
static bool look_at(App *a, const EvalJob *job, DataFile *file, bool early, RtError *e) {
  const char *only_text = a->models->only_text;
  if (job->only_text) a->models->only_text = job->only_text;
  Data *d = feed_look(a->models, file, e);
  a->models->only_text = only_text;
  if (!d) return false;
  Tally t = {.m = a->models, .job = job, .known = rt_alloc((size_t)a->models->streams.n, sizeof *t.known)};
  for (int64_t i = 0; i < d->n; i++) t.rows++, evaltexts_tally(&t, &d->row[i]);
  bool ok = (!data_whole(d) || can_score(&t, d->labelled, e)) && (!early || !job->want_loss || longest_fits(a, job, d, e));
  rt_free(t.known), feed_looked(file, d);
  return ok;
}

static bool score_file(App *a, const EvalJob *job, const DataFile *file, EvalResult *out, RtError *e) {
  DataOptions o = feed_options(a->models);
  bool exact = job->want_exact && a->models->tok;
  Tally t = {.m = a->models, .job = job, .says = job->want_loss, .pace = pace_begin(0, data_count(file)), .known = rt_alloc((size_t)a->models->streams.n, sizeof *t.known)};
  Step *s = step_new(a->en->nstream);
  if (*job->out) t.each = evalrows_new(job->out, job->block, job->of, file);
  FeedEach each = {tally_loss, &t};
  bool ok = job->want_loss ? feed_loss(a->en, s, file, &o, job->cap, NULL, &each, &out->loss, e) : tally_rows(file, &o, &t, e);
  pace_end(&t.pace);
  out->rows = t.rows, out->bytes = t.bytes;
  ok = ok && can_score(&t, out->loss.labelled, e) && (!t.each || evalrows_write(t.each, e));
  if (ok && job->o->contributions && out->loss.labelled) ok = contributions_take(a, s, file, &o, job->cap, &out->without, e);
  ok = ok && (!exact || evaltexts_take(a, job, file, &o, &t, out, e));
  if (ok && t.each) *job->wrote += data_count(file);
  evalrows_free(t.each);
  step_free(s);
  rt_free(t.known);
  return ok;
}

static bool take_file(App *a, const EvalJob *job, DataFile *file, bool looked, EvalResult *out, RtError *e) {
  rundata_too_long(a, job->o->eval_too_long, job->said);
  return app_part_for(a, file, e) && (looked || look_at(a, job, file, false, e)) && score_file(a, job, file, out, e) && engine_unchanged(a->en, e);
}

bool eval_take(App *a, const EvalJob *job, EvalResult *out, RtError *e) {
  *out = (EvalResult){0};
  double start = rt_now();
  DataFile *file = job->file ? job->file : data_open_piped(job->path, e);
  bool ok = file && take_file(a, job, file, job->file, out, e);
  out->seconds = rt_now() - start;
  if (!job->file) data_close(file);
  return ok;
}

// With --memory, what does not fit is told before a weight is read, as far as the data can tell.
static bool look_first(App *a, EvalJob *job, int n, RtError *e) {
  for (int i = 0; i < n && a->limits.asked; i++) {
    rundata_too_long(a, job[i].o->eval_too_long, job[i].said);
    job[i].file = data_open_piped(job[i].path, e);
    if (!job[i].file || !app_part_for(a, job[i].file, e) || !look_at(a, &job[i], job[i].file, true, e)) return false;
  }
  return true;
}

static double or_none(double x) { return isfinite(x) ? x : NAN; }

double eval_figure(const EvalResult *r, EvalFigure f) {
  const TextScore *t = &r->text;
  double labelled = (double)r->loss.labelled, rows = (double)t->rows;
  switch (f) {
    case EVAL_LOSS: return labelled > 0 ? or_none(r->loss.nll / labelled) : NAN;
    case EVAL_PERPLEXITY: return labelled > 0 ? or_none(exp(r->loss.nll / labelled)) : NAN;
    case EVAL_BITS: return labelled > 0 && r->bytes > 0 ? or_none(r->loss.nll / log(2) / (double)r->bytes) : NAN;
    case EVAL_EXACT: return r->exact_rows ? (double)r->exact / (double)r->exact_rows : NAN;
    case EVAL_BLEU: return rows > 0 ? textscore_bleu(t) : NAN;
    case EVAL_CHRF: return rows > 0 ? textscore_chrf(t) : NAN;
    case EVAL_SIMILARITY: return rows > 0 ? t->similarity / rows : NAN;
    case EVAL_NUMBER: return t->numbered ? (double)t->numbers / (double)t->numbered : NAN;
    default: return NAN;
  }
}

static void put_figure(json_t *o, const char *key, const EvalResult *r, EvalFigure f) {
  double x = eval_figure(r, f);
  json_object_set_new(o, key, isnan(x) ? json_null() : json_real(x));
}

json_t *eval_json(const EvalJob *job, const EvalResult *r) {
  json_t *o = json_pack("{s:s, s:s, s:I}", "title", job->title, "data", job->data, "rows", (json_int_t)r->rows);
  if (job->want_loss) {
    json_object_set_new(o, "tokens", json_integer(r->loss.tokens));
    json_object_set_new(o, "labelled", json_integer(r->loss.labelled));
    put_figure(o, "loss", r, EVAL_LOSS);
    put_figure(o, "perplexity", r, EVAL_PERPLEXITY);
    if (r->bytes > 0) {
      json_object_set_new(o, "bytes", json_integer(r->bytes));
      put_figure(o, "bits_per_byte", r, EVAL_BITS);
    }
  }
  return o;
}

void eval_json_end(const EvalResult *r, json_t *o) {
  if (r->exact_rows) {
    json_object_set_new(o, "exact_rows", json_integer(r->exact_rows));
    put_figure(o, "exact_match", r, EVAL_EXACT);
    put_figure(o, "bleu", r, EVAL_BLEU);
    put_figure(o, "chrf", r, EVAL_CHRF);
    put_figure(o, "edit_similarity", r, EVAL_SIMILARITY);
    if (r->text.numbered) put_figure(o, "last_number", r, EVAL_NUMBER);
  }
  json_object_set_new(o, "seconds", json_real(r->seconds));
  json_object_set_new(o, "peak_resident", json_integer(rt_peak_resident()));
}

static json_t *result_json(const App *a, const EvalJob *job, const EvalResult *r) {
  json_t *o = eval_json(job, r), *gains = gains_json(a);
  if (r->without.loss) contributions_json(&r->without, a->prog, eval_figure(r, EVAL_LOSS), o);
  if (gains) json_object_set_new(o, "gains", gains);
  eval_json_end(r, o);
  return o;
}

static void print_result(const App *a, const EvalJob *job, const EvalResult *r) {
  const TextScore *t = &r->text;
  printf("%s: %lld row%s", job->title, (long long)r->rows, plural(r->rows));
  if (job->want_loss && r->loss.labelled) {
    double loss = eval_figure(r, EVAL_LOSS);
    printf("  loss %.6f  perplexity %.4f", loss, exp(loss));
    if (r->bytes > 0) printf("  bits per byte %.4f", eval_figure(r, EVAL_BITS));
  }
  if (r->exact_rows) printf("  exact match %.2f %% (%lld of %lld)", 100 * eval_figure(r, EVAL_EXACT), (long long)r->exact, (long long)r->exact_rows);
  if (t->rows) printf("  BLEU %.2f  chrF %.2f  edit similarity %.4f", eval_figure(r, EVAL_BLEU), eval_figure(r, EVAL_CHRF), eval_figure(r, EVAL_SIMILARITY));
  if (t->numbered) printf("  last number %.2f %% (%lld of %lld)", 100 * eval_figure(r, EVAL_NUMBER), (long long)t->numbers, (long long)t->numbered);
  putchar('\n');
  if (r->without.loss) contributions_print(&r->without, a->prog, r->loss.nll / (double)r->loss.labelled);
}

static bool set_metric(EvalJob *job, const char *metric, RtError *e) {
  if (!metric) return true;
  const Setting *row = &setting_row[SET_eval_metric];
  char expected[96];
  int word = setting_word(row, metric);
  setting_expected(row, expected, sizeof expected);
  if (word < 0) return rt_fail_about(e, RT_ABOUT_USAGE, "--metric: expected %s, found \"%s\"", expected, metric);
  job->want_loss = word == METRIC_loss;
  job->want_exact = word == METRIC_exact_match;
  return true;
}

static bool run_job(App *a, const EvalJob *job, EvalResult *r, json_t *all, RtError *e) {
  if (!eval_take(a, job, r, e)) return false;
  *job->generated |= r->exact_rows > 0;
  json_array_append_new(all, result_json(a, job, r));
  if (job->want_loss && r->loss.labelled && isnan(eval_figure(r, EVAL_LOSS)))
    rt_warn("%s: the loss is no finite number: logits of a row are none (a --scale far from 1, parameters of a training that diverged)", job->title);
  if (!job->o->json) print_result(a, job, r);
  return streams_written(e);
}

static bool no_title(const Prog *p, const char *title, RtError *e) {
  Near near = near_begin(title);
  size_t i;
  json_t *block;
  json_array_foreach(p->evals, i, block) near_offer(&near, json_string_value(json_object_get(block, "title")));
  return rt_fail_about(e, RT_ABOUT_USAGE, "--eval: %s has no eval block \"%s\"%s%s%s", p->spec, title, near.best ? "; did you mean \"" : "",
                       near.best ? near.best : "", near.best ? "\"?" : "");
}

// What is to be evaluated: --data, or the spec's eval blocks (in a block `metric = exact_match` adds to the loss, it does not replace it). p lends its texts.
static EvalJob *jobs_of(const Prog *p, const Options *o, const EvalJob *base, int *n, RtError *e) {
  EvalJob *jobs = rt_alloc(json_array_size(p->evals) + 1, sizeof *jobs);
  *n = 0;
  if (o->data) {
    EvalJob *job = &jobs[(*n)++];
    *job = *base;
    job->title = job->data = file_said(job->path = o->data);
    return jobs;
  }
  size_t i;
  json_t *block;
  json_array_foreach(p->evals, i, block) {
    EvalJob job = *base;
    job.title = json_string_value(json_object_get(block, "title"));
    job.data = job.path = json_string_value(json_object_get(block, "data"));
    const char *metric = json_string_value(json_object_get(block, "metric"));
    const json_t *most = json_object_get(block, "max_tokens");
    if (!job.title) job.title = job.data;
    job.block = job.title;
    if (o->title && job.title && strcmp(o->title, job.title)) continue;
    if (!job.data) return rt_fail(e, "eval \"%s\" has no data; give --data FILE", job.title ? job.title : ""), rt_free(jobs), NULL;
    if (!o->metric && metric && setting_word(&setting_row[SET_eval_metric], metric) == METRIC_loss) job.want_exact = false;
    if (job.max_tokens == OPT_UNSET && json_is_number(most)) job.max_tokens = (int64_t)json_number_value(most);
    job.said = block;
    jobs[(*n)++] = job;
  }
  if (*n) return jobs;
  rt_free(jobs);
  if (o->title) no_title(p, o->title, e);
  else rt_fail(e, "nothing to evaluate: give --data FILE (%s has no eval block)", p->spec);
  return NULL;
}

static void print_json(json_t *all) {
  json_t *o = json_array_size(all) == 1 ? json_deep_copy(json_array_get(all, 0)) : json_object();
  json_object_set(o, "evals", all);
  json_dumpf(o, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12));
  putchar('\n');
  json_decref(o);
}

// Loads the weights, where memory allows the largest step, of *cap tokens, or of as many as --memory has room for.
bool eval_load(App *a, const Options *o, int64_t *cap, RtError *e) {
  bool exact = o->metric && setting_word(&setting_row[SET_eval_metric], o->metric) == METRIC_exact_match;
  Load l = {.tables = -1, .nstep = 1, .step = {{.entry = a->en->entry[ENTRY_LOSS]}}};
  if (!exact) budget_steps(a, &l, NULL, false, cap);
  Shape s = shape_of_text(a->models, exact ? DECODE_TOKENS : *cap);
  bool ok = app_load(a, o, &(Load){.tables = -1, .nstep = 1, .step = {{exact ? a->en->entry[ENTRY_STEP] : a->en->entry[ENTRY_LOSS], s.tokens, exact ? 1 : s.rows}}}, e);
  shape_free(&s);
  return ok;
}

// Options that a command line like this has no use for.
static void say_idle(const Options *o, bool generated) {
  const char *none = "no row was generated (exact match generates those with a prompt and a completion)";
  if (!generated) {
    options_idle(o, FLAG_slots, none);
    options_idle(o, FLAG_eval_tokens, none);
  }
  if (o->data) options_idle(o, FLAG_title, "--data says what is evaluated");
}

static bool run_all(const Prog *p, const Options *o, EvalJob *base, json_t *all, RtError *e) {
  int n;
  EvalJob *job = jobs_of(p, o, base, &n, e);
  EvalResult *r = rt_alloc((size_t)(job ? n : 0), sizeof *r);
  Compare c = {.o = o, .p = p};
  App a = {0};
  bool ok = job && (!o->compare || compare_asked(&c, job, n, e)) && app_open(&a, o, e) && (!o->eval_out || output_replaces(&a, o, o->eval_out, "result of eval", &EVALROWS_MARK, e)) &&
            (o->compare || look_first(&a, job, n, e)) && eval_load(&a, o, &base->cap, e);
  if (ok && o->eval_out) ok = (*base->out = file_out_open(o->eval_out, e)) != NULL;
  if (ok && o->compare) compare_opened(&c, &a);
  for (int i = 0; i < n && ok; i++) {
    job[i].cap = base->cap;
    if (o->compare) job[i].of = COMPOSITION, job[i].only_text = compare_only_text(&c);
    ok = run_job(&a, &job[i], &r[i], all, e);
  }
  for (int i = 0; job && i < n; i++) data_close(job[i].file);
  app_close(&a);
  ok = ok && (!o->compare || compare_take(&c, job, r, n, all, e));
  rt_free(c.other), rt_free(c.precision);
  for (int i = 0; job && i < n; i++) contributions_free(&r[i].without);
  rt_free(job), rt_free(r);
  return ok;
}

int cmd_eval(const Options *o) {
  RtError e;
  FileOut *out = NULL;
  json_t *all = json_array();
  bool generated = false;
  int64_t wrote = 0;
  EvalJob base = {.want_loss = true, .want_exact = true, .max_tokens = o->eval_tokens, .slots = o->slots, .cap = o->tokens_cap, .out = &out,
                  .generated = &generated, .wrote = &wrote, .o = o};
  Prog *p = prog_parse(o->rt->json, (size_t)o->rt->json_len);
  bool ok = set_metric(&base, o->metric, &e) && contributions_asked(o, base.want_loss, &e) && run_all(p, o, &base, all, &e);
  if (ok) say_idle(o, generated);
  if (ok && o->json) print_json(all);
  if (out && ok) {
    ok = file_out_commit(out, &e);
    if (ok) fprintf(stderr, "wrote %s: %lld row%s\n", o->eval_out, (long long)wrote, plural(wrote));
  } else if (out) file_out_abandon(out);
  json_decref(all);
  prog_close(p);
  return ok ? 0 : cmd_fail(o, &e);
}
