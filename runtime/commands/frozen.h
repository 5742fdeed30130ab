// The frozen cache of a training (engine.h): what it would hold of some data and spare, whether it is worth having, and opening it.
#ifndef CALM_RUNTIME_COMMANDS_FROZEN_H
#define CALM_RUNTIME_COMMANDS_FROZEN_H
#include "runtime/commands/command.h"
#include "runtime/work/work.h"

#define FROZEN_FILE "frozen.cache"     // in a run's directory

// By what was looked at of the data.
typedef struct FrozenWorth {
  double bytes;                // of all its rows
  double share;                // of a step's operations that a row found in the cache spares, 0 to 1
  double passes;               // over the data
} FrozenWorth;
FrozenWorth frozen_worth(const App *a, const TrainSettings *s, const Data *look);

typedef struct FrozenRun {
  Frozen *cache;               // NULL: there is none
  FrozenWorth worth;
  int place;                   // CACHE_memory, CACHE_disk or CACHE_off
  int64_t limit;               // most bytes that are kept
  const char *path;            // NULL: in memory
} FrozenRun;
// Whether there is to be one, where, and how large: as the settings say, and no larger than `left` bytes in memory. Before any weight is read.
void frozen_choose(FrozenRun *z, const App *a, const Options *o, const TrainSettings *s, const Data *look, int64_t left);
int64_t frozen_resident(const FrozenRun *z);           // bytes of rows that it will come to hold in memory
// Opens it, its file at path, which outlives it. False and an error where that cannot be had. frozen_end is due.
bool frozen_begin(FrozenRun *z, const App *a, Identity *id, const char *path, RtError *e);
// A line on standard error of what it will be, and of what it was; nothing where there is none.
void frozen_tell(const FrozenRun *z);
void frozen_tell_use(const FrozenRun *z);
void frozen_end(FrozenRun *z);
#endif
