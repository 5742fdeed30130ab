// The pool runs every task of every job exactly once for any number of threads, with scratch of its own per thread;
// instruction-set paths are chosen and refused by name; a meter counts every call.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/core/core.h"
#include "runtime/machine/isa.h"
#include "runtime/machine/pool.h"

static void count_task(int64_t task, const int64_t *args, void *scratch) {
  atomic_int *hits = (atomic_int *)args[0];
  int64_t *own = scratch;
  assert_int_equal((uintptr_t)scratch % 64, 0);
  own[0] = task;                                   // a race on scratch would show below
  for (volatile int i = 0; i < (int)(task % 7) * 20; i++) {}
  assert_int_equal(own[0], task);
  atomic_fetch_add(&hits[task], 1);
}

static void every_task_once(void **state) {
  (void)state;
  enum { MOST = 97 };
  static atomic_int hits[MOST];
  for (int threads = 1; threads <= 5; threads++) {
    RtPool *p = pool_new(threads, 64);
    assert_int_equal(pool_threads(p), threads);
    for (int job = 0; job < 3000; job++) {
      int n = job % MOST;
      memset(hits, 0, sizeof hits);
      int64_t args[] = {(int64_t)hits};
      pool_run(p, count_task, n, args);
      for (int i = 0; i < MOST; i++) assert_int_equal(hits[i], i < n);
      if (job % 1000 == 999) usleep(3000);         // long enough for the others to fall asleep
    }
    pool_free(p);
  }
}

// A call that is watched is run in slices: every task once, and those before a look are done; one that is not wanted is not run.
enum { WATCHED = 103 };
typedef struct Looks {
  atomic_int *hits;
  int64_t last;
  int n;
  bool unwanted;
} Looks;

static bool wanted(void *user, const int64_t *args) {
  const Looks *l = user;
  assert_ptr_equal(l->hits, (atomic_int *)args[0]);
  return !l->unwanted;
}

static void look(void *user, const int64_t *args, int64_t done, int64_t ntasks) {
  Looks *l = user;
  (void)args;
  assert_true(done > l->last && done <= ntasks && ntasks == WATCHED);
  for (int i = 0; i < WATCHED; i++) assert_int_equal(l->hits[i], i < done);
  l->last = done, l->n++;
}

static void calls_in_slices(void **state) {
  (void)state;
  static atomic_int hits[WATCHED];
  for (int threads = 1; threads <= 4; threads++)
    for (int64_t slice = 1; slice <= WATCHED + 1; slice += 17) {
      RtPool *p = pool_new(threads, 64);
      Looks l = {.hits = hits};
      int64_t args[] = {(int64_t)hits};
      memset(hits, 0, sizeof hits);
      pool_watch(p, &(PoolWatch){wanted, look, slice, &l});
      pool_call(p, 0, count_task, WATCHED, WATCHED, args);
      assert_true(l.last == WATCHED && l.n == (WATCHED + slice - 1) / slice);
      l.unwanted = true;
      pool_call(p, 0, count_task, WATCHED, WATCHED, args);
      assert_int_equal(l.n, (WATCHED + slice - 1) / slice);
      pool_watch(p, NULL);
      pool_call(p, 0, count_task, WATCHED, WATCHED, args);
      for (int i = 0; i < WATCHED; i++) assert_int_equal(hits[i], 2);
      pool_free(p);
    }
}

// A call in phases: a task finds those of the phases before done.
enum { PHASED = 50 };
typedef struct Phases {
  atomic_int hits[PHASED];
  atomic_int early;            // tasks that did not
  int64_t phase;
} Phases;

static void phased_task(int64_t task, const int64_t *args, void *scratch) {
  Phases *s = (Phases *)args[0];
  (void)scratch;
  for (int64_t i = 0; i < task / s->phase * s->phase; i++)
    if (atomic_load(&s->hits[i]) != 1) atomic_fetch_add(&s->early, 1);
  for (volatile int i = 0; i < (int)(task % 7) * 200; i++) {}
  atomic_fetch_add(&s->hits[task], 1);
}

static void calls_in_phases(void **state) {
  (void)state;
  for (int threads = 1; threads <= 4; threads++)
    for (int64_t phase = 1; phase <= PHASED + 1; phase += 5) {
      RtPool *p = pool_new(threads, 64);
      Phases s = {.phase = phase};
      int64_t args[] = {(int64_t)&s};
      pool_call(p, 0, phased_task, PHASED, phase, args);
      for (int i = 0; i < PHASED; i++) assert_int_equal(s.hits[i], 1);
      assert_int_equal(s.early, 0);
      pool_free(p);
    }
}

