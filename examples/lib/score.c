// Scores answers: what `app generate --data --out` wrote, rows of {"completion", "generated", "row"}.
//
//   score FILE [--equation]
//
// prints one line of JSON: rows, chrF, BLEU of the whole and as the mean over its rows (smoothed), edit similarity and exact match in per cent, the characters
// of the completions, each row's number and what was generated. Texts are taken without the white space around them, and of what was generated the first line
// with text: a model that was never taught to stop goes on with an example of its own, and may begin on a new line. With --equation also how many written
// equations have the value of the wanted one, and how many of "guess" have, where rows have it: the equation that is commonest in training. What a row was
// asked of that the model itself had answered before ("before", again.c) stands in the output, in a line above.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "examples/lib/equation.h"
#include "examples/lib/rows.h"
#include "runtime/work/textscore.h"

typedef struct Sum {
  TextScore text;
  int n, exact, right, guesses, guessed;
  double sentences;            // the sum of the rows' own BLEU
  long long characters;
  json_t *row, *output;
} Sum;

static char *string_of(const json_t *row, const char *key, const char *path, int line, bool needed) {
  const char *s = needed ? row_string(row, key, path, line) : json_string_value(json_object_get(row, key));
  char *copy = strdup(s ? s : "");
  if (!copy) die("out of memory");
  return copy;
}

// Whether `infix`, whose numbers may be written 1,234, has that value.
static bool gives(const char *infix, double want) {
  char *copy = strdup(infix), *to = copy;
  if (!copy) die("out of memory");
  for (const char *at = infix; *at; at++) {
    const size_t digits = *at == ',' ? strspn(at + 1, "0123456789") : 0;
    const bool separates = digits == 3 && at > infix && at[-1] >= '0' && at[-1] <= '9';
    if (!separates) *to++ = *at;
  }
  *to = 0;
  double v;
  const bool right = equation_value(copy, &v) && equation_equal(v, want);
  free(copy);
  return right;
}

static void add(Sum *s, const json_t *row, const char *path, int line) {
  char *made = string_of(row, "generated", path, line, true), *wanted = string_of(row, "completion", path, line, true);
  char *guess = string_of(row, "guess", path, line, false);
  char *a = first_line(made), *b;
  s->characters += characters(wanted);
  b = trimmed(wanted);
  double want;
  if (equation_value(b, &want)) s->right += gives(a, want), s->guessed += gives(guess, want);
  s->guesses += json_object_get(row, "guess") != NULL;
  s->n++;
  s->exact += !strcmp(a, b);
  textscore_add(&s->text, a, strlen(a), b, strlen(b));
  TextScore alone = {0};
  textscore_add(&alone, a, strlen(a), b, strlen(b));
  s->sentences += textscore_sentence_bleu(&alone);
  json_t *number = json_object_get(row, "row");
  json_array_append_new(s->row, number ? json_incref(number) : json_integer(line));
  const char *before = json_string_value(json_object_get(row, "before"));
  json_array_append_new(s->output, before ? json_sprintf("%s\n%s", before, a) : json_string(a));
  free(made), free(wanted), free(guess);
}

int main(int argc, char **argv) {
  bool equation = argc == 3 && !strcmp(argv[2], "--equation");
  if (argc != 2 && !equation) {
    fprintf(stderr, "usage: score FILE [--equation]\n");
    return 2;
  }
  Lines rows = lines_read(*argv[1] == '/' ? "" : ".", argv[1]);
  Sum s = {.row = json_array(), .output = json_array()};
  for (int i = 0; i < rows.n; i++) {
    json_t *row = row_read(&rows, i, argv[1], JSON_ALLOW_NUL);
    add(&s, row, argv[1], i + 1);
    json_decref(row);
  }
  if (!s.n) die("%s: no rows", argv[1]);
  json_t *out = json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:I}", "n", s.n, "chrf", textscore_chrf(&s.text), "bleu", textscore_bleu(&s.text), "sentence_bleu",
                          s.sentences / s.n, "edit_similarity", 100 * s.text.similarity / s.n, "exact_match",
                          100.0 * s.exact / s.n, "characters", (json_int_t)s.characters);
  if (out && equation) {
    json_object_set_new(out, "right", json_real(100.0 * s.right / s.n));
    if (s.guesses) json_object_set_new(out, "commonest", json_real(100.0 * s.guessed / s.n));
  }
  if (!out || json_object_set_new(out, "rows", s.row) || json_object_set_new(out, "outputs", s.output)) die("out of memory");
  if (json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) || putchar('\n') == EOF || fflush(stdout)) die("standard output: %s", strerror(errno));
  return 0;
}
