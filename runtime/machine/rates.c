// See rates.h. Loops of which the compiler has nothing to choose, so that the rate is the processor's. Times are of the thread, not of the clock on
// the wall: other work on the machine makes a rate no lower than it has to.
#include "runtime/machine/rates.h"

#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static double now(void) { return seconds_of(CLOCK_MONOTONIC); }
double rate_cpu(void) { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }

#ifdef __clang__                                         // has no such word, and needs none
#define WIDE ""
#else
#define WIDE ",prefer-vector-width=512"
#endif
typedef float Vec32 __attribute__((vector_size(32)));
typedef float Vec64 __attribute__((vector_size(64)));

// ---- multiply-adds

// Twelve chains cover latency times rate of every processor with these instructions, and leave room for the operands in 16 registers.
enum { CHAINS = 12, INNER = 4096 };
#define FMA_LOOP(path, features, Vec)                                                         \
  __attribute__((target(features), noinline)) static double fma_##path(void) {                \
    Vec acc[CHAINS], a = {0}, b = {0};                                                        \
    a += 0.999f, b += 1e-3f;                                                                  \
    for (int c = 0; c < CHAINS; c++) acc[c] = (Vec){0} + (float)c;                            \
    for (int i = 0; i < INNER; i++) {                                                         \
      _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) acc[c] = acc[c] * a + b;      \
      __asm__ volatile("" : "+v"(a), "+v"(b));                                                \
    }                                                                                         \
    for (int c = 0; c < CHAINS; c++) __asm__ volatile("" ::"v"(acc[c]));                      \
    return 2.0 * CHAINS * INNER * (double)(sizeof(Vec) / sizeof(float));                      \
  }
FMA_LOOP(avx512, "avx512f" WIDE, Vec64)
FMA_LOOP(avx2, "avx2,fma", Vec32)

__attribute__((target("avx512bf16,avx512bw,avx512vl" WIDE), noinline)) static double dot_bf16(void) {
  __m512 acc[CHAINS], a = _mm512_castsi512_ps(_mm512_set1_epi16(0x3f7f)), b = _mm512_castsi512_ps(_mm512_set1_epi16(0x3a80));
  for (int c = 0; c < CHAINS; c++) acc[c] = _mm512_set1_ps((float)c);
  for (int i = 0; i < INNER; i++) {
    _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) acc[c] = _mm512_dpbf16_ps(acc[c], (__m512bh)a, (__m512bh)b);
    __asm__ volatile("" : "+v"(a), "+v"(b));
  }
  for (int c = 0; c < CHAINS; c++) __asm__ volatile("" ::"v"(acc[c]));
  return 4.0 * CHAINS * INNER * 16;
}

#define HAS(feature) __builtin_cpu_supports(feature)
#define X(name, cpu, features, has, rows, regs, regs_per_panel, lanes, bf16, has_bf16) static bool has_##name(void) { return has; }
#include "runtime/abi/isa.def"
#undef X
static const struct { const char *name; bool (*has)(void); double (*fma)(void); } PATH[] = {
#define X(name, cpu, features, has, rows, regs, regs_per_panel, lanes, bf16, has_bf16) {#name, has_##name, fma_##name},
#include "runtime/abi/isa.def"
#undef X
};
enum { N_PATHS = sizeof PATH / sizeof PATH[0] };

const char *rate_path(int i) {
  for (int k = 0; k < N_PATHS; k++)
    if (PATH[k].has() && i-- == 0) return PATH[k].name;
  return NULL;
}

bool rate_has_bf16(void) { return has_avx512() && HAS("avx512bf16"); }

// ---- reading

// Sums of `bytes` bytes from p, a multiple of STRIP: in so many streams side by side, prefetching `ahead` bytes ahead. Sums keep the loads alive.
enum { STRIP = 4096, LINE = 64 };
#define READ_LOOP(name, features, Vec, streams, ahead)                                                                    \
  __attribute__((target(features), noinline)) static float name(const char *p, size_t bytes) {                            \
    enum { EACH = 512 / (streams) };                                                                                      \
    Vec sum[8] = {{0}};                                                                                                   \
    size_t part = bytes / (streams);                                                                                      \
    for (size_t at = 0; at < part; at += EACH)                                                                            \
      _Pragma("GCC unroll 8") for (int s = 0; s < (streams); s++) {                                                       \
        const char *from = p + (size_t)s * part + at;                                                                     \
        _Pragma("GCC unroll 8") for (int k = 0; (ahead) && k < EACH; k += LINE) __builtin_prefetch(from + (ahead) + k);   \
        _Pragma("GCC unroll 16") for (int k = 0; k < EACH / (int)sizeof(Vec); k++) sum[(k + s) % 8] += ((const Vec *)(const void *)from)[k]; \
      }                                                                                                                   \
    for (int k = 1; k < 8; k++) sum[0] += sum[k];                                                                         \
    return sum[0][0] + sum[0][1];                                                                                         \
  }
