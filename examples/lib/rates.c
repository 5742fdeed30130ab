// rates: what the cores that this process may run on can do at most, measured now, as one line of JSON. The examples print shares of it.
//   rates [--isa NAME] [--seconds S] [RATE…]     RATE: a name of the table below; default all. S: time a measurement takes (0.5)
// A program of the examples' own: it needs a C compiler and runtime/machine/rates (see tool() in lib.sh).
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/machine/rates.h"

typedef double (*Measure)(const char *isa, int threads, double seconds);
static double bf16(const char *isa, int threads, double seconds) {
  return strcmp(isa, rate_path(0)) ? 0 : rate_bf16(threads, seconds);
}
static double read_memory(const char *isa, int threads, double seconds) {
  (void)isa;
  return rate_memory(threads, seconds, INT64_MAX);
}
static int cores_here(void) {
  cpu_set_t mask;
  return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
}

// Operations a second (a multiply-add is two; 0: the processor has no instruction for it), or bytes a second.
static const struct {
  const char *name;
  Measure measure;
  bool all;                    // all cores together, or one
} RATE[] = {
    {"f32_one_core", rate_f32, false},      {"f32_all_cores", rate_f32, true},
    {"bf16_one_core", bf16, false},         {"bf16_all_cores", bf16, true},
    {"memory_one_core", read_memory, false}, {"memory_all_cores", read_memory, true},
};
enum { N_RATES = sizeof RATE / sizeof RATE[0] };

static int usage(void) {
  fprintf(stderr, "usage: rates [--isa NAME] [--seconds S] [RATE…]\nRATE:");
  for (int r = 0; r < N_RATES; r++) fprintf(stderr, " %s", RATE[r].name);
  fputc('\n', stderr);
  return 2;
}

static int rate_named(const char *name) {
  int r = 0;
  while (r < N_RATES && strcmp(name, RATE[r].name)) r++;
  return r < N_RATES ? r : -1;
}

int main(int argc, char **argv) {
  const char *isa = NULL;
  double seconds = 0.5;
  bool wanted[N_RATES] = {false}, any = false;
  for (int i = 1; i < argc; i++) {
    bool valued = i + 1 < argc;
    int r;
    if (valued && !strcmp(argv[i], "--isa")) isa = argv[++i];
    else if (valued && !strcmp(argv[i], "--seconds")) {
      char *end;
      seconds = strtod(argv[++i], &end);
      if (*end || end == argv[i] || !(seconds > 0 && seconds <= 60)) return usage();
    }
    else if ((r = rate_named(argv[i])) >= 0) wanted[r] = any = true;
    else return usage();
  }
  int path = 0;
  while (isa && rate_path(path) && strcmp(isa, rate_path(path))) path++;
  if (!rate_path(path)) {
    if (isa) fprintf(stderr, "rates: --isa %s: not a path this processor runs\n", isa);
    else fprintf(stderr, "rates: this processor has neither AVX-512 nor AVX2 with FMA\n");
    return 1;
  }
  isa = rate_path(path);
  int cores = cores_here();
  printf("{\"cores\": %d, \"isa\": \"%s\"", cores, isa);
  for (int r = 0; r < N_RATES; r++)
    if (wanted[r] || !any) printf(", \"%s\": %.4g", RATE[r].name, RATE[r].measure(isa, RATE[r].all ? cores : 1, seconds));
  puts("}");
  if (fflush(stdout) || ferror(stdout)) return fprintf(stderr, "rates: standard output: %s\n", strerror(errno)), 1;
  return 0;
}
