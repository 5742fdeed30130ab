// Asks a test again of what was answered to another: the rows of TEST.jsonl, each with the answer to its row of BEFORE in place of the text that it asks of.
//
//   again BEFORE.answers TEST.jsonl
//
// prints rows as TEST.jsonl has them. A prompt is "LABEL: TEXT\nASKED"; TEXT becomes the first line with text of what was generated, which is kept as "before".
// Both files have the same rows in the same order.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "examples/lib/rows.h"

static void again(const json_t *before, const char *before_file, json_t *row, const char *file, int line) {
  if (!json_equal(json_object_get(before, "row"), json_object_get(row, "row"))) die("%s:%d: is of another row than line %d of %s", before_file, line, line, file);
  const char *prompt = row_string(row, "prompt", file, line), *text = strstr(prompt, ": "), *asked = strrchr(prompt, '\n');
  if (!text || !asked || asked < text) die("%s:%d: \"prompt\": expected LABEL: TEXT and another line behind it", file, line);
  char *copy = strdup(row_string(before, "generated", before_file, line));
  if (!copy) die("out of memory");
  const char *made = first_line(copy);
  const size_t room = strlen(prompt) + strlen(made) + 3;
  char *now = grow(NULL, room, 1);
  snprintf(now, room, "%.*s: %s%s", (int)(text - prompt), prompt, made, asked);
  if (json_object_set_new(row, "prompt", json_string(now)) || json_object_set_new(row, "before", json_string(made))) die("out of memory");
  free(now), free(copy);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: again BEFORE.answers TEST.jsonl\n");
    return 2;
  }
  const Lines before = lines_read(*argv[1] == '/' ? "" : ".", argv[1]), rows = lines_read(*argv[2] == '/' ? "" : ".", argv[2]);
  if (before.n != rows.n) die("%s has %d rows, %s has %d: expected as many", argv[1], before.n, argv[2], rows.n);
  for (int i = 0; i < rows.n; i++) {
    json_t *answer = row_read(&before, i, argv[1], JSON_ALLOW_NUL), *row = row_read(&rows, i, argv[2], 0);
    again(answer, argv[1], row, argv[2], i + 1);
    if (json_dumpf(row, stdout, JSON_COMPACT)) die("standard output: %s", strerror(errno));
    putchar('\n');
    json_decref(answer), json_decref(row);
  }
  if (fflush(stdout)) die("standard output: %s", strerror(errno));
  return 0;
}