READ_LOOP(read32, "avx2", Vec32, 1, 0)
READ_LOOP(read32_near, "avx2", Vec32, 1, 1024)
READ_LOOP(read32_far, "avx2", Vec32, 1, 4096)
READ_LOOP(read32_streams, "avx2", Vec32, 8, 0)
READ_LOOP(read64, "avx512f" WIDE, Vec64, 1, 0)
READ_LOOP(read64_far, "avx512f" WIDE, Vec64, 1, 2048)
READ_LOOP(read64_streams, "avx512f" WIDE, Vec64, 4, 2048)
static const struct { bool (*has)(void); float (*read)(const char *p, size_t bytes); } WAY[] = {
    {has_avx2, read32}, {has_avx2, read32_near}, {has_avx2, read32_far}, {has_avx2, read32_streams},
    {has_avx512, read64}, {has_avx512, read64_far}, {has_avx512, read64_streams},
};
enum { N_WAYS = sizeof WAY / sizeof WAY[0] };

// ---- threads

typedef struct Work {
  double (*run)(void);                                   // operations
  float (*read)(const char *p, size_t bytes);            // or its memory; with neither it is written: by who reads it, so that it is the nearest
  char *memory;
  size_t bytes, at;
  double until, done, took;
  pthread_t thread;
  bool started;
} Work;

enum { PIECE = 2 << 20 };                                // read between looks at the clock; a huge page

static void *work(void *arg) {
  Work *w = arg;
  double start = rate_cpu();
  volatile float sink = 0;
  w->done = 0;
  do {
    if (w->run) w->done += w->run();
    else if (!w->read) memset(w->memory, 1, w->bytes);
    else {
      sink += w->read(w->memory + w->at, PIECE);
      w->done += PIECE;
      w->at = w->at + PIECE < w->bytes ? w->at + PIECE : 0;
    }
  } while (now() < w->until);
  (void)sink;
  w->took = rate_cpu() - start;
  return NULL;
}

static double together(Work *w, int threads, double seconds) {
  double sum = 0, until = now() + seconds;
  for (int i = 0; i < threads; i++) w[i].until = until;
  for (int i = 1; i < threads; i++) w[i].started = pthread_create(&w[i].thread, NULL, work, &w[i]) == 0;
  work(&w[0]);
  for (int i = 1; i < threads; i++)
    if (w[i].started) pthread_join(w[i].thread, NULL);
  for (int i = 0; i < threads; i++)
    if ((i == 0 || w[i].started) && w[i].took > 0) sum += w[i].done / w[i].took;
  return sum;
}

static double operations(double (*run)(void), int threads, double seconds) {
  Work *w = calloc((size_t)threads, sizeof *w);
  if (!w) return 0;
  for (int i = 0; i < threads; i++) w[i].run = run;
  double rate = together(w, threads, seconds);
  free(w);
  return rate;
}

double rate_f32(const char *path, int threads, double seconds) {
  for (int i = 0; i < N_PATHS; i++)
    if (!strcmp(path, PATH[i].name) && PATH[i].has()) return operations(PATH[i].fma, threads, seconds);
  return 0;
}

double rate_bf16(int threads, double seconds) { return rate_has_bf16() ? operations(dot_bf16, threads, seconds) : 0; }

// Memory of all threads: four times the last cache, within these bounds, and of each no less than the last; half of it, and so on, where there is no room.
// Huge pages, as weights have them (runtime/engine/region.c): with small ones this reads a fifth less on a Zen 4.
enum { LEAST_BYTES = 128 << 20, MOST_BYTES = 1 << 30, LEAST_OF_ONE = 32 << 20 };

static char *get_memory(int threads, int64_t room, size_t *each) {
  long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  size_t all_of_them = cache <= LEAST_BYTES / 4 ? LEAST_BYTES : cache >= MOST_BYTES / 4 ? MOST_BYTES : 4 * (size_t)cache;
  size_t n = all_of_them / (size_t)threads / PIECE * PIECE;
  for (n = n > LEAST_OF_ONE ? n : LEAST_OF_ONE; n >= LEAST_OF_ONE / 2; n = n / 2 / PIECE * PIECE) {
    size_t all = n * (size_t)threads;
    if (room < 0 || all > (uint64_t)room) continue;
    char *p = mmap(NULL, all + PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) continue;
    *each = n;
    return p;
  }
  return NULL;
}

double rate_memory(int threads, double seconds, int64_t room) {
  size_t each = 0;
  Work *w = calloc((size_t)threads, sizeof *w);
  char *memory = w ? get_memory(threads, room, &each) : NULL;
  double best = 0;
  int ways = 0;
  for (int k = 0; k < N_WAYS; k++) ways += WAY[k].has();
  if (memory) {
    char *from = (char *)(((uintptr_t)memory + PIECE - 1) & ~(uintptr_t)(PIECE - 1));
    madvise(from, each * (size_t)threads, MADV_HUGEPAGE);
    for (int i = 0; i < threads; i++) w[i] = (Work){.memory = from + (size_t)i * each, .bytes = each};
    together(w, threads, 0);
  }
  for (int k = 0; memory && k < N_WAYS; k++) {
    if (!WAY[k].has()) continue;
    for (int i = 0; i < threads; i++) w[i].read = WAY[k].read;
    double rate = together(w, threads, seconds / ways);
    if (rate > best) best = rate;
  }
  if (memory) munmap(memory, each * (size_t)threads + PIECE);
  free(w);
  return best;
}
