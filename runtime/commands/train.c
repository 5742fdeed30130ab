// train: AdamW on the labelled tokens. The loss of an optimizer step is the sum over its labelled tokens divided by
// their number, however many ragged steps it was computed in. Everything that decides the next step is in the
// checkpoint, so a resumed run is the same run, bit for bit.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/commands/choose.h"
#include "runtime/commands/command.h"
#include "runtime/commands/course.h"
#include "runtime/commands/frozen.h"
#include "runtime/commands/memory.h"
#include "runtime/commands/precision.h"
#include "runtime/commands/rundata.h"
#include "runtime/commands/rundir.h"
#include "runtime/commands/signals.h"
#include "runtime/core/core.h"
#include "runtime/engine/engine.h"
#include "runtime/files/files.h"
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

typedef struct Trainer {
  App app;
  Engine *en;                  // the app's
  TrainSettings set;
  TrainState st;
  DataFile *data, *held;
  DataOptions rows;            // how they are read
  Ahead *ahead;                // of data
  Check *check;                // of all of it, beside; NULL: it is known to be good, or cannot be known
  const FeedBatch *batch;      // of this optimizer step
  FeedPlace at;                // behind the last step's
  char *step_words;
  FeedSteps steps;
  FrozenRun frozen;
  Identity id;
  Chosen chosen;               // set, and why
  json_t *kept;                // what theta.json has of the run
  Checkpoint *from;            // what it starts with: of the run gone on with (texts of `set` and `st` are borrowed from it), or --params; NULL
  RunDir dir;
  RunData run_data;
  float *best_theta;           // with held-out data: written with the next checkpoint
  bool best_new;
  TrainState best_at;
  TrainLog *log;
  double told;                 // when the last line of progress was shown
  int64_t dead_since;          // the first of the last steps whose gradient was 0, or 0
  double first_loss, last_loss;             // of this call: of the first step; the mean of its last steps, a tenth of all
  int64_t until;               // the step to stop after
  bool nothing;                // left to do
  bool tty, half_line;         // is standard error a terminal; is its last line one that the next takes the place of
  int64_t done_at_start, saved_step;
  double started, saved, seconds_before;    // before: in the run that is gone on with
} Trainer;

// ---- one optimizer step

static int64_t count_labels(const DataRow *r) {
  int64_t n = 0;
  for (int64_t i = 1; i < r->n; i++) n += r->labels[i] != -100;
  return n;
}

// Gradients of the mean loss over all rows of the step, summed over as many ragged steps as they need; and that loss.
static bool gradients(Trainer *t, double *loss, RtError *e) {
  int64_t labels = 0;
  for (int64_t i = 0; i < t->batch->n; i++) labels += count_labels(t->batch->each[i]);
  memset(t->en->params.grad, 0, (size_t)t->en->prog->theta * sizeof *t->en->params.grad);
  double nll = 0;
  if (!feed_nll(&t->steps, t->batch->each, t->batch->n, (float)(1.0 / (double)labels), &nll, NULL, e)) return false;
  *loss = nll / (double)labels;
  return true;
}

// torch.optim.AdamW's order, and torch.nn.utils.clip_grad_norm_ before it. Returns the gradient's norm before clipping.
static double update(Trainer *t, double lr) {
  Engine *en = t->en;
  const TrainSettings *s = &t->set;
  engine_run(en, en->entry[ENTRY_NORM], NULL);
  double norm = sqrt((double)*engine_output(en, en->entry[ENTRY_NORM], OUTPUT_NORM2));
  double clip = s->clip > 0 ? s->clip / (norm + 1e-6) : 1, n = (double)(t->st.step + 1);
  const struct { InputKind what; double value; } SCALAR[] = {
      {INPUT_CLIP, clip < 1 ? clip : 1},       {INPUT_DECAY, 1 - lr * s->weight_decay},
      {INPUT_BETA1, s->betas.v[0]},                 {INPUT_REST1, 1 - s->betas.v[0]},
      {INPUT_BETA2, s->betas.v[1]},                 {INPUT_REST2, 1 - s->betas.v[1]},
      {INPUT_BIAS2, 1 / sqrt(1 - pow(s->betas.v[1], n))}, {INPUT_EPS, s->eps},
      {INPUT_STEP, lr / (1 - pow(s->betas.v[0], n))}};
  for (size_t i = 0; i < sizeof SCALAR / sizeof SCALAR[0]; i++) engine_scalar(en, SCALAR[i].what, (float)SCALAR[i].value);
  if (isfinite(norm)) engine_run(en, en->entry[ENTRY_UPDATE], NULL);
  return norm;
}

