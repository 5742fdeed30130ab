// How fast SHA-256 goes on one core, on every path that this processor has: bench_sha256 [MB] (64 by default). GB/s of processor time, median and best
// of nine rounds; the paths take turns.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/files/files.h"

enum { ROUNDS = 9, MOST_PATHS = 8 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  size_t n = (argc > 1 ? strtoul(argv[1], NULL, 10) : 64) * 1000000;
  uint8_t *data = malloc(n);
  if (!n || !data) {
    fputs("usage: bench_sha256 [MB]\n", stderr);
    return 2;
  }
  for (size_t i = 0; i < n; i++) data[i] = (uint8_t)(i * 2654435761u >> 24);
  double rate[MOST_PATHS][ROUNDS];
  char hex[SHA256_HEX];
  for (int r = 0; r < ROUNDS; r++)
    for (int i = 0; sha256_path(i) && i < MOST_PATHS; i++) {
      if (!sha256_path(i)->here()) continue;
      Sha256 s;
      double before = now();
      sha256_init_on(&s, sha256_path(i));
      sha256_add(&s, data, n);
      sha256_hex(&s, hex);
      rate[i][r] = (double)n / (now() - before) / 1e9;
    }
  for (int i = 0; sha256_path(i) && i < MOST_PATHS; i++) {
    if (!sha256_path(i)->here()) {
      printf("%-6s not on this processor\n", sha256_path(i)->name);
      continue;
    }
    qsort(rate[i], ROUNDS, sizeof rate[i][0], ascending);
    printf("%-6s %6.2f GB/s  (best %.2f)\n", sha256_path(i)->name, rate[i][ROUNDS / 2], rate[i][ROUNDS - 1]);
  }
  printf("%s\n", hex);
  free(data);
  return 0;
}
