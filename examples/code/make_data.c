// Makes the rows of the code experiment from Django's lines with their pseudo-code, and MBPP.
//
//   make_data SOURCE DIR SEED [NAME=N …]      SOURCE: the folder that README.md describes; N: another size than `sizes` below
//
// writes DIR/
//   expert.jsonl             what m_A is trained further on, as text: the training part's lines in stretches, as code and as code with comments; MBPP's 601 to 974
//   compose.jsonl            what every row of the table trains on: three tasks of `share` per cent of those lines, and of the problems
//   {expert,compose}_dev.jsonl   development parts of the same kinds, by which settings may be chosen; compose's has `dev` rows of a task
//   {completion,text_to_code,code_to_text}_dev.jsonl   those of compose_dev and all others of the lines that develop: answers to so few as have a loss say little
//   completion.jsonl text_to_code.jsonl code_to_text.jsonl   the tests, of fixed rows whatever SEED is: `test` rows behind the first `looked_at`, which were
//                            the tests while settings still changed
//   mbpp.jsonl               MBPP's problems from 11 on, `mbpp` of them, with their own tests
//
// The split is the data set's own: the first 16,000 lines train, 1,000 develop, the rest test. Django's lines repeat: a line of the last two that stands in the
// training part, as code or as pseudo-code, is neither asked for nor shown. "row" is the line of the source.
#include <stdlib.h>
#include <string.h>

#include "examples/lib/make.h"
#include "examples/lib/rows.h"

enum { TRAIN, DEVELOP, SHARE, DEV, LOOKED_AT, TEST, MBPP, N_SIZES };
static Size sizes[N_SIZES] = {{"train", 16000}, {"develop", 1000}, {"share", 7}, {"dev", 80}, {"looked_at", 500}, {"test", 500}, {"mbpp", 100}};
enum { CONTEXT = 4, STRETCH = 12, CODE_LONGEST = 200, TEXT_LONGEST = 300, MBPP_TEST = 11, MBPP_TEST_LAST = 510, MBPP_FIRST = 601, MBPP_LAST = 974 };

typedef json_t *(*Ask)(const Lines *text, const Lines *code, int i, int first);

// Prompts are Python, as m_A reads it: what an expert knows it says in its own surroundings.
static json_t *asked(const char *before, const char *prompt, const char *behind, const char *space, const char *completion, int line, const char *task) {
  char *from, *to;
  if (asprintf(&from, "%s%s%s", before, prompt, behind) < 0 || asprintf(&to, "%s%s", space, completion) < 0) die("out of memory");
  json_t *row = row_pair(from, to, line + 1, task);
  free(from), free(to);
  return row;
}

// The lines before i that are of its part, CONTEXT at most; NULL where there are fewer.
static json_t *ask_completion(const Lines *text, const Lines *code, int i, int first) {
  (void)text;
  size_t n = 1;
  if (i - first < CONTEXT) return NULL;
  for (int k = i - CONTEXT; k < i; k++) n += strlen(code->line[k]) + 1;
  char *context = grow(NULL, n, 1), *to = context;
  for (int k = i - CONTEXT; k < i; k++) to += sprintf(to, "%s\n", code->line[k]);
  json_t *row = asked("", context, "", "", code->line[i], i, "completion");
  free(context);
  return row;
}
static json_t *ask_code(const Lines *text, const Lines *code, int i, int first) {
  (void)first;
  return asked("# ", text->line[i], "\n", "", code->line[i], i, "text_to_code");
}
static json_t *ask_text(const Lines *text, const Lines *code, int i, int first) {
  (void)first;
  return asked("", code->line[i], "  #", " ", text->line[i], i, "code_to_text");
}
static const struct {
  const char *name;
  Ask ask;
  int shown;                   // lines before it that the prompt has
} task[] = {{"completion", ask_completion, CONTEXT}, {"text_to_code", ask_code, 0}, {"code_to_text", ask_text, 0}};
enum { TASKS = sizeof task / sizeof *task };

typedef struct Maker {
  const char *source, *dir;
  uint64_t seed;
  Lines text, code;
  TextSet seen;                // lines of the training part
  Rows expert, compose, mbpp;
} Maker;