static void spend_task(int64_t task, const int64_t *args, void *scratch) {
  (void)args, (void)scratch;
  for (volatile int i = 0; i < (int)(task % 7) * 200; i++) {}
}

// Kernel 0 has a mask, kernel 1 rows of two kinds; packing is counted apart. Work that is no kernel's, and what comes after, is not counted.
static void calls_are_counted(void **state) {
  (void)state;
  enum { CALLS = 300, TASKS = 11, ROWS = 3 };
  static const int32_t lo[ROWS] = {0, 2, 5}, hi[ROWS] = {1, 4, 5};
  static const RtSeq seq[2] = {{.q0 = 0, .nq = 2, .nk = 9}, {.q0 = 2, .nq = 1, .nk = 7}};
  const RtMask mask = {.lo = lo, .hi = hi, .nseq = 2, .seq = seq};
  const int64_t args[2][2] = {{ROWS, (int64_t)(uintptr_t)&mask}, {7, 4}};
  for (int threads = 1; threads <= 3; threads++) {
    RtPool *p = pool_new(threads, 64);
    Meter *m = meter_new(2, threads, true);
    m->call[0].mask = 1, m->call[1].source = 1;
    pool_call(p, 0, spend_task, TASKS, TASKS, args[0]);
    pool_measure(p, m);
    double start = rt_now(), in_calls = 0, busy = 0;
    for (int i = 0; i < 2 * CALLS; i++) pool_call(p, i % 2, spend_task, TASKS, TASKS, args[i % 2]), pool_run(p, spend_task, TASKS, args[0]);
    pool_call(p, 1, spend_task, 0, 1, args[1]);
    m->part = METER_PACK;
    pool_call(p, 0, spend_task, 1, 1, args[0]);
    double all = rt_now() - start;
    pool_measure(p, NULL);
    pool_call(p, 0, spend_task, TASKS, TASKS, args[0]);
    static const double count[2][N_Per] = {{[PER_CALL] = CALLS, [PER_ROW] = CALLS * ROWS, [PER_PAIR] = CALLS * 3, [PER_KEY] = CALLS * 4},
                                           {[PER_CALL] = CALLS + 1, [PER_ROW] = (CALLS + 1) * 7, [PER_SOURCE] = (CALLS + 1) * 4}};
    for (int k = 0; k < 2; k++)
      for (int i = 0; i < N_Per; i++) assert_true(m->kernel[k].count[i] == count[k][i]);
    assert_true(m->kernel[2].count[PER_CALL] == 1 && m->kernel[3].count[PER_CALL] == 0);
    int64_t spans = 0;
    for (int t = 0; t < threads; t++) {
      const MeterList *l = &m->thread[t];
      double last = start;
      for (int64_t i = 0; i < l->n; i++) {
        assert_true(l->span[i].from >= last && l->span[i].to >= l->span[i].from && (l->span[i].what | 1) == 1);
        last = l->span[i].to;
      }
      for (int k = 0; k < 2; k++) busy += m->busy[t * 2 * METER_PARTS + k];
      spans += l->n;
    }
    for (int k = 0; k < 2; k++) in_calls += m->kernel[k].seconds;
    assert_true(spans > 2 * CALLS && spans <= 2 * CALLS * threads + 1 && in_calls > 0 && in_calls <= all && busy > 0 && busy <= in_calls * threads);
    meter_free(m);
    pool_free(p);
  }
}

// A list that is full ends all of them.
static void spans_are_bounded(void **state) {
  (void)state;
  Meter *m = meter_new(1, 2, true), *none = meter_new(1, 2, false);
  int64_t most = m->thread[0].most;
  assert_true(most > 0 && most * 3 <= METER_SPANS);
  for (int64_t i = 0; i < most; i++) meter_thread(m, 0, 0, 1, 2);
  meter_thread(m, 1, 0, 1, 2);
  assert_true(m->thread[0].n == most && m->thread[1].n == 1 && !m->cut);
  meter_thread(m, 0, 0, 2, 3);
  meter_thread(m, 1, 0, 2, 3);
  meter_span(m, &m->steps, &(MeterSpan){.from = 2, .to = 3});
  assert_true(m->cut && m->thread[0].n == most && m->thread[1].n == 1 && m->steps.n == 0);
  assert_true(m->busy[0] == (double)most + 1 && m->busy[METER_PARTS] == 2);
  meter_thread(none, 0, 0, 1, 2);
  assert_true(!none->cut && none->busy[0] == 1);
  meter_free(m), meter_free(none);
}

