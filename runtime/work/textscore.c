// See textscore.h. chrF: Popović 2015. BLEU: Papineni et al. 2002; smoothed as NIST's mteval-v13a does.
#include "runtime/work/textscore.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/work/textpoints.h"

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
    if (!point_white(all->at[i])) p.at[p.n++] = all->at[i];
  return p;
}

// ---- n-grams

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

// An n-gram counts as met as often as both sides have it.
static GramCount count(const Points *made, const Points *wanted, int order) {
  GramCount c = {0};
  int64_t i = 0, k = 0;
  const uint32_t **m = grams(made, order, &c.made), **w = grams(wanted, order, &c.wanted);
  while (i < c.made && k < c.wanted) {
    int d = compare(m[i], w[k], order);
    c.both += d == 0;
    i += d <= 0, k += d >= 0;
  }
  rt_free(m), rt_free(w);
  return c;
}

// A reference without any does not count what was made, as in sacrebleu's chrF.
static void add_characters(TextScore *t, const Points *made, const Points *wanted) {
  for (int order = 1; order <= CHRF_ORDER; order++) {
    GramCount c = count(made, wanted, order), *sum = &t->grams[order - 1];
    if (c.wanted) sum->made += c.made;
    sum->wanted += c.wanted, sum->both += c.both;
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

static void add_words(TextScore *t, const Points *made, const Points *wanted) {
  Points m, w;
  words_13a(made, wanted, &m, &w);
  for (int order = 1; order <= BLEU_ORDER; order++) {
    GramCount c = count(&m, &w, order), *sum = &t->words[order - 1];
    sum->made += c.made, sum->wanted += c.wanted, sum->both += c.both;
  }
  rt_free(m.at), rt_free(w.at);
}

static double bleu(const TextScore *t, bool sentence) {
  double sum = 0, half = 1;
  int orders = 0;
  bool any = false;
  for (int i = 0; i < BLEU_ORDER; i++) any = any || t->words[i].both;
  for (int i = 0; any && i < BLEU_ORDER && t->words[i].made; i++, orders++)
    sum += log(100 * (t->words[i].both ? (double)t->words[i].both : (half /= 2)) / (double)t->words[i].made);
  if (!orders || (!sentence && orders < BLEU_ORDER)) return 0;
  double made = (double)t->words[0].made, wanted = (double)t->words[0].wanted;
  return (made < wanted ? exp(1 - wanted / made) : 1) * exp(sum / orders);
}

double textscore_bleu(const TextScore *t) { return bleu(t, false); }
double textscore_sentence_bleu(const TextScore *t) { return bleu(t, true); }

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

// The last number of a text: digits, with commas between them left out, a fraction, a sign where no digit or letter stands before it.
static bool last_number(const Points *p, double *out) {
  char text[64];
  int64_t end = p->n;
  while (end > 0 && !point_digit(p->at[end - 1])) end--;
  int64_t at = end;
  while (at > 0 && (point_digit(p->at[at - 1]) || (at > 1 && (p->at[at - 1] == ',' || p->at[at - 1] == '.') && point_digit(p->at[at - 2])))) at--;
  if (at == end) return false;
  bool minus = at > 0 && p->at[at - 1] == '-' && (at == 1 || !(point_digit(p->at[at - 2]) || (p->at[at - 2] | 0x20) - 'a' < 26));
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
  add_characters(t, &bare_m, &bare_w);
  add_words(t, &m, &w);
  t->similarity += longer ? 1 - (double)edits(&m, &w) / (double)longer : 1;
  if (last_number(&w, &should)) t->numbered++, t->numbers += last_number(&m, &is) && is == should;
  t->rows++;
  rt_free(m.at), rt_free(w.at), rt_free(bare_m.at), rt_free(bare_w.at);
}

static void sum_grams(GramCount *t, const GramCount *more, int n) {
  for (int i = 0; i < n; i++) t[i].made += more[i].made, t[i].wanted += more[i].wanted, t[i].both += more[i].both;
}

void textscore_sum(TextScore *t, const TextScore *more) {
  sum_grams(t->grams, more->grams, CHRF_ORDER), sum_grams(t->words, more->words, BLEU_ORDER);
  t->similarity += more->similarity, t->rows += more->rows;
  t->numbered += more->numbered, t->numbers += more->numbers;
}
