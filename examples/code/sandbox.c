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

// What the kernel is not asked for. Processes and threads: a limit on their number holds for everybody but root. What Landlock lets pass: rights, owners, times and
// attributes of any file (ioctl sets some, of one that is only read), cutting one off (before its third version), sockets, which reach by a path what serves there; keys, which are the
// user's; memory and messages of System V and POSIX queues, which no limit of the process counts; and io_uring, which would ask for all of it unseen.
static const int refused[] = {
  SYS_clone, SYS_clone3, SYS_fork, SYS_vfork,
  SYS_chmod, SYS_fchmod, SYS_fchmodat, SYS_chown, SYS_fchown, SYS_lchown, SYS_fchownat, SYS_utime, SYS_utimes, SYS_futimesat, SYS_utimensat,
  SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, SYS_truncate,
  SYS_ioctl, SYS_socket, SYS_socketpair, SYS_shmget, SYS_msgget, SYS_mq_open, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_io_uring_setup,
};
enum { REFUSED = sizeof refused / sizeof *refused, NEWEST_CALL = 450 };      // of Linux 6.1: of later ones nobody has looked what they can do

static bool only_harmless_calls(void) {
  struct sock_filter program[2 * REFUSED + 7];
  const struct sock_filter refuse = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  unsigned short n = 0;
  program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
  program[n++] = refuse;
  program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NEWEST_CALL, 0, 1);      // x32's are among them
  program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
  for (int i = 0; i < REFUSED; i++) {
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)refused[i], 0, 1);
    program[n++] = refuse;
  }
  program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  return !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){n, program}, 0, 0);
}

static bool apart(void) { return !unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC); }

// In a child: what it ends with says whether all of it could be had.
static bool try_all(void) {
  pid_t child = fork();
  int status = 1;
  if (child == 0) _exit(!(apart() && read_only() && only_harmless_calls()));
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}

const char *sandbox_missing(void) {
  if (landlock_version() < 1) return "this kernel has no Landlock";
  return try_all() ? NULL : "no user namespace, or no filter of system calls, can be had here";
}

enum { FAILED_FD = 3 };

// The first process of a namespace of its own: when it goes, all that the program started goes. In a session of its own: a signal to its group is to nobody else.
// What cannot be done is told through `failed`, which the program does not have.
_Noreturn static void inside(char *const *argv, int seconds, int out, int failed) {
  char *const nothing[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
  int null = open("/dev/null", O_RDWR);
  bool ready = null >= 0 && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 && dup2(null, 2) >= 0 && (failed == FAILED_FD || dup3(failed, FAILED_FD, O_CLOEXEC) >= 0);
  if (ready) {
    failed = FAILED_FD;
    for (int fd = FAILED_FD + 1; fd < 64; fd++) close(fd);
  }
  if (ready && setsid() >= 0 && !chdir("/usr") && !prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) && limited(seconds) && read_only() && only_harmless_calls())
    execve(argv[0], argv, nothing);
  _exit(write(failed, "", 1) != 1);
}

_Noreturn static void outside(char *const *argv, int seconds, int out, int failed) {
  pid_t child = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || !apart() ? -1 : fork();
  if (child == 0) inside(argv, seconds, out, failed);
  if (child < 0) _exit(write(failed, "", 1) != 1);
  close(out), close(failed);
  _exit(waitpid(child, NULL, 0) != child);
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
  int said[2], failed[2];
  if (pipe2(said, O_CLOEXEC)) return false;
  if (pipe2(failed, O_CLOEXEC)) return close(said[0]), close(said[1]), false;
  pid_t child = fork();
  if (child == 0) outside(argv, seconds, said[1], failed[1]);
  close(said[1]), close(failed[1]);
  bool ran = false;
  if (child > 0) {
    gather(said[0], now_ms() + 4000ll * seconds, out, room);
    kill(child, SIGKILL);      // and with it the namespace; of one that has ended nothing is left but its status
    char told;
    ran = waitpid(child, NULL, 0) == child && read(failed[0], &told, 1) == 0;
  }
  close(said[0]), close(failed[0]);
  return ran;
}
