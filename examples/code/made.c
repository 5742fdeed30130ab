// Writes a small stand-in for the data of this experiment, in the sources' own forms: lines of Python with pseudo-code, written for it (Apache-2.0, as all of
// calm). `run --quick` trains on it, so that the whole can be tried where none of the data is.
//
//   made DIR       DIR/code/django/all.{anno,code}, DIR/code/mbxp/mbpp_release_v1.jsonl
//
// The last line is a trap that make_data has to see: it is also the first.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "examples/lib/make.h"
#include "examples/lib/rows.h"

enum { LINES = 300, STEP = 131, N_LEFT = 8, N_CALL = 8, N_RIGHT = 9 };
static const char *const left[N_LEFT] = {"response", "template", "message", "cursor", "settings", "handler", "pattern", "language"};
static const char *const call[N_CALL] = {"load", "render", "close", "translate", "compile", "register", "select", "append"};
static const char *const right[N_RIGHT] = {"request", "context", "connection", "translation", "middleware", "queryset", "backend", "formatter", "renderer"};

// The i-th of N_LEFT * N_CALL * N_RIGHT different lines; STEP has no factor in common with their number.
static void line(int i, FILE *text, FILE *code) {
  int k = i * STEP % (N_LEFT * N_CALL * N_RIGHT);
  const char *a = left[k % N_LEFT], *f = call[k / N_LEFT % N_CALL], *b = right[k / N_LEFT / N_CALL];
  fprintf(text, "  call the method %s of %s with argument self.%s, substitute the result for %s.\n", f, a, b, a);
  fprintf(code, " %s = %s . %s ( self . %s )\n", a, a, f, b);
}

int main(int argc, char **argv) {
  static const char *const folder[] = {"", "code", "code/django", "code/mbxp"};
  if (argc != 2) {
    fprintf(stderr, "usage: made DIR\n");
    return 2;
  }
  for (size_t i = 0; i < sizeof folder / sizeof *folder; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", argv[1], folder[i]);
    if (mkdir(path, 0777) && errno != EEXIST) die("%s: %s", path, strerror(errno));
  }
  FILE *text = make_open(argv[1], "code/django/all.anno", "wb"), *code = make_open(argv[1], "code/django/all.code", "wb");
  for (int i = 0; i < LINES; i++) line(i + 1 < LINES ? i : 0, text, code);
  make_close(text, "all.anno"), make_close(code, "all.code");
  FILE *f = make_open(argv[1], "code/mbxp/mbpp_release_v1.jsonl", "wb");
  for (int i = 11; i < 620; i = i == 13 ? 590 : i + 1) {
    json_t *row = json_pack("{s:o, s:o, s:o, s:o, s:o}", "task_id", json_sprintf("MBPP/%d", i), "prompt",
                            json_sprintf("\n\ndef add_%d(x):\n\t\"\"\"\n\tWrite a function to add %d to a number.\n\t\"\"\"\n", i, i), "canonical_solution",
                            json_sprintf("\treturn x + %d", i), "test",
                            json_sprintf("def check(candidate):\n\tassert candidate(1) == %d\n", i + 1), "entry_point", json_sprintf("add_%d", i));
    if (!row || json_dumpf(row, f, JSON_COMPACT) || fputc('\n', f) == EOF) die("cannot write a row");
    json_decref(row);
  }
  make_close(f, "mbpp_release_v1.jsonl");
  return 0;
}
