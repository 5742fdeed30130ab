// eval: loss and perplexity of the labelled tokens, and exact match: every completion is generated greedily, many rows
// at once, and its text compared with the row's, both decoded the same way and trimmed.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/commands/budget.h"
#include "runtime/commands/command.h"
#include "runtime/commands/contributions.h"
#include "runtime/commands/gains.h"
#include "runtime/commands/memory.h"
#include "runtime/commands/streams.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

enum { SPARE_TOKENS = 8, PROMPT_CHUNK = 256, STEP_TOKENS = 1024 };

typedef struct EvalJob {
  const char *title, *data, *path;     // data: what errors call what lies at path
  bool want_loss, want_exact;
  int64_t max_tokens;          // OPT_UNSET: the row's completion and SPARE_TOKENS more
  int64_t slots, cap;
  FileOut **dump;              // what is there of it is NULL without --dump, and when it could not be written
  bool *generated;             // whether any row was
  const Options *o;
} EvalJob;
typedef struct EvalResult {
  Contributions without;       // --contributions
  int64_t rows, exact_rows, exact, generated;
  int64_t bytes;               // that the labelled tokens say; -1: not known
  TextScore text;
  FeedLoss loss;
  double seconds;
} EvalResult;
// What all rows of the data ask of exact match.
typedef struct Tally {
  const Models *m;
  const EvalJob *job;
  int64_t rows, pairs, lost;   // rows; those to generate, and those that cannot be
  int64_t longest;             // tokens of the longest when it is through
  int64_t *known;              // by stream, as decoder_new wants it
  bool says;                   // whether to count the bytes that are said
  int64_t bytes;               // as EvalResult's
  int64_t no_bos;              // line of a row whose empty prompt begins with an id that the models do not know; 0
} Tally;

// ---- exact match

typedef struct Text {          // any characters, NUL too; owned
  char *s;
  size_t n;
} Text;

// Text that n ids add to a prompt, without a final end-of-text token.
static bool added_text(const Models *m, const int32_t *prompt, int64_t np, const int32_t *ids, int64_t n, Text *out, RtError *e) {
  if (n > 0 && text_ends_at(&m->ends, ids[n - 1])) n--;
  TokStream *ts = tokstream_new(m->tok, prompt, np);
  Text text = {.s = rt_alloc(1, 1)};
  const char *more = "";
  for (int64_t i = 0; more && i <= n; i++) {
    size_t k = 0;
    more = i < n ? tokstream_push(ts, ids[i], &k, e) : tokstream_end(ts, &k, e);
    if (!more) break;
    text.s = rt_realloc(text.s, text.n + k + 1, 1);
    memcpy(text.s + text.n, more, k);
    text.n += k;
  }
  tokstream_free(ts);
  *out = text;
  return more;
}

static Text trimmed(Text t) {
  while (t.n && isspace((unsigned char)*t.s)) t.s++, t.n--;
  while (t.n && isspace((unsigned char)t.s[t.n - 1])) t.n--;
  return t;
}

static bool same_trimmed(Text a, Text b) {
  a = trimmed(a), b = trimmed(b);
  return a.n == b.n && !memcmp(a.s, b.s, a.n);
}

// Something to start from: tokens of the prompt, or where it is empty the model's beginning-of-text token.
static int64_t start_of(const DataRow *r) { return r->prompt_n ? r->prompt_n : 1; }
static bool has_start(const Models *m, const DataRow *r) { return r->prompt_n > 0 || m->ends.bos >= 0; }
static bool has_completion(const DataRow *r) { return r->prompt && r->prompt_n < r->n; }
static bool counts(const Models *m, const DataRow *r) { return has_completion(r) && has_start(m, r); }
static int64_t limit_of(const EvalJob *job, const DataRow *r) {
  return job->max_tokens != OPT_UNSET ? job->max_tokens : r->n - r->prompt_n + SPARE_TOKENS;
}

// Opens a sequence with what the row starts from.
static bool open_row(const Models *m, Decoder *d, DataRow *r, RtError *e) {
  if (r->prompt_n) return decoder_open(d, r->ids, r->prompt_n, follow_copy(r->follow, r->prompt_n), r);
  Follow *f = follow_new(&m->streams, false);
  if (f && !(follow_token(f, m->ends.bos, "", 0, e) && follow_prompt_end(f, e))) return follow_free(f), false;
  return decoder_open(d, &m->ends.bos, 1, f, r);
}

static bool dump_row(const EvalJob *job, const DataRow *r, Text made, Text wanted, bool same, RtError *e) {
  json_t *o = json_pack("{s:I, s:s%, s:s%, s:s%, s:b}", "line", (json_int_t)r->line, "prompt", r->prompt, r->prompt_len, "completion", wanted.s,
                        wanted.n, "generated", made.s, made.n, "exact", same);
  char *text = o ? json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL, *line = rt_format("%s\n", text ? text : "");
  bool ok = file_out_write(*job->dump, line, strlen(line), e);
  if (!ok) *job->dump = NULL;
  json_decref(o), rt_free(text), rt_free(line);
  return ok;
}