// ---- looking and saving

// Where training stands now, as far as steps do not say it.
static void mark(Trainer *t) {
  t->st.epoch = t->at.epoch, t->st.position = t->at.position, t->st.window = t->at.window;
  t->st.seconds = t->seconds_before + rt_now() - t->started;
}

static bool save_last(Trainer *t, RtError *e) {
  mark(t);
  t->saved = rt_now();
  if (!checkpoint_save(t->dir.last, &t->id, &(TrainVectors){t->en->params.theta, t->en->params.m, t->en->params.v}, &t->st, t->kept, e)) return false;
  t->saved_step = t->st.step;
  return true;
}

static bool save_best(Trainer *t, RtError *e) {
  if (!t->best_new) return true;
  if (!checkpoint_save(t->dir.best, &t->id, &(TrainVectors){.theta = t->best_theta}, &t->best_at, t->kept, e)) return false;
  t->best_new = false;
  return true;
}

// best/ before last/: a run that is killed in between goes on from the last/ of before, and comes to the same best/ again. An earlier run that is
// to be replaced goes when there is a last/ to put in its place.
static bool save(Trainer *t, RtError *e) {
  bool replaces = t->dir.replaces;
  return rundir_stands(&t->dir, e) && engine_unchanged(t->en, e) && (replaces || save_best(t, e)) && save_last(t, e) && (!replaces || (rundir_clear(&t->dir, e) && save_best(t, e)));
}

// Before the first line of the log: a training that fails in its first step leaves nothing, and what it was to replace.
static bool begin_log(Trainer *t, RtError *e) {
  if (t->log) return true;
  if (t->dir.replaces && !save(t, e)) return false;
  return (t->log = trainlog_open(t->dir.log, t->done_at_start, e)) != NULL;
}

// Held-out loss (NaN without held-out data); remembers the parameters when they are the best so far.
static bool look(Trainer *t, double *held, RtError *e) {
  FeedLoss l;
  *held = NAN;
  if (!t->held) return true;
  if (!feed_loss(t->en, t->steps.step, t->held, &t->rows, t->set.tokens_cap, NULL, NULL, &l, e)) return false;
  if (!l.labelled) return rt_fail(e, "%s: no row has a labelled token", t->set.validate);
  *held = l.nll / (double)l.labelled;
  if (!(*held < t->st.best)) return true;
  t->st.best = *held, t->st.best_step = t->st.step;
  mark(t);
  memcpy(t->best_theta, t->en->params.theta, (size_t)t->en->prog->theta * sizeof(float));
  t->best_at = t->st;
  t->best_new = true;
  return true;
}

// A line of progress: every look at the held-out loss, and every log_every steps; where nobody said how many, a file gets one every ten seconds,
// and a terminal's is refreshed every second.
static void tell(Trainer *t, const TrainLine *x) {
  double now = rt_now();
  long left = (long)(x->left + 0.5);
  int64_t every = t->set.log_every;
  bool asked = every != SETTING_AUTO && x->step % every == 0, last = !isnan(x->held) || x->step == x->steps;
  bool due = every == SETTING_AUTO && (t->told == 0 || now - t->told >= (t->tty ? 1 : 10)), stays = !t->tty || asked || last;
  if (!asked && !last && !due) return;
  fprintf(stderr, "%sstep %lld/%lld  loss %.4f  lr %.2e  %.0f tokens/s  %ld:%02ld left", t->tty ? "\r\033[K" : "", (long long)x->step,
          (long long)x->steps, x->loss, x->lr, x->tokens_per_s, left / 60, left % 60);
  if (!isnan(x->held)) fprintf(stderr, "  held-out loss %.4f", x->held);
  if (stays) fputc('\n', stderr);
  t->half_line = !stays;
  t->told = now;
}

