// See trainkeep.h.
#include "runtime/commands/trainkeep.h"

#include <math.h>
#include <string.h>

#include "runtime/commands/report.h"
#include "runtime/core/core.h"

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

static bool put_best(Trainer *t, RtError *e) {
  CheckpointDraft *best = t->best;
  t->best = NULL;
  return !best || checkpoint_put(best, e);
}

// best/ before last/: a run that is killed in between goes on from the last/ of before, and comes to the same best/ again. An earlier run that is
// to be replaced goes when there is a last/ to put in its place.
static bool save_both(Trainer *t, RtError *e) {
  bool replaces = t->dir.replaces;
  return (replaces || put_best(t, e)) && save_last(t, e) && (!replaces || (rundir_clear(&t->dir, e) && put_best(t, e)));
}

// Once there is a log: what the one of an earlier run says, which is replaced with the first save, is not of this one.
static bool save_report(Trainer *t, RtError *e) {
  if (!t->log) return true;
  char *about = file_join(t->dir.last, CHECKPOINT_ABOUT);
  bool ok = report_write(t->dir.report, t->en->prog, &t->set, about, t->dir.log, &t->curves, e);
  rt_free(about);
  return ok;
}

// Asked again where a file could not be written: a directory that is moved meanwhile is why.
bool train_save(Trainer *t, RtError *e) {
  return rundir_stands(&t->dir, e) && engine_unchanged(t->en, e) && ((save_both(t, e) && save_report(t, e)) || (rundir_stands(&t->dir, e) && false));
}

bool train_begin_log(Trainer *t, RtError *e) {
  if (t->log) return true;
  if (t->dir.replaces && !train_save(t, e)) return false;
  int n = t->held && t->held->nparts > 1 ? t->held->nparts : 0;
  const char **name = rt_alloc((size_t)n, sizeof *name);
  for (int k = 0; k < n; k++) name[k] = train_held_name(t->held, k);
  t->log = trainlog_open(t->dir.log, t->set.tensorboard ? t->dir.events : NULL, t->done_at_start, name, n, e);
  rt_free(name);
  if (t->log && t->set.tensorboard) rundir_clear_events(&t->dir, t->dir.events);
  return t->log != NULL;
}

// The parameters are the best so far: written beside best/, so that memory holds them once.
static bool draft_best(Trainer *t, RtError *e) {
  mark(t);
  checkpoint_drop(t->best);
  t->best = NULL;
  if (!rundir_stands(&t->dir, e)) return false;
  t->best = checkpoint_draft(t->dir.best, &t->id, &(TrainVectors){.theta = t->en->params.theta}, &t->st, t->kept, e);
  return t->best || (rundir_stands(&t->dir, e) && false);
}

// Its name without directories, where no other has the same.
const char *train_held_name(const DataFile *held, int k) {
  const char *path = held->part[k].lines.path, *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  for (int i = 0; i < held->nparts; i++) {
    const char *other = held->part[i].lines.path, *at = strrchr(other, '/');
    if (i != k && !strcmp(at ? at + 1 : other, name)) return path;
  }
  return name;
}

// The loss of each file, and of these the mean, in which each file counts the same, however large.
static bool look_at_each(Trainer *t, double *mean, RtError *e) {
  int n = t->held->nparts;
  double sum = 0;
  if (!t->each) t->each = rt_alloc((size_t)n, sizeof *t->each);
  for (int k = 0; k < n; k++) {
    FeedLoss l;
    if (!feed_loss_of(t->en, t->steps.step, t->held, k, &t->rows, t->budget.cap, t->frozen.held, NULL, &l, e)) return false;
    if (!l.labelled) return rt_fail(e, "%s: no row has a labelled token", t->held->part[k].lines.path);
    sum += t->each[k] = l.nll / (double)l.labelled;
  }
  return *mean = sum / n, true;
}

bool train_look(Trainer *t, double *held, RtError *e) {
  *held = NAN;
  if (!t->held) return true;
  if (!look_at_each(t, held, e)) return false;
  if (!(*held < t->st.best)) return true;
  t->st.best = *held, t->st.best_step = t->st.step;
  return draft_best(t, e);
}
