// See textscore.h. chrF: Popović 2015.
#include "runtime/work/textscore.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"

typedef struct Points {
  uint32_t *at;
  int64_t n;
} Points;

// What Python's str.split() takes for white space.
static bool white(uint32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
         c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static Points points(const char *text, size_t bytes) {
  Points p = {.at = rt_alloc(bytes + 1, sizeof *p.at)};
  const unsigned char *s = (const unsigned char *)text, *end = s + bytes;
  while (s < end) {
    int more = *s < 0x80 ? 0 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : 3;
    uint32_t c = more ? *s & (0x3fu >> more) : *s;
    for (s++; more-- && s < end; s++) c = c << 6 | (*s & 0x3f);
    p.at[p.n++] = c;
  }
  return p;
}

static Points without_white(const Points *all) {
  Points p = {.at = rt_alloc((size_t)all->n + 1, sizeof *p.at)};
  for (int64_t i = 0; i < all->n; i++)
    if (!white(all->at[i])) p.at[p.n++] = all->at[i];
  return p;
}

// ---- chrF

static int compare(const uint32_t *a, const uint32_t *b, int order) {
  for (int i = 0; i < order; i++)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

static int compare_r(const void *a, const void *b, void *order) {
  return compare(*(const uint32_t *const *)a, *(const uint32_t *const *)b, *(const int *)order);
}

// Every n-gram of a text, sorted; *n is their number.
static const uint32_t **grams(const Points *p, int order, int64_t *n) {
  *n = p->n >= order ? p->n - order + 1 : 0;
  const uint32_t **g = rt_alloc((size_t)*n + 1, sizeof *g);
  for (int64_t i = 0; i < *n; i++) g[i] = p->at + i;
  qsort_r(g, (size_t)*n, sizeof *g, compare_r, &order);
  return g;
}

// An n-gram counts as met as often as both sides have it; a reference without any does not count what was made, as in sacrebleu.
static void add_grams(TextScore *t, const Points *made, const Points *wanted) {
  for (int order = 1; order <= CHRF_ORDER; order++) {
    int64_t nm, nw, i = 0, k = 0, both = 0;
    const uint32_t **m = grams(made, order, &nm), **w = grams(wanted, order, &nw);
    while (i < nm && k < nw) {
      int d = compare(m[i], w[k], order);
      both += d == 0;
      i += d <= 0, k += d >= 0;
    }
    if (nw) t->grams[order - 1].made += nm;
    t->grams[order - 1].wanted += nw, t->grams[order - 1].both += both;
    rt_free(m), rt_free(w);
  }
}

double textscore_chrf(const TextScore *t) {
  const double beta2 = 2 * 2;
  double precision = 0, recall = 0;
  int orders = 0;
  for (int i = 0; i < CHRF_ORDER; i++) {
    if (!t->grams[i].made || !t->grams[i].wanted) continue;
    precision += (double)t->grams[i].both / (double)t->grams[i].made;
    recall += (double)t->grams[i].both / (double)t->grams[i].wanted;
    orders++;
  }
  if (precision + recall <= 0) return 0;
  precision /= orders, recall /= orders;
  return 100 * (1 + beta2) * precision * recall / (beta2 * precision + recall);
}

// ---- edits and numbers

// Levenshtein's distance in characters.
static int64_t edits(const Points *a, const Points *b) {
  int64_t *row = rt_alloc((size_t)b->n + 1, sizeof *row);
  for (int64_t k = 0; k <= b->n; k++) row[k] = k;
  for (int64_t i = 0; i < a->n; i++) {
    int64_t diagonal = row[0];
    row[0] = i + 1;
    for (int64_t k = 0; k < b->n; k++) {
      int64_t least = diagonal + (a->at[i] != b->at[k]);
      if (row[k] + 1 < least) least = row[k] + 1;
      if (row[k + 1] + 1 < least) least = row[k + 1] + 1;
      diagonal = row[k + 1], row[k + 1] = least;
    }
  }
  int64_t n = row[b->n];
  rt_free(row);
  return n;
}

static bool digit(uint32_t c) { return c >= '0' && c <= '9'; }

// The last number of a text: digits, with commas between them left out, a fraction, a sign where no digit or letter stands before it.
static bool last_number(const Points *p, double *out) {
  char text[64];
  int64_t end = p->n;
  while (end > 0 && !digit(p->at[end - 1])) end--;
  int64_t at = end;
  while (at > 0 && (digit(p->at[at - 1]) || (at > 1 && (p->at[at - 1] == ',' || p->at[at - 1] == '.') && digit(p->at[at - 2])))) at--;
  if (at == end) return false;
  bool minus = at > 0 && p->at[at - 1] == '-' && (at == 1 || !(digit(p->at[at - 2]) || (p->at[at - 2] | 0x20) - 'a' < 26));
  size_t n = 0;
  for (; at < end && n + 1 < sizeof text; at++)
    if (p->at[at] != ',') text[n++] = (char)p->at[at];
  text[n] = 0;
  *out = strtod(text, NULL) * (minus ? -1 : 1);
  return true;
}

void textscore_add(TextScore *t, const char *made, size_t n_made, const char *wanted, size_t n_wanted) {
  Points m = points(made, n_made), w = points(wanted, n_wanted), bare_m = without_white(&m), bare_w = without_white(&w);
  int64_t longer = m.n > w.n ? m.n : w.n;
  double is, should;
  add_grams(t, &bare_m, &bare_w);
  t->similarity += longer ? 1 - (double)edits(&m, &w) / (double)longer : 1;
  if (last_number(&w, &should)) t->numbered++, t->numbers += last_number(&m, &is) && is == should;
  t->rows++;
  rt_free(m.at), rt_free(w.at), rt_free(bare_m.at), rt_free(bare_w.at);
}