static bool finish_row(const Models *m, const EvalJob *job, const DecodeSeq *s, EvalResult *out, RtError *e) {
  const DataRow *r = s->user;
  int64_t start = start_of(r);
  Text made = {0}, wanted = {0};
  bool ok = added_text(m, s->ids, start, s->ids + start, s->n - start, &made, e) &&
            added_text(m, s->ids, start, r->ids + r->prompt_n, r->n - r->prompt_n, &wanted, e);
  bool same = ok && same_trimmed(made, wanted);
  out->exact += same;
  if (ok) {
    Text a = trimmed(made), b = trimmed(wanted);
    textscore_add(&out->text, a.s, a.n, b.s, b.n);
  }
  out->generated += s->n - start;
  ok = ok && (!*job->dump || dump_row(job, r, made, wanted, same, e));
  rt_free(made.s), rt_free(wanted.s);
  return ok;
}

// Greedy choice of one waiting sequence; true when that ends it.
static bool advance(const Models *m, const EvalJob *job, Sampler *sampler, Decoder *d, DecodeSeq *s, RtError *e,
                    bool *ok) {
  const DataRow *r = s->user;
  if (s->full) return true;
  int64_t made = s->n - start_of(r);
  if (made >= limit_of(job, r) || s->n >= d->context) return true;
  int32_t id = sampler_pick(sampler, s->logits, m->prog->model[m->prog->anchor].vocab, s->ids, s->n);
  if (id < 0) {
    *ok = rt_fail(e, "%s:%lld: no logit is a number after token %lld", job->data, (long long)r->line, (long long)s->n);
    return true;
  }
  if (!(*ok = decoder_push(d, s, id, e))) return true;
  return text_ends_at(&m->ends, id) || made + 1 >= limit_of(job, r) || s->n >= d->context;
}

static void tally_row(void *user, const DataRow *r) {
  Tally *t = user;
  int64_t said = t->says && t->bytes >= 0 ? row_said(t->m->tok, r) : 0;
  t->rows++;
  t->bytes = said < 0 ? -1 : t->bytes + said;
  t->lost += has_completion(r) && !has_start(t->m, r);
  if (!counts(t->m, r)) return;
  t->pairs++;
  if (!r->prompt_n && t->m->ends.bos >= t->m->vocab && !t->no_bos) t->no_bos = r->line;
  int64_t n = start_of(r) + limit_of(t->job, r);
  if (n > t->longest) t->longest = n;
  follow_most(r->follow, r->prompt_n, t->known);
}

static bool can_generate(const Tally *t, RtError *e) {
  if (t->no_bos)
    return rt_fail(e, "%s:%lld: an empty prompt begins with token id %d; the models know ids below %lld", t->job->data, (long long)t->no_bos,
                   (int)t->m->ends.bos, (long long)t->m->vocab);
  if (t->lost)
    rt_warn("%s: %lld row%s with an empty prompt cannot be generated, and no exact match counts %s: no file of the model names a token that texts "
            "begin with", t->job->data, (long long)t->lost, plural(t->lost), t->lost == 1 ? "it" : "them");
  return true;
}

// One warning where the caches of that many sequences may not fit.
static bool check_caches(App *a, const EvalJob *job, int64_t slots, int64_t longest, RtError *e) {
  Shape step = shape_of_text(a->models, slots > STEP_TOKENS ? slots : STEP_TOKENS), all = shape_of_tokens(a->models, slots * longest);
  bool ok = memory_check(a, job->o, &(Load){.tables = -1, .nstep = 1, .step = {{a->en->entry[ENTRY_STEP], step.tokens, slots}}, .cached = all.tokens}, e);
  shape_free(&step), shape_free(&all);
  return ok;
}

// The next row to generate, which the sequence owns. *more: there may be another.
static bool open_next(const Models *m, Decoder *d, Feeder *f, int64_t *open, bool *more, RtError *e) {
  const DataRow *next;
  if (!feeder_peek(f, &next, e)) return false;
  if (!(*more = next != NULL)) return true;
  DataRow taken = feeder_take(f);
  if (!counts(m, &taken)) return data_row_free(&taken), true;
  DataRow *r = rt_alloc(1, sizeof *r);
  *r = taken;
  if (open_row(m, d, r, e)) return ++*open, true;
  return data_row_free(r), rt_free(r), false;
}

static void close_row(DecodeSeq *s) {
  DataRow *r = s->user;
  decoder_close(s);
  data_row_free(r), rt_free(r);
}

static bool generate_all(App *a, const EvalJob *job, Decoder *d, Feeder *f, int64_t slots, EvalResult *out, RtError *e) {
  const Models *m = a->models;
  Sampler *sampler = sampler_new(&(Sampling){.top_p = 1});
  int64_t open = 0;
  bool ok = true, more = true;
  while (ok) {
    while (ok && more && open < slots) ok = open_next(m, d, f, &open, &more, e);
    if (!ok) break;
    DecodeStep did = decoder_step(d, e);
    ok = did != DECODE_FAILED;
    if (!ok || (did == DECODE_IDLE && !open)) break;
    for (int64_t i = 0; i < slots && ok; i++) {
      DecodeSeq *s = &d->seq[i];
      if (!s->open || !(s->logits || s->full) || !advance(m, job, sampler, d, s, e, &ok)) continue;
      ok = ok && finish_row(m, job, s, out, e);
      close_row(s);
      open--;
    }
  }
  for (int64_t i = 0; i < slots; i++)
    if (d->seq[i].open) close_row(&d->seq[i]);
  sampler_free(sampler);
  return ok;
}

