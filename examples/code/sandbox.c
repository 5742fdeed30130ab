// See sandbox.h.
#include "examples/code/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Every right of Landlock's first version, and the later ones that this kernel and these headers know.
static __u64 all_rights(long version) {
  __u64 rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
#ifdef LANDLOCK_ACCESS_FS_REFER
  if (version >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
#endif
#ifdef LANDLOCK_ACCESS_FS_TRUNCATE
  if (version >= 3) rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
#endif
  return rights;
}

static long landlock_version(void) { return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION); }

static bool read_only(void) {
  struct landlock_ruleset_attr all = {.handled_access_fs = all_rights(landlock_version())};
  int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all.handled_access_fs, 0);
  if (rules < 0) return false;
  static const char *const folder[] = {"/usr", "/lib", "/lib64"};
  for (size_t i = 0; i < sizeof folder / sizeof *folder; i++) {
    struct landlock_path_beneath_attr beneath = {LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR, open(folder[i], O_PATH | O_CLOEXEC)};
    if (beneath.parent_fd < 0) continue;                     // /lib64 is not everywhere
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0)) return false;
    close(beneath.parent_fd);
  }
  return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !syscall(SYS_landlock_restrict_self, rules, 0) && !close(rules);
}

static bool limited(int seconds) {
  const struct { int what; rlim_t most; } limit[] = {{RLIMIT_CPU, (rlim_t)seconds}, {RLIMIT_AS, 1 << 30}, {RLIMIT_FSIZE, 0}, {RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 64}};
  for (size_t i = 0; i < sizeof limit / sizeof *limit; i++)
    if (setrlimit((unsigned)limit[i].what, &(struct rlimit){limit[i].most, limit[i].most})) return false;
  return true;
}

// No process and no thread is made: a limit on their number holds for everybody but root.
static bool alone(void) {
  struct sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 6),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 4, 0),   // x32's
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fork, 1, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_vfork, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof program / sizeof *program, program};
  return !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

static bool apart(void) { return !unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC); }

// In a child: what it ends with says whether all of it could be had.
static bool try_all(void) {
  pid_t child = fork();
  int status = 1;
  if (child == 0) _exit(!(apart() && read_only() && alone()));
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}

const char *sandbox_missing(void) {
  if (landlock_version() < 1) return "this kernel has no Landlock";
  return try_all() ? NULL : "no user namespace, or no filter of system calls, can be had here";
}

// The first process of a namespace of its own: when it goes, all that the program started goes.
_Noreturn static void inside(char *const *argv, int seconds, int out) {
  char *const nothing[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
  int null = open("/dev/null", O_RDWR);
  if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0) _exit(126);
  for (int fd = 3; fd < 64; fd++) close(fd);
  if (chdir("/usr") || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || !limited(seconds) || !read_only() || !alone()) _exit(126);
  execve(argv[0], argv, nothing);
  _exit(126);
}

_Noreturn static void outside(char *const *argv, int seconds, int out) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || !apart()) _exit(126);
  pid_t child = fork();
  int status = 0;
  if (child == 0) inside(argv, seconds, out);
  close(out);
  if (child < 0 || waitpid(child, &status, 0) != child) _exit(126);
  _exit(WIFEXITED(status) && WEXITSTATUS(status) == 126 ? 126 : 0);
}

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

// What comes from fd until its end, or until the clock says so; what finds no room is read and forgotten.
static void gather(int fd, long long end, char *out, size_t room) {
  size_t used = 0;
  for (char spare[4096];;) {
    long long left = end - now_ms();
    struct pollfd p = {fd, POLLIN, 0};
    if (left <= 0 || poll(&p, 1, (int)left) <= 0) break;
    bool full = used + 1 >= room;
    ssize_t n = read(fd, full ? spare : out + used, full ? sizeof spare : room - 1 - used);
    if (n <= 0) break;
    if (!full) used += (size_t)n;
  }
  out[used] = 0;
}

bool sandbox_run(char *const *argv, int seconds, char *out, size_t room) {
  int pipes[2], status = 0;
  if (pipe2(pipes, O_CLOEXEC)) return false;
  pid_t child = fork();
  if (child == 0) outside(argv, seconds, pipes[1]);
  close(pipes[1]);
  if (child > 0) gather(pipes[0], now_ms() + 4000ll * seconds, out, room);
  close(pipes[0]);
  if (child < 0) return false;
  kill(child, SIGKILL);        // and with it the namespace; of one that has ended nothing is left but its status
  return waitpid(child, &status, 0) == child && !(WIFEXITED(status) && WEXITSTATUS(status) == 126);
}
