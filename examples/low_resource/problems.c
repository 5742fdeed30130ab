// See problems.h.
#include "examples/low_resource/problems.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_EQUATION = 60, STEPS = 16 };

static Problem *list_next(ProblemList *l) {
  if (!(l->n & (l->n - 1))) l->problem = grow(l->problem, l->n ? (size_t)l->n * 2 : 1, sizeof *l->problem);
  l->problem[l->n] = (Problem){0};
  return &l->problem[l->n++];
}

static char *copied(const char *s, size_t n) {
  char *c = grow(NULL, n + 1, 1);
  memcpy(c, s, n);
  c[n] = 0;
  return c;
}

// Sets the equation where its value is the answer.
static void settle(ProblemList *l, Problem *p, double answer) {
  double value;
  if (p->prefix && equation_infix(p->prefix, p->number, p->numbers, p->equation) && equation_value(p->equation, &value) && equation_same(value, answer)) return;
  p->equation[0] = 0;
  l->dropped++;
}

// The numbers of a text in their order: number0 is the first.
static void take_numbers(Problem *p, const char *text) {
  for (const char *s = text; *s && p->numbers < PROBLEM_NUMBERS;) {
    size_t n = strspn(s, "0123456789");
    if (!n) { s++; continue; }
    if (s[n] == '.' && isdigit((unsigned char)s[n + 1])) n += 1 + strspn(s + n + 1, "0123456789");
    p->number[p->numbers++] = copied(s, n);
    s += n;
  }
}

ProblemList msvamp_read(const char *source) {
  static const char file[] = "math/msvamp/test_Swahili.json";
  ProblemList l = {0};
  Lines rows = lines_read(source, file);
  for (int i = 0; i < rows.n; i++) {
    json_t *row = row_read(&rows, i, file, 0);
    Problem *p = list_next(&l);
    const char *query = row_string(row, "query", file, i + 1), *swahili = row_string(row, "m_query", file, i + 1), *equation = row_string(row, "equation", file, i + 1);
    p->english = copied(query, strlen(query)), p->swahili = copied(swahili, strlen(swahili)), p->prefix = copied(equation, strlen(equation));
    take_numbers(p, query);
    settle(&l, p, atof(row_string(row, "response", file, i + 1)));
    json_decref(row);
  }
  return l;
}

const char *problems_commonest(const ProblemList *l, int n) {
  const char *best = "";
  for (int i = 0, most = 0; i < n && i < l->n; i++) {
    int same = 0;
    for (int k = 0; k < n && k < l->n; k++) same += !strcmp(l->problem[i].prefix, l->problem[k].prefix);
    if (same > most) most = same, best = l->problem[i].prefix;
  }
  return best;
}

// --- MAWPS and ASDiv: a CSV file (RFC 4180)

// The next record of *s: its fields, in place. 0 at the end.
static int csv_record(char **s, char **field, int room, const char *file) {
  int n = 0;
  if (!**s) return 0;
  for (;;) {
    if (n == room) die("%s: a record of more than %d fields", file, room);
    bool quoted = **s == '"';
    char *from = *s + quoted, *to = from, *at = from;
    field[n++] = from;
    for (; *at && (quoted || !strchr(",\n", *at)); at++) {
      if (quoted && *at == '"') {
        if (at[1] != '"') { at++; break; }
        at++;
      }
      *to++ = *at;
    }
    char end = *at;
    if (end == '\r') end = *++at;
    if (end && end != ',' && end != '\n') die("%s: text behind a quoted field", file);
    *s = at + (end != 0);
    *to = 0;
    if (!quoted && to > from && to[-1] == '\r') to[-1] = 0;
    if (end != ',') return n;
  }
}

// "56.0" as "56": how a problem writes it
static char *plain_number(const char *s) {
  char out[64];
  double v = strtod(s, NULL);
  snprintf(out, sizeof out, "%.10g", v);
  return copied(out, strlen(out));
}

// The text with its numbers in place of number0, number1, ….
static char *filled(const char *text, const Problem *p) {
  size_t room = strlen(text) + 1;
  for (int i = 0; i < p->numbers; i++) room += strlen(text) / 7 * strlen(p->number[i]);
  char *out = grow(NULL, room, 1), *to = out;
  while (*text) {
    int i = !strncmp(text, "number", 6) && isdigit((unsigned char)text[6]) ? atoi(text + 6) : -1;
    if (i < 0 || i >= p->numbers) { *to++ = *text++; continue; }
    to = stpcpy(to, p->number[i]);
    text += 6 + strspn(text + 6, "0123456789");
  }
  *to = 0;
  return out;
}

