// Rates are numbers for what this processor has, and 0 for what it has not: paths by name, bf16, memory where there is none to be had.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/machine/isa.h"
#include "runtime/machine/rates.h"

static void measured(double rate) { assert_true(isfinite(rate) && rate > 0); }

static void what_there_is(void **state) {
  (void)state;
  int n = 0;
  for (; rate_path(n); n++) {
    assert_true(isa_supported(rate_path(n)));
    measured(rate_f32(rate_path(n), 1, 0.01));
    measured(rate_f32(rate_path(n), 3, 0.01));
  }
  assert_int_equal(n, isa_supported("avx512") + isa_supported("avx2"));
  for (int threads = 1; threads <= 2; threads++) {
    if (n) measured(rate_memory(threads, 0.02, INT64_MAX));
    if (rate_has_bf16()) measured(rate_bf16(threads, 0.01));
    else assert_true(rate_bf16(threads, 0.01) == 0);
  }
}

static void what_there_is_not(void **state) {
  (void)state;
  assert_true(rate_f32("vax", 1, 0.01) == 0 && rate_f32("", 1, 0.01) == 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)          // they take more address space than there is then
  pid_t child = fork();
  if (child == 0) {
    struct rlimit none = {.rlim_cur = 8 << 20, .rlim_max = RLIM_INFINITY};
    _exit(setrlimit(RLIMIT_AS, &none) || rate_memory(1, 0.01, INT64_MAX) != 0);
  }
  int status = 1;
  assert_true(child > 0 && waitpid(child, &status, 0) == child);
  assert_int_equal(status, 0);
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_there_is), cmocka_unit_test(what_there_is_not)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
