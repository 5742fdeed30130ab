// The cgroups that this process is in, as far as its mounts show them: its own and those above it, in every hierarchy (v1 has one for each
// controller, v2 one for all; a machine may have both). See cgroups(7).
#ifndef CALM_RUNTIME_CGROUP_H
#define CALM_RUNTIME_CGROUP_H
#include <stdbool.h>
#include <stddef.h>

typedef struct Cgroup {
  bool v2;
  const char *dir;             // where it can be read, `root` included; valid during the visit
  const char *shown;           // the same as users know it, without `root`
} Cgroup;
// Visits each cgroup that the controller ("cpu", "memory") may be limited by, from the process's own up to the top of what is mounted. root is
// "" for this machine; a test's own tree has the same files below it (proc/self/cgroup, proc/self/mountinfo and what the mounts name). Where
// something is missing or unreadable, there is less to visit. Nothing is allocated.
void cgroup_walk(const char *root, const char *controller, void (*visit)(void *user, const Cgroup *c), void *user);
// A file of a few bytes, its text without trailing blanks; false where there is none, or more than fits.
bool small_file(const char *dir, const char *name, char *out, size_t cap);
#endif