static bool exact_match(App *a, const EvalJob *job, const DataFile *file, const DataOptions *o, const Tally *t, EvalResult *out, RtError *e) {
  const Models *m = a->models;
  if (!can_generate(t, e)) return false;
  out->exact_rows = t->pairs;
  if (!t->pairs) return true;
  int64_t longest = t->longest < m->context ? t->longest : m->context, slots = job->slots < t->pairs ? job->slots : t->pairs;
  budget_slots(a, longest, STEP_TOKENS, &slots);
  if (!check_caches(a, job, slots, longest, e)) return false;
  Decoder *d = decoder_new(a->en, m->tok, slots, longest, STEP_TOKENS, PROMPT_CHUNK, false, t->known, e);
  if (!d) return false;
  Feeder f;
  feeder_start(&f, file, o, &(FeedPlan){.once = true});
  bool ok = generate_all(a, job, d, &f, slots, out, e);
  feeder_end(&f);
  decoder_free(d);
  return ok;
}

// ---- the command

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
    tally_row(t, &r);
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
  for (int64_t i = 0; i < d->n; i++) tally_row(&t, &d->row[i]);
  bool ok = !data_whole(d) || can_score(&t, d->labelled, e);
  rt_free(t.known), feed_looked(file, d);
  return ok;
}

static bool score_file(App *a, const EvalJob *job, const DataFile *file, EvalResult *out, RtError *e) {
  DataOptions o = feed_options(a->models);
  bool exact = job->want_exact && a->models->tok;
  Tally t = {.m = a->models, .job = job, .says = job->want_loss, .known = rt_alloc((size_t)a->models->streams.n, sizeof *t.known)};
  Step *s = step_new(a->en->nstream);
  bool ok = job->want_loss ? feed_loss(a->en, s, file, &o, job->cap, NULL, tally_row, &t, &out->loss, e) : tally_rows(file, &o, &t, e);
  out->rows = t.rows, out->bytes = t.bytes;
  ok = ok && can_score(&t, out->loss.labelled, e) && (!job->o->contributions || !out->loss.labelled || contributions_take(a, s, file, &o, job->cap, &out->without, e)) && (!exact || exact_match(a, job, file, &o, &t, out, e));
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
  Shape s = shape_of_text(a->models, exact ? STEP_TOKENS : *cap);
  bool ok = app_load(a, o, &(Load){.tables = -1, .nstep = 1, .step = {{exact ? a->en->entry[ENTRY_STEP] : a->en->entry[ENTRY_LOSS], s.tokens, exact ? 1 : s.rows}}}, e);
  shape_free(&s);
  return ok;
}

// Options that a command line like this has no use for.
static void say_idle(const Options *o, bool generated) {
  const char *none = "no row was generated (exact match generates those with a prompt and a completion)";
  if (!generated) {
    options_idle(o, FLAG_dump, none);
    options_idle(o, FLAG_slots, none);
    options_idle(o, FLAG_eval_tokens, none);
  }
  if (o->data) options_idle(o, FLAG_title, "--data says what is evaluated");
}

static void say_dump(const char *path, const json_t *all) {
  long long rows = 0;
  size_t i;
  json_t *one;
  json_array_foreach((json_t *)(uintptr_t)all, i, one) rows += json_integer_value(json_object_get(one, "exact_rows"));
  fprintf(stderr, "wrote %s: %lld row%s\n", path, rows, plural(rows));
}

int cmd_eval(const Options *o) {
  RtError e;
  App a = {0};
  FileOut *dump = NULL;
  json_t *all = json_array();
  bool generated = false;
  EvalJob base = {.want_loss = true, .want_exact = true, .max_tokens = o->eval_tokens, .slots = o->slots, .cap = o->tokens_cap, .dump = &dump,
                  .generated = &generated, .o = o};
  bool ok = set_metric(&base, o->metric, &e) && contributions_asked(o, base.want_loss, &e) && app_open(&a, o, &e) && (!o->dump || output_allowed(&a, o, NULL, o->dump, &e)) && load(&a, o, &base.cap, &e);
  if (ok && o->dump) ok = (dump = file_out_open(o->dump, &e)) != NULL;
  ok = ok && run_all(&a, o, &base, all, &e);
  if (ok) say_idle(o, generated);
  if (ok && o->json) print_json(all);
  if (dump && ok && generated) {
    ok = file_out_commit(dump, &e);
    if (ok) say_dump(o->dump, all);
  } else if (dump) file_out_abandon(dump);
  json_decref(all);
  app_close(&a);
  return ok ? 0 : cmd_fail(o, &e);
}
