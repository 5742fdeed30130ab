// What several models answered to the same rows, side by side, as text.
//
//   side LABEL=FILE …      FILE: what `app eval --out` writes, {"prompt", "completion", "generated", …} a line
//
// Rows are not chosen by hand: MOST of them at equal distances, from the first to the last.
#include <string.h>

#include "examples/lib/rows.h"

enum { MOST = 10 };
typedef struct Answers {
  const char *label, *path;
  Lines lines;
} Answers;

static json_t *row_at(const Answers *a, int i) {
  json_error_t e;
  json_t *row = json_loads(a->lines.line[i], 0, &e);
  if (!json_is_object(row)) die("%s:%d: expected an object", a->path, i + 1);
  return row;
}

static const char *member(const Answers *a, int i, const json_t *row, const char *key) {
  const char *s = json_string_value(json_object_get(row, key));
  if (!s) die("%s:%d: \"%s\": expected a string", a->path, i + 1, key);
  return s;
}

static void answer(const char *label, const char *s) { answer_line(2, 25, label, s + (*s == ' ')); }

static void side(const Answers *a, int n, int i) {
  json_t *first = row_at(a, i);
  const char *prompt = member(a, i, first, "prompt");
  printf("%s%s\n", prompt, *prompt && prompt[strlen(prompt) - 1] == '\n' ? "" : "\n");
  answer("wanted", member(a, i, first, "completion"));
  for (int k = 0; k < n; k++) {
    json_t *row = row_at(&a[k], i);
    if (strcmp(member(&a[k], i, row, "prompt"), prompt)) die("%s:%d: answers another prompt than %s", a[k].path, i + 1, a->path);
    answer(a[k].label, member(&a[k], i, row, "generated"));
    json_decref(row);
  }
  putchar('\n');
  json_decref(first);
}

int main(int argc, char **argv) {
  Answers *a = grow(NULL, (size_t)argc, sizeof *a);
  int n = argc - 1;
  for (int k = 0; k < n; k++) {
    char *equals = strchr(argv[1 + k], '=');
    if (equals) *equals = 0;
    else n = 0;
    if (equals) a[k] = (Answers){argv[1 + k], equals + 1, lines_read(".", equals + 1)};
  }
  if (!n) {
    fprintf(stderr, "usage: side LABEL=FILE ...\n");
    return 2;
  }
  for (int k = 0; k < n; k++)
    if (a[k].lines.n != a->lines.n) die("%s has %d rows, %s %d", a[k].path, a[k].lines.n, a->path, a->lines.n);
  int rows = a->lines.n, most = rows < MOST ? rows : MOST;
  for (int k = 0; k < most; k++) side(a, n, taken(k, most, rows));
  if (fflush(stdout)) die("standard output could not be written");
  return 0;
}
