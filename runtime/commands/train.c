// train: AdamW on the labelled tokens. The loss of an optimizer step is the sum over its labelled tokens divided by
// their number, however many ragged steps it was computed in. Everything that decides the next step is in the
// checkpoint, so a resumed run is the same run, bit for bit.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/commands/dryrun.h"
#include "runtime/commands/signals.h"
#include "runtime/commands/trainkeep.h"
#include "runtime/commands/trainopen.h"
#include "runtime/commands/trainstep.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"

// Where there are several files: of each, behind the mean.
static void say_held(const Trainer *t, const char *when, double mean) {
  fprintf(stderr, "held-out loss%s %.4f", when, mean);
  for (int k = 0; t->held->nparts > 1 && k < t->held->nparts; k++)
    fprintf(stderr, "%s%s %.4f%s", k ? ", " : " (", train_held_name(t->held, k), t->each[k], k + 1 < t->held->nparts ? "" : ")");
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
  if (!isnan(x->held)) fputs("  ", stderr), say_held(t, "", x->held);
  if (stays) fputc('\n', stderr);
  t->half_line = !stays;
  t->told = now;
}

// What a training may come to without an error: no parameter moves any more, or each moves too far. Said once, the first as soon as it is no matter of one step. Rows
// differ in loss, but not by twice and a nat.
static void watch(Trainer *t, double loss, double norm) {
  int64_t step = t->st.step, tenth = (t->until - t->done_at_start) / 10;
  if (step == t->done_at_start + 1) t->first_loss = loss;
  if (!t->diverged && loss > 2 * t->first_loss && loss > t->first_loss + 1) {
    t->diverged = true;
    rt_warn("the loss of step %lld is %.4f, that of the first was %.4f: it diverges; a smaller learning rate (--lr, here %.3g) or a warm-up (--warmup) may help",
            (long long)step, loss, t->first_loss, settings_lr(&t->set, step - 1));
  }
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
  bool budget = e->about == RT_ABOUT_BUDGET;
  if (!t->log || !(t->saved_step == t->st.step || train_save(t, &ignored))) return false;
  char *why = rt_strdup(e->text);
  rt_fail(e, "%s; %s holds step %lld: %s goes on from it", why, t->dir.last, (long long)t->st.step, budget ? "--resume with more --memory" : "with the row mended, --resume --changed-data");
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
  feed_tell(t->app.models, data_path(t->data), d);
  if (d->decided)
    rt_note("%s: all %lld rows were read, nothing wrong: the bytes of %lld tell that nothing of them is cut, the others have %lld tokens, %lld labelled", data_path(t->data),
            (long long)d->of, (long long)d->decided, (long long)d->tokens, (long long)d->labelled);
  else
    rt_note("%s: all %lld rows were read: %lld tokens, %lld labelled, nothing wrong", data_path(t->data), (long long)d->of, (long long)d->tokens, (long long)d->labelled);
  check_end(t->check);
  t->check = NULL;
  return true;
}

// Whether so many looks were made since the lowest held-out loss that the run is to end; what the state of a run says, so that it ends there resumed, too.
static bool patience_ended(const Trainer *t) {
  const TrainState *st = &t->st;
  int64_t every = train_look_every(&t->set), last = st->step / every - (st->best_step > 0 ? st->best_step : 0) / every;
  return t->held && t->set.patience > 0 && st->best_step >= 0 && last >= t->set.patience;
}

