// See peak.h. Plain C with vector extensions: the compiler has nothing to choose, so the rate is the processor's.
#include "examples/lib/peak.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
double peak_now(void) { return seconds_of(CLOCK_MONOTONIC); }
double peak_cpu(void) { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }

// Twelve chains cover latency times rate of every processor with these instructions.
enum { CHAINS = 12, INNER = 4096 };
#define FMA_LOOP(name, target_name, bytes)                                                    \
  typedef float name##_vec __attribute__((vector_size(bytes)));                               \
  __attribute__((target(target_name), noinline)) static double name(void) {                   \
    name##_vec acc[CHAINS], a = {0}, b = {0};                                                 \
    a += 0.999f, b += 1e-3f;                                                                  \
    for (int c = 0; c < CHAINS; c++) acc[c] = (name##_vec){0} + (float)c;                     \
    for (int i = 0; i < INNER; i++) {                                                         \
      _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) acc[c] = acc[c] * a + b;      \
      __asm__ volatile("" : "+v"(a), "+v"(b));                                                \
    }                                                                                         \
    for (int c = 0; c < CHAINS; c++) __asm__ volatile("" ::"v"(acc[c]));                      \
    return 2.0 * CHAINS * INNER * (double)(bytes) / 4;                                        \
  }
#ifdef __clang__                                         // has no such word, and needs none
FMA_LOOP(fma_avx512, "avx512f", 64)
#else
FMA_LOOP(fma_avx512, "avx512f,prefer-vector-width=512", 64)
#endif
FMA_LOOP(fma_avx2, "avx2,fma", 32)
// calm's paths, each with the features that its kernels use (runtime/machine/isa.c asks the same)
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static bool has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
static const struct {
  const char *isa;
  bool (*has)(void);
  double (*run)(void);
} FMA[] = {{"avx512", has_avx512, fma_avx512}, {"avx2", has_avx2, fma_avx2}};

int peak_cores(void) {
  cpu_set_t mask;
  return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
}

const char *peak_isa(int i) {
  for (size_t k = 0; k < sizeof FMA / sizeof FMA[0]; k++)
    if (FMA[k].has() && i-- == 0) return FMA[k].isa;
  return NULL;
}

typedef struct Worker {
  double (*run)(void);
  const int64_t *from;         // reading instead: an array of its own
  int64_t n;
  double until, done, took;
} Worker;

// Sums keep the loads alive; eight chains.
__attribute__((target("avx2"), noinline)) static int64_t read_all(const int64_t *p, int64_t n) {
  typedef int64_t vec __attribute__((vector_size(32)));
  vec s[8] = {{0}};
  for (int64_t i = 0; i + 32 <= n; i += 32)
    for (int k = 0; k < 8; k++) s[k] += *(const vec *)(p + i + 4 * k);
  for (int k = 1; k < 8; k++) s[0] += s[k];
  return s[0][0] ^ s[0][1] ^ s[0][2] ^ s[0][3];
}

static void *work(void *arg) {
  Worker *w = arg;
  double start = peak_cpu();
  volatile int64_t sink = 0;
  while (peak_now() < w->until || w->done == 0) {
    if (w->run) w->done += w->run();
    else sink += read_all(w->from, w->n), w->done += (double)w->n * 8;
  }
  (void)sink;
  w->took = peak_cpu() - start;
  return NULL;
}

static double together(Worker *w, int threads, double seconds) {
  pthread_t *id = calloc((size_t)threads, sizeof *id);
  double sum = 0, until = peak_now() + seconds;
  for (int i = 0; i < threads; i++) w[i].until = until;
  for (int i = 1; i < threads; i++)
    if (pthread_create(&id[i], NULL, work, &w[i])) perror("pthread_create"), exit(1);
  work(&w[0]);
  for (int i = 1; i < threads; i++) pthread_join(id[i], NULL);
  for (int i = 0; i < threads; i++) sum += w[i].done / w[i].took;
  free(id);
  return sum;
}

double peak_fma(const char *isa, int threads, double seconds) {
  double (*run)(void) = NULL;
  for (size_t i = 0; i < sizeof FMA / sizeof FMA[0]; i++)
    if (!strcmp(isa, FMA[i].isa)) run = FMA[i].run;
  if (!run) return 0;
  Worker *w = calloc((size_t)threads, sizeof *w);
  for (int i = 0; i < threads; i++) w[i].run = run;
  double rate = together(w, threads, seconds);
  free(w);
  return rate;
}

double peak_read(int threads, double seconds) {
  enum { WORDS = 1 << 26 };                              // 512 MB a thread
  Worker *w = calloc((size_t)threads, sizeof *w);
  for (int i = 0; i < threads; i++) {
    int64_t *p = aligned_alloc(64, WORDS * sizeof *p);
    if (!p) perror("peak_read"), exit(1);
    memset(p, 1, WORDS * sizeof *p);
    w[i].from = p, w[i].n = WORDS;
  }
  double rate = together(w, threads, seconds);
  for (int i = 0; i < threads; i++) free((void *)(uintptr_t)w[i].from);
  free(w);
  return rate;
}
