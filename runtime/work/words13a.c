// See textpoints.h. The rules are those of mteval-v13a as sacrebleu has them: four replacements, one after another over the whole text.
#include "runtime/work/textpoints.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"

typedef struct Word {
  const uint32_t *at;
  int64_t n, place;            // place: in its text; of the second text behind those of the first
} Word;

// Replaces what is written in ASCII by no more characters, from left to right.
static void substitute(Points *p, const char *from, const char *to) {
  int64_t n = (int64_t)strlen(from), m = 0;
  for (int64_t i = 0; i < p->n;) {
    int64_t k = 0;
    while (k < n && i + k < p->n && p->at[i + k] == (unsigned char)from[k]) k++;
    if (k < n) {
      p->at[m++] = p->at[i++];
      continue;
    }
    for (const char *c = to; *c; c++) p->at[m++] = (unsigned char)*c;
    i += n;
  }
  p->n = m;
}

// [\{-\~\[-\` -\&\(-\+\:-\@\/]
static bool symbol(uint32_t c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}
static bool stop(uint32_t c) { return c == '.' || c == ','; }
static bool no_digit(uint32_t c) { return !point_digit(c); }
static bool dash(uint32_t c) { return c == '-'; }

static void symbols_apart(Points *p) {
  Points out = {.at = rt_alloc((size_t)size_product(p->n + 1, 3), sizeof *out.at)};
  for (int64_t i = 0; i < p->n; i++) {
    bool alone = symbol(p->at[i]);
    if (alone) out.at[out.n++] = ' ';
    out.at[out.n++] = p->at[i];
    if (alone) out.at[out.n++] = ' ';
  }
  rt_free(p->at);
  *p = out;
}

// A character of which `first` is true and one after it of which `second` is go apart, with white space also before the first or behind the second.
static void pairs_apart(Points *p, bool (*first)(uint32_t), bool (*second)(uint32_t), bool before) {
  Points out = {.at = rt_alloc((size_t)size_product(p->n + 1, 2), sizeof *out.at)};
  for (int64_t i = 0; i < p->n;) {
    if (i + 1 == p->n || !first(p->at[i]) || !second(p->at[i + 1])) {
      out.at[out.n++] = p->at[i++];
      continue;
    }
    if (before) out.at[out.n++] = ' ';
    out.at[out.n++] = p->at[i++];
    out.at[out.n++] = ' ';
    out.at[out.n++] = p->at[i++];
    if (!before) out.at[out.n++] = ' ';
  }
  rt_free(p->at);
  *p = out;
}

// The text with its words apart.
static Points apart(const Points *text) {
  int64_t n = text->n;
  while (n && point_white(text->at[n - 1])) n--;
  Points p = {.at = rt_alloc((size_t)n + 2, sizeof *p.at), .n = n + 2};
  p.at[0] = p.at[n + 1] = 'x';                   // no part of what is replaced first; spaces come here then
  if (n) memcpy(p.at + 1, text->at, (size_t)n * sizeof *p.at);
  static const char *const as[][2] = {{"<skipped>", ""}, {"-\n", ""}, {"\n", " "}, {"&quot;", "\""}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}};
  for (size_t i = 0; i < sizeof as / sizeof *as; i++) substitute(&p, as[i][0], as[i][1]);
  p.at[0] = p.at[p.n - 1] = ' ';
  symbols_apart(&p);
  pairs_apart(&p, no_digit, stop, false);
  pairs_apart(&p, stop, no_digit, true);
  pairs_apart(&p, point_digit, dash, false);
  return p;
}

static int64_t words_of(const Points *p, Word *w, int64_t place) {
  int64_t n = 0;
  for (int64_t i = 0; i < p->n;) {
    if (point_white(p->at[i])) {
      i++;
      continue;
    }
    w[n] = (Word){.at = p->at + i, .place = place + n};
    while (i < p->n && !point_white(p->at[i])) i++, w[n].n++;
    n++;
  }
  return n;
}

static int compare(const void *x, const void *y) {
  const Word *a = x, *b = y;
  for (int64_t i = 0; i < a->n && i < b->n; i++)
    if (a->at[i] != b->at[i]) return a->at[i] < b->at[i] ? -1 : 1;
  return (a->n > b->n) - (a->n < b->n);
}

void words_13a(const Points *a, const Points *b, Points *words_a, Points *words_b) {
  Points pa = apart(a), pb = apart(b);
  Word *w = rt_alloc((size_t)(pa.n + pb.n) + 1, sizeof *w);
  int64_t na = words_of(&pa, w, 0), nb = words_of(&pb, w + na, na);
  *words_a = (Points){.at = rt_alloc((size_t)na + 1, sizeof *words_a->at), .n = na};
  *words_b = (Points){.at = rt_alloc((size_t)nb + 1, sizeof *words_b->at), .n = nb};
  qsort(w, (size_t)(na + nb), sizeof *w, compare);
  uint32_t id = 0;
  for (int64_t i = 0; i < na + nb; i++) {
    if (i && compare(&w[i - 1], &w[i])) id++;
    *(w[i].place < na ? &words_a->at[w[i].place] : &words_b->at[w[i].place - na]) = id;
  }
  rt_free(w), rt_free(pa.at), rt_free(pb.at);
}