static bool fits(const Maker *m, int i) {
  int text = characters(m->text.line[i]), code = characters(m->code.line[i]);
  return text && code && text <= TEXT_LONGEST && code <= CODE_LONGEST;
}

static bool seen(const Maker *m, int i) { return set_has(&m->seen, m->text.line[i]) || set_has(&m->seen, m->code.line[i]); }

static void read_lines(Maker *m) {
  m->text = lines_read(m->source, "code/django/all.anno"), m->code = lines_read(m->source, "code/django/all.code");
  if (m->text.n != m->code.n) die("code/django: all.anno has %d lines, all.code has %d: expected as many", m->text.n, m->code.n);
  if (m->text.n <= sizes[TRAIN].value + sizes[DEVELOP].value) die("code/django: %d lines, expected more than %d", m->text.n, sizes[TRAIN].value + sizes[DEVELOP].value);
}

// A row of text from line `row` of its source on; text is freed.
static json_t *row_from(char *text, const char *of, int row) {
  json_t *made = row_text(text, of);
  if (made) json_object_set_new(made, "row", json_integer(row));
  free(text);
  return made;
}

// Lines as a reader of Python meets them, STRETCH a row: alone, or each with its pseudo-code as a comment above it or behind it.
enum { ALONE, ABOVE, BEHIND, FORMS };
static const char *const form_name[] = {"code", "comment above", "comment behind"};
static json_t *stretch(const Maker *m, const int *line, int n, int form) {
  char *text = NULL;
  size_t size;
  FILE *to = open_memstream(&text, &size);
  if (!to) die("out of memory");
  for (int i = 0; i < n; i++) {
    const char *comment = m->text.line[line[i]], *code = m->code.line[line[i]];
    if (form == ABOVE) fprintf(to, "# %s\n", comment);
    fprintf(to, "%s", code);
    if (form == BEHIND) fprintf(to, "  # %s", comment);
    fprintf(to, "\n");
  }
  if (fclose(to)) die("out of memory");
  return row_from(text, form_name[form], line[0] + 1);
}

// The lines of [first, end) in each form; of a held-out part those that the training part has not.
static void as_text(const Maker *m, int first, int end, bool held, Rows *to) {
  int line[STRETCH], n = 0;
  for (int i = first; i < end; i++) {
    if (fits(m, i) && !(held && seen(m, i))) line[n++] = i;
    if (!n || (n < STRETCH && i + 1 < end)) continue;
    for (int form = 0; form < FORMS; form++) rows_add(to, stretch(m, line, n, form));
    n = 0;
  }
}

static void train(Maker *m) {
  for (int i = 0; i < sizes[TRAIN].value; i++) {
    set_add(&m->seen, m->text.line[i], 1), set_add(&m->seen, m->code.line[i], 1);
    if (make_below(&m->seed, 100) >= sizes[SHARE].value || !fits(m, i)) continue;
    for (int t = 0; t < TASKS; t++)
      if (i >= task[t].shown) rows_add(&m->compose, task[t].ask(&m->text, &m->code, i, 0));
  }
  as_text(m, 0, sizes[TRAIN].value, false, &m->expert);
}

// A problem as function completion: signature and description, then the body. Its white space before the first line goes.
static json_t *problem(const json_t *row, int n) {
  const char *prompt = json_string_value(json_object_get(row, "prompt"));
  return row_pair(prompt + strspn(prompt, "\n"), json_string_value(json_object_get(row, "canonical_solution")), n, "mbpp");
}

static json_t *problem_text(const char *prompt, const char *body, int n) {
  char *text;
  if (asprintf(&text, "%s%s", prompt + strspn(prompt, "\n"), body) < 0) die("out of memory");
  return row_from(text, "mbpp", n);
}