// What a training may come to without an error: no parameter moves any more. Said once, as soon as it is no matter of one step.
static void watch(Trainer *t, double loss, double norm) {
  int64_t step = t->st.step, tenth = (t->until - t->done_at_start) / 10;
  if (step == t->done_at_start + 1) t->first_loss = loss;
  if (step > t->until - tenth) t->last_loss += loss / (double)tenth;
  if (norm > 0) t->dead_since = 0;
  else if (!t->dead_since) t->dead_since = step;
  else if (t->dead_since == step - 1)
    rt_warn("the gradient of step %lld is 0, and of step %lld: no parameter moves (loss %.4g, learning rate %.3g)", (long long)step - 1, (long long)step, loss,
            settings_lr(&t->set, step - 1));
}

// ---- what may be wrong with the data, found while it is trained on

// No row at fault is ever trained on, so what there is stays good: it is saved, and the user told how to go on.
static bool data_failed(Trainer *t, RtError *e) {
  RtError ignored;
  if (!t->log || !(t->saved_step == t->st.step || save(t, &ignored))) return false;
  char *why = rt_strdup(e->text);
  rt_fail(e, "%s; %s holds step %lld: with the row mended, --resume --changed-data goes on from it", why, t->dir.last, (long long)t->st.step);
  rt_free(why);
  return false;
}

// How the reading of all rows beside the training stands: once it is through it says what the look at the beginning could not know.
static bool look_at_check(Trainer *t, RtError *e) {
  CheckState s = t->check ? check_state(t->check, e) : CHECK_RUNS;
  if (s == CHECK_RUNS) return true;
  if (t->half_line) fputc('\n', stderr), t->half_line = false;
  if (s == CHECK_BAD) return data_failed(t, e);
  const Data *d = check_counts(t->check);
  feed_tell(t->app.models, t->set.data, d);
  rt_note("%s: all %lld rows were read: %lld tokens, %lld labelled, nothing wrong", t->set.data, (long long)d->of, (long long)d->tokens, (long long)d->labelled);
  check_end(t->check);
  t->check = NULL;
  return true;
}

// Runs to the last step; *sig is the signal that stopped it before, or 0.
static bool run(Trainer *t, int *sig, RtError *e) {
  TrainSettings *s = &t->set;
  int64_t until = t->until;
  int64_t every = s->eval_every > 0 ? s->eval_every : s->eval_every == 0 ? INT64_MAX : s->steps < 20 ? 1 : s->steps / 20;
  double held;
  if (t->st.step == 0) {
    if (!look(t, &held, e)) return false;
    if (t->held) fprintf(stderr, "held-out loss before training %.4f\n", held);
  }
  while (t->st.step < until && !(*sig = signals_asked())) {
    double before = rt_now(), lr = settings_lr(s, t->st.step), loss;
    if (!look_at_check(t, e)) return false;
    if (!(t->batch = ahead_next(t->ahead, e))) return data_failed(t, e);
    int64_t tokens = t->batch->tokens;
    if (!gradients(t, &loss, e)) return false;
    double norm = update(t, lr);
    if (!isfinite(loss) || !isfinite(norm))
      return rt_fail(e,
                     "step %lld: %s is not a finite number (learning rate %.3g, rows from line %lld of %s); nothing was saved since step %lld",
                     (long long)t->st.step + 1, isfinite(loss) ? "the gradient" : "the loss", lr,
                         (long long)t->batch->row[0].line, s->data,
                     (long long)t->saved_step);
    engine_prepare(t->en);
    t->st.step++, t->st.tokens += tokens;
    t->at = t->batch->after;
    watch(t, loss, norm);
    bool looked = t->st.step % every == 0 || t->st.step == s->steps;
    double seconds = rt_now() - before;
    held = NAN;
    if (looked && !look(t, &held, e)) return false;
    TrainLine line = {.step = t->st.step, .steps = s->steps, .tokens = t->st.tokens, .loss = loss, .lr = lr,
                      .norm = norm,
                      .tokens_per_s = (double)tokens / seconds, .held = held,
                      .left = (rt_now() - t->started) / (double)(t->st.step - t->done_at_start) * (double)(until - t->st.step)};
    if (!begin_log(t, e) || !trainlog_add(t->log, &line, e)) return false;
    tell(t, &line);
    bool due = s->save_every > 0 ? t->st.step % s->save_every == 0 : looked && rt_now() - t->saved > 30;
    if (due && t->st.step < until && !save(t, e)) return false;
  }
  return begin_log(t, e) && save(t, e);
}

