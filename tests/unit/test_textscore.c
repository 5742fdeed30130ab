// What eval says of generated texts: chrF and BLEU to sacrebleu's last printed digit (tests/parity/make_chrf_golden.py), edit similarity and last numbers by hand.
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/work/textscore.h"

#define GOLDEN CALM_SOURCE_DIR "/tests/parity/chrf/"

// Adds each row of the file to *all; each (may be NULL): sum of its own BLEU. Rows.
static int read_rows(const char *name, TextScore *all, double *each) {
  char path[512], line[1 << 16];
  int n = 0;
  snprintf(path, sizeof path, GOLDEN "%s.jsonl", name);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  for (; fgets(line, sizeof line, f); n++) {
    TextScore one = {0};
    json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL), *m = json_object_get(row, "generated"), *w = json_object_get(row, "completion");
    assert_true(json_is_string(m) && json_is_string(w));
    textscore_add(all, json_string_value(m), json_string_length(m), json_string_value(w), json_string_length(w));
    textscore_add(&one, json_string_value(m), json_string_length(m), json_string_value(w), json_string_length(w));
    *each += textscore_sentence_bleu(&one);
    json_decref(row);
  }
  fclose(f);
  return n;
}

// A line of a golden is a file and two figures.
static int against(const char *golden, void (*figures)(const TextScore *t, double each, char is[64]), bool second) {
  char name[64], want[2][32], is[64], should[64];
  FILE *all = fopen(golden, "r");
  assert_non_null(all);
  int files = 0;
  for (; fscanf(all, "%63s %31s %31s", name, want[0], want[1]) == 3; files++) {
    TextScore t = {0};
    double each = 0;
    int n = read_rows(name, &t, &each);
    figures(&t, each / n, is);
    snprintf(should, sizeof should, second ? "%s %s" : "%s", want[0], want[1]);
    assert_string_equal(is, should);
  }
  fclose(all);
  return files;
}

static void chrf_figures(const TextScore *t, double each, char is[64]) {
  (void)each;
  snprintf(is, 64, "%.4f", textscore_chrf(t));
}
static void bleu_figures(const TextScore *t, double each, char is[64]) { snprintf(is, 64, "%.4f %.4f", textscore_bleu(t), each); }

static void chrf(void **state) {
  (void)state;
  assert_int_equal(against(GOLDEN "scores.txt", chrf_figures, false), 6);
}

static void bleu(void **state) {
  (void)state;
  assert_int_equal(against(GOLDEN "bleu.txt", bleu_figures, true), 10);
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
  const struct CMUnitTest tests[] = {cmocka_unit_test(chrf), cmocka_unit_test(bleu), cmocka_unit_test(similarity), cmocka_unit_test(numbers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
