// What eval says of generated texts: chrF to sacrebleu's last printed digit (tests/parity/make_chrf_golden.py), edit similarity and last numbers by hand.
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/work/textscore.h"

#define GOLDEN CALM_SOURCE_DIR "/tests/parity/chrf/"

static void chrf(void **state) {
  (void)state;
  char name[64], score[32], cut[32], path[512], line[1 << 16], is[32];
  FILE *all = fopen(GOLDEN "scores.txt", "r");
  assert_non_null(all);
  int files = 0;
  for (; fscanf(all, "%63s %31s %31s", name, score, cut) == 3; files++) {
    TextScore t = {0};
    snprintf(path, sizeof path, GOLDEN "%s.jsonl", name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
      json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL), *m = json_object_get(row, "generated"), *w = json_object_get(row, "completion");
      assert_true(json_is_string(m) && json_is_string(w));
      textscore_add(&t, json_string_value(m), json_string_length(m), json_string_value(w), json_string_length(w));
      json_decref(row);
    }
    fclose(f);
    snprintf(is, sizeof is, "%.4f", textscore_chrf(&t));
    assert_string_equal(is, score);
  }
  fclose(all);
  assert_true(files > 1);
}

static TextScore of(const char *made, const char *wanted) {
  TextScore t = {0};
  textscore_add(&t, made, strlen(made), wanted, strlen(wanted));
  return t;
}

static void similarity(void **state) {
  (void)state;
  const struct { const char *a, *b; double want; } row[] = {
      {"", "", 1}, {"", "abc", 0}, {"kitten", "sitting", 1 - 3.0 / 7}, {"same", "same", 1}, {"ab", "ba", 0}, {"häuser", "hauser", 1 - 1.0 / 6}, {"abc", "abcd", 0.75}};
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    assert_true(fabs(of(row[i].a, row[i].b).similarity - row[i].want) < 1e-12);
    assert_true(fabs(of(row[i].b, row[i].a).similarity - row[i].want) < 1e-12);
  }
}

static void numbers(void **state) {
  (void)state;
  const struct { const char *made, *wanted; int numbered, equal; } row[] = {
      {"so 12 and 7.", "7", 1, 1}, {"1,234.50 is it", "#### 1234.5", 1, 1}, {"-3", "3", 1, 0}, {"x - -3", "-3", 1, 1}, {"10-3", "3", 1, 1},
      {"none", "4", 1, 0}, {"4", "none", 0, 0}, {"a 12.", "12", 1, 1}, {"007", "7", 1, 1}, {"", "", 0, 0}};
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    TextScore t = of(row[i].made, row[i].wanted);
    assert_int_equal(t.numbered, row[i].numbered);
    assert_int_equal(t.numbers, row[i].equal);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(chrf), cmocka_unit_test(similarity), cmocka_unit_test(numbers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