// ---- setting up

// What training appends to a completion, for the first line.
static void say_end(const Models *m) {
  const TextEnds *x = &m->ends;
  size_t n = 0;
  const char *text = m->tok && x->append >= 0 ? tokenizer_token(m->tok, x->append, &n) : NULL;
  if (!m->tok) fputs("no tokenizer", stderr);
  else if (x->append < 0) fputs("no end of text, since no file of the model names one", stderr);
  else fprintf(stderr, "end of text %.*s%s(%d), from %s", (int)n, text ? text : "", text ? " " : "", (int)x->append, x->append_from);
}

// Bits are promised per instruction-set path and precision.
static void set_machine(Trainer *t, bool resumed) {
  const char *isa = t->en->isa->name, *old_isa = t->st.isa ? t->st.isa : "?";
  Precision precision = (Precision)t->en->isa->precision, old = (Precision)t->st.precision;
  if (resumed && strcmp(isa, old_isa))
    rt_warn("%s was trained with %s, and goes on with %s: its bits will not be those of an uninterrupted run", t->dir.last, old_isa, isa);
  if (resumed && precision != old)
    rt_warn("%s was trained in %s, and goes on in %s: its bits will not be those of an uninterrupted run", t->dir.last, precision_name(old), precision_name(precision));
  t->st.precision = (int)precision;
  t->st.spec_file = t->en->prog->spec, t->st.calm_version = CALM_VERSION, t->st.isa = isa;
}

// Its data is that of the run gone on with: completions end with the same token.
static bool set_end(Trainer *t, RtError *e) {
  const TextEnds *x = &t->app.models->ends;
  if (t->st.end_of_text >= 0 && x->append < 0)
    return rt_fail(e, "%s: this run ends completions with token %lld; no file of the model names an end of text now", t->dir.last,
                   (long long)t->st.end_of_text);
  if (t->st.end_of_text >= 0 && t->st.end_of_text != x->append)
    return rt_fail(e, "%s: this run ends completions with token %lld; %s now names %d", t->dir.last, (long long)t->st.end_of_text,
                   x->append_from, (int)x->append);
  t->st.end_of_text = x->append;
  return true;
}

// What it starts with, and what it does, before any weight is read.
static bool open_start(Trainer *t, const Options *o, RtError *e) {
  if (o->resume) t->from = checkpoint_open_run(t->dir.last, &t->id, o->force, e);
  else if (o->params) t->from = checkpoint_open_params(o->params, &t->id, o->force, e);
  if ((o->resume || o->params) && !t->from) return false;
  const json_t *theirs = o->resume ? checkpoint_about(t->from) : NULL;
  t->st = (TrainState){.best = INFINITY, .best_step = -1, .end_of_text = -1};
  if (!choose(&t->chosen, t->en->prog, o, theirs, t->from ? checkpoint_path(t->from) : NULL, e) || (o->resume && !checkpoint_state(t->from, &t->st, e))) return false;
  if (o->resume && !precision_of(&t->app, o, t->from, t->chosen.by[SET_train_precision] == CHOSEN_BY_SPEC, e)) return false;
  if (!app_pack_fits(&t->app, o, e)) return false;
  t->set = t->chosen.set;
  if (!o->resume) t->st.seed = (uint64_t)t->set.seed;
  else if ((uint64_t)t->set.seed != t->st.seed)
    return rt_fail(e, "seed %lld, from %s: the run to go on with has seed %llu", (long long)t->set.seed,
                   o->setting[SET_train_seed] ? "--seed" : "the spec (--seed keeps the run's)", (unsigned long long)t->st.seed);
  if (o->resume) choose_tell(&t->chosen);
  return set_end(t, e);
}

