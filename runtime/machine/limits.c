// See limits.h. The kernel's files are text that can hold anything: numbers are read strictly, and what is not understood limits nothing.
#include "runtime/machine/limits.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "runtime/machine/cgroup.h"

// Digits at *s, which moves past them; false where there are none or the number is beyond int64_t.
static bool digits(const char **s, int64_t *value) { return **s != '-' && number_whole(*s, value, s); }

static bool whole_number(const char *s, int64_t *value) { return digits(&s, value) && !*s; }

// ---- processors

// The next part of a list of processors ("0,64", "0-3,8"); false at its end and at what is no list.
static bool next_range(const char **s, int64_t *from, int64_t *to) {
  if (!digits(s, from)) return false;
  *to = *from;
  if (**s == '-' && (++*s, !digits(s, to))) return false;
  if (**s == ',') return ++*s, true;
  return !**s;
}

static bool cpu_file(const char *root, const char *what, char *out, size_t cap) {
  char dir[PATH_MAX];
  return (size_t)snprintf(dir, sizeof dir, "%s/sys/devices/system/cpu", root) < sizeof dir && small_file(dir, what, out, cap);
}

// Does the mask have a processor before this one on the same core?
static bool core_is_counted(const char *root, int cpu, const cpu_set_t *mask, size_t bytes) {
  char name[64], list[4096];
  snprintf(name, sizeof name, "cpu%d/topology/core_cpus_list", cpu);
  bool known = cpu_file(root, name, list, sizeof list);
  snprintf(name, sizeof name, "cpu%d/topology/thread_siblings_list", cpu);           // its name before Linux 5.3
  const char *s = list;
  int64_t from, to;
  if (!known && !cpu_file(root, name, list, sizeof list)) return false;
  while (next_range(&s, &from, &to))
    for (int64_t i = from; i <= to && i < cpu; i++)
      if (CPU_ISSET_S((size_t)i, bytes, mask)) return true;
  return false;
}

static int64_t online(const char *root) {
  char list[4096];
  const char *s = list;
  int64_t from, to, n = 0;
  if (!cpu_file(root, "online", list, sizeof list)) return 0;
  while (next_range(&s, &from, &to)) n += to >= from ? to - from + 1 : 0;
  return n;
}

// ---- the CPU quota

// v2: cpu.max is "QUOTA PERIOD", with "max" for none; v1 has a file for each, with -1 for none.
static void read_quota(void *user, const Cgroup *c) {
  CpuLimits *l = user;
  char text[64];
  int64_t quota, period;
  const char *s = text;
  if (c->v2) {
    if (!small_file(c->dir, "cpu.max", text, sizeof text) || !digits(&s, &quota) || *s++ != ' ' || !whole_number(s, &period)) return;
  } else {
    if (!small_file(c->dir, "cpu.cfs_quota_us", text, sizeof text) || !whole_number(text, &quota)) return;
    if (!small_file(c->dir, "cpu.cfs_period_us", text, sizeof text) || !whole_number(text, &period)) return;
  }
  if (quota <= 0 || period <= 0) return;
  if (l->period && (double)quota / (double)period >= (double)l->quota / (double)l->period) return;
  l->quota = quota, l->period = period;
  snprintf(l->quota_of, sizeof l->quota_of, "%s", c->shown);
}

void limits_cpu_of(CpuLimits *l, const char *root, const cpu_set_t *mask, size_t bytes) {
  *l = (CpuLimits){0};
  for (int i = 0; (size_t)i < bytes * CHAR_BIT; i++) {
    if (!CPU_ISSET_S((size_t)i, bytes, mask)) continue;
    l->processors++;
    l->cores += !core_is_counted(root, i, mask, bytes);
  }
  l->pinned = l->processors < online(root);
  cgroup_walk(root, "cpu", read_quota, l);
}

void limits_cpu(CpuLimits *l) {
  for (int n = CPU_SETSIZE; n <= 1 << 20; n *= 2) {      // the kernel refuses a mask that is too short for the machine
    cpu_set_t *mask = CPU_ALLOC(n);
    bool ok = mask && sched_getaffinity(0, CPU_ALLOC_SIZE(n), mask) == 0;
    if (ok) limits_cpu_of(l, "", mask, CPU_ALLOC_SIZE(n));
    CPU_FREE(mask);
    if (ok) return;
  }
  *l = (CpuLimits){.processors = 1, .cores = 1};
}

