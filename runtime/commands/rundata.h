// The data of a run, which it is bound to by content: where its files lie is of no matter.
#ifndef CALM_RUNTIME_RUNDATA_H
#define CALM_RUNTIME_RUNDATA_H
#include <jansson.h>

#include "runtime/commands/command.h"
#include "runtime/work/work.h"

typedef struct RunData {
  bool changed, held_changed;  // data, or held-out data, hold something else than those of the run gone on with
  bool template_changed;       // or the file of --chat-template: then data are read otherwise, and `changed` too
} RunData;

// {"data": {"path": absolute, "size", "sha256"}, "validate": likewise, "chat_template": likewise, where there is any}: of the files of now, sums[0] and sums[1]. theirs: what
// theta.json (path) keeps of the run gone on with, NULL of a new one or where an earlier calm kept nothing: a file that holds something else is refused, by
// both names, or where that is allowed told. Owned by the caller; NULL and an error.
json_t *rundata_of(const TrainSettings *s, const FileSum *const sums[2], const json_t *theirs, const char *path, bool allowed, RunData *found, RtError *e);
// Reads every row of a data file for its mistakes, on all threads, and says on standard output what is in it. False and an error: of its first row at fault.
bool rundata_check(const App *a, const char *path, RtError *e);
// How the rows of a training are read, by its settings: date 0 is today.
bool rundata_rules(const App *a, const TrainSettings *s, int64_t date, RtError *e);
#endif