static void take_start(Trainer *t, const Options *o) {
  const Params *p = &t->en->params;
  if (!o->resume) params_init(t->en->prog, t->st.seed, p->theta);
  if (t->from) checkpoint_take(t->from, &(TrainVectors){p->theta, p->m, p->v});
  set_machine(t, o->resume);
  t->done_at_start = t->saved_step = t->st.step, t->seconds_before = t->st.seconds;
}

// The content of the data against that of the run gone on with.
static bool bind_data(Trainer *t, const Options *o, RtError *e) {
  const json_t *theirs = o->resume ? json_object_get(checkpoint_about(t->from), "data") : NULL;
  const FileSum *sums[] = {&t->data->lines.sum, t->held ? &t->held->lines.sum : NULL};
  json_t *data = rundata_of(&t->set, sums, theirs, t->from ? checkpoint_path(t->from) : "", o->changed_data || o->force, &t->run_data, e);
  if (!data) return false;
  t->kept = json_pack("{s:o}", "data", data);
  choose_keep(&t->chosen, t->en->prog, t->kept);
  if (t->run_data.held_changed) {
    rt_warn("%s begins anew: what was lowest on other held-out data (%.4f) says nothing of these", t->dir.best, t->st.best);
    t->st.best = INFINITY, t->st.best_step = -1;
  }
  return identity_get(&t->id, e) != NULL;          // of the files as they are now
}

// A run of an earlier calm stood at a window of an order drawn over windows that had something to train on. That is the same place in the order of rows where
// every row is one of these; elsewhere there is none. seen: all rows of the data, or (not whole) a sample.
static bool convert_place(Trainer *t, const Options *o, const Data *seen, RtError *e) {
  const json_t *format = t->from ? json_object_get(checkpoint_about(t->from), "calm") : NULL;
  if (!o->resume || json_integer_value(format) >= CHECKPOINT_OF_ROWS || t->st.position == 0 || t->run_data.changed) return true;
  Check *c = NULL;
  if (!data_whole(seen)) {
    c = check_start(t->data, &t->rows, pool_threads(t->en->pool) - 1, false);
    if (!check_help(c, e)) return check_end(c), false;
    seen = check_counts(c);
  }
  bool same = seen->windows == seen->of && seen->trained == seen->of;
  check_end(c);
  if (same) return true;
  if (!o->changed_data && !o->force)
    return rt_fail_about(e, RT_ABOUT_OTHER_DATA,
                         "%s: \"position\": saved in format %lld, it counts the windows that have labelled tokens, in an order drawn over them; that is drawn over rows now, and "
                         "%s has rows of several windows, or without labelled tokens: from there only the next epoch can be gone on with",
                         checkpoint_path(t->from), (long long)json_integer_value(format), t->set.data);
  rt_warn("%s: saved in format %lld, its place in epoch %lld is none in the order of rows: goes on with epoch %lld", checkpoint_path(t->from),
          (long long)json_integer_value(format), (long long)t->st.epoch, (long long)t->st.epoch + 1);
  t->st.epoch++, t->st.position = 0;
  return true;
}

// Where a run goes on is a row that is there; whether it has such a window is seen when it is read.
static bool check_place(const Trainer *t, const Options *o, RtError *e) {
  if (t->st.position <= data_count(t->data) || t->run_data.changed || o->force) return true;
  return rt_fail(e, "%s: \"position\": expected a row of the %lld that %s has, found %lld", checkpoint_path(t->from), (long long)data_count(t->data),
                 t->set.data, (long long)t->st.position);
}