// Runs to the last step; *sig is the signal that stopped it before, or 0.
static bool run(Trainer *t, int *sig, RtError *e) {
  TrainSettings *s = &t->set;
  int64_t until = t->until;
  int64_t every = train_look_every(s);
  double held;
  if (t->st.step == 0) {
    if (!train_look(t, &held, e)) return false;
    if (t->held) say_held(t, " before training", held), fputc('\n', stderr);
  }
  while (t->st.step < until && !patience_ended(t) && !(*sig = signals_asked())) {
    double before = rt_now(), lr = settings_lr(s, t->st.step), loss;
    if (!look_at_check(t, e)) return false;
    if (!(t->batch = ahead_next(t->ahead, e))) return data_failed(t, e);
    int64_t tokens = t->batch->tokens;
    if (!train_gradients(t, t->batch->each, t->batch->n, &loss, e)) return e->about == RT_ABOUT_BUDGET ? data_failed(t, e) : false;
    double norm = train_update(t, lr);
    if (!isfinite(loss) || !isfinite(norm))
      return rt_fail(e,
                     "step %lld: %s is not a finite number (learning rate %.3g, rows from line %lld of %s); nothing was saved since step %lld",
                     (long long)t->st.step + 1, isfinite(loss) ? "the gradient" : "the loss", lr,
                         (long long)t->batch->row[0].line, data_path_of(t->data, t->batch->row[0].row),
                     (long long)t->saved_step);
    engine_prepare(t->en);
    t->st.step++, t->st.tokens += tokens;
    t->at = t->batch->after;
    watch(t, loss, norm);
    bool looked = t->st.step % every == 0 || t->st.step == s->steps;
    double seconds = rt_now() - before;
    held = NAN;
    if (looked && !train_look(t, &held, e)) return false;
    TrainLine line = {.step = t->st.step, .steps = s->steps, .tokens = t->st.tokens, .loss = loss, .lr = lr,
                      .norm = norm,
                      .tokens_per_s = (double)tokens / seconds, .held = held, .each = t->each,
                      .left = (rt_now() - t->started) / (double)(t->st.step - t->done_at_start) * (double)(until - t->st.step)};
    if (!train_begin_log(t, e) || !trainlog_add(t->log, &line, e)) return false;
    tell(t, &line);
    bool due = s->save_every > 0 ? t->st.step % s->save_every == 0 : looked && rt_now() - t->saved > 30;
    if (due && t->st.step < until && !train_save(t, e)) return false;
  }
  return train_begin_log(t, e) && train_save(t, e);
}

// ---- the command

// What a run writes is nothing that it reads, above all no parameters to start from that lie in the run which is to be replaced.
static bool outputs_allowed(const Trainer *t, const Options *o, RtError *e) {
  static const char *const FILES[] = {CHECKPOINT_THETA, CHECKPOINT_MOMENTS, CHECKPOINT_ABOUT};
  const char *dirs[] = {t->dir.last, t->dir.best};
  bool ok = output_allowed(&t->app, o, &t->set, t->dir.log, e) && output_allowed(&t->app, o, &t->set, t->dir.report, e) && (!t->set.tensorboard || output_allowed(&t->app, o, &t->set, t->dir.events, e)) && output_allowed(&t->app, o, &t->set, t->dir.frozen, e) && output_allowed(&t->app, o, &t->set, t->dir.frozen_held, e);
  for (int i = 0; i < 6 && ok; i++) {
    char *path = file_join(dirs[i / 3], FILES[i % 3]);
    ok = output_allowed(&t->app, o, &t->set, path, e) && trace_allowed(&t->app, o, &t->set, (const char *const[]){path, t->dir.log, t->dir.report}, 3, e);
    rt_free(path);
  }
  return ok;
}

static void say_idle(const Trainer *t, const Options *o) {
  if (!o->resume) options_idle(o, FLAG_changed_data, "there is no --resume");
  if (o->resume) options_idle(o, FLAG_params, "--resume goes on with those of last/");
  else if (!o->params) options_idle(o, FLAG_force, "there is neither --params nor --resume");
  if (opt_int(o->stop_after, 0) >= t->set.steps) options_idle(o, FLAG_stop_after, "that is not before the last step (see --steps)");
  if (!t->set.validate.n) {
    options_idle_setting(o, SET_train_eval_every, "there is no held-out data (see --validate)");
    options_idle_setting(o, SET_train_patience, "there is no held-out data (see --validate)");
  }
  if (t->set.schedule == SCHEDULE_constant) options_idle_setting(o, SET_schedule_floor, "the schedule is constant");
}