static void paths_by_name(void **state) {
  (void)state;
  RtError e;
  RtIsa isas[] = {{"avx512", NULL, PRECISION_F32}, {"avx2", NULL, PRECISION_F32}}, none[] = {{"vax", NULL, PRECISION_F32}};
  if (isa_supported("avx2")) {
    assert_int_equal(isa_choose(isas, 2, NULL, PRECISION_F32, &e), isa_supported("avx512") ? 0 : 1);
    assert_int_equal(isa_choose(isas, 2, "avx2", PRECISION_F32, &e), 1);
  }
  assert_int_equal(isa_choose(isas, 2, "sse9", PRECISION_F32, &e), -1);
  assert_non_null(strstr(e.text, "avx512, avx2"));
  assert_int_equal(isa_choose(none, 1, "", PRECISION_F32, &e), -1);
  assert_non_null(strstr(e.text, "vax"));
  assert_int_equal(isa_choose(none, 1, "vax", PRECISION_F32, &e), -1);
  assert_int_equal(isa_choose(isas, 2, NULL, PRECISION_BF16, &e), -1);         // none was built
  assert_non_null(strstr(e.text, "no kernels of precision bf16"));
}

// In bf16 the path whose instruction multiplies it, where the processor has that; else the one that emulates it.
static void paths_of_a_precision(void **state) {
  (void)state;
  RtError e;
  RtIsa isas[] = {{"avx512", NULL, PRECISION_F32}, {"avx512", NULL, PRECISION_BF16}, {"avx2", NULL, PRECISION_F32}, {"avx2", NULL, PRECISION_BF16}};
  bool native = isa_multiplies("avx512", PRECISION_BF16), has512 = isa_supported("avx512");
  if (!isa_supported("avx2")) skip();
  assert_int_equal(native, has512 && __builtin_cpu_supports("avx512bf16"));
  assert_false(isa_multiplies("avx2", PRECISION_BF16));
  assert_true(isa_multiplies("avx2", PRECISION_F32));
  assert_false(isa_multiplies("sse9", PRECISION_F32));
  assert_int_equal(isa_choose(isas, 4, NULL, PRECISION_F32, &e), has512 ? 0 : 2);
  assert_int_equal(isa_choose(isas, 4, "", PRECISION_BF16, &e), native ? 1 : 3);
  assert_int_equal(isa_choose(isas, 4, "avx2", PRECISION_BF16, &e), 3);
  assert_int_equal(isa_choose(isas, 4, "avx512", PRECISION_BF16, &e), native ? 1 : -1);
  if (!native) assert_non_null(strstr(e.text, has512 ? "does not multiply bf16" : "does not support it"));
  assert_true(isa_built(isas, 4, PRECISION_BF16));
  assert_false(isa_built(isas, 1, PRECISION_BF16));
}

// f32 panels are pairs of bf16 under bf16, an odd K padded; the others stay, and f16 is not taken.
static void panels_of_a_precision(void **state) {
  (void)state;
  ProgBuf b = {.kind = BUF_LIVE, .dt = DT_F32, .elems = 2 * PANEL * 5, .packed = {.N = 17, .K = 5}};
  assert_int_equal(prog_buf_bytes(&b, PRECISION_F32), 2 * PANEL * 5 * 4);
  assert_int_equal(prog_buf_bytes(&b, PRECISION_BF16), 2 * PANEL * 6 * 2);
  b.kind = BUF_PARAM;                              // masters stay
  assert_int_equal(prog_buf_bytes(&b, PRECISION_BF16), 2 * PANEL * 5 * 4);
  b = (ProgBuf){.kind = BUF_PACKED, .dt = DT_BF16, .elems = 2 * PANEL * 6, .packed = {.N = 17, .K = 5}};
  assert_int_equal(prog_buf_bytes(&b, PRECISION_F32), 2 * PANEL * 6 * 2);
  assert_int_equal(prog_buf_bytes(&b, PRECISION_BF16), 2 * PANEL * 6 * 2);
  b = (ProgBuf){.kind = BUF_CACHE, .dt = DT_F32, .elems = 7};                     // rows of a cache have the width of the precision
  assert_int_equal(prog_buf_bytes(&b, PRECISION_F32), 28);
  assert_int_equal(prog_buf_bytes(&b, PRECISION_BF16), 14);
  assert_true(precision_takes(PRECISION_F32, DT_F16) && precision_takes(PRECISION_BF16, DT_F32) && precision_takes(PRECISION_BF16, DT_BF16));
  assert_false(precision_takes(PRECISION_BF16, DT_F16));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_task_once), cmocka_unit_test(calls_in_slices),
      cmocka_unit_test(calls_in_phases), cmocka_unit_test(calls_are_counted), cmocka_unit_test(spans_are_bounded), cmocka_unit_test(paths_by_name),
                                     cmocka_unit_test(paths_of_a_precision), cmocka_unit_test(panels_of_a_precision)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