// Steps of the size that an optimizer step can have, where that is less than the cap. look: at the data.
static bool open_steps(Trainer *t, const Options *o, const Data *look, RtError *e) {
  const TrainSettings *s = &t->set;
  int64_t longest = feed_longest(look), batch = s->batch.n * s->accumulate, most = batch;
  if (s->batch.rows) most = data_whole(look) && batch <= s->tokens_cap / longest ? batch * longest : s->tokens_cap;
  t->steps = (FeedSteps){.en = t->en, .step = step_new(t->en->nstream), .entry = t->en->entry[ENTRY_TRAIN], .cap = most < s->tokens_cap ? most : s->tokens_cap};
  if (!frozen_begin(&t->frozen, &t->app, o, s, look, &t->id, t->dir.frozen, e)) return false;
  if (t->frozen.cache) t->steps.frozen = t->frozen.cache, t->steps.entry = t->en->entry[ENTRY_LIVE];
  return feed_room(&t->steps, longest, e);
}

static void open_reading(Trainer *t, const Course *c, bool whole) {
  const FeedPlan plan = {.seed = t->st.seed, .shuffle = t->set.shuffle, .from = t->at};
  bool beside = pool_threads(t->en->pool) > 1;
  t->ahead = ahead_start(t->data, &t->rows, &plan, &c->rule, beside);
  if (!whole && beside) t->check = check_start(t->data, &t->rows, 1, true);
}

// The first line.
static void say_start(const Trainer *t, const Course *c, const Data *look) {
  const Engine *en = t->en;
  int64_t params = prog_trained(en->prog);
  int threads = pool_threads(en->pool);
  char *course = course_words(c, &t->set, look, t->st.seed);
  fprintf(stderr, "%s: %lld parameter%s, ", en->prog->spec, (long long)params, plural(params));
  if (data_whole(look))
    fprintf(stderr, "%lld row%s of %lld token%s (%lld labelled)", (long long)look->n, plural(look->n), (long long)look->tokens, plural(look->tokens),
            (long long)look->labelled);
  else
    fprintf(stderr, "%lld rows of about %.3g tokens (%.3g labelled; by a sample of %lld rows)", (long long)look->of,
            (double)look->tokens / (double)look->looked * (double)look->of, (double)look->labelled / (double)look->looked * (double)look->of, (long long)look->looked);
  fprintf(stderr, ", %s, %d thread%s, %s, %s: %s, ", course, threads, plural(threads), en->isa->name, precision_of_app(&t->app), t->app.precision_why);
  rt_free(course);
  say_end(t->app.models);
  fputc('\n', stderr);
}

// Of each file a look, which is all of a small one.
static bool look_at_data(Trainer *t, const Options *o, const Data *look, const Data *held, RtError *e) {
  const TrainSettings *s = &t->set;
  if (held && data_whole(held) && feed_longest(held) == 0) return rt_fail(e, "%s: no row has a labelled token", s->validate);
  if (data_whole(look) && feed_longest(look) == 0) return rt_fail(e, "%s: no row has a labelled token", s->data);
  if (!convert_place(t, o, look, e) || !check_place(t, o, e) || !open_steps(t, o, look, e)) return false;
  t->at = (FeedPlace){t->st.epoch, t->st.position, t->st.window};
  t->step_words = course_step(s);
  Course c = course_of(s, look, t->step_words);
  open_reading(t, &c, data_whole(look));
  if (o->resume && !t->held && file_is_dir(t->dir.best))
    rt_warn("%s stays as it is: without held-out data (--validate) nothing says which parameters are best", t->dir.best);
  say_start(t, &c, look);
  frozen_tell(&t->frozen);
  return true;
}

static bool open_data(Trainer *t, const Options *o, RtError *e) {
  const TrainSettings *s = &t->set;
  t->rows = feed_options(t->app.models);
  if (!(t->data = data_open(s->data, e)) || (s->validate && !(t->held = data_open(s->validate, e))) || !bind_data(t, o, e)) return false;
  Data *look = feed_look(t->app.models, t->data, e), *held = look && t->held ? feed_look(t->app.models, t->held, e) : NULL;
  bool ok = look && (!t->held || held) && look_at_data(t, o, look, held, e);
  feed_looked(t->data, look), feed_looked(t->held, held);
  return ok;
}

