// Ends with status 1 where a text that is held out stands in a training file.
//
//   overlap TRAIN.jsonl… -- HELD.jsonl…
//
// A row's texts are the lines of its strings "prompt", "completion" and "text", each without a label ("Swahili:") before it, and cut where a comment begins behind
// code ("  # "). Two are the same where their letters and digits are; those of less than HELD_LEAST are no finding ("return self", "Habari za leo"). Read from the
// files, not from what made them.
#include <stdlib.h>
#include <string.h>

#include "examples/lib/rows.h"

typedef void (*Take)(void *to, const char *text, const char *file, int line);

static char *unlabelled(char *s) {
  s = trimmed(s);
  size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-");
  return n && s[n] == ':' ? trimmed(s + n + 1) : s;
}

static void take_line(Take take, void *to, char *line, const char *file, int at) {
  for (char *behind; (behind = strstr(line, "  # ")); line = behind + 4) {
    *behind = 0;
    take(to, unlabelled(line), file, at);
  }
  take(to, unlabelled(line), file, at);
}

static void each_text(const char *file, Take take, void *to) {
  static const char *const key[] = {"prompt", "completion", "text"};
  Lines rows = lines_read(*file == '/' ? "" : ".", file);
  for (int i = 0; i < rows.n; i++) {
    json_t *row = row_read(&rows, i, file, 0);
    for (size_t k = 0; k < sizeof key / sizeof *key; k++) {
      const char *value = json_string_value(json_object_get(row, key[k]));
      char *copy = value ? strdup(value) : NULL;
      for (char *rest = copy, *line; rest && (line = strsep(&rest, "\n"));) take_line(take, to, line, file, i + 1);
      free(copy);
    }
    json_decref(row);
  }
  if (!rows.n) die("%s: no rows", file);
  free(rows.text), free(rows.line);
}

static void hold(void *to, const char *text, const char *file, int line) {
  (void)file, (void)line;
  set_add(to, text, HELD_LEAST);
}

typedef struct Search {
  const TextSet *held;
  int found;
} Search;

static void look(void *to, const char *text, const char *file, int line) {
  Search *s = to;
  if (!set_has(s->held, text)) return;
  if (s->found++ < 10) fprintf(stderr, "error: %s:%d: is held out: %s\n", file, line, text);
}

int main(int argc, char **argv) {
  int middle = 1;
  while (middle < argc && strcmp(argv[middle], "--")) middle++;
  if (middle < 2 || middle >= argc - 1) {
    fprintf(stderr, "usage: overlap TRAIN.jsonl… -- HELD.jsonl…\n");
    return 2;
  }
  TextSet held = {0};
  for (int i = middle + 1; i < argc; i++) each_text(argv[i], hold, &held);
  Search s = {&held, 0};
  for (int i = 1; i < middle; i++) each_text(argv[i], look, &s);
  if (s.found) fprintf(stderr, "error: %d held-out text%s in training files\n", s.found, s.found == 1 ? "" : "s");
  return s.found ? 1 : 0;
}
