// The frozen cache of a training (engine.h): what it would hold of some data and spare, whether it is worth having, and opening it.
#ifndef CALM_RUNTIME_COMMANDS_FROZEN_H
#define CALM_RUNTIME_COMMANDS_FROZEN_H
#include "runtime/commands/command.h"
#include "runtime/work/work.h"

#define FROZEN_FILE "frozen.cache"     // in a run's directory
#define FROZEN_HELD_FILE "frozen_held.cache"

// By what was looked at of the data.
typedef struct FrozenWorth {
  double bytes;                // of all its rows
  double share;                // of a step's operations that a row found in the cache spares, 0 to 1
  double passes;               // over the data
} FrozenWorth;
FrozenWorth frozen_worth(const App *a, EntryKind whole, const TrainSettings *s, const Data *look);

typedef struct FrozenRun {
  Frozen *cache, *held;        // of steps, and of looks at held-out data; NULL: there is none
  FrozenWorth worth, worth_held;
  EntryKind whole;             // that steps go through: train, or lean
  int place;                   // CACHE_memory, CACHE_disk or CACHE_off
  int64_t limit, limit_held;   // most bytes that are kept
  const char *path;            // NULL: in memory
} FrozenRun;
// Whether the settings ask for one where steps go through lean, or not: auto leaves memory to steps where that is scarce.
static inline bool frozen_wanted(const TrainSettings *s, bool lean) { return s->cache != CACHE_off && !(lean && s->cache == CACHE_auto); }
// Whether there is to be one, where, and how large: as the settings say, and no larger than `left` bytes in memory. held: held-out data, or NULL; lean: steps go
// through that entry. Before any weight is read.
void frozen_choose(FrozenRun *z, const App *a, const Options *o, const TrainSettings *s, const Data *look, const Data *held, bool lean,
                   int64_t left);
int64_t frozen_resident(const FrozenRun *z);           // bytes of rows that it will come to hold in memory
// Opens it, its files at the paths, which outlive it. False and an error where that cannot be had. frozen_end is due.
bool frozen_begin(FrozenRun *z, const App *a, Identity *id, const char *path, const char *path_held, RtError *e);
// A line on standard error of what it will be, and of what it was; nothing where there is none.
void frozen_tell(const FrozenRun *z);
void frozen_tell_use(const FrozenRun *z);
void frozen_end(FrozenRun *z);
#endif
