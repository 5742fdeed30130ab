// How fast a tokenizer loads and encodes, on one core: bench_tokenizer TOKENIZER.json TEXT [ROUNDS]. One JSON object on standard output:
// seconds to load; MB/s of the first encode and of the best of ROUNDS; MB/s of memcpy over the same bytes, measured in between; tokens and a
// checksum of the ids, for a comparison; and MB/s on text without a single space, at 1/4, 1 and 4 MB: linear time is a level row.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/text/text.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static _Noreturn void die(const RtError *e) {
  fprintf(stderr, "error: %s\n", e->text);
  exit(1);
}

typedef struct Result {
  int64_t tokens;
  uint64_t sum;
  double seconds;
} Result;

static Result encode(const Tokenizer *t, const char *s, size_t n) {
  RtError e;
  int32_t *ids;
  TokSpan *spans;
  Result r = {.sum = 1};
  double t0 = now();
  r.tokens = tokenizer_encode(t, s, n, false, &ids, &spans, &e);
  r.seconds = now() - t0;
  if (r.tokens < 0) die(&e);
  for (int64_t i = 0; i < r.tokens; i++) r.sum = (r.sum * 1000003 + (uint64_t)ids[i]) % 2147483647;
  rt_free(ids);
  rt_free(spans);
  return r;
}

static double copy_seconds(char *to, const char *from, size_t n) {
  double t0 = now();
  memcpy(to, from, n);
  __asm__ volatile("" : : "r"(to) : "memory");
  return now() - t0;
}

// n bytes of letters, digits and signs in a fixed random order; without signs one single word.
static void no_space(char *s, size_t n, bool signs) {
  uint64_t x = 1;
  for (size_t i = 0; i < n; i++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    s[i] = "etaoinshrdlucmfwypvbgkjqxzETA0123456789.,;:-_()/"[(x >> 33) % (signs ? 48 : 26)];
  }
}

static void print_lengths(const Tokenizer *t, const char *name, bool signs) {
  size_t most = 4u << 20;
  char *s = rt_alloc(most, 1);
  no_space(s, most, signs);
  printf(", \"%s\": [", name);
  for (size_t n = most / 16; n <= most; n *= 4) printf("%s%.2f", n > most / 16 ? ", " : "", (double)n / 1e6 / encode(t, s, n).seconds);
  printf("]");
  rt_free(s);
}

int main(int argc, char **argv) {
  RtError e;
  FileMap m;
  if (argc < 3) {
    fprintf(stderr, "usage: bench_tokenizer TOKENIZER.json TEXT [ROUNDS]\n");
    return 2;
  }
  int rounds = argc > 3 ? atoi(argv[3]) : 10;
  double t0 = now();
  Tokenizer *t = tokenizer_open(argv[1], &e);
  double load = now() - t0;
  if (!t || !file_map(&m, argv[2], &e)) die(&e);
  char *copy = rt_alloc(m.size, 1);
  Result first = encode(t, (const char *)m.data, m.size);
  double best = first.seconds, best_copy = 1e9;
  for (int i = 0; i < rounds; i++) {
    double c = copy_seconds(copy, (const char *)m.data, m.size), r = encode(t, (const char *)m.data, m.size).seconds;
    if (c < best_copy) best_copy = c;
    if (r < best) best = r;
  }
  double mb = (double)m.size / 1e6;
  printf("{\"load\": %.4f, \"mb\": %.3f, \"tokens\": %lld, \"sum\": %llu, \"first\": %.2f, \"best\": %.2f, \"memcpy\": %.0f", load, mb,
         (long long)first.tokens, (unsigned long long)first.sum, mb / first.seconds, mb / best, mb / best_copy);
  print_lengths(t, "one_word", false);
  print_lengths(t, "no_space", true);
  printf("}\n");
  rt_free(copy);
  file_unmap(&m);
  tokenizer_free(t);
  return 0;
}
