// Processes: started, waited for, ended, and what ended them. See task.h.
#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsl/base/alloc.h"
#include "dsl/base/bug.h"

// ---- signals

void signals_hold(Signals *s) {
  static const int ends[] = {SIGHUP, SIGINT, SIGTERM};
  struct sigaction now;
  sigemptyset(&s->held);
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (!sigaction(ends[i], NULL, &now) && now.sa_handler != SIG_IGN) sigaddset(&s->held, ends[i]);
  signal(SIGCHLD, SIG_DFL);                        // who started calmc may have it ignored: then there is nothing to wait for
  sigset_t block = s->held;
  sigaddset(&block, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &block, &s->before);
}

int signals_waiting(const Signals *s) {
  struct timespec none = {0};
  int n = sigtimedwait(&s->held, NULL, &none);
  return n > 0 ? ENDED_BY + n : 0;
}

void signals_release(const Signals *s) { pthread_sigmask(SIG_SETMASK, &s->before, NULL); }

int end_as(int status) {
  struct rlimit no_core = {0};
  if (status <= ENDED_BY) return status;
  if (status != ENDED_BY + SIGABRT) setrlimit(RLIMIT_CORE, &no_core);   // the process that had the fault left one
  signal(status - ENDED_BY, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, status - ENDED_BY);
  raise(status - ENDED_BY);
  pthread_sigmask(SIG_UNBLOCK, &one, NULL);
  return status;
}

// ---- the process

// What a process says and why it could not begin. Words beyond what a pipe holds are dropped: a process never waits for calmc to read.
typedef struct Line {
  int words[2];                    // a pipe; -1 where the process keeps calmc's standard error
  int *why;                        // shared with it: errno of exec
} Line;

static void line_close(Line *l, int end) {
  if (l->words[end] >= 0) close(l->words[end]);
  l->words[end] = -1;
}

static bool line_open(Line *l, bool words) {
  *l = (Line){{-1, -1}, mmap(NULL, sizeof *l->why, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
  return l->why != MAP_FAILED && (!words || !pipe2(l->words, O_CLOEXEC | O_NONBLOCK));
}

static void line_end(Line *l) {
  line_close(l, 0);
  line_close(l, 1);
  if (l->why != MAP_FAILED) munmap(l->why, sizeof *l->why);
}

static void read_words(int fd, char *out, size_t room) {
  ssize_t n;
  for (size_t got = 0; fd >= 0 && (n = read(fd, out + got, room - 1 - got)) > 0; out[got] = 0) got += (size_t)n;
}

static _Noreturn void in_child(const Task *t, const Signals *s, Line *l, pid_t parent) {
  signals_release(s);
  if (!t->visible) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(l->words[1], STDERR_FILENO) < 0) _exit(1);
    if (t->argv) dup2(l->words[1], STDOUT_FILENO);
  }
  line_close(l, 0);
  line_close(l, 1);
  if (t->work) {
    int status = t->work(t->data);
    fflush(stdout);
    _exit(status);
  }
  if (t->tmpdir) setenv("TMPDIR", t->tmpdir, 1);
  signal(SIGPIPE, SIG_DFL);
  execvp(t->argv[0], t->argv);
  *l->why = errno;
  _exit(127);
}

// Whatever it had started and left behind is ended and waited for: it may still write to what is about to be removed.
static void end_group(pid_t group) {
  pid_t gone;
  while ((gone = waitpid(-group, NULL, WNOHANG)) >= 0 || errno == EINTR)
    if (gone == 0 && !kill(-group, SIGKILL)) waitpid(-group, NULL, 0);
}

static void wait_for(const Task *t, const Signals *s, pid_t pid, Ended *e) {
  sigset_t set = s->held;
  int status = 0;
  sigaddset(&set, SIGCHLD);
  while (waitpid(pid, &status, WNOHANG) == 0) {    // a process that is stopped is waited for
    int n = sigwaitinfo(&set, NULL);
    if (n < 0 || n == SIGCHLD) continue;
    e->stopped = true;
    e->status = ENDED_BY + n;
    kill(t->visible ? pid : -pid, t->visible ? n : SIGKILL);
  }
  if (!e->stopped) e->status = WIFEXITED(status) ? WEXITSTATUS(status) : ENDED_BY + WTERMSIG(status);
  if (!t->visible) end_group(pid);
}

static void not_started(const Task *t, int why) { fprintf(stderr, "error: cannot start %s: %s\n", t->name, strerror(why)); }

