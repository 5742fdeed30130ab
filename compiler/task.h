// The heavy steps of a build as processes of their own. LLVM and the linker end where memory, files or the disk do, and a user may end
// any of them: what is left says in one line what it was, and cleans up.
#ifndef CALM_TASK_H
#define CALM_TASK_H
#include <signal.h>
#include <stdbool.h>

// Exit statuses from here on are as a shell has them: 128 + n means that signal n ended it.
enum { ENDED_BY = 128 };

// The signals that end a program (HUP, INT, TERM; not those that it was started to ignore) wait from signals_hold on: task_run ends its
// process and returns when one arrives. Nothing is half done when calmc then ends by it.
typedef struct Signals {
  sigset_t held, before;
} Signals;
void signals_hold(Signals *s);
int signals_waiting(const Signals *s);             // ENDED_BY + one that arrived meanwhile, or 0
void signals_release(const Signals *s);

typedef struct Task {
  const char *name;                // for messages: "code generation", "cc"
  int (*work)(void *data);         // what the process does and its exit status; NULL: it runs argv, found as a shell would
  void *data;
  char *const *argv;
  const char *tmpdir;              // its TMPDIR; NULL: as it is
  bool visible;                    // the user's own: it keeps the terminal, and a signal is passed on to it; else what it says is kept
} Task;
typedef struct Ended {
  int status;                      // its exit status, ENDED_BY + signal; -1: not started, told
  bool stopped;                    // calmc was to end (status says how): the process was ended for that
  char said[8192];                 // what it wrote to standard error, as far as there is room; "" where it is visible
} Ended;
// Starts the process and waits for it and for all that it started. Needs no memory.
void task_run(const Task *t, const Signals *s, Ended *e);

// Tells in one line what ended a task that did not end well, and returns calmc's own exit status: 1; ENDED_BY + a signal where calmc was to
// end by one, or the task had a bug.
int task_failed(const Task *t, Ended *e);
// Which of memory, files, disk … the words of a failed tool say has run out; NULL when none.
const char *ran_out_of(const char *words);

// Ends calmc as `status` says: by that signal, so that whoever started it sees it.
int end_as(int status);
// Runs work on a stack of a size that does not depend on the shell's limit, and returns what it does.
int on_own_stack(int (*work)(void *data), void *data);
#endif
