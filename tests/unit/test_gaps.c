// The gaps of a region against a map of its bytes: the first that holds a size, what is taken and given back, and what cannot be.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plan/gaps.h"

enum { BYTES = 512, ROUNDS = 20000 };

static uint32_t next(uint32_t *s) { return *s = *s * 1664525u + 1013904223u; }
static int64_t below(uint32_t *s, int64_t n) { return (int64_t)((next(s) >> 8) % (uint64_t)n); }

static bool all(const char *taken, int64_t at, int64_t size, char is) {
  for (int64_t i = at; i < at + size; i++)
    if (taken[i] != is) return false;
  return true;
}

static void against_a_map(void **state) {
  (void)state;
  char taken[2 * BYTES] = {0};
  Arena *a = arena_new();
  Gaps g = {0};
  uint32_t seed = 7;
  for (int i = 0; i < ROUNDS; i++) {
    int64_t at = below(&seed, BYTES), size = 1 + below(&seed, 24), first = 0;
    while (!all(taken, first, size, 0)) first++;
    assert_int_equal(gaps_first(&g, size), first);
    if (below(&seed, 2) && first + size <= BYTES) at = first;
    bool take = below(&seed, 2);
    bool can = all(taken, at, size, take ? 0 : 1);
    assert_int_equal(take ? gaps_take(a, &g, at, size) : gaps_give(a, &g, at, size), can);
    if (can) memset(taken + at, take, (size_t)size);
  }
  arena_free(a);
}

static void nothing_takes_nothing(void **state) {
  (void)state;
  Arena *a = arena_new();
  Gaps g = {0};
  assert_true(gaps_take(a, &g, 0, 8) && gaps_take(a, &g, 4, 0) && gaps_give(a, &g, 4, 0));
  assert_false(gaps_take(a, &g, 7, 1));
  assert_true(gaps_give(a, &g, 0, 8) && gaps_first(&g, INT64_MAX) == 0);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(against_a_map), cmocka_unit_test(nothing_takes_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