static bool check_memory(Trainer *t, const Options *o, RtError *e) {
  Load l = {.training = true, .keeps_best = t->set.validate != NULL, .tables = -1};
  Shape s = shape_of_text(t->app.models, settings_step_tokens(&t->set)), look = shape_of_text(t->app.models, t->set.tokens_cap);
  l.step[l.nstep++] = (StepLoad){t->en->entry[ENTRY_TRAIN], s.tokens, s.rows};
  if (l.keeps_best) l.step[l.nstep++] = (StepLoad){t->en->entry[ENTRY_LOSS], look.tokens, look.rows};
  bool ok = memory_check(&t->app, o, &l, e);
  shape_free(&s), shape_free(&look);
  return ok;
}

// What a run writes is nothing that it reads, above all no parameters to start from that lie in the run which is to be replaced.
static bool outputs_allowed(const Trainer *t, const Options *o, RtError *e) {
  static const char *const FILES[] = {CHECKPOINT_THETA, CHECKPOINT_MOMENTS, CHECKPOINT_ABOUT};
  const char *dirs[] = {t->dir.last, t->dir.best};
  bool ok = output_allowed(&t->app, o, &t->set, t->dir.log, e) && output_allowed(&t->app, o, &t->set, t->dir.frozen, e);
  for (int i = 0; i < 6 && ok; i++) {
    char *path = file_join(dirs[i / 3], FILES[i % 3]);
    ok = output_allowed(&t->app, o, &t->set, path, e) && trace_allowed(&t->app, o, &t->set, (const char *const[]){path, t->dir.log}, 2, e);
    rt_free(path);
  }
  return ok;
}

static void say_idle(const Trainer *t, const Options *o) {
  if (!o->resume) options_idle(o, FLAG_changed_data, "there is no --resume");
  if (o->resume) options_idle(o, FLAG_params, "--resume goes on with those of last/");
  else if (!o->params) options_idle(o, FLAG_force, "there is neither --params nor --resume");
  if (opt_int(o->stop_after, 0) >= t->set.steps) options_idle(o, FLAG_stop_after, "that is not before the last step (see --steps)");
  if (!t->set.validate) options_idle_setting(o, SET_train_eval_every, "there is no held-out data (see --validate)");
  if (t->set.schedule == SCHEDULE_constant) options_idle_setting(o, SET_schedule_floor, "the schedule is constant");
}

// --check: reads what a training would, and starts none.
static bool check_data(Trainer *t, const Options *o, RtError *e) {
  if (!choose(&t->chosen, t->en->prog, o, NULL, NULL, e)) return false;
  const char *files[] = {t->chosen.set.data, t->chosen.set.validate};
  for (int i = 0; i < 2; i++)
    if (files[i] && !rundata_check(&t->app, files[i], e)) return false;
  return true;
}

static bool train(Trainer *t, const Options *o, int *sig, RtError *e) {
  Engine *en = t->en;
  if (en->entry[ENTRY_TRAIN] < 0 || en->prog->nparam == 0)
    return rt_fail(e, "%s has nothing to train: no connection and no model made from nothing", en->prog->spec);
  RunStart start = o->resume ? RUN_RESUME : o->overwrite ? RUN_OVERWRITE : RUN_NEW;
  char *out = o->out ? rt_strdup(o->out) : rt_format("%s.run", o->program);
  bool held = rundir_open(&t->dir, out, start, e);
  rt_free(out);
  if (!held || !open_start(t, o, e)) return false;
  say_idle(t, o);
  t->until = opt_int(o->stop_after, t->set.steps);
  if (t->until > t->set.steps) t->until = t->set.steps;
  if ((t->nothing = o->resume && t->st.step >= t->until)) return true;
  if (!check_memory(t, o, e) || !outputs_allowed(t, o, e) || !engine_load(en, t->app.models->dir, true, e)) return false;
  take_start(t, o);
  if (!open_data(t, o, e)) return false;
  if (t->held) t->best_theta = rt_alloc((size_t)en->prog->theta, sizeof(float));
  engine_prepare(en);
  signals_ask();                                   // the rest of a step, and its checkpoint, are worth waiting for
  t->started = t->saved = rt_now();
  t->tty = isatty(STDERR_FILENO);
  return run(t, sig, e);
}

