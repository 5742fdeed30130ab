// Runs MBPP's own tests on what a model wrote, in a sandbox.
//
//   mbpp ANSWERS           what `app generate --data mbpp.jsonl --out` wrote: rows of {"prompt", "completion", "generated", "row", "test", "entry_point"}
//
// prints one line of JSON: rows, how many per cent are Python, how many pass every test, the characters of the wanted bodies, each row's number and the body
// that was taken: what was generated, up to the first line that is not indented. Exit status 77 where there is no sandbox or no python3.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "examples/code/sandbox.h"
#include "examples/lib/rows.h"

enum { SECONDS = 5 };
static const char python[] = "/usr/bin/python3";
// What the program says: "python" where it is, and a word where nothing failed before the end; what the answer prints goes nowhere. An answer runs in the process that knows the
// word, as it does in every such harness: one that went to look for it would find it. These are a model's lines, not an opponent's; the sandbox is for what they do by accident.
static const char runner[] =
  "import os, sys\n"
  "word, said = sys.argv.pop(), os.dup(1)\n"
  "os.dup2(2, 1)\n"
  "try: code = compile(sys.argv[1], 'answer', 'exec')\n"
  "except (SyntaxError, ValueError): sys.exit()\n"
  "os.write(said, b'python\\n')\n"
  "names, test = {'__name__': 'answer'}, sys.argv[2]\n"
  "exec(code, names)\n"
  "exec(test, names)\n"
  "os.write(said, word.encode())\n";

// The lines of s up to the first that has text and is not indented; the caller frees it.
static char *body_of(const char *s) {
  const char *end = s;
  while (*end) {
    size_t n = strcspn(end, "\n");
    if (n && *end != ' ' && *end != '\t' && *end != '\r') break;
    end += n + (end[n] == '\n');
  }
  char *body = strndup(s, (size_t)(end - s));
  if (!body) die("out of memory");
  return body;
}

static char *joined(const char *a, const char *b, const char *c) {
  char *all = grow(NULL, strlen(a) + strlen(b) + strlen(c) + 1, 1);
  sprintf(all, "%s%s%s", a, b, c);
  return all;
}

typedef struct Verdict { bool python, passed; } Verdict;

static Verdict tried(const char *prompt, const char *body, const char *test, const char *entry) {
  char said[64], word[32], *code = joined(prompt, body, "\n"), *call = joined("\ncheck(", entry, ")\n"), *tests = joined(test, call, "");
  char *argv[] = {(char *)python, "-I", "-S", "-B", "-c", (char *)runner, code, tests, word, NULL};
  uint64_t r;
  if (getrandom(&r, sizeof r, 0) != sizeof r) die("no random number: %s", strerror(errno));
  snprintf(word, sizeof word, "%016" PRIx64 "\n", r);
  if (!sandbox_run(argv, SECONDS, said, sizeof said)) die("%s cannot be run in a sandbox: %s", python, strerror(errno));
  Verdict v = {!strncmp(said, "python\n", 7), strstr(said, word)};
  free(code), free(call), free(tests);
  return v;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: mbpp ANSWERS\n");
    return 2;
  }
  const char *missing = access(python, X_OK) ? "no /usr/bin/python3" : sandbox_missing();
  if (missing) {
    fprintf(stderr, "skipped: MBPP's tests are not run: %s\n", missing);
    return 77;
  }
  Lines rows = lines_read(*argv[1] == '/' ? "" : ".", argv[1]);
  json_t *numbers = json_array(), *outputs = json_array();
  int written = 0, passed = 0;
  long long wanted = 0;
  for (int i = 0; i < rows.n; i++) {
    json_t *row = row_read(&rows, i, argv[1], JSON_ALLOW_NUL);
    char *body = body_of(row_string(row, "generated", argv[1], i + 1));
    Verdict v = tried(row_string(row, "prompt", argv[1], i + 1), body, row_string(row, "test", argv[1], i + 1), row_string(row, "entry_point", argv[1], i + 1));
    written += v.python, passed += v.passed;
    wanted += characters(row_string(row, "completion", argv[1], i + 1));
    json_array_append(numbers, json_object_get(row, "row"));
    json_array_append_new(outputs, json_string(body));
    free(body);
    json_decref(row);
  }
  if (!rows.n) die("%s: no rows", argv[1]);
  json_t *out = json_pack("{s:i, s:f, s:f, s:I, s:o, s:o}", "n", rows.n, "python", 100.0 * written / rows.n, "passed", 100.0 * passed / rows.n, "characters",
                          (json_int_t)wanted, "rows", numbers, "outputs", outputs);
  if (!out || json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6)) || putchar('\n') == EOF || fflush(stdout)) die("standard output: %s", strerror(errno));
  return 0;
}
