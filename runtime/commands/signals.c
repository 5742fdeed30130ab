// See signals.h. What a handler needs is known to the whole process, so this file keeps state: which signal asked, the stack of handlers, and what
// was done about faults before. Handlers call what POSIX lets them.
#include "runtime/commands/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t asks, asked, on_terminal, interrupted;
static volatile sig_atomic_t wake = -1;                // of a conversation: an eventfd, which any thread's handler writes to; -1: there is none
static _Alignas(64) char fault_stack[64 << 10];        // a full stack has no room for a handler
static const int FAULT[] = {SIGBUS, SIGSEGV};
static struct sigaction before[sizeof FAULT / sizeof FAULT[0]];

int signals_asked(void) { return asked ? asked : interrupted; }

static void say(const char *text, size_t n) {
  for (ssize_t k; n; text += k, n -= (size_t)k)
    if ((k = write(STDERR_FILENO, text, n)) <= 0) return;
}

// ---- asked to stop

static void on_ask(int sig) {
  static const char text[] = "\nstopping after this step; again to stop at once\n";
  static const uint64_t one = 1;
  int kept = errno, skip = !on_terminal;
  bool turn = wake >= 0 && sig == SIGINT;
  if (sig == SIGHUP && asked) return;              // of a terminal that is closed, shell and kernel both tell
  if (!turn && (asked || !asks)) {
    signal(sig, SIG_DFL);
    raise(sig);
    _exit(128 + sig);                              // the first process of a container is not killed that way
  }
  if (turn) interrupted = sig;
  else asked = sig;
  if (wake >= 0 && write(wake, &one, sizeof one) < 0) errno = kept;        // it is full: whoever waits wakes
  if (!turn) say(text + skip, sizeof text - 1 - (size_t)skip);
  errno = kept;
}

void signals_ask(void) {
  on_terminal = isatty(STDERR_FILENO);
  asks = 1;
}

// ---- a conversation

bool signals_converse(void) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd >= 0) wake = fd;
  return fd >= 0;
}

void signals_heard(void) { interrupted = 0; }

bool signals_wait(int fd) {
  struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = wake, .events = POLLIN}};
  uint64_t times;
  while (!signals_asked()) {
    if (poll(p, 2, -1) < 0 && errno != EINTR) return true;                 // reading it says why
    if (p[1].revents && read(wake, &times, sizeof times) < 0 && errno != EAGAIN) return true;
    if (p[0].revents) return true;
  }
  return false;
}

// ---- faults

// A line of /proc/self/maps ("from-to perms offset dev inode   path") that has come in so far.
typedef struct MapLine {
  uintptr_t number[2];
  int field;                   // 0, 1: the addresses; then the fields after them
  bool space;                  // between two fields
  char path[1024];
  size_t n;
} MapLine;

static void add_char(MapLine *l, char c) {
  enum { PATH = 6 };
  if (l->field < 2) {
    uintptr_t digit = c >= '0' && c <= '9' ? (uintptr_t)(c - '0') : (uintptr_t)(c - 'a' + 10);
    if (c == '-' || c == ' ') l->field++;
    else l->number[l->field] = l->number[l->field] * 16 + digit;
    return;
  }
  if (l->field < PATH) {
    if (c != ' ') {
      if (l->space) l->field++;
      l->space = false;
    } else {
      l->space = true;
    }
  }
  if (l->field == PATH && l->n < sizeof l->path) l->path[l->n++] = c;
}

// The path of the file that is mapped at an address: its length, 0 when there is none or /proc cannot be read.
static size_t mapped_at(uintptr_t at, MapLine *l) {
  char room[512];
  int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  size_t found = 0;
  *l = (MapLine){0};
  for (ssize_t n; fd >= 0 && !found && (n = read(fd, room, sizeof room)) > 0;)
    for (ssize_t i = 0; i < n && !found; i++) {
      if (room[i] != '\n') {
        add_char(l, room[i]);
      } else if (at >= l->number[0] && at < l->number[1]) {
        found = l->n;
      } else {
        *l = (MapLine){0};
      }
    }
  if (fd >= 0) close(fd);
  return found;
}

static void file_is_gone(uintptr_t at) {
  static const char begin[] = "error: ", unknown[] = "a file in use",
                    end[] = ": it became shorter, or could not be read any more, while it was in use\n";
  MapLine l;
  size_t n = mapped_at(at, &l);
  say(begin, sizeof begin - 1);
  say(n ? l.path : unknown, n ? n : sizeof unknown - 1);
  say(end, sizeof end - 1);
  _exit(1);
}

// Near the stack pointer only the stack is touched.
static void stack_is_full(void) {
  static const char text[] = "error: out of stack (see ulimit -s, and ulimit -v)\n";
  say(text, sizeof text - 1);
  _exit(1);
}

static void on_fault(int sig, siginfo_t *info, void *context) {
  enum { BELOW = 1 << 16, FRAME = 1 << 20 };       // a call's arguments; the largest frame there might be
  const ucontext_t *c = context;
  uintptr_t at = (uintptr_t)info->si_addr, sp = (uintptr_t)c->uc_mcontext.gregs[REG_RSP];
  if (sig == SIGBUS && info->si_code == BUS_ADRERR) file_is_gone(at);
  if (sig == SIGSEGV && info->si_code > 0 && at + BELOW > sp && at < sp + FRAME) stack_is_full();
  for (size_t i = 0; i < sizeof FAULT / sizeof FAULT[0]; i++)
    if (FAULT[i] == sig) sigaction(sig, &before[i], NULL);       // a bug: what was faulty is done again, and now answered as before
  if (info->si_code <= 0) raise(sig);                            // somebody sent it
}

// Touches the stack that commands take, so that one which is too small is found before anything is under way. More is needed only for text
// nested deeper than any of a model.
static __attribute__((noinline)) void reserve_stack(void) {
  volatile char room[256 << 10];
  for (size_t i = sizeof room; i > 0; i -= 1024) room[i - 1] = 0;
}

void signals_open(void) {
  asks = asked = interrupted = 0;
  // SA_NODEFER: also while the line that says so waits for a reader.
  struct sigaction stop = {.sa_handler = on_ask, .sa_flags = SA_RESTART | SA_NODEFER};
  sigemptyset(&stop.sa_mask);
  sigaction(SIGINT, &stop, NULL);
  sigaction(SIGTERM, &stop, NULL);
  struct sigaction hangup;
  if (!sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &stop, NULL);      // nohup stays nohup
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  stack_t stack = {.ss_sp = fault_stack, .ss_size = sizeof fault_stack};
  struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&a.sa_mask);
  sigaltstack(&stack, NULL);
  for (size_t i = 0; i < sizeof FAULT / sizeof FAULT[0]; i++) sigaction(FAULT[i], &a, &before[i]);
  reserve_stack();
}
