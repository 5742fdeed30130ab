// See trainkeep.h.
#include "runtime/commands/trainkeep.h"

#include <math.h>

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

// Asked again where a file could not be written: a directory that is moved meanwhile is why.
bool train_save(Trainer *t, RtError *e) {
  return rundir_stands(&t->dir, e) && engine_unchanged(t->en, e) && (save_both(t, e) || (rundir_stands(&t->dir, e) && false));
}

bool train_begin_log(Trainer *t, RtError *e) {
  if (t->log) return true;
  if (t->dir.replaces && !train_save(t, e)) return false;
  return (t->log = trainlog_open(t->dir.log, t->done_at_start, e)) != NULL;
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

bool train_look(Trainer *t, double *held, RtError *e) {
  FeedLoss l;
  *held = NAN;
  if (!t->held) return true;
  if (!feed_loss(t->en, t->steps.step, t->held, &t->rows, t->budget.cap, t->frozen.held, NULL, &l, e)) return false;
  if (!l.labelled) return rt_fail(e, "%s: no row has a labelled token", t->set.validate);
  *held = l.nll / (double)l.labelled;
  if (!(*held < t->st.best)) return true;
  t->st.best = *held, t->st.best_step = t->st.step;
  return draft_best(t, e);
}
