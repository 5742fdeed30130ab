// chrF of generated text against its references over a whole file, as `app eval` says it (runtime/work/textscore); beside it, of the first line of what was
// generated alone.
//
//   chrf FILE [--first-line]     FILE: what `app eval --out` writes, {"completion", "generated", …} a line
//
// prints the score, 0 to 100. With --first-line only the first line of what was generated counts: a model that was never
// taught to stop goes on with the next example.
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/work/textscore.h"

static const char *member(const json_t *row, const char *key, const char *path, int line, size_t *n) {
  const json_t *v = json_object_get(row, key);
  if (!json_is_string(v)) {
    fprintf(stderr, "error: %s:%d: \"%s\": expected a string\n", path, line, key);
    exit(1);
  }
  *n = json_string_length(v);
  return json_string_value(v);
}

static void add_row(const json_t *row, const char *path, int line, bool first_line, TextScore *score) {
  size_t nm, nw;
  const char *made = member(row, "generated", path, line, &nm), *wanted = member(row, "completion", path, line, &nw);
  if (first_line) {
    while (nm && (*made == ' ' || *made == '\n')) made++, nm--;
    const char *eol = memchr(made, '\n', nm);
    if (eol) nm = (size_t)(eol - made);
  }
  textscore_add(score, made, nm, wanted, nw);
}

int main(int argc, char **argv) {
  bool first_line = argc == 3 && !strcmp(argv[2], "--first-line");
  if (argc != 2 && !first_line) {
    fprintf(stderr, "usage: chrf FILE [--first-line]\n");
    return 2;
  }
  FILE *f = fopen(argv[1], "rb");
  if (!f) {
    fprintf(stderr, "error: cannot read %s: %s\n", argv[1], strerror(errno));
    return 1;
  }
  TextScore score = {0};
  char *text = NULL;
  size_t cap = 0;
  int line = 0;
  for (ssize_t n; (n = getline(&text, &cap, f)) >= 0;) {
    json_error_t e;
    json_t *row = json_loadb(text, (size_t)n, JSON_ALLOW_NUL, &e);
    line++;
    if (!row) {
      fprintf(stderr, "error: %s:%d:%d: %s\n", argv[1], line, e.column, e.text);
      return 1;
    }
    add_row(row, argv[1], line, first_line, &score);
    json_decref(row);
  }
  free(text);
  fclose(f);
  if (!line) {
    fprintf(stderr, "error: %s: no rows\n", argv[1]);
    return 1;
  }
  printf("%.4f\n", textscore_chrf(&score));
  return 0;
}