// MBPP's 601 to 974 train; of 11 to 510, its test, the first are asked for; the rest, its development part among it, stays out.
static void mbpp(Maker *m) {
  static const char file[] = "code/mbxp/mbpp_release_v1.jsonl";
  Lines rows = lines_read(m->source, file);
  int taken = 0;
  for (int i = 0; i < rows.n; i++) {
    json_error_t e;
    json_t *row = json_loads(rows.line[i], 0, &e);
    const char *id = json_string_value(json_object_get(row, "task_id")), *prompt = json_string_value(json_object_get(row, "prompt"));
    const char *body = json_string_value(json_object_get(row, "canonical_solution"));
    if (!id || strncmp(id, "MBPP/", 5) || !prompt || !body) die("%s:%d: expected \"task_id\": \"MBPP/…\", \"prompt\" and \"canonical_solution\"", file, i + 1);
    int n = atoi(id + 5);
    if (n >= MBPP_FIRST && n <= MBPP_LAST) {
      if (make_below(&m->seed, 100) < sizes[SHARE].value) rows_add(&m->compose, problem(row, n));
      rows_add(&m->expert, problem_text(prompt, body, n));
      taken++;
    }
    if (n >= MBPP_TEST && n <= MBPP_TEST_LAST && m->mbpp.n < sizes[MBPP].value) {
      json_t *asked = problem(row, n);
      if (json_object_set(asked, "test", json_object_get(row, "test")) || json_object_set(asked, "entry_point", json_object_get(row, "entry_point")))
        die("%s:%d: expected \"test\" and \"entry_point\"", file, i + 1);
      rows_add(&m->mbpp, asked);
    }
    json_decref(row);
  }
  if (!taken) die("%s: no problem of %d to %d", file, MBPP_FIRST, MBPP_LAST);
  free(rows.text), free(rows.line);
}

// Whether a held-out row of line i asks for or shows nothing of the training part.
static bool unseen(const Maker *m, int i, int shown) {
  if (seen(m, i)) return false;
  for (int k = i - shown; k < i; k++)
    if (k >= 0 && strlen(m->code.line[k]) >= HELD_LEAST && set_has(&m->seen, m->code.line[k])) return false;
  return true;
}

// The rows of task t from lines [first, end), in one fixed order.
static Rows held(const Maker *m, int t, int first, int end, int *repeated) {
  Rows rows = {0};
  uint64_t fixed = 1;
  for (int i = first + task[t].shown; i < end; i++) {
    if (!fits(m, i)) continue;
    if (!unseen(m, i, task[t].shown)) { ++*repeated; continue; }
    rows_add(&rows, task[t].ask(&m->text, &m->code, i, first));
  }
  rows_shuffle(&rows, &fixed);
  return rows;
}

static void task_write(Rows *rows, const char *dir, int t, const char *part) {
  char name[64];
  snprintf(name, sizeof name, "%s%s.jsonl", task[t].name, part);
  rows_write(rows, dir, name);
}

int main(int argc, char **argv) {
  const MakerArgs args = maker_args(argc, argv, sizes, N_SIZES);
  Maker m = {.source = args.source, .dir = args.dir, .seed = args.seed};
  read_lines(&m);
  train(&m);
  mbpp(&m);
  rows_shuffle(&m.expert, &m.seed), rows_shuffle(&m.compose, &m.seed);
  rows_write(&m.expert, m.dir, "expert.jsonl"), rows_write(&m.compose, m.dir, "compose.jsonl");

  const int dev = sizes[TRAIN].value, test = dev + sizes[DEVELOP].value;
  Rows develop = {0}, text = {0};
  int repeated = 0;
  for (int t = 0; t < TASKS; t++) {
    Rows part = held(&m, t, dev, test, &repeated);
    for (int i = 0; i < part.n && i < sizes[DEV].value; i++) rows_add(&develop, json_incref(part.row[i]));
    task_write(&part, m.dir, t, "_dev");
  }
  as_text(&m, dev, test, true, &text);
  rows_write(&develop, m.dir, "compose_dev.jsonl"), rows_write(&text, m.dir, "expert_dev.jsonl");
  for (int t = 0; t < TASKS; t++) {
    repeated = 0;
    Rows part = held(&m, t, test, m.text.n, &repeated);
    rows_skip(&part, sizes[LOOKED_AT].value), rows_cut(&part, sizes[TEST].value);
    printf("%d lines that the training part has are left out\n", repeated);
    task_write(&part, m.dir, t, "");
  }
  rows_write(&m.mbpp, m.dir, "mbpp.jsonl");
  return 0;
}