ProblemList mawps_read(const char *source) {
  static const char file[] = "math/mawps-asdiv-a_svamp/train.csv";
  static const char *const name[] = {"Question", "Numbers", "Equation", "Answer"};
  enum { FIELDS = 16, N_NAMES = sizeof name / sizeof *name };
  ProblemList l = {0};
  char *at = file_read(source, file, NULL), *field[FIELDS];
  int column[N_NAMES], n = csv_record(&at, field, FIELDS, file);
  for (int k = 0; k < N_NAMES; k++) {
    column[k] = 0;
    while (column[k] < n && strcmp(field[column[k]], name[k])) column[k]++;
    if (column[k] == n) die("%s: no column %s", file, name[k]);
  }
  for (int i = 1; (n = csv_record(&at, field, FIELDS, file)); i++) {
    for (int k = 0; k < N_NAMES; k++)
      if (column[k] >= n) die("%s: record %d has %d fields, expected a %s", file, i, n, name[k]);
    Problem *p = list_next(&l);
    char *numbers = field[column[1]];
    for (char *word; (word = strsep(&numbers, " ")) && p->numbers < PROBLEM_NUMBERS;)
      if (*word) p->number[p->numbers++] = plain_number(word);
    p->prefix = field[column[2]];
    p->english = filled(field[column[0]], p);
    settle(&l, p, atof(field[column[3]]));
  }
  return l;
}

// --- GSM8K: the worked answer's marks <<48/2=24>> as one equation

typedef struct Step {
  char text[EQUATION_ROOM];    // with what earlier steps computed written out
  double value;
} Step;

// One mark's left side, numbers that an earlier step gave replaced by that step in brackets; blanks around operators.
static bool write_step(const char *s, size_t n, const Step *step, int before, char *out) {
  size_t used = 0;
  for (const char *end = s + n; s < end;) {
    char piece[EQUATION_ROOM + 2];
    size_t len = 1;
    if (isdigit((unsigned char)*s) || *s == '.') {
      len = strspn(s, "0123456789.");
      if (len >= 32) return false;
      snprintf(piece, sizeof piece, "%.*s", (int)len, s);
      double v = strtod(piece, NULL);
      for (int k = before - 1; k >= 0; k--)
        if (equation_same(v, step[k].value) && strlen(step[k].text) + 3 < EQUATION_ROOM) { snprintf(piece, sizeof piece, "(%s)", step[k].text); break; }
    } else if (strchr("+-*/", *s)) {
      snprintf(piece, sizeof piece, " %c ", *s);
    } else if (strchr("() ", *s)) {
      snprintf(piece, sizeof piece, "%s", *s == ' ' ? "" : *s == '(' ? "(" : ")");
    } else {
      return false;
    }
    s += len;
    size_t m = strlen(piece);
    if (used + m >= EQUATION_ROOM) return false;
    memcpy(out + used, piece, m + 1);
    used += m;
  }
  return used > 0;
}

// The last step, if it gives the answer.
static bool worked(const char *answer, char out[EQUATION_ROOM]) {
  Step *step = grow(NULL, STEPS, sizeof *step);
  int n = 0;
  const char *result = strstr(answer, "#### ");
  bool good = result != NULL;
  for (const char *at = answer; good && (at = strstr(at, "<<")); n++) {
    const char *eq = strchr(at, '='), *end = strstr(at, ">>");
    good = n < STEPS && eq && end && eq < end && write_step(at + 2, (size_t)(eq - at - 2), step, n, step[n].text) && equation_value(step[n].text, &step[n].value);
    at = end ? end : at + 2;
  }
  char digits[32] = "";
  for (size_t k = 0; good && *result && *result != '\n' && k + 1 < sizeof digits; result++)
    if (strchr("0123456789.-", *result)) digits[k++] = *result, digits[k] = 0;
  good = good && n && equation_same(step[n - 1].value, atof(digits)) && strlen(step[n - 1].text) <= LONGEST_EQUATION;
  if (good) strcpy(out, step[n - 1].text);
  free(step);
  return good;
}

ProblemList gsm8k_read(const char *source) {
  static const char file[] = "math/gsm8k/train.jsonl";
  ProblemList l = {0};
  Lines rows = lines_read(source, file), en = lines_read(source, "math/qalign-sw-en/train.en"), sw = lines_read(source, "math/qalign-sw-en/train.sw");
  if (en.n != sw.n) die("math/qalign-sw-en: train.en has %d lines, train.sw has %d: expected as many", en.n, sw.n);
  char **question = grow(NULL, (size_t)rows.n, sizeof *question), **answer = grow(NULL, (size_t)rows.n, sizeof *answer);
  for (int i = 0; i < rows.n; i++) {
    json_t *row = row_read(&rows, i, file, 0);
    const char *q = row_string(row, "question", file, i + 1), *a = row_string(row, "answer", file, i + 1);
    question[i] = copied(q, strlen(q)), answer[i] = copied(a, strlen(a));
    json_decref(row);
  }
  for (int i = 0, at = 0; i < en.n; i++) {           // the translations follow the order of the questions, of which a few are missing
    int tried = 0;
    while (tried < rows.n && !text_same(question[at], en.line[i])) tried++, at = at + 1 < rows.n ? at + 1 : 0;
    Problem *p = list_next(&l);
    p->english = en.line[i], p->swahili = sw.line[i];
    if (tried == rows.n || !worked(answer[at], p->equation)) p->equation[0] = 0, l.dropped++;
  }
  free(question);
  return l;
}

char *xml_text(char *s) {
  static const struct { const char *name; char is; } entity[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
  char *to = s;
  for (char *at = s; *at; to++) {
    size_t k = 0, n = sizeof entity / sizeof *entity;
    while (k < n && strncmp(at, entity[k].name, strlen(entity[k].name))) k++;
    *to = k < n ? entity[k].is : *at;
    at += k < n ? strlen(entity[k].name) : 1;
  }
  *to = 0;
  return s;
}