// That a training was of no use is not to be found out from what was shipped.
static void say_use(const Trainer *t, int sig) {
  if (t->held && t->st.step > 0 && t->st.best_step == 0)
    rt_warn("the start was best: no look at the held-out loss was below the %.4f from before training, whose parameters %s holds", t->st.best, t->dir.best);
  if (t->dead_since)
    rt_warn("the gradient was 0 from step %lld to the last: nothing was learned there; a smaller learning rate (--lr) may help", (long long)t->dead_since);
  else if (!sig && !t->done_at_start && t->last_loss > 1.1 * t->first_loss)
    rt_warn("the loss rose, from %.4f in the first step to %.4f in the last tenth: a smaller learning rate (--lr) may help", t->first_loss, t->last_loss);
}

// A run to go on with that is as far as was asked for. It stays as it is.
static void say_nothing(const Trainer *t) {
  long long step = (long long)t->st.step, steps = (long long)t->set.steps;
  fprintf(stderr, "nothing left to do: %s is after step %lld", t->dir.last, step);
  if (step < steps) fprintf(stderr, ", and --stop-after is %lld\n", (long long)t->until);
  else fprintf(stderr, ", and steps is %lld (go on with more: --steps)\n", steps);
}

// Names the parameters to take: best/, where that is better than the last step's.
static void say_done(const Trainer *t, int sig) {
  const TrainState *s = &t->st;
  frozen_tell_use(&t->frozen);
  fprintf(stderr, "%s after step %lld of %lld in %.1f s", sig ? "stopped" : "done", (long long)s->step, (long long)t->set.steps, rt_now() - t->started);
  if (t->seconds_before > 0) fprintf(stderr, " (%.1f s with what was before)", s->seconds);
  fprintf(stderr, ", %.0f MB; ", (double)rt_peak_resident() / 1e6);
  if (t->held && s->best_step > 0)
    fprintf(stderr, "best parameters in %s (held-out loss was lowest after step %lld: %.4f), those of the last step in %s\n", t->dir.best,
            (long long)s->best_step, s->best, t->dir.last);
  else fprintf(stderr, "parameters in %s\n", t->dir.last);
  say_use(t, sig);
}

int cmd_train(const Options *o) {
  RtError e;
  Trainer t = {0};
  int sig = 0;
  if (o->resume && o->overwrite) return usage_error("--resume goes on with a run, --overwrite replaces it: give one of them");
  if (o->check && (o->resume || o->overwrite)) return usage_error("--check reads data and touches no run: leave --%s out", o->resume ? "resume" : "overwrite");
  bool ok = app_open(&t.app, o, &e);
  t.en = t.app.en, t.id.models = t.app.models;
  ok = ok && (o->check ? check_data(&t, o, &e) : train(&t, o, &sig, &e));
  trainlog_close(t.log);
  if (t.half_line) fputc('\n', stderr);
  if (ok && t.nothing) say_nothing(&t);
  else if (ok && !o->check) say_done(&t, sig);
  ahead_end(t.ahead), check_end(t.check);
  data_close(t.data), data_close(t.held);
  step_free(t.steps.step);
  frozen_end(&t.frozen);
  json_decref(t.kept), checkpoint_close(t.from);
  identity_drop(&t.id);
  rt_free(t.best_theta), rt_free(t.step_words);
  rundir_close(&t.dir);
  app_close(&t.app);
  return !ok ? cmd_fail(o, &e) : sig ? 128 + sig : 0;
}
