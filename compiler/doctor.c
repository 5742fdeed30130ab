// doctor: what this machine is, what programs made here will run on it and how fast it can be, and whether calmc has what it needs to make them. What is
// missing is told as where it would be met, with how to mend it.
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver.h"
#include "result.h"
#include "runtime/core/core.h"
#include "runtime/machine/machine.h"

static void say(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const char *what, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  printf("%-11s", what);
  vprintf(fmt, ap);
  va_end(ap);
  putchar('\n');
  fflush(stdout);
}

static bool error(const RtError *e) { return fprintf(stderr, "error: %s\n", e->text), false; }

// ---- the processor

static void processor(void) {
  union { unsigned word[12]; char text[49]; } name = {{0}};
  unsigned a, b, c, d, family = 0, model = 0;
  if (__get_cpuid(0x80000004, &a, &b, &c, &d))
    for (unsigned i = 0; i < 3; i++) __get_cpuid(0x80000002 + i, &name.word[4 * i], &name.word[4 * i + 1], &name.word[4 * i + 2], &name.word[4 * i + 3]);
  if (__get_cpuid(1, &a, &b, &c, &d)) {
    family = (a >> 8 & 15) + ((a >> 8 & 15) == 15 ? a >> 20 & 255 : 0);
    model = (a >> 4 & 15) + (a >> 12 & 240);
  }
  const char *text = name.text + strspn(name.text, " ");
  say("processor", "%s, family %u model %u", *text ? text : "unnamed", family, model);
}

// NULL after telling that no path runs.
static const char *path(void) {
  const char *want = getenv("CALM_ISA");
  RtError e;
  const char *name = path_native(&e);
  if (!name) {
    bool asked = want && *want;
    fprintf(stderr, "error: %s%s%s\n", asked ? "CALM_ISA=" : "", e.text, asked ? "" : "; programs run on processors with AVX2 and FMA, or AVX-512");
    return NULL;
  }
  bool fast = isa_multiplies(name, PRECISION_BF16);
  say("path", "%s: %s", name, want && *want ? "CALM_ISA says so" : !strcmp(name, path_best()) ? "the best there is, and this processor runs it" : "the best that this processor runs");
  if (fast) say("precision", "bf16 for models of which some frozen matrices are stored so and none in f32 or f16: an instruction multiplies pairs of them; else f32");
  else say("precision", "f32: this path has no instruction that multiplies bf16 (--precision bf16 emulates it, bit for bit and slowly)");
  return name;
}

static bool threads(int *n) {
  char why[LIMITS_TEXT];
  RtError e;
  if (!limits_threads_here(n, why, &e)) return error(&e);
  say("threads", "%d: %s", *n, why);
  return true;
}

static void rate(const char *what, const char *unit, double one, double all, int n) {
  if (n > 1) say(what, "%.1f %s on one thread, %.1f on %d", one / 1e9, unit, all / 1e9, n);
  else say(what, "%.1f %s", one / 1e9, unit);
}

static void rates(const char *name, int n) {
  rate("f32", "Gflop/s", rate_f32(name, 1, 0.1), n > 1 ? rate_f32(name, n, 0.1) : 0, n);
  if (isa_multiplies(name, PRECISION_BF16)) rate("bf16", "Gflop/s", rate_bf16(1, 0.1), n > 1 ? rate_bf16(n, 0.1) : 0, n);
  int64_t room = limits_memory_room() / 2;
  double one = rate_memory(1, 0.2, room), all = n > 1 ? rate_memory(n, 0.2, room) : one;
  if (all > 0) rate("reading", "GB/s", one, all, n);
  else say("reading", "not measured: there is too little memory");
}

static void memory(void) {
  MemLimits l;
  char limit[LIMITS_TEXT + 64] = "", space[64] = "";
  limits_memory(&l);
  if (l.limit) snprintf(limit, sizeof limit, "; limit %.1f GB, by %s", (double)l.limit / 1e9, l.limit_of);
  if (l.address_space) snprintf(space, sizeof space, "; address space %.1f GB (ulimit -v)", (double)l.address_space / 1e9);
  say("memory", "%.1f GB, %.1f free%s%s", (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / 1e9, (double)l.available / 1e9, limit, space);
  FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
  char text[64] = "";
  bool never = f && fgets(text, sizeof text, f) && strstr(text, "[never]");
  if (f) fclose(f);
  if (never) say("", "weights lie in small pages, which are read slower: /sys/kernel/mm/transparent_hugepage/enabled says never (madvise gives them huge ones)");
}

// ---- making programs

// A program of nothing, all the way: the code generator and LLVM, the runtime's libraries, cc and what it links with.
static bool builds(void) {
  Result out;
  Signals s;
  if (!link_possible()) return false;
  double start = rt_now();
  Arena *a = arena_new();
  Plan *plan = plan_new(a);
  plan_finish(plan);
  signals_hold(&s);
  int status = result_folder(&out) ? codegen(plan, "{}", NULL, NULL, EMIT_OBJ, &out, "program.o", &s) : 1;
  if (!status) status = link_program(&out, (const char *const[]){"program.o"}, 1, RESULT_FILE, &s);
  result_end(&out);
  signals_release(&s);
  arena_free(a);
  if (!status) say("building", "a program of nothing is compiled and linked in %.1f s", rt_now() - start);
  return !status;
}

int driver_doctor(const Options *o) {
  (void)o;
  int n = 1;
  say("calm", "%s", CALM_VERSION);
  processor();
  const char *name = path();
  bool ok = threads(&n) && name;
  if (ok) rates(name, n);
  memory();
  ok &= builds();
  say("", "%s", ok ? "nothing is missing" : "something is missing, see above");
  return driver_written(ok ? 0 : 1);
}
