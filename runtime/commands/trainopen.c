// See trainopen.h.
#include "runtime/commands/trainopen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/commands/course.h"
#include "runtime/commands/memory.h"
#include "runtime/commands/precision.h"
#include "runtime/commands/shown.h"
#include "runtime/core/core.h"

// Bits are promised per instruction-set path and precision.
static void set_machine(Trainer *t, bool resumed) {
  const char *isa = t->en->isa->name, *old_isa = t->st.isa ? t->st.isa : "?";
  char *old = t->st.precision ? precisions_words(t->st.precision) : rt_strdup(precision_name(PRECISION_F32));
  if (resumed && strcmp(isa, old_isa))
    rt_warn("%s was trained with %s, and goes on with %s: its bits will not be those of an uninterrupted run", t->dir.last, old_isa, isa);
  if (resumed && strcmp(old, t->app.precision_words))
    rt_warn("%s was trained in %s, and goes on in %s: its bits will not be those of an uninterrupted run", t->dir.last, old, t->app.precision_words);
  rt_free(old);
  t->st.precision = t->app.precision;
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

bool train_open_start(Trainer *t, const Options *o, RtError *e) {
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
  if (t->set.date != SETTING_AUTO) t->st.date = t->set.date;
  if (!rundata_rules(&t->app, &t->set, t->st.date, e)) return false;
  t->st.date = models_date(t->app.models);
  if (o->resume) choose_tell(&t->chosen);
  return set_end(t, e);
}

bool train_take_start(Trainer *t, const Options *o, RtError *e) {
  const Params *p = &t->en->params;
  if (!o->resume && !params_init(t->en->prog, t->en->weights.file, t->st.seed, p->theta, e)) return false;
  if (t->from) checkpoint_take(t->from, &(TrainVectors){p->theta, p->m, p->v});
  set_machine(t, o->resume);
  t->done_at_start = t->saved_step = t->st.step, t->seconds_before = t->st.seconds;
  return true;
}

// The content of the data against that of the run gone on with.
static bool bind_data(Trainer *t, const Options *o, RtError *e) {
  const json_t *theirs = o->resume ? json_object_get(checkpoint_about(t->from), "data") : NULL;
  json_t *data = rundata_of(&t->set, t->data, t->held, theirs, t->from ? checkpoint_path(t->from) : "", o->changed_data || o->force, &t->run_data, e);
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
  bool same = seen->windows == seen->of && seen->trained == seen->of && !data_mixed(t->data);
  check_end(c);
  if (same) return true;
  if (!o->changed_data && !o->force)
    return rt_fail_about(e, RT_ABOUT_OTHER_DATA,
                         "%s: \"position\": saved in format %lld, it counts the windows that have labelled tokens, in an order drawn over them; that is drawn over rows now, and "
                         "%s has rows of several windows, or without labelled tokens: from there only the next epoch can be gone on with",
                         checkpoint_path(t->from), (long long)json_integer_value(format), data_path(t->data));
  rt_warn("%s: saved in format %lld, its place in epoch %lld is none in the order of rows: goes on with epoch %lld", checkpoint_path(t->from),
          (long long)json_integer_value(format), (long long)t->st.epoch, (long long)t->st.epoch + 1);
  t->st.epoch++, t->st.position = 0;
  return true;
}

// Where a run goes on is a row that is there; whether it has such a window is seen when it is read.
static bool check_place(const Trainer *t, const Options *o, RtError *e) {
  if (t->st.position <= data_count(t->data) || t->run_data.changed || o->force) return true;
  return rt_fail(e, "%s: \"position\": expected a row of the %lld that %s has, found %lld", checkpoint_path(t->from), (long long)data_count(t->data),
                 data_path(t->data), (long long)t->st.position);
}

// Steps of the size that an optimizer step can have, where that is less than the cap.
bool train_open_steps(Trainer *t, bool cached, RtError *e) {
  const Data *look = t->look;
  int64_t longest = feed_longest(look);
  TrainSettings s = t->set;
  s.tokens_cap = t->budget.cap;
  t->steps = (FeedSteps){.en = t->en, .step = step_new(t->en->nstream), .entry = t->en->entry[t->budget.lean ? ENTRY_LEAN : ENTRY_TRAIN],
                         .cap = settings_step_tokens(&s, data_whole(look) ? longest : 0), .lean = true, .file = t->data};
  if (cached && !frozen_begin(&t->frozen, &t->app, &t->id, t->dir.frozen, t->dir.frozen_held, e)) return false;
  if (t->frozen.cache) t->steps.frozen = t->frozen.cache, t->steps.entry = frozen_entry(t->frozen.cache);
  return feed_room(&t->steps, longest, e);
}

static void open_reading(Trainer *t, const Course *c, bool whole) {
  const FeedPlan plan = {.seed = t->st.seed, .shuffle = t->set.shuffle, .from = t->at};
  bool beside = pool_threads(t->en->pool) > 1;
  t->ahead = ahead_start(t->data, &t->rows, &plan, &c->rule, beside);
  if (whole || !beside) return;
  DataOptions o = t->rows;
  o.bytes = t->bytes = data_byte_rule(&t->rows);
  t->check = check_start(t->data, &o, 1, true);
}

// What training appends to a completion, for the first line.
static void say_end(const Models *m) {
  const TextEnds *x = &m->ends;
  size_t n = 0;
  const char *text = m->tok && x->append >= 0 ? tokenizer_token(m->tok, x->append, &n) : NULL;
  if (!m->tok) fputs("no tokenizer", stderr);
  else if (x->append < 0) fputs("no end of text, since no file of the model names one", stderr);
  else fprintf(stderr, "end of text %.*s%s(%d), from %s", (int)n, text ? text : "", text ? " " : "", (int)x->append, x->append_from);
}

// The first line.
static void say_start(const Trainer *t, const Course *c, const Data *look) {
  const Engine *en = t->en;
  int64_t params = prog_trained(en->prog);
  int threads = pool_threads(en->pool);
  char *course = course_words(c);
  fprintf(stderr, "%s: %lld parameter%s, ", en->prog->spec, (long long)params, plural(params));
  if (data_whole(look))
    fprintf(stderr, "%lld row%s of %lld token%s (%lld labelled)", (long long)look->n, plural(look->n), (long long)look->tokens, plural(look->tokens),
            (long long)look->labelled);
  else
    fprintf(stderr, "%lld rows of about %.3g tokens (%.3g labelled; by a sample of %lld rows)", (long long)look->of,
            (double)look->tokens / (double)look->looked * (double)look->of, (double)look->labelled / (double)look->looked * (double)look->of, (long long)look->looked);
  fprintf(stderr, ", %s, %d thread%s, %s, %s: %s, ", course, threads, plural(threads), en->isa->name, t->app.precision_words, t->app.precision_why);
  rt_free(course);
  say_end(t->app.models);
  fputc('\n', stderr);
}

// What --memory came to.
static void say_budget(const Trainer *t) {
  char limit[64];
  if (!t->app.limits.asked) return;
  char *words = budget_words(&t->set, &t->budget);
  settings_bytes_text(t->app.limits.asked, limit, sizeof limit);
  fprintf(stderr, "memory %s: %s%s\n", limit, words, t->budget.lean && t->set.cache == CACHE_auto && frozen_can(t->en, ENTRY_LEAN) ? "; no frozen cache (cache = disk)" : "");
  rt_free(words);
}

static bool all_labelled(const DataRow *r) {
  int64_t i = 1;
  while (i < r->n && r->labels[i] != -100) i++;
  return r->n > 1 && i >= r->n;
}

// A row of which a prompt is given, and where nothing is that is not trained on, which is what {"text"} says: an empty prompt; a conversation whose questions
// a chat template marks as generated.
static bool all_trained(const DataRow *r) { return r->prompt ? !r->prompt_len : r->asked && all_labelled(r); }
// Ids have a prompt where their labels say so: without one they are a text.
static bool only_text(const DataRow *r) { return r->numbers && all_labelled(r); }

static bool every(const Data *d, bool (*is)(const DataRow *)) {
  int64_t n = 0;
  while (n < d->n && is(&d->row[n])) n++;
  return n && n == d->n;
}

// Ids without prompts are nothing unusual, unless a model reads nothing else.
static bool see_text(const Models *m, const char *path, const char *of, RtError *e) {
  int k = 1;
  while (k < m->streams.n && m->streams.s[k].reads != READS_PROMPT) k++;
  if (k < m->streams.n)
    return rt_fail(e, "%s: every token of every row%s is labelled, so that none has a prompt, which is all that %s reads; expected prompts, whose labels are -100", path, of,
                   m->streams.s[k].model);
  rt_note("%s: every token of every row%s is labelled: trained on as {\"text\"} rows are (the labels of a prompt would be -100)", path, of);
  return true;
}

static bool refuse_all_trained(const Models *m, const Data *d, const char *path, RtError *e) {
  const char *of = data_whole(d) ? "" : " of a sample of its rows";
  if (every(d, only_text)) return see_text(m, path, of, e);
  if (!every(d, all_trained)) return true;
  if (d->row[0].prompt)
    return rt_fail(e, "%s: every prompt%s is empty, so that everything would be trained on; expected prompts, or {\"text\"} rows", path, of);
  return rt_fail(e, "%s: every token of every conversation%s would be trained on, what is asked too: the chat template marks all of it as generated (if that is meant: train_on = all)",
                 path, of);
}

static bool refuse_none_trained(const DataFile *f, const Data *look, RtError *e) {
  for (int k = 0; data_whole(look) && k < f->nparts; k++)
    if (!data_count_part(f, look, k).labelled) return rt_fail(e, "%s: no row has a labelled token", f->part[k].lines.path);
  return true;
}

static void say_shares(const SettingFiles *f) {
  double sum = 0;
  for (int k = 0; k < f->n; k++) sum += f->of[k].share;
  if (sum > 0 && fabs(sum - 1) > 1e-9) rt_note("the files' shares come to %.6g, of which each is taken as a part", sum);
}

bool train_see_data(Trainer *t, RtError *e) {
  const TrainSettings *s = &t->set;
  say_shares(&s->data);
  if (!(t->data = data_open_all(s->data.of, s->data.n, e)) || (s->validate.n && !(t->held = data_open_all(s->validate.of, s->validate.n, e)))) return false;
  if (!app_part_for(&t->app, t->data, e) || !app_part_for(&t->app, t->held, e)) return false;
  t->rows = feed_options(t->app.models);
  if (!(t->look = feed_look(t->app.models, t->data, e)) || (t->held && !(t->look_held = feed_look(t->app.models, t->held, e)))) return false;
  const Data *look = t->look, *held = t->look_held;
  return refuse_all_trained(t->app.models, look, data_path(t->data), e) && (!held || refuse_none_trained(t->held, held, e)) && refuse_none_trained(t->data, look, e);
}

void train_seen_data(Trainer *t) {
  feed_looked(t->data, t->look), feed_looked(t->held, t->look_held);
  t->look = t->look_held = NULL;
}

bool train_open_data(Trainer *t, const Options *o, RtError *e) {
  const TrainSettings *s = &t->set;
  const Data *look = t->look;
  if (!bind_data(t, o, e)) return false;
  if (!convert_place(t, o, look, e) || !check_place(t, o, e) || !train_open_steps(t, true, e)) return false;
  t->at = (FeedPlace){t->st.epoch, t->st.position, t->st.window};
  t->step_words = course_step(s);
  Course c = course_of(s, t->data, look, t->st.seed, t->step_words);
  open_reading(t, &c, data_whole(look));
  if (o->resume && !t->held && file_is_dir(t->dir.best))
    rt_warn("%s stays as it is: without held-out data (--validate) nothing says which parameters are best", t->dir.best);
  say_start(t, &c, look);
  course_files(&c, stderr, "data ");
  shown_rows(t->app.models, t->data, look);
  say_budget(t);
  frozen_tell(&t->frozen);
  return true;
}

// How much is computed at a time. A run that is gone on with keeps to what it was, where that still fits: its bits follow from it.
static bool choose_budget(Trainer *t, RtError *e) {
  const TrainSettings *s = &t->set;
  const ChosenBy *by = t->chosen.by;
  int64_t before = by[SET_train_memory] == CHOSEN_ALREADY && by[SET_train_tokens_cap] == CHOSEN_ALREADY ? t->st.step_tokens : 0;
  App *a = &t->app;
  a->limits.asked = s->memory > 0 ? s->memory : 0;
  if (rt_resident() > a->resident) a->resident = rt_resident();        // with its data
  if (!budget_train(a, s, t->look, t->look_held, before, &t->budget, e)) return false;
  if (before && t->budget.cap != before)
    rt_warn("%s computed %lld tokens at a time, which --memory has no room for now: its bits will not be those of an uninterrupted run", t->dir.last, (long long)before);
  t->st.step_tokens = a->limits.asked ? t->budget.cap : 0;
  return true;
}

bool train_check_memory(Trainer *t, const Options *o, RtError *e) {
  const App *a = &t->app;
  if (!choose_budget(t, e)) return false;
  TrainSettings s = t->set;
  s.tokens_cap = t->budget.cap;
  frozen_choose(&t->frozen, a, o, &s, t->look, t->look_held, t->budget.lean, t->budget.left);
  Shape step = shape_of_data(a->models, t->look, settings_step_tokens(&s, feed_longest_of_all(t->look)), s.shuffle);
  Shape held = t->look_held ? shape_of_data(a->models, t->look_held, s.tokens_cap, false) : shape_of_text(a->models, s.tokens_cap);
  Load l = {.training = true, .tables = t->held ? -1 : step.tables, .frozen = frozen_resident(&t->frozen)};
  l.step[l.nstep++] = (StepLoad){t->en->entry[t->budget.lean ? ENTRY_LEAN : ENTRY_TRAIN], step.tokens, step.rows};
  if (t->set.validate.n) l.step[l.nstep++] = (StepLoad){t->en->entry[ENTRY_LOSS], held.tokens, held.rows};
  bool ok = memory_check(&t->app, o, &l, e);
  shape_free(&step), shape_free(&held);
  return ok;
}
