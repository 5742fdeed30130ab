// See progress.h. A thread of its own waits and tells, since every stage may take long and none of them looks at a clock.
#include "progress.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/core/core.h"

enum { QUIET = 2, STACK = 128 << 10 };             // seconds; bytes

struct Progress {
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t thread;
  const char *what, *stage, *told;
  double begun;
  bool runs, done, tty, half_line;
};

// On a terminal the line is left with the cursor at its beginning: whatever comes next stands in its place.
static void tell(Progress *p) {
  if (!p->stage || (!p->tty && p->told == p->stage)) return;
  if (p->tty) dprintf(STDERR_FILENO, "\r\033[K%s: %s, %.0f s\r", p->what, p->stage, rt_now() - p->begun);
  else dprintf(STDERR_FILENO, "%s: %s\n", p->what, p->stage);
  p->told = p->stage;
  p->half_line = p->tty;
}

static void hush(Progress *p) {
  if (p->half_line) dprintf(STDERR_FILENO, "\033[K");
  p->half_line = false;
}

static void *watch(void *user) {
  Progress *p = user;
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += QUIET;
  pthread_mutex_lock(&p->lock);
  while (!p->done) {
    if (pthread_cond_timedwait(&p->wake, &p->lock, &until) != ETIMEDOUT) continue;
    tell(p);
    if ((until.tv_nsec += 500000000) >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
  }
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

// Where there is no thread to be had, nothing is told.
static void start(Progress *p) {
  sigset_t all, before;
  pthread_attr_t attr;
  if (pthread_attr_init(&attr)) return;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);     // signals are the builder's
  p->runs = !pthread_attr_setstacksize(&attr, STACK) && !pthread_create(&p->thread, &attr, watch, p);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
}

static void end(void *object) {
  Progress *p = object;
  if (!p->runs) return;
  pthread_mutex_lock(&p->lock);
  p->done = true;
  hush(p);
  pthread_cond_signal(&p->wake);
  pthread_mutex_unlock(&p->lock);
  pthread_join(p->thread, NULL);
  p->runs = false;
}

Progress *progress_begin(const char *what) {
  Progress *p = rt_object(sizeof *p, end);
  pthread_condattr_t monotonic;
  p->what = what;
  p->begun = rt_now();
  p->tty = isatty(STDERR_FILENO);
  pthread_mutex_init(&p->lock, NULL);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&p->wake, &monotonic);
  pthread_condattr_destroy(&monotonic);
  start(p);
  return p;
}

void progress_stage(Progress *p, const char *stage) {
  pthread_mutex_lock(&p->lock);
  p->stage = stage;
  pthread_mutex_unlock(&p->lock);
}

void progress_hush(Progress *p) {
  pthread_mutex_lock(&p->lock);
  hush(p);
  p->stage = NULL;
  pthread_mutex_unlock(&p->lock);
}

void progress_end(Progress *p) { rt_end(p); }
