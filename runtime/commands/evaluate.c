// eval: loss, perplexity and bits per byte of the labelled tokens, and how near generated texts are to the rows' (evaltexts.c); --out says it of every row.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/commands/budget.h"
#include "runtime/commands/command.h"
#include "runtime/commands/contributions.h"
#include "runtime/commands/evaljob.h"
#include "runtime/commands/gains.h"
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
  feeder_end(&f), rt_free(what);
  return ok;
}

// A look at the data before anything is computed: all of it, where it is not large.
static bool look_at(App *a, const EvalJob *job, DataFile *file, RtError *e) {
  Data *d = feed_look(a->models, file, e);
  if (!d) return false;
  Tally t = {.m = a->models, .job = job, .known = rt_alloc((size_t)a->models->streams.n, sizeof *t.known)};
  for (int64_t i = 0; i < d->n; i++) t.rows++, evaltexts_tally(&t, &d->row[i]);
  bool ok = !data_whole(d) || can_score(&t, d->labelled, e);
  rt_free(t.known), feed_looked(file, d);
  return ok;
}

static bool score_file(App *a, const EvalJob *job, const DataFile *file, EvalResult *out, RtError *e) {
  DataOptions o = feed_options(a->models);
  bool exact = job->want_exact && a->models->tok;
  Tally t = {.m = a->models, .job = job, .says = job->want_loss, .pace = pace_begin(0, data_count(file)), .known = rt_alloc((size_t)a->models->streams.n, sizeof *t.known)};
  Step *s = step_new(a->en->nstream);
  if (*job->out) t.each = evalrows_new(job->out, job->block, file);
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

static bool evaluate(App *a, const EvalJob *job, EvalResult *out, RtError *e) {
  *out = (EvalResult){0};
  double start = rt_now();
  DataFile *file = data_open_piped(job->path, e);
  bool ok = file && look_at(a, job, file, e) && score_file(a, job, file, out, e);
  out->seconds = rt_now() - start;
  data_close(file);
  return ok;
}

static double mean_loss(const EvalResult *r) { return r->loss.nll / (double)r->loss.labelled; }
static double bits_per_byte(const EvalResult *r) { return r->loss.nll / log(2) / (double)r->bytes; }

static json_t *result_json(const App *a, const EvalJob *job, const EvalResult *r) {
  json_t *o = json_pack("{s:s, s:s, s:I}", "title", job->title, "data", job->data, "rows", (json_int_t)r->rows);
  if (job->want_loss) {
    double loss = mean_loss(r);
    json_object_set_new(o, "tokens", json_integer(r->loss.tokens));
    json_object_set_new(o, "labelled", json_integer(r->loss.labelled));
    json_object_set_new(o, "loss", isfinite(loss) ? json_real(loss) : json_null());
    json_object_set_new(o, "perplexity", isfinite(exp(loss)) ? json_real(exp(loss)) : json_null());
    if (r->bytes > 0) {
      json_object_set_new(o, "bytes", json_integer(r->bytes));
      json_object_set_new(o, "bits_per_byte", isfinite(loss) ? json_real(bits_per_byte(r)) : json_null());
    }
    if (r->without.loss) contributions_json(&r->without, a->prog, loss, o);
  }
  json_t *gains = gains_json(a);
  if (gains) json_object_set_new(o, "gains", gains);
  if (r->exact_rows) {
    json_object_set_new(o, "exact_rows", json_integer(r->exact_rows));
    json_object_set_new(o, "exact_match", json_real((double)r->exact / (double)r->exact_rows));
    json_object_set_new(o, "bleu", json_real(textscore_bleu(&r->text)));
    json_object_set_new(o, "chrf", json_real(textscore_chrf(&r->text)));
    json_object_set_new(o, "edit_similarity", json_real(r->text.rows ? r->text.similarity / (double)r->text.rows : 0));
    if (r->text.numbered) json_object_set_new(o, "last_number", json_real((double)r->text.numbers / (double)r->text.numbered));
  }
  json_object_set_new(o, "seconds", json_real(r->seconds));
  json_object_set_new(o, "peak_resident", json_integer(rt_peak_resident()));
  return o;
}

static void print_result(const App *a, const EvalJob *job, const EvalResult *r) {
  printf("%s: %lld row%s", job->title, (long long)r->rows, plural(r->rows));
  if (job->want_loss && r->loss.labelled) {
    double loss = mean_loss(r);
    printf("  loss %.6f  perplexity %.4f", loss, exp(loss));
    if (r->bytes > 0) printf("  bits per byte %.4f", bits_per_byte(r));
  }
  if (r->exact_rows) printf("  exact match %.2f %% (%lld of %lld)", 100.0 * (double)r->exact / (double)r->exact_rows,
                            (long long)r->exact, (long long)r->exact_rows);
  if (r->text.rows) printf("  BLEU %.2f  chrF %.2f  edit similarity %.4f", textscore_bleu(&r->text), textscore_chrf(&r->text), r->text.similarity / (double)r->text.rows);
  if (r->text.numbered) printf("  last number %.2f %% (%lld of %lld)", 100.0 * (double)r->text.numbers / (double)r->text.numbered, (long long)r->text.numbers,
                               (long long)r->text.numbered);
  putchar('\n');
  if (r->without.loss) contributions_print(&r->without, a->prog, mean_loss(r));
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

static bool run_job(App *a, EvalJob *job, const Options *o, json_t *all, RtError *e) {
  EvalResult r;
  bool ok = evaluate(a, job, &r, e) && engine_unchanged(a->en, e);
  if (ok) {
    *job->generated |= r.exact_rows > 0;
    json_array_append_new(all, result_json(a, job, &r));
    if (!o->json) print_result(a, job, &r);
  }
  contributions_free(&r.without);
  return ok && streams_written(e);
}

static bool no_title(const Prog *p, const char *title, RtError *e) {
  Near near = near_begin(title);
  size_t i;
  json_t *block;
  json_array_foreach(p->evals, i, block) near_offer(&near, json_string_value(json_object_get(block, "title")));
  return rt_fail_about(e, RT_ABOUT_USAGE, "--eval: %s has no eval block \"%s\"%s%s%s", p->spec, title, near.best ? "; did you mean \"" : "",
                       near.best ? near.best : "", near.best ? "\"?" : "");
}

// --data, or the spec's eval blocks (in a block `metric = exact_match` adds to the loss, it does not replace it).
static bool run_all(App *a, const Options *o, const EvalJob *base, json_t *all, RtError *e) {
  if (o->data) {
    EvalJob job = *base;
    job.title = job.data = file_said(job.path = o->data);
    return run_job(a, &job, o, all, e);
  }
  size_t i;
  json_t *block;
  json_array_foreach(a->prog->evals, i, block) {
    EvalJob job = *base;
    job.title = json_string_value(json_object_get(block, "title"));
    job.data = job.path = json_string_value(json_object_get(block, "data"));
    const char *metric = json_string_value(json_object_get(block, "metric"));
    const json_t *most = json_object_get(block, "max_tokens");
    if (!job.title) job.title = job.data;
    job.block = job.title;
    if (o->title && job.title && strcmp(o->title, job.title)) continue;
    if (!job.data) return rt_fail(e, "eval \"%s\" has no data; give --data FILE", job.title ? job.title : "");
    if (!o->metric && metric && setting_word(&setting_row[SET_eval_metric], metric) == METRIC_loss) job.want_exact = false;
    if (job.max_tokens == OPT_UNSET && json_is_number(most)) job.max_tokens = (int64_t)json_number_value(most);
    if (!run_job(a, &job, o, all, e)) return false;
  }
  if (json_array_size(all)) return true;
  if (o->title) return no_title(a->prog, o->title, e);
  return rt_fail(e, "nothing to evaluate: give --data FILE (%s has no eval block)", a->prog->spec);
}

static void print_json(json_t *all) {
  json_t *o = json_array_size(all) == 1 ? json_deep_copy(json_array_get(all, 0)) : json_object();
  json_object_set(o, "evals", all);
  json_dumpf(o, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12));
  putchar('\n');
  json_decref(o);
}

// Loads the weights, where memory allows the largest step, of *cap tokens, or of as many as --memory has room for.
static bool load(App *a, const Options *o, int64_t *cap, RtError *e) {
  bool exact = o->metric && setting_word(&setting_row[SET_eval_metric], o->metric) == METRIC_exact_match;
  Load l = {.tables = -1, .nstep = 1, .step = {{.entry = a->en->entry[ENTRY_LOSS]}}};
  if (!exact) budget_steps(a, &l, NULL, false, cap);
  Shape s = shape_of_text(a->models, exact ? EVAL_STEP_TOKENS : *cap);
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

int cmd_eval(const Options *o) {
  RtError e;
  App a = {0};
  FileOut *out = NULL;
  json_t *all = json_array();
  bool generated = false;
  int64_t wrote = 0;
  EvalJob base = {.want_loss = true, .want_exact = true, .max_tokens = o->eval_tokens, .slots = o->slots, .cap = o->tokens_cap, .out = &out,
                  .generated = &generated, .wrote = &wrote, .o = o};
  bool ok = set_metric(&base, o->metric, &e) && contributions_asked(o, base.want_loss, &e) && app_open(&a, o, &e) && (!o->eval_out || output_allowed(&a, o, NULL, o->eval_out, &e)) && load(&a, o, &base.cap, &e);
  if (ok && o->eval_out) ok = (out = file_out_open(o->eval_out, &e)) != NULL;
  ok = ok && run_all(&a, o, &base, all, &e);
  if (ok) say_idle(o, generated);
  if (ok && o->json) print_json(all);
  if (out && ok) {
    ok = file_out_commit(out, &e);
    if (ok) fprintf(stderr, "wrote %s: %lld row%s\n", o->eval_out, (long long)wrote, plural(wrote));
  } else if (out) file_out_abandon(out);
  json_decref(all);
  app_close(&a);
  return ok ? 0 : cmd_fail(o, &e);
}
