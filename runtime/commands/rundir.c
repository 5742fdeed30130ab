// See rundir.h.
#include "runtime/commands/rundir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/commands/frozen.h"
#include "runtime/commands/report.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/work.h"

static bool is_there(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

// Killed in the moment in which only the old checkpoint's second name exists.
static bool was_set_aside(const RunDir *r) { return !is_there(r->last) && r->aside; }

static void note_aside(void *user, int fd, const char *name) {
  (void)fd;
  if (file_is_tmp(name, "last" CHECKPOINT_ASIDE)) snprintf(user, NAME_MAX + 1, "%s", name);
}

static void look_aside(RunDir *r) {
  char name[NAME_MAX + 1] = "";
  file_each(r->dir, note_aside, name);
  rt_free(r->aside);
  r->aside = *name ? file_join(r->dir, name) : NULL;
  if (r->aside && checkpoint_is(r->aside)) return;
  rt_free(r->aside);
  r->aside = NULL;
}

typedef struct Events {        // what is called as TensorBoard's events of a training are
  const RunDir *of;
  char one[NAME_MAX + 1], foreign[NAME_MAX + 1];       // of calm's, and not
} Events;

static void note_events(void *events, int fd, const char *name) {
  Events *e = events;
  (void)fd;
  if (!events_is_name(name)) return;
  char *path = file_join(e->of->dir, name);
  snprintf(events_is(path) ? e->one : e->foreign, NAME_MAX + 1, "%s", name);
  rt_free(path);
}

static Events look_events(const RunDir *r) {
  Events e = {.of = r};
  file_each(r->dir, note_events, &e);
  return e;
}

enum { RUN_PARTS = 64 + NAME_MAX };
// "last/, log.csv": what there is of a run, or "".
static const char *list_run(const RunDir *r, char out[RUN_PARTS]) {
  const Events events = look_events(r);
  const struct { bool there; const char *name; } PART[] = {
      {is_there(r->last) || was_set_aside(r), "last/"}, {is_there(r->best), "best/"}, {is_there(r->log), "log.csv"},
      {is_there(r->report), "report.html"}, {*events.one, events.one}};
  out[0] = 0;
  for (size_t i = 0; i < sizeof PART / sizeof PART[0]; i++)
    if (PART[i].there) snprintf(out + strlen(out), RUN_PARTS - strlen(out), "%s%s", *out ? ", " : "", PART[i].name);
  return out;
}

// Where theta.json is there and is no file, that is why there is no checkpoint.
static bool about_is_file(const char *dir, RtError *e) {
  char *path = file_join(dir, CHECKPOINT_ABOUT);
  FileIn *in = is_there(path) ? file_in_open(path, e) : NULL;
  bool ok = in || !is_there(path);
  rt_end(in), rt_free(path);
  return ok;
}

static bool made_by_calm(const RunDir *r, RtError *e) {
  const char *dirs[] = {r->last, r->best};
  for (int i = 0; i < 2; i++)
    if (!about_is_file(dirs[i], e)) return false;
  for (int i = 0; i < 2; i++)
    if (is_there(dirs[i]) && !checkpoint_is(dirs[i]))
      return rt_fail_about(e, RT_ABOUT_RUN_DIR, "%s is no checkpoint of calm's (it has no theta.json), and is left as it is", dirs[i]);
  if (is_there(r->log) && !trainlog_is(r->log))
    return rt_fail_about(e, RT_ABOUT_RUN_DIR, "%s is no log of calm's, and is left as it is", r->log);
  return true;
}

static bool check_resume(const RunDir *r, RtError *e) {
  if (checkpoint_is(r->last) || was_set_aside(r)) return true;
  if (!about_is_file(r->last, e)) return false;
  if (is_there(r->log))
    return rt_fail_about(e, RT_ABOUT_CUT_RUN, "the run in %s ended before its first checkpoint: there is a log.csv, but no last/theta.json", r->dir);
  return rt_fail_about(e, RT_ABOUT_NO_RUN, "there is no run to go on with in %s: no last/theta.json", r->dir);
}

static bool may_start(const RunDir *r, RunStart start, RtError *e) {
  char parts[RUN_PARTS];
  struct stat st;
  if (stat(r->dir, &st) == 0 && !S_ISDIR(st.st_mode)) return rt_fail_about(e, RT_ABOUT_RUN_DIR, "%s: expected a directory, found a file", r->dir);
  if (checkpoint_is(r->dir)) return rt_fail_about(e, RT_ABOUT_RUN_DIR, "%s: that is a checkpoint; expected the directory of a run, such as the one above it", r->dir);
  const char *dirs[] = {r->last, r->best};
  for (int i = 0; i < 2 && start != RUN_NEW; i++)
    if (lstat(dirs[i], &st) == 0 && S_ISLNK(st.st_mode))
      return rt_fail_about(e, RT_ABOUT_RUN_DIR, "%s: expected a directory, found a symbolic link; it is left as it is", dirs[i]);
  if (is_there(r->report) && !report_is(r->report))
    return rt_fail_about(e, RT_ABOUT_RUN_DIR, "%s is no report of calm's, and is left as it is", r->report);
  const Events events = look_events(r);
  if (*events.foreign) return rt_fail_about(e, RT_ABOUT_RUN_DIR, "%s/%s is no file of calm's, and is left as it is", r->dir, events.foreign);
  switch (start) {
    case RUN_RESUME: return check_resume(r, e);
    case RUN_OVERWRITE: return made_by_calm(r, e);
    case RUN_NEW: break;
  }
  if (!*list_run(r, parts)) return true;
  return rt_fail_about(e, RT_ABOUT_RUN, "%s holds an earlier run: %s", r->dir, parts);
}

// What a training was writing when it was killed, or putting in place of something else, since nobody else is at work here.
static void remove_leftover(void *run, int fd, const char *name) {
  const RunDir *r = run;
  const struct { const char *of, *place; } OF[] = {{"last", r->last}, {"last" CHECKPOINT_ASIDE, r->last}, {"best", r->best}, {"best" CHECKPOINT_ASIDE, r->best}, {"log.csv", NULL}, {"report.html", NULL}};
  char of[NAME_MAX + 1];
  const char *tmp = strstr(name, EVENTS_END ".tmp.");
  snprintf(of, sizeof of, "%.*s", tmp ? (int)(tmp - name + (ptrdiff_t)strlen(EVENTS_END)) : 0, name);
  if (events_is_name(of) && file_is_tmp(name, of)) unlinkat(fd, name, 0);
  for (size_t i = 0; i < sizeof OF / sizeof OF[0]; i++) {
    char path[PATH_MAX];
    if (!file_is_tmp(name, OF[i].of) || unlinkat(fd, name, 0) == 0 || (size_t)snprintf(path, sizeof path, "%s/%s", r->dir, name) >= sizeof path) continue;
    if (OF[i].place && checkpoint_is(OF[i].place)) checkpoint_keep_others(path, OF[i].place);
    checkpoint_remove(path);
  }
}

static bool tidy(RunDir *r, RtError *e) {
  if (was_set_aside(r) && rename(r->aside, r->last) != 0) return rt_fail(e, "cannot rename %s to %s: %s", r->aside, r->last, strerror(errno));
  file_each(r->dir, remove_leftover, r);
  return true;
}

bool rundir_open(RunDir *r, const char *dir, RunStart start, RtError *e) {
  *r = (RunDir){.dir = rt_strdup(dir), .last = file_join(dir, "last"), .best = file_join(dir, "best"), .log = file_join(dir, "log.csv"), .report = file_join(dir, "report.html"), .events = rt_format("%s/" EVENTS_BEGIN "%lld" EVENTS_END, dir, (long long)time(NULL)), .frozen = file_join(dir, FROZEN_FILE), .frozen_held = file_join(dir, FROZEN_HELD_FILE)};
  char *path = file_join(dir, ".calm.lock"), *what = rt_format("%s: another training is at work here", dir), parts[RUN_PARTS];
  // Asked before anything is made, and again when nobody else can change it.
  look_aside(r);
  bool ok = !lock_is_held(path, what, e) && may_start(r, start, e);
  r->made = !is_there(dir);
  ok = ok && file_make_dirs(dir, e) && lock_take(&r->lock, path, what, e);
  if (ok) look_aside(r);
  ok = ok && may_start(r, start, e) && tidy(r, e);
  r->replaces = ok && start == RUN_OVERWRITE && *list_run(r, parts);
  rt_free(path), rt_free(what);
  return ok;
}

bool rundir_stands(const RunDir *r, RtError *e) {
  return lock_stands(&r->lock) || rt_fail(e, "%s was moved, removed or replaced while this training ran; nothing is saved there any more", r->dir);
}

bool rundir_clear(RunDir *r, RtError *e) {
  checkpoint_remove(r->best);
  if (unlink(r->log) != 0 && errno != ENOENT) return rt_fail(e, "cannot remove %s: %s", r->log, strerror(errno));
  if (unlink(r->report) != 0 && errno != ENOENT) return rt_fail(e, "cannot remove %s: %s", r->report, strerror(errno));
  rundir_clear_events(r, NULL);
  r->replaces = false;
  return true;
}

static void remove_events(void *but, int fd, const char *name) {
  if (events_is_name(name) && (!but || strcmp(but, name))) unlinkat(fd, name, 0);
}

void rundir_clear_events(const RunDir *r, const char *but) {
  file_each(r->dir, remove_events, but ? strrchr(but, '/') + 1 : NULL);
}

void rundir_close(RunDir *r) {
  bool held = r->lock.held;
  lock_release(&r->lock);
  if (held && r->made) rmdir(r->dir);
  rt_free(r->dir), rt_free(r->last), rt_free(r->best), rt_free(r->log), rt_free(r->report), rt_free(r->events), rt_free(r->frozen), rt_free(r->frozen_held), rt_free(r->aside);
  *r = (RunDir){0};
}
