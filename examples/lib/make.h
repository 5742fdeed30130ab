// What the data makers of the examples share: one random generator, and files that end the program when they fail.
#ifndef CALM_EXAMPLES_MAKE_H
#define CALM_EXAMPLES_MAKE_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// splitmix64 (Steele, Lea, Flood 2014)
static inline uint64_t make_next(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static inline int make_below(uint64_t *state, int n) { return (int)(make_next(state) % (uint64_t)n); }

static inline FILE *make_open(const char *dir, const char *name, const char *mode) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  FILE *f = fopen(path, mode);
  if (!f) {
    perror(path);
    exit(1);
  }
  return f;
}

static inline void make_close(FILE *f, const char *name) {
  if (ferror(f) | fclose(f)) {
    perror(name);
    exit(1);
  }
}

// A command-line number from `least` on; anything else is -1.
static inline long long make_number(const char *s, long long least) {
  char *end;
  long long v = strtoll(s, &end, 10);
  return *s && !*end && v >= least ? v : -1;
}
#endif