void task_run(const Task *t, const Signals *s, Ended *e) {
  *e = (Ended){.status = -1};
  Line l;
  bool open = line_open(&l, !t->visible);
  fflush(stdout);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t parent = getpid(), pid = open ? fork() : -1;
  int why = pid < 0 ? errno : 0;
  if (pid == 0) in_child(t, s, &l, parent);
  if (pid > 0) {
    line_close(&l, 1);
    if (!t->visible) setpgid(pid, pid);            // here too: whoever of both comes first
    wait_for(t, s, pid, e);
    read_words(l.words[0], e->said, sizeof e->said);
    why = *l.why;
    if (why && !e->stopped) e->status = -1;
  }
  line_end(&l);
  if (e->status < 0) not_started(t, why);
}

// ---- what ended it

const char *ran_out_of(const char *words) {
  static const struct { const char *said, *what; } known[] = {
      {"out of memory", OUT_OF_MEMORY}, {"memory exhausted", OUT_OF_MEMORY}, {"bad_alloc", OUT_OF_MEMORY},
      {"annot allocate memory", OUT_OF_MEMORY}, {"failed to map segment", OUT_OF_MEMORY},
      {"No space left on device", "no disk space left"}, {"Disk quota exceeded", "the disk quota is used up"},
      {"File too large", "a file would be larger than allowed (ulimit -f)"}, {"File size limit", "a file would be larger than allowed (ulimit -f)"},
      {"Too many open files", "more files open than allowed (ulimit -n)"}, {"out of file descriptors", "more files open than allowed (ulimit -n)"},
      {"Resource temporarily unavailable", "more processes than allowed (ulimit -u)"},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strstr(words, known[i].said)) return known[i].what;
  return NULL;
}

static bool is_fault(int by) {
  return by == SIGABRT || by == SIGSEGV || by == SIGBUS || by == SIGILL || by == SIGFPE || by == SIGTRAP || by == SIGSYS;
}

// A command's own words: where they are one line they go into calmc's, else they stand before it.
static void command_failed(const Task *t, Ended *e) {
  static const char epilogue[] = "compilation terminated.\n";
  char *words = e->said;
  size_t n = strlen(words), more = sizeof epilogue - 1;
  if (n > more && !strcmp(words + n - more, epilogue)) words[n -= more] = 0;
  bool line = n > 0 && strchr(words, '\n') == words + n - 1;
  if (line) words[n - 1] = 0;
  else fputs(words, stderr);
  fprintf(stderr, "error: %s failed with exit status %d%s%s\n", t->name, e->status, line ? ": " : "", line ? words : "");
}

int task_failed(const Task *t, Ended *e) {
  const char *words = e->said, *lacks = ran_out_of(words);
  int by = e->status - ENDED_BY;
  if (e->status < 0) return 1;                     // told
  if (e->stopped || by == SIGPIPE) return e->status;
  if (t->work && is_fault(by) && (!lacks || strstr(words, BUG_BEGINS))) {
    fputs(words, stderr);
    fprintf(stderr, BUG_BEGINS " %s ended by SIG%s\n", t->name, sigabbrev_np(by));
    return e->status;
  }
  if (t->work && by <= 0 && *words) fputs(words, stderr);        // calmc's own
  else if (lacks) tell_out_of(t->name, lacks);
  else if (by <= 0) command_failed(t, e);
  else
    fprintf(stderr, "error: %s was ended by SIG%s%s\n", t->name, sigabbrev_np(by),
            by == SIGKILL ? ": the machine may have run out of memory" : "");
  return 1;
}

// ---- the stack

typedef struct OnStack {
  int (*work)(void *);
  void *data;
  int status;
  sigset_t mask;
} OnStack;

static void *on_stack(void *p) {
  OnStack *s = p;
  pthread_sigmask(SIG_SETMASK, &s->mask, NULL);
  s->status = s->work(s->data);
  return NULL;
}

int on_own_stack(int (*work)(void *data), void *data) {
  enum { STACK = 16 << 20 };
  OnStack s = {.work = work, .data = data};
  pthread_attr_t attr;
  pthread_t thread;
  sigset_t all;
  sigfillset(&all);
  mallopt(M_ARENA_MAX, 1);                         // no second heap for the one thread that works: it would reserve 64 MiB
  pthread_sigmask(SIG_SETMASK, &all, &s.mask);     // signals are the thread's
  int failed = pthread_attr_init(&attr);
  if (!failed) failed = pthread_attr_setstacksize(&attr, STACK);
  if (!failed) failed = pthread_create(&thread, &attr, on_stack, &s);
  if (!failed) failed = pthread_join(thread, NULL);
  pthread_sigmask(SIG_SETMASK, &s.mask, NULL);
  if (!failed) return s.status;
  fprintf(stderr, "error: no memory or no thread for a stack of %d MiB (ulimit -v, ulimit -u): %s\n", STACK >> 20, strerror(failed));
  return 1;
}
