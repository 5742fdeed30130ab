// See equation.h.
#include "examples/lib/equation.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64 };

typedef struct Part {
  char text[EQUATION_ROOM];
  char op;                     // the last operator applied, 0: a number
} Part;

// The next word of *s into `word`; false at the end, or where it is too long.
static bool next_word(const char **s, char word[32]) {
  while (**s == ' ') ++*s;
  size_t n = strcspn(*s, " ");
  if (!n || n >= 32) return false;
  memcpy(word, *s, n);
  word[n] = 0;
  *s += n;
  return true;
}

// Whether `side` (0: left) needs brackets under `op`: 3 - (5 + 2), (3 + 5) * 2, 8 / (2 * 2); not 3 + 5 - 2.
static bool needs_brackets(char op, char inner, int side) {
  bool sum = op == '+' || op == '-', inner_sum = inner == '+' || inner == '-';
  if (!inner) return false;
  if (!sum && inner_sum) return true;
  return side && (op == '-' || op == '/') && sum == inner_sum;
}

static bool prefix_part(const char **s, char *const *number, int n, int depth, Part *out) {
  char word[32];
  if (depth > DEEPEST || !next_word(s, word)) return false;
  if (strlen(word) == 1 && strchr("+-*/", *word)) {
    Part *side = calloc(2, sizeof *side);
    bool good = side && prefix_part(s, number, n, depth + 1, &side[0]) && prefix_part(s, number, n, depth + 1, &side[1]);
    if (good) {
      bool left = needs_brackets(*word, side[0].op, 0), right = needs_brackets(*word, side[1].op, 1);
      int m = snprintf(out->text, sizeof out->text, "%s%s%s %c %s%s%s", left ? "(" : "", side[0].text, left ? ")" : "", *word, right ? "(" : "",
                       side[1].text, right ? ")" : "");
      good = m > 0 && (size_t)m < sizeof out->text;
      out->op = *word;
    }
    free(side);
    return good;
  }
  out->op = 0;
  if (!strncmp(word, "number", 6) && isdigit((unsigned char)word[6])) {
    int i = atoi(word + 6);
    return i < n && (size_t)snprintf(out->text, sizeof out->text, "%s", number[i]) < sizeof out->text;
  }
  char *end;
  double v = strtod(word, &end);
  return !*end && end != word && isfinite(v) && snprintf(out->text, sizeof out->text, "%.10g", v) > 0;
}

bool equation_infix(const char *prefix, char *const *number, int n, char out[EQUATION_ROOM]) {
  Part p = {0};
  if (!prefix_part(&prefix, number, n, 0, &p)) return false;
  while (*prefix == ' ') prefix++;
  memcpy(out, p.text, sizeof p.text);
  return !*prefix;
}

// --- value: sum := product {(+|-) product}, product := factor {(*|/) factor}, factor := number | ( sum ) | - factor

typedef struct Reader {
  const char *at;
  int depth;
  bool bad;
} Reader;

static char peek(Reader *r) {
  while (*r->at == ' ') r->at++;
  return *r->at;
}

static double sum(Reader *r);

static double factor(Reader *r) {
  char c = peek(r);
  if (++r->depth > DEEPEST) r->bad = true;
  double v = 0;
  if (r->bad) return 0;
  if (c == '(') {
    r->at++;
    v = sum(r);
    if (peek(r) == ')') r->at++;
    else r->bad = true;
  } else if (c == '-') {
    r->at++;
    v = -factor(r);
  } else if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)r->at[1]))) {
    char digits[64];                                 // strtod would take hexadecimals and exponents
    size_t n = strspn(r->at, "0123456789");
    if (r->at[n] == '.' && isdigit((unsigned char)r->at[n + 1])) n += 1 + strspn(r->at + n + 1, "0123456789");
    if (n >= sizeof digits) return r->bad = true, 0;
    memcpy(digits, r->at, n);
    digits[n] = 0;
    v = strtod(digits, NULL);
    r->at += n;
  } else {
    r->bad = true;
  }
  r->depth--;
  return v;
}

static double product(Reader *r) {
  double v = factor(r);
  for (char c; !r->bad && ((c = peek(r)) == '*' || c == '/');) {
    r->at++;
    double w = factor(r);
    v = c == '*' ? v * w : v / w;
  }
  return v;
}

static double sum(Reader *r) {
  double v = product(r);
  for (char c; !r->bad && ((c = peek(r)) == '+' || c == '-');) {
    r->at++;
    double w = product(r);
    v = c == '+' ? v + w : v - w;
  }
  return v;
}

bool equation_value(const char *infix, double *value) {
  Reader r = {.at = infix};
  *value = sum(&r);
  char c = peek(&r);
  bool ended = !c || c == '=' || c == '\n' || (c == '.' && !isdigit((unsigned char)r.at[1]));
  return !r.bad && ended && isfinite(*value);
}

bool equation_same(double a, double b) {
  double size = fmax(fabs(a), fabs(b));
  return fabs(a - b) <= fmax(1e-3, 1e-4 * size);
}

bool equation_equal(double a, double b) {
  return fabs(a - b) <= 1e-9 * fmax(1, fmax(fabs(a), fabs(b)));
}
