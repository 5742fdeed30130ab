// See ahead.h. Rows are made and freed on the reader's thread (core/alloc.h): a batch that was used goes back to it. The tokenizers it reads with are shares
// of the program's. Where memory ends there, what was ready stays until nobody looks at it any more.
#include "runtime/rows/ahead.h"

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/core/core.h"

enum { BATCHES = 3, STACK = 4 << 20 };       // one in use, two ready or in the making

struct Ahead {
  const DataFile *file;
  DataOptions theirs;
  FeedPlan plan;
  FeedRule rule;
  Feeder feeder;
  FeedBatch batch[BATCHES];
  bool beside;
  // the thread's and the caller's, under the lock
  pthread_mutex_t lock;
  pthread_cond_t made_more, wants_more;
  int64_t made, taken, given;  // batches that were made, handed out, and given back
  atomic_bool stop;
  bool failed;
  RtError why;
  pthread_t thread;
  const FeedBatch *last;       // handed out
  Ahead **held;
};

// ---- the reader

typedef struct Filling {
  Ahead *a;
  FeedBatch *b;
  bool returned;               // it did not end for want of memory
} Filling;

static bool fill(void *user, RtError *e) {
  Filling *f = user;
  batch_clear(f->b);
  bool ok = feeder_batch(&f->a->feeder, &f->a->rule, f->b, e);
  return f->returned = true, ok;
}

static bool asked(void *user) { return ((Ahead *)user)->stop; }

static void fail_with(Ahead *a, const RtError *why) {
  pthread_mutex_lock(&a->lock);
  a->failed = true, a->why = *why;
  pthread_cond_signal(&a->made_more);
  while (!a->stop) pthread_cond_wait(&a->wants_more, &a->lock);
  pthread_mutex_unlock(&a->lock);
}

// Waits for a batch to fill; false: it is over.
static bool wait_for_room(Ahead *a) {
  pthread_mutex_lock(&a->lock);
  while (!a->stop && a->made - a->given >= BATCHES) pthread_cond_wait(&a->wants_more, &a->lock);
  bool go_on = !a->stop;
  pthread_mutex_unlock(&a->lock);
  return go_on;
}

static bool read_on(void *user, RtError *e) {
  Ahead *a = user;
  RtError why;
  const RtHost host = {.stop = asked, .user = a};
  DataShare own;
  data_share(&own, &a->theirs);
  feeder_start(&a->feeder, a->file, &own.o, &a->plan);
  bool end = false;
  while (!end && wait_for_room(a)) {
    Filling f = {.a = a, .b = &a->batch[a->made % BATCHES]};
    if (!rt_call(&host, fill, &f, &why)) {
      fail_with(a, &why);
      if (!f.returned) rt_no_memory(1);      // tokenizers are half changed: all of this call is dropped as it is
      break;
    }
    end = f.b->n == 0;
    pthread_mutex_lock(&a->lock);
    a->made++;
    pthread_cond_signal(&a->made_more);
    pthread_mutex_unlock(&a->lock);
  }
  pthread_mutex_lock(&a->lock);
  while (!a->stop) pthread_cond_wait(&a->wants_more, &a->lock);        // batches are looked at until then
  pthread_mutex_unlock(&a->lock);
  for (int i = 0; i < BATCHES; i++) batch_free(&a->batch[i]);
  feeder_end(&a->feeder);
  data_share_end(&own);
  (void)e;
  return true;
}

static void *reader_main(void *user) {
  Ahead *a = user;
  RtError why;
  if (!rt_call(NULL, read_on, a, &why)) fail_with(a, &why);
  return NULL;
}

// ---- the caller

static void held_end(void *object) {
  Ahead *a = *(Ahead **)object;
  if (!a->beside) return;
  pthread_mutex_lock(&a->lock);
  a->stop = true;
  pthread_cond_signal(&a->wants_more);
  pthread_mutex_unlock(&a->lock);
  pthread_join(a->thread, NULL);
}

Ahead *ahead_start(const DataFile *file, const DataOptions *o, const FeedPlan *plan, const FeedRule *rule, bool beside) {
  Ahead *a = rt_alloc(1, sizeof *a);
  *a = (Ahead){.file = file, .theirs = *o, .plan = *plan, .rule = *rule};
  pthread_mutex_init(&a->lock, NULL);
  pthread_cond_init(&a->made_more, NULL), pthread_cond_init(&a->wants_more, NULL);
  a->held = rt_object(sizeof *a->held, held_end);
  *a->held = a;
  a->beside = beside && !file->held && rt_thread_start(&a->thread, STACK, reader_main, a) == 0;
  if (!a->beside) feeder_start(&a->feeder, file, &a->theirs, plan);
  return a;
}

void ahead_end(Ahead *a) {
  if (!a) return;
  bool beside = a->beside;
  rt_end(a->held);
  if (!beside) batch_free(&a->batch[0]), feeder_end(&a->feeder);
  pthread_mutex_destroy(&a->lock);
  pthread_cond_destroy(&a->made_more), pthread_cond_destroy(&a->wants_more);
  rt_free(a);
}

static const FeedBatch *next_here(Ahead *a, RtError *e) {
  batch_clear(&a->batch[0]);
  return feeder_batch(&a->feeder, &a->rule, &a->batch[0], e) ? &a->batch[0] : NULL;
}

const FeedBatch *ahead_next(Ahead *a, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  if (a->last && a->last->n == 0) return a->last;
  if (!a->beside) return a->last = next_here(a, e);
  pthread_mutex_lock(&a->lock);
  a->given = a->taken;                       // the one of before
  pthread_cond_signal(&a->wants_more);
  while (a->made == a->taken && !a->failed) pthread_cond_wait(&a->made_more, &a->lock);
  const FeedBatch *b = a->made > a->taken ? &a->batch[a->taken++ % BATCHES] : NULL;
  if (!b) *e = a->why;
  pthread_mutex_unlock(&a->lock);
  return a->last = b;
}

const Data *ahead_counts(const Ahead *a) { return a->file->held ? NULL : a->feeder.read; }
