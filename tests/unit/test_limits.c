// What this process may use, on machines made of files: control groups v1, v2 and both, nested, in containers and out, cores and their
// siblings, memory and what is answered to a run that needs it; files that are missing, cut or hold anything limit nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/commands/memory.h"
#include "runtime/machine/cgroup.h"
#include "runtime/machine/limits.h"

static char root[64];

static int new_root(void **state) {
  (void)state;
  strcpy(root, "/tmp/calm-limits-XXXXXX");
  return mkdtemp(root) ? 0 : -1;
}
static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}
static int drop_root(void **state) {
  (void)state;
  return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// A file of the machine, its directories made.
static void put_bytes(const char *path, const char *text, size_t n) {
  char full[512];
  int len = snprintf(full, sizeof full, "%s%s", root, path);
  assert_true(len > 0 && (size_t)len < sizeof full);
  for (char *s = full + strlen(root) + 1; (s = strchr(s, '/')); s++) {
    *s = 0;
    mkdir(full, 0755);
    *s = '/';
  }
  FILE *f = fopen(full, "w");
  assert_non_null(f);
  assert_int_equal(fwrite(text, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
}
static void put(const char *path, const char *text) { put_bytes(path, text, strlen(text)); }

// Every processor of `n`.
static CpuLimits limits(int n) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  for (int i = 0; i < n; i++) CPU_SET((size_t)i, &mask);
  CpuLimits l;
  limits_cpu_of(&l, root, &mask, sizeof mask);
  return l;
}
static void expect(int processors, int threads, const char *why) {
  CpuLimits l = limits(processors);
  char found[LIMITS_TEXT];
  assert_int_equal(limits_threads(&l, found), threads);
  assert_string_equal(found, why);
}

#define V2_MOUNT "41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"

// ---- quotas

static void no_files_no_limit(void **state) {
  (void)state;
  expect(4, 4, "4 cores");
  expect(1, 1, "1 core");
  put("/proc/self/cgroup", "");
  put("/proc/self/mountinfo", "");
  expect(4, 4, "4 cores");
}

static void v2_quota(void **state) {
  (void)state;
  put("/proc/self/cgroup", "0::/job\n");
  put("/proc/self/mountinfo", V2_MOUNT);
  put("/sys/fs/cgroup/job/cpu.max", "max 100000\n");
  expect(4, 4, "4 cores");
  put("/sys/fs/cgroup/job/cpu.max", "150000 100000\n");
  expect(4, 1, "the CPU quota of /sys/fs/cgroup/job is 1.5 processors");
  put("/sys/fs/cgroup/job/cpu.max", "399999 100000\n");       // rounded down
  expect(8, 3, "the CPU quota of /sys/fs/cgroup/job is 3.99 processors");
  put("/sys/fs/cgroup/job/cpu.max", "20900 100000\n");        // one at least
  expect(4, 1, "the CPU quota of /sys/fs/cgroup/job is 0.2 processors");
  put("/sys/fs/cgroup/job/cpu.max", "400000 100000\n");       // no less than there is
  expect(4, 4, "4 cores");
  put("/sys/fs/cgroup/job/cpu.max", "100000 100000\n");
  expect(4, 1, "the CPU quota of /sys/fs/cgroup/job is 1 processor");
}

static void v2_up_the_chain(void **state) {
  (void)state;
  put("/proc/self/cgroup", "0::/a/b/c\n");
  put("/proc/self/mountinfo", V2_MOUNT);
  put("/sys/fs/cgroup/a/b/c/cpu.max", "500000 100000\n");
  put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  put("/sys/fs/cgroup/a/cpu.max", "30000 10000\n");           // another period
  put("/sys/fs/cgroup/ab/cpu.max", "10000 100000\n");         // a neighbour
  put("/sys/fs/cgroup/a/b/c/d/cpu.max", "10000 100000\n");    // below
  expect(8, 3, "the CPU quota of /sys/fs/cgroup/a is 3 processors");
  put("/sys/fs/cgroup/cpu.max", "200000 100000\n");           // a container's root may have one
  expect(8, 2, "the CPU quota of /sys/fs/cgroup is 2 processors");
}

static void v1_quota(void **state) {
  (void)state;
  put("/proc/self/cgroup", "4:memory:/elsewhere\n2:cpu,cpuacct:/job/one\n1:name=systemd:/\n0::/\n");
  put("/proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n" V1_MOUNT
                              "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  put("/sys/fs/cgroup/cpu,cpuacct/job/one/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu,cpuacct/job/one/cpu.cfs_period_us", "100000\n");
  expect(4, 4, "4 cores");
  put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
  expect(4, 4, "4 cores");                                    // half a limit is none
  put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  expect(4, 2, "the CPU quota of /sys/fs/cgroup/cpu,cpuacct/job is 2.5 processors");
  put("/sys/fs/cgroup/cpu,cpuacct/job/one/cpu.max", "100000 100000\n");       // v1 has no such file
  expect(4, 2, "the CPU quota of /sys/fs/cgroup/cpu,cpuacct/job is 2.5 processors");
}

// v1 for processors, v2 beside it; and a controller that has moved to v2.
static void hybrid(void **state) {
  (void)state;
  const char *mounts = V1_MOUNT "42 31 0:39 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  put("/proc/self/mountinfo", mounts);
  put("/proc/self/cgroup", "2:cpu,cpuacct:/v1\n0::/v2\n");
  put("/sys/fs/cgroup/cpu,cpuacct/v1/cpu.cfs_quota_us", "300000\n");
  put("/sys/fs/cgroup/cpu,cpuacct/v1/cpu.cfs_period_us", "100000\n");
  expect(8, 3, "the CPU quota of /sys/fs/cgroup/cpu,cpuacct/v1 is 3 processors");
  put("/sys/fs/cgroup/unified/v2/cpu.max", "200000 100000\n");
  expect(8, 2, "the CPU quota of /sys/fs/cgroup/unified/v2 is 2 processors");
}

// ---- containers

// The mount shows a part of the hierarchy that begins at the container's own group.
static void bind_mounted(void **state) {
  (void)state;
  put("/proc/self/cgroup", "2:cpu,cpuacct:/docker/4f/inner\n");
  put("/proc/self/mountinfo", "700 690 0:29 /docker/4f /sys/fs/cgroup/cpu\\040and\\011more ro master:9 - cgroup cgroup rw,cpu,cpuacct\n");
  put("/sys/fs/cgroup/cpu and\tmore/cpu.cfs_quota_us", "200000\n");
  put("/sys/fs/cgroup/cpu and\tmore/cpu.cfs_period_us", "100000\n");
  expect(4, 2, "the CPU quota of /sys/fs/cgroup/cpu and\tmore is 2 processors");
  put("/sys/fs/cgroup/cpu and\tmore/inner/cpu.cfs_quota_us", "100000\n");
  put("/sys/fs/cgroup/cpu and\tmore/inner/cpu.cfs_period_us", "100000\n");
  expect(4, 1, "the CPU quota of /sys/fs/cgroup/cpu and\tmore/inner is 1 processor");
  // a name that only begins the same is another group; what is mounted is the container's all the same
  put("/proc/self/cgroup", "2:cpu,cpuacct:/docker/4fe/inner\n");
  expect(4, 2, "the CPU quota of /sys/fs/cgroup/cpu and\tmore is 2 processors");
}

static void namespaced(void **state) {
  (void)state;
  put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  put("/sys/fs/cgroup/job/cpu.max", "100000 100000\n");
  // seen from inside: the mount begins two above the namespace's root, where nobody tells the names
  put("/proc/self/mountinfo", "41 31 0:38 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  put("/proc/self/cgroup", "0::/\n");
  expect(4, 2, "the CPU quota of /sys/fs/cgroup is 2 processors");
  put("/proc/self/cgroup", "0::/../../job\n");
  expect(4, 1, "the CPU quota of /sys/fs/cgroup/job is 1 processor");
  put("/proc/self/cgroup", "0::/../../..\n");                 // we are above what is mounted
  expect(4, 4, "4 cores");
  // outside of the namespace's root, which is all that is mounted: those limits are others'
  put("/proc/self/mountinfo", V2_MOUNT);
  put("/proc/self/cgroup", "0::/../job\n");
  expect(4, 4, "4 cores");
  put("/proc/self/cgroup", "0::/..\n");
  expect(4, 4, "4 cores");
}

// Of several mounts the one that shows most of the way up.
static void several_mounts(void **state) {
  (void)state;
  put("/proc/self/cgroup", "0::/a/b\n");
  put("/all/a/cpu.max", "100000 100000\n");
  put("/part/cpu.max", "300000 100000\n");
  put("/part/b/cpu.max", "200000 100000\n");
  const char *part = "50 1 0:38 /a /part rw - cgroup2 x rw\n", *all = "51 1 0:38 / /all rw - cgroup2 x rw\n";
  char both[256];
  put("/proc/self/mountinfo", part);
  expect(4, 2, "the CPU quota of /part/b is 2 processors");
  snprintf(both, sizeof both, "%s%s", part, all);
  put("/proc/self/mountinfo", both);
  expect(4, 1, "the CPU quota of /all/a is 1 processor");
  snprintf(both, sizeof both, "%s%s", all, part);
  put("/proc/self/mountinfo", both);
  expect(4, 1, "the CPU quota of /all/a is 1 processor");
}

// ---- memory

static MemLimits memory(void) {
  MemLimits l;
  limits_memory_of(&l, root);
  return l;
}
static void expect_limit(int64_t limit, const char *of) {
  MemLimits l = memory();
  assert_int_equal(l.limit, limit);
  assert_string_equal(l.limit_of, of);
}

static void memory_v2(void **state) {
  (void)state;
  expect_limit(0, "");
  put("/proc/self/cgroup", "0::/a/b\n");
  put("/proc/self/mountinfo", V2_MOUNT);
  put("/sys/fs/cgroup/a/b/memory.max", "max\n");
  put("/sys/fs/cgroup/a/b/memory.high", "max\n");
  expect_limit(0, "");
  put("/sys/fs/cgroup/a/b/memory.max", "3000000\n");
  expect_limit(3000000, "/sys/fs/cgroup/a/b/memory.max");
  put("/sys/fs/cgroup/a/memory.high", "2000000\n");
  expect_limit(2000000, "/sys/fs/cgroup/a/memory.high");
  put("/sys/fs/cgroup/a/memory.max", "2500000\n");
  expect_limit(2000000, "/sys/fs/cgroup/a/memory.high");
  put("/sys/fs/cgroup/memory.max", "0\n");                   // nothing at all is a limit
  expect_limit(1, "/sys/fs/cgroup/memory.max");
}

static void memory_v1(void **state) {
  (void)state;
  put("/proc/self/cgroup", "4:memory:/job\n2:cpu:/other\n0::/v2\n");
  put("/proc/self/mountinfo", "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" V2_MOUNT);
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
  expect_limit(0, "");
  put("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "5000000\n");
  expect_limit(5000000, "/sys/fs/cgroup/memory/job/memory.limit_in_bytes");
  put("/sys/fs/cgroup/v2/memory.max", "4000000\n");          // both kinds at once: the smaller
  expect_limit(4000000, "/sys/fs/cgroup/v2/memory.max");
}

static void memory_free(void **state) {
  (void)state;
  assert_int_equal(memory().available, 0);
  put("/proc/meminfo", "MemTotal:       24684096 kB\nMemFree:         1000 kB\nMemAvailable:   22000000 kB\n");
  assert_int_equal(memory().available, INT64_C(22000000) * 1024);
  static const char *const BAD[] = {"", "MemAvailable:", "MemAvailable: \n", "MemAvailable: kB\n", "MemAvailable: 12\n", "MemAvailable: -12 kB\n",
                                    "MemAvailable: 99999999999999999999 kB\n", "MemAvailable: 9223372036854775807 kB\n"};
  for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
    put("/proc/meminfo", BAD[i]);
    assert_int_equal(memory().available, 0);
  }
  static const char *const LIMIT[] = {"", "max max", "-1", "1e9", "99999999999999999999", "12 13", "x"};
  put("/proc/self/cgroup", "0::/\n");
  put("/proc/self/mountinfo", V2_MOUNT);
  for (size_t i = 0; i < sizeof LIMIT / sizeof LIMIT[0]; i++) {
    put("/sys/fs/cgroup/memory.max", LIMIT[i]);
    expect_limit(0, "");
  }
}

// What is answered to a run that needs 300 MB for certain and 800 at most.
static void judged(void **state) {
  (void)state;
  const MemNeed need = {.certain = 300000000, .peak = 800000000, .address_space = 500000000};
  char text[MEM_TEXT];
  MemLimits l = {.limit = 1000000000, .limit_of = "/c/memory.max", .available = 1000000000, .address_space = 1000000000};
  assert_int_equal(memory_judge(&l, &need, text), MEM_FITS);
  assert_int_equal(memory_judge(&(MemLimits){0}, &need, text), MEM_FITS);
  l.limit = 799000000;
  assert_int_equal(memory_judge(&l, &need, text), MEM_TIGHT);
  assert_string_equal(text, "about 800 MB of memory will be needed, and /c/memory.max allows 799 MB");
  l.limit = 299000000;
  assert_int_equal(memory_judge(&l, &need, text), MEM_OVER);
  assert_string_equal(text, "at least 300 MB of memory are needed, and /c/memory.max allows 299 MB");
  l.limit = 0;
  l.available = 100000000;                         // what others hold now they may give back
  assert_int_equal(memory_judge(&l, &need, text), MEM_TIGHT);
  assert_string_equal(text, "about 800 MB of memory will be needed, and 100 MB are free");
  l.address_space = 499000000;
  assert_int_equal(memory_judge(&l, &need, text), MEM_OVER);
  assert_string_equal(text, "at least 500 MB of address space are needed, and this process may have 499 MB (ulimit -v)");
}

// ---- anything

static void garbage(void **state) {
  (void)state;
  static const char *const QUOTA[] = {"", "\n", "max", "100000", "100000 ", "100000 0", "0 100000", "-1 100000", "100000 -1", "1e5 100000", "100000 100000 7",
                                      " 100000 100000", "99999999999999999999 100000", "100000 99999999999999999999", "100000\t100000", "max max"};
  put("/proc/self/cgroup", "0::/job\n");
  put("/proc/self/mountinfo", V2_MOUNT);
  for (size_t i = 0; i < sizeof QUOTA / sizeof QUOTA[0]; i++) {
    put("/sys/fs/cgroup/job/cpu.max", QUOTA[i]);
    expect(4, 4, "4 cores");
  }
  put_bytes("/sys/fs/cgroup/job/cpu.max", "100000 100000\n\0", 15);
  expect(4, 4, "4 cores");
  char *much = malloc(1 << 20);
  assert_non_null(much);
  memset(much, '1', 1 << 20);
  put_bytes("/sys/fs/cgroup/job/cpu.max", much, 1 << 20);
  expect(4, 4, "4 cores");
  // lists and tables that are none
  put("/sys/fs/cgroup/job/cpu.max", "100000 100000\n");
  static const char *const OWN[] = {"0", "0:", "0:\n:\n::\n", "0::job\n", "x::/job\n", "0:cpu:/job\n", "\n\n"};
  for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++) {
    put("/proc/self/cgroup", OWN[i]);
    expect(4, 4, "4 cores");
  }
  put("/proc/self/cgroup", "0::/job\n");
  expect(4, 1, "the CPU quota of /sys/fs/cgroup/job is 1 processor");
  static const char *const MOUNTS[] = {"41", " - ", " - cgroup2 x rw", "41 31 0:38 / - cgroup2 cgroup2 rw", "41 31 0:38 / /sys/fs/cgroup rw cgroup2 cgroup2 rw",
                                       "41 31 0:38 / /sys/fs/cgroup rw - cgroup2"};
  for (size_t i = 0; i < sizeof MOUNTS / sizeof MOUNTS[0]; i++) {
    put("/proc/self/mountinfo", MOUNTS[i]);
    expect(4, 4, "4 cores");
  }
  for (int which = 0; which < 2; which++) {        // paths longer than any
    memcpy(much, which ? "41 31 0:38 / /" : "0::/", which ? 14 : 4);
    memcpy(much + (1 << 20) - 24, " rw - cgroup2 x rw,nothing\n", 24);
    put_bytes(which ? "/proc/self/mountinfo" : "/proc/self/cgroup", much, 1 << 20);
    expect(4, 4, "4 cores");
  }
  free(much);
  put("/proc/self/mountinfo", V2_MOUNT);
  put("/proc/self/cgroup", "0::/job\n");
  expect(4, 1, "the CPU quota of /sys/fs/cgroup/job is 1 processor");
  char *lines = calloc(1, 100000);                // a line that is longer than any, and the one that counts behind it
  assert_non_null(lines);
  memset(lines, 'a', 90000);
  strcat(lines, "\n" V2_MOUNT);
  put("/proc/self/mountinfo", lines);
  free(lines);
  expect(4, 1, "the CPU quota of /sys/fs/cgroup/job is 1 processor");
}

// ---- cores

static void siblings(void **state) {
  (void)state;
  static const char *const PAIR[] = {"0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"};
  char path[128];
  put("/sys/devices/system/cpu/online", "0-7\n");
  for (int i = 0; i < 8; i++) {
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/%s", i, i % 2 ? "core_cpus_list" : "thread_siblings_list");
    put(path, PAIR[i]);
  }
  expect(8, 4, "4 cores with 8 processors");
  expect(4, 4, "4 cores of the affinity mask");
  expect(6, 4, "4 cores with 6 processors of the affinity mask");
  cpu_set_t mask;
  CpuLimits l;
  char why[LIMITS_TEXT];
  CPU_ZERO(&mask);
  CPU_SET(3, &mask), CPU_SET(7, &mask);            // one core, without the lowest
  limits_cpu_of(&l, root, &mask, sizeof mask);
  assert_int_equal(limits_threads(&l, why), 1);
  assert_string_equal(why, "1 core with 2 processors of the affinity mask");
  CPU_ZERO(&mask);
  CPU_SET(4, &mask), CPU_SET(5, &mask);            // the second of each
  limits_cpu_of(&l, root, &mask, sizeof mask);
  assert_int_equal(limits_threads(&l, why), 2);
  static const char *const LIST[] = {"", "x", "-", "0-", ",", "0;4", "99999999999999999999", "4000000000-5000000000"};
  for (size_t i = 0; i < sizeof LIST / sizeof LIST[0]; i++) {
    put("/sys/devices/system/cpu/cpu1/topology/core_cpus_list", LIST[i]);
    put("/sys/devices/system/cpu/cpu5/topology/core_cpus_list", LIST[i]);
    l = limits(8);
    assert_in_range(l.cores, 4, 5);                // of these two nothing is known
  }
}

static void smallest_wins(void **state) {
  (void)state;
  put("/proc/self/cgroup", "0::/\n");
  put("/proc/self/mountinfo", V2_MOUNT);
  put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
  expect(4, 3, "the CPU quota of /sys/fs/cgroup is 3 processors");
  for (int i = 0; i < 4; i++) {
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", i);
    put(path, i < 2 ? "0-1\n" : "2-3\n");
  }
  expect(4, 2, "2 cores with 4 processors");
}

static void this_machine(void **state) {
  (void)state;
  CpuLimits l;
  char why[LIMITS_TEXT];
  limits_cpu(&l);
  assert_in_range(l.processors, 1, 1 << 20);
  assert_in_range(l.cores, 1, l.processors);
  assert_in_range(limits_threads(&l, why), 1, l.cores);
  assert_true(*why);
}

static void given(void **state) {
  (void)state;
  RtError e;
  int n = 7;
  assert_true(limits_threads_given("CALM_THREADS", "1024", &n, &e));
  assert_int_equal(n, 1024);
  static const char *const BAD[] = {"0", "1025", "-1", "two", "2x", "2 ", " 2", "1.5", "99999999999999999999"};
  for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
    char want[128];
    snprintf(want, sizeof want, "CALM_THREADS=%s: expected a number from 1 to 1024", BAD[i]);
    assert_false(limits_threads_given("CALM_THREADS", BAD[i], &n, &e));
    assert_string_equal(e.text, want);
    assert_int_equal(n, 1024);
  }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, new_root, drop_root)
  const struct CMUnitTest tests[] = {T(no_files_no_limit), T(v2_quota), T(v2_up_the_chain), T(v1_quota), T(hybrid), T(bind_mounted), T(namespaced),
                                     T(several_mounts), T(memory_v2), T(memory_v1), T(memory_free), T(judged),
                                     T(garbage), T(siblings), T(smallest_wins), T(this_machine), T(given)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