// ---- memory

static void read_limit(MemLimits *l, const Cgroup *c, const char *name) {
  char text[64];
  int64_t bytes;
  // v1 says "no limit" with a number that no machine has, v2 with "max"
  if (!small_file(c->dir, name, text, sizeof text) || !whole_number(text, &bytes) || bytes >= INT64_C(1) << 60) return;
  if (l->limit_of[0] && bytes >= l->limit) return;
  l->limit = bytes > 0 ? bytes : 1;
  snprintf(l->limit_of, sizeof l->limit_of, "%s/%s", c->shown, name);
}

// Over memory.max a process is killed; over memory.high it is held back until it hardly moves.
static void read_limits(void *user, const Cgroup *c) {
  read_limit(user, c, c->v2 ? "memory.max" : "memory.limit_in_bytes");
  if (c->v2) read_limit(user, c, "memory.high");
}

void limits_memory_of(MemLimits *l, const char *root) {
  char dir[PATH_MAX], text[16384];
  *l = (MemLimits){0};
  cgroup_walk(root, "memory", read_limits, l);
  if ((size_t)snprintf(dir, sizeof dir, "%s/proc", root) >= sizeof dir || !small_file(dir, "meminfo", text, sizeof text)) return;
  const char *s = strstr(text, "MemAvailable:");
  int64_t kilobytes;
  if (!s) return;
  s += strlen("MemAvailable:");
  s += strspn(s, " ");
  if (digits(&s, &kilobytes) && !strncmp(s, " kB", 3) && kilobytes < INT64_C(1) << 50) l->available = kilobytes * 1024;
}

void limits_memory(MemLimits *l) {
  struct rlimit as;
  limits_memory_of(l, "");
  if (getrlimit(RLIMIT_AS, &as) == 0 && as.rlim_cur != RLIM_INFINITY && as.rlim_cur < (rlim_t)1 << 60) l->address_space = (int64_t)as.rlim_cur;
}

static int64_t least(int64_t room, int64_t limit, int64_t taken) {
  int64_t left = limit > taken ? limit - taken : 0;
  return limit && left < room ? left : room;
}

int64_t limits_memory_room(void) {
  MemLimits l;
  limits_memory(&l);
  return least(least(least(INT64_MAX, l.available, 0), l.limit, rt_resident()), l.address_space, rt_address_space());
}

// ---- threads

int limits_threads(const CpuLimits *l, char why[LIMITS_TEXT]) {
  int cores = l->cores < 1 ? 1 : l->cores > LIMITS_THREADS ? LIMITS_THREADS : l->cores;
  int64_t paid = !l->period ? INT64_MAX : l->quota < l->period ? 1 : l->quota / l->period;
  const char *mask = l->pinned ? " of the affinity mask" : "";
  if (paid < cores) {
    double share = floor((double)l->quota / (double)l->period * 100) / 100;       // never more than it is
    snprintf(why, LIMITS_TEXT, "the CPU quota of %.240s is %.12g processor%s", l->quota_of, share, share == 1 ? "" : "s");
    return (int)paid;
  }
  if (l->cores < l->processors) snprintf(why, LIMITS_TEXT, "%d core%s with %d processors%s", l->cores, plural(l->cores), l->processors, mask);
  else snprintf(why, LIMITS_TEXT, "%d core%s%s", l->cores, plural(l->cores), mask);
  return cores;
}

bool limits_threads_given(const char *by, const char *text, int *threads, RtError *e) {
  int64_t n;
  if (!number_whole_text(text, &n) || n < 1 || n > LIMITS_THREADS)
    return rt_fail(e, "%s=%s: expected a number from 1 to %d", by, text, LIMITS_THREADS);
  *threads = (int)n;
  return true;
}

bool limits_threads_here(int *threads, char why[LIMITS_TEXT], RtError *e) {
  const char *given = getenv("CALM_THREADS");
  CpuLimits cpu;
  if (given && *given) {
    snprintf(why, LIMITS_TEXT, "CALM_THREADS");
    return limits_threads_given("CALM_THREADS", given, threads, e);
  }
  limits_cpu(&cpu);
  *threads = limits_threads(&cpu, why);
  return true;
}