// --check: reads what a training would, and starts none.
static bool check_data(Trainer *t, const Options *o, RtError *e) {
  if (!choose(&t->chosen, t->en->prog, o, NULL, NULL, e)) return false;
  const TrainSettings *s = &t->chosen.set;
  if (!rundata_rules(&t->app, s, s->date == SETTING_AUTO ? 0 : s->date, e)) return false;
  return rundata_check(&t->app, &s->data, e) && rundata_check(&t->app, &s->validate, e);
}

static bool train(Trainer *t, const Options *o, int *sig, RtError *e) {
  Engine *en = t->en;
  if (!train_possible(en, e)) return false;
  RunStart start = o->resume ? RUN_RESUME : o->overwrite ? RUN_OVERWRITE : RUN_NEW;
  char *out = o->out ? rt_strdup(o->out) : rt_format("%s.run", o->program);
  bool held = rundir_open(&t->dir, out, start, e);
  rt_free(out);
  if (!held || !train_open_start(t, o, e)) return false;
  say_idle(t, o);
  t->until = opt_int(o->stop_after, t->set.steps);
  if (t->until > t->set.steps) t->until = t->set.steps;
  if ((t->nothing = o->resume && t->st.step >= t->until)) return true;
  if (!outputs_allowed(t, o, e) || !train_see_data(t, e) || !train_check_memory(t, o, e) || !engine_load(en, t->app.models->dir, true, e)) return false;
  if (!train_take_start(t, o, e) || !train_open_data(t, o, e)) return false;
  train_seen_data(t);
  engine_prepare(en);
  signals_ask();                                   // the rest of a step, and its checkpoint, are worth waiting for
  t->started = t->saved = rt_now();
  t->tty = isatty(STDERR_FILENO);
  return run(t, sig, e);
}

// That a training was of no use is not to be found out from what was shipped. One that was stopped before its first look says nothing of it.
static void say_use(const Trainer *t, int sig) {
  bool looked = t->st.step >= train_look_every(&t->set) || t->st.step == t->set.steps;
  if (t->held && t->st.step > 0 && looked && t->st.best_step == 0)
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
  if (!sig && s->step < t->until && patience_ended(t))
    fprintf(stderr, "the held-out loss was not below %.4f in %lld look%s (patience): ", s->best, (long long)t->set.patience, plural(t->set.patience));
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
  if ((o->check || o->dry_run) && (o->resume || o->overwrite))
    return usage_error("%s and touches no run: leave --%s out", o->check ? "--check reads data" : "--dry-run says what a training would take", o->resume ? "resume" : "overwrite");
  if (o->check && o->dry_run) return usage_error("--check reads all data for its mistakes, --dry-run says what a training would take: give one of them");
  bool ok = app_open(&t.app, o, &e);
  t.en = t.app.en, t.id.models = t.app.models;
  if (ok && (o->check || o->dry_run)) ok = trace_allowed(&t.app, o, &t.set, NULL, 0, &e);
  ok = ok && (o->check ? check_data(&t, o, &e) : o->dry_run ? dry_run(&t, o, &e) : train(&t, o, &sig, &e));
  trainlog_close(t.log), trainlog_free(&t.curves);
  if (t.half_line) fputc('\n', stderr);
  if (ok && t.nothing) say_nothing(&t);
  else if (ok && !o->check && !o->dry_run) say_done(&t, sig);
  ahead_end(t.ahead), check_end(t.check), byte_rule_free(t.bytes);
  train_seen_data(&t);
  data_close(t.data), data_close(t.held);
  step_free(t.steps.step);
  frozen_end(&t.frozen);
  json_decref(t.kept), checkpoint_close(t.from);
  identity_drop(&t.id);
  checkpoint_drop(t.best);
  rt_free(t.step_words), rt_free(t.each);
  rundir_close(&t.dir);
  app_close(&t.app);
  return !ok ? cmd_fail(o, &e) : sig ? 128 + sig : 0;
}
