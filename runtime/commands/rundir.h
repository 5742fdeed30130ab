// The directory of a training: last/, best/, log.csv, report.html and TensorBoard's events, which together are a run, and what --cache disk keeps, which any run may use. A run that is there is touched only by going on with it or by
// replacing it on purpose, and by one training at a time; who only reads (--params DIR/last) needs no leave.
#ifndef CALM_RUNTIME_RUNDIR_H
#define CALM_RUNTIME_RUNDIR_H
#include "runtime/files/files.h"

typedef enum RunStart { RUN_NEW, RUN_RESUME, RUN_OVERWRITE } RunStart;

typedef struct RunDir {
  char *dir, *last, *best, *log, *report, *events, *frozen, *frozen_held, *aside;    // aside: an old last/ that checkpoint.c put there for a moment (CHECKPOINT_ASIDE), or NULL; events: what this call writes, if any
  Lock lock;
  bool made;                   // the directory was not there before
  bool replaces;               // an earlier run is still there, and to be replaced
} RunDir;

// Makes the directory where it is missing and holds it. Refused: RUN_NEW where a run is, RUN_RESUME where none is, RUN_OVERWRITE over what calm did
// not make, and whatever it is while another training holds the directory. What a training that was killed left half written is removed.
// rundir_close is due in any case.
bool rundir_open(RunDir *r, const char *dir, RunStart start, RtError *e);
// Before every save: refuses where the directory was moved, removed or replaced meanwhile, since what lies at its path is another's then.
bool rundir_stands(const RunDir *r, RtError *e);
// RUN_OVERWRITE, after the new last/ stands in place of the old one: removes the rest of the earlier run.
bool rundir_clear(RunDir *r, RtError *e);
// Removes files of events that earlier calls wrote: all but the one at `but`, or (NULL) all.
void rundir_clear_events(const RunDir *r, const char *but);
// Lets go; a directory that was made for nothing is removed.
void rundir_close(RunDir *r);
#endif
