// A file that one process holds for as long as it lives. The lock (an open file description lock) goes with the process however that ends, so a
// file left behind holds nobody up, and programs started by the holder do not keep it.
#ifndef CALM_RUNTIME_LOCK_H
#define CALM_RUNTIME_LOCK_H
#include "runtime/core/core.h"

typedef struct Lock {
  void *held;                  // by the call (rt_object); NULL: not held
} Lock;

// Makes the file where it is missing and takes its lock without waiting. False when another process has it: the error is `what`, then which, and
// since when. A file of this name that no lock of calm's made is left as it is, and refused. Where the file system has no locks: true, with a warning.
bool lock_take(Lock *l, const char *path, const char *what, RtError *e);
// Whether the file that is locked still lies at its path: false when its directory was moved, removed or replaced.
bool lock_stands(const Lock *l);
// Whether another process has the lock of this file: then true, and e as above. Takes and makes nothing.
bool lock_is_held(const char *path, const char *what, RtError *e);
// Removes the file and lets go.
void lock_release(Lock *l);
#endif
