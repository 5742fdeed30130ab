// The data of a run, which it is bound to by content: where its files lie is of no matter.
#ifndef CALM_RUNTIME_RUNDATA_H
#define CALM_RUNTIME_RUNDATA_H
#include <jansson.h>

#include "runtime/commands/command.h"
#include "runtime/work/work.h"

typedef struct RunData {
  bool changed, held_changed;  // data (or what share each file has), or held-out data, are others than those of the run gone on with
  bool template_changed;       // or the file of --chat-template: then data are read otherwise, and `changed` too
} RunData;

// {"data": {"path": absolute, "size", "sha256"}, "validate": likewise, "chat_template": likewise, where there is any}: of the files of now; where there are several,
// or shares, a list of them, in which each has its "share" if there are any. held: NULL for none. theirs: what
// theta.json (path) keeps of the run gone on with, NULL of a new one or where an earlier calm kept nothing: a file that holds something else is refused, by
// both names, or where that is allowed told. Owned by the caller; NULL and an error.
json_t *rundata_of(const TrainSettings *s, const DataFile *data, const DataFile *held, const json_t *theirs, const char *path, bool allowed, RunData *found, RtError *e);
// Reads every row of data files (there may be none) for their mistakes, on all threads, and says on standard output what is in each. False and an error: of the
// first row at fault.
bool rundata_check(const App *a, const SettingFiles *files, RtError *e);
// What becomes of rows that are longer than a context, from now on: as the flag says (-1: nobody), else this eval block (NULL: none), else the train block.
void rundata_too_long(const App *a, int flag, const json_t *block);
// Of parameters whose run read conversations by a chat template of its own: warns where the one that is given now (NULL: none) is another. False and an error
// where that cannot be read.
bool rundata_template(const Checkpoint *c, const char *given, RtError *e);
// How the rows of a training are read, by its settings: date 0 is today.
bool rundata_rules(const App *a, const TrainSettings *s, int64_t date, RtError *e);
#endif
