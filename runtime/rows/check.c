// See check.h. Threads take the rows in runs; once one is at fault only the runs before it are still finished, so that the error is the one that a reader
// from the beginning comes to.
#include "runtime/rows/check.h"

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/core/core.h"
#include "runtime/rows/read.h"

enum { RUN = 256, STACK = 4 << 20 };

struct Check {
  const DataFile *file;
  DataOptions theirs;
  bool idle;
  atomic_bool stop;
  // under the lock
  pthread_mutex_t lock;
  int64_t next;                // the first row that nobody took
  int64_t done;                // rows that were read
  int64_t bad;                 // the first that is at fault; INT64_MAX: none, -1: some row
  RtError why;
  Data *counts;
  int at_work, finished;       // threads with a run, the caller's included; those started here whose counts are in
  int threads, joined;         // that were started, and are over
  pthread_t *thread;
  Check **held;
};

// The next run; false: there is none for this thread.
static bool take_run(Check *c, int64_t *from, int64_t *to) {
  pthread_mutex_lock(&c->lock);
  int64_t n = data_count(c->file) < c->bad ? data_count(c->file) : c->bad;              // none once it is -1
  *from = c->next, *to = n - c->next > RUN ? c->next + RUN : n;
  bool more = *from < n && !c->stop;
  if (more) c->next = *to, c->at_work++;
  pthread_mutex_unlock(&c->lock);
  return more;
}

static void end_run(Check *c, int64_t rows, int64_t bad, const RtError *why) {
  pthread_mutex_lock(&c->lock);
  c->done += rows, c->at_work--;
  if (bad < c->bad) c->bad = bad, c->why = *why;
  pthread_mutex_unlock(&c->lock);
}

// texts: all rows are known to be such, of good form.
static void read_runs(Check *c, Data *d, const DataOptions *o, bool texts, const char *what) {
  RtError why;
  for (int64_t from, to; take_run(c, &from, &to);) {
    int64_t i = from, bad = INT64_MAX;
    for (; i < to && !c->stop && bad == INT64_MAX; i++, data_clear(d))
      if (!(texts && data_decide(d, c->file, i, o)) && !data_add(d, c->file, i, o, &why)) bad = i;
    end_run(c, i - from, bad, &why);
    if (what) rt_progress(what, from, data_count(c->file));
  }
}

// Whether all rows are texts. Most mistakes are ones of form, which all rows show in the time in which a hundredth of them is tokenized: so these are looked for first, where what a run is
// saved from counts, and not which mistake is the first.
static bool read_form(Check *c, Data *d, const DataOptions *o) {
  DataOptions form = *o;
  RtError why;
  form.form = true;
  for (int64_t i = 0; i < data_count(c->file) && !c->stop; i++, data_clear(d))
    if (!data_add(d, c->file, i, &form, &why)) {
      pthread_mutex_lock(&c->lock);
      c->bad = -1, c->why = why;
      pthread_mutex_unlock(&c->lock);
      break;
    }
  bool texts = d->texts == data_count(c->file);
  data_uncount(d);
  return texts;
}

static void add_counts(Check *c, const Data *d, bool started) {
  pthread_mutex_lock(&c->lock);
  data_count_in(c->counts, d);
  c->finished += started;
  pthread_mutex_unlock(&c->lock);
}

static bool work(void *user, RtError *e) {
  Check *c = user;
  DataShare own;
  data_share(&own, &c->theirs);
  Data *d = data_new(&own.o);
  bool texts = c->idle && read_form(c, d, &own.o);
  read_runs(c, d, &own.o, texts, NULL);
  add_counts(c, d, true);
  data_free(d);
  data_share_end(&own);
  (void)e;
  return true;
}

static void *thread_main(void *user) {
  Check *c = user;
  RtError why;
  if (c->idle) rt_thread_idle();
  if (!rt_call(NULL, work, c, &why)) end_run(c, 0, -1, &why);      // memory ended, in a run or before: there is no saying in which row
  return NULL;
}

static void join(Check *c) {
  for (; c->joined < c->threads; c->joined++) pthread_join(c->thread[c->joined], NULL);
}

static void held_end(void *object) {
  Check *c = *(Check **)object;
  c->stop = true;
  join(c);
}

Check *check_start(const DataFile *file, const DataOptions *o, int threads, bool idle) {
  Check *c = rt_alloc(1, sizeof *c);
  *c = (Check){.file = file, .theirs = *o, .idle = idle, .bad = INT64_MAX, .counts = data_new(o)};
  c->thread = rt_alloc((size_t)threads, sizeof *c->thread);
  pthread_mutex_init(&c->lock, NULL);
  c->held = rt_object(sizeof *c->held, held_end);
  *c->held = c;
  while (c->threads < threads && rt_thread_start(&c->thread[c->threads], STACK, thread_main, c) == 0) c->threads++;
  return c;
}

void check_end(Check *c) {
  if (!c) return;
  rt_end(c->held);
  pthread_mutex_destroy(&c->lock);
  data_free(c->counts);
  rt_free(c->thread), rt_free(c);
}

CheckState check_state(Check *c, RtError *e) {
  pthread_mutex_lock(&c->lock);
  bool over = c->bad == INT64_MAX ? c->done == data_count(c->file) && c->finished == c->threads : c->bad < 0 || !c->at_work;
  CheckState s = !over ? CHECK_RUNS : c->bad == INT64_MAX ? CHECK_GOOD : CHECK_BAD;
  if (s == CHECK_BAD) *e = c->why;
  pthread_mutex_unlock(&c->lock);
  return s;
}

bool check_help(Check *c, RtError *e) {
  char *what = rt_format("checking %s", data_path(c->file));
  Data *d = data_new(&c->theirs);
  read_runs(c, d, &c->theirs, false, what);
  add_counts(c, d, false);
  data_free(d);
  join(c);
  rt_progress(what, 1, 1);
  rt_free(what);
  return check_state(c, e) == CHECK_GOOD;
}

const Data *check_counts(const Check *c) { return c->counts; }
