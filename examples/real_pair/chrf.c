// chrF of generated text against its references (Popović 2015), as sacrebleu computes it by default: character n-grams of
// order 1 to 6 without white space, no words, beta 2, counted over the whole file.
//
//   chrf FILE [--first-line]     FILE: what `app eval --dump` writes, {"completion", "generated", …} a line
//
// prints the score, 0 to 100. With --first-line only the first line of what was generated counts: a model that was never
// taught to stop goes on with the next example.
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORDER = 6 };
static const double BETA2 = 2 * 2;

typedef struct Points {        // the characters of a text that are no white space
  uint32_t *at;
  size_t n;
} Points;

typedef struct Counts {        // n-grams of one order: generated, in the references, in both
  long long made, wanted, both;
} Counts;

// What Python's str.split() takes for white space.
static bool white(uint32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

// Code points of UTF-8 that jansson has found valid.
static Points points(const char *text, size_t bytes) {
  Points p = {.at = malloc((bytes + 1) * sizeof *p.at)};
  const unsigned char *s = (const unsigned char *)text, *end = s + bytes;
  if (!p.at) abort();
  while (s < end) {
    int more = *s < 0x80 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : 3;
    uint32_t c = more ? *s & (0x3fu >> more) : *s;
    for (s++; more-- && s < end; s++) c = c << 6 | (*s & 0x3f);
    if (!white(c)) p.at[p.n++] = c;
  }
  return p;
}

static int compare(const uint32_t *a, const uint32_t *b, int order) {
  for (int i = 0; i < order; i++)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}
static int compare_r(const void *a, const void *b, void *order) {
  return compare(*(const uint32_t *const *)a, *(const uint32_t *const *)b, *(const int *)order);
}

// Every n-gram of a text, sorted; *n is their number.
static const uint32_t **grams(const Points *p, int order, size_t *n) {
  *n = p->n >= (size_t)order ? p->n - (size_t)order + 1 : 0;
  const uint32_t **g = malloc((*n + 1) * sizeof *g);
  if (!g) abort();
  for (size_t i = 0; i < *n; i++) g[i] = p->at + i;
  qsort_r(g, *n, sizeof *g, compare_r, &order);
  return g;
}

// An n-gram counts as met as often as both sides have it.
static void count(const Points *made, const Points *wanted, int order, Counts *c) {
  size_t nm, nw, i = 0, k = 0;
  const uint32_t **m = grams(made, order, &nm), **w = grams(wanted, order, &nw);
  if (nw) c->made += (long long)nm;              // as sacrebleu: a reference without any does not count what was made
  c->wanted += (long long)nw;
  while (i < nm && k < nw) {
    int d = compare(m[i], w[k], order);
    if (d == 0) c->both++;
    i += d <= 0, k += d >= 0;
  }
  free(m), free(w);
}

// F-score of precision and recall, each averaged over the orders that have n-grams on both sides.
static double score(const Counts *c) {
  double precision = 0, recall = 0;
  int orders = 0;
  for (int i = 0; i < ORDER; i++) {
    if (!c[i].made || !c[i].wanted) continue;
    precision += (double)c[i].both / (double)c[i].made;
    recall += (double)c[i].both / (double)c[i].wanted;
    orders++;
  }
  if (precision + recall <= 0) return 0;
  precision /= orders, recall /= orders;
  return 100 * (1 + BETA2) * precision * recall / (BETA2 * precision + recall);
}

static const char *member(const json_t *row, const char *key, const char *path, int line, size_t *n) {
  const json_t *v = json_object_get(row, key);
  if (!json_is_string(v)) {
    fprintf(stderr, "error: %s:%d: \"%s\": expected a string\n", path, line, key);
    exit(1);
  }
  *n = json_string_length(v);
  return json_string_value(v);
}

static void add_row(const json_t *row, const char *path, int line, bool first_line, Counts *c) {
  size_t nm, nw;
  const char *made = member(row, "generated", path, line, &nm), *wanted = member(row, "completion", path, line, &nw);
  if (first_line) {
    while (nm && (*made == ' ' || *made == '\n')) made++, nm--;
    const char *eol = memchr(made, '\n', nm);
    if (eol) nm = (size_t)(eol - made);
  }
  Points m = points(made, nm), w = points(wanted, nw);
  for (int i = 0; i < ORDER; i++) count(&m, &w, i + 1, &c[i]);
  free(m.at), free(w.at);
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
  Counts c[ORDER] = {{0}};
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
    add_row(row, argv[1], line, first_line, c);
    json_decref(row);
  }
  free(text);
  fclose(f);
  if (!line) {
    fprintf(stderr, "error: %s: no rows\n", argv[1]);
    return 1;
  }
  printf("%.4f\n", score(c));
  return 0;
}
