// Sampling on the host, in double. See sample.h.
#include "runtime/work/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"

typedef struct Cand {
  double p;
  int32_t id;
} Cand;

struct Sampler {
  Sampling s;
  uint64_t key;
  Cand *cand;
  int64_t cap;
  float *penalized;            // vocab logits
  int64_t npenalized;
};

Sampler *sampler_new(const Sampling *s) {
  Sampler *x = rt_alloc(1, sizeof *x);
  x->s = *s;
  x->key = rng_key(s->seed, "sampling");
  return x;
}

void sampler_free(Sampler *s) {
  if (s) rt_free(s->cand), rt_free(s->penalized);
  rt_free(s);
}

static int32_t largest(const float *logits, int64_t vocab) {
  int32_t best = -1;
  for (int64_t i = 0; i < vocab; i++)
    if (!isnan(logits[i]) && (best < 0 || logits[i] > logits[best])) best = (int32_t)i;
  return best;
}

// Likelier first; equals by id, so that the order is one.
static int by_chance(const void *a, const void *b) {
  const Cand *x = a, *y = b;
  if (x->p != y->p) return x->p < y->p ? 1 : -1;
  return x->id < y->id ? -1 : 1;
}

// Keeps the shortest run of likeliest candidates whose chances reach top_p. Candidates below (1 - top_p) of an even
// share cannot be in it, so only the others are sorted.
static int64_t nucleus(Cand *c, int64_t n, double sum, double top_p) {
  int64_t kept = 0;
  double floor = (1 - top_p) * sum / (double)n, reached = 0;
  for (int64_t i = 0; i < n; i++)
    if (c[i].p >= floor) c[kept++] = c[i];
  qsort(c, (size_t)kept, sizeof *c, by_chance);
  for (int64_t i = 0; i < kept; i++)
    if ((reached += c[i].p) >= top_p * sum) return i + 1;
  return kept;
}

static double total(const Cand *c, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += c[i].p;
  return sum;
}

// In f32, as Hugging Face computes it: each id once, however often the text holds it.
static const float *penalize(Sampler *s, const float *logits, int64_t vocab, const int32_t *text, int64_t n) {
  float by = (float)s->s.repetition;
  if (s->s.repetition <= 0 || s->s.repetition == 1) return logits;
  if (vocab > s->npenalized) s->penalized = rt_realloc(s->penalized, (size_t)(s->npenalized = vocab), sizeof *s->penalized);
  memcpy(s->penalized, logits, (size_t)vocab * sizeof *logits);
  for (int64_t i = 0; i < n; i++)
    if (text[i] < vocab) s->penalized[text[i]] = logits[text[i]] < 0 ? logits[text[i]] * by : logits[text[i]] / by;
  return s->penalized;
}

int32_t sampler_pick(Sampler *s, const float *given, int64_t vocab, const int32_t *text, int64_t place) {
  RT_IN_PHASE(RT_PHASE_SAMPLING);
  const float *logits = penalize(s, given, vocab, text, place);
  int32_t top = largest(logits, vocab);
  if (top < 0 || s->s.temperature <= 0) return top;
  if (vocab > s->cap) s->cand = rt_realloc(s->cand, (size_t)(s->cap = vocab), sizeof *s->cand);
  int64_t n = 0;
  for (int64_t i = 0; i < vocab; i++) {
    double p = exp(((double)logits[i] - logits[top]) / s->s.temperature);
    if (p > 0) s->cand[n++] = (Cand){p, (int32_t)i};
  }
  if (s->s.top_k > 0 && s->s.top_k < n) {
    int64_t k = s->s.top_k;
    qsort(s->cand, (size_t)n, sizeof *s->cand, by_chance);
    while (k < n && s->cand[k].p == s->cand[s->s.top_k - 1].p) k++;
    n = k;
  }
  double sum = total(s->cand, n);
  if (s->s.top_p < 1) {
    n = nucleus(s->cand, n, sum, s->s.top_p > 0 ? s->s.top_p : 0);
    sum = total(s->cand, n);
  }
  if (s->s.min_p > 0) {
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
      if (s->cand[i].p >= s->s.min_p) s->cand[kept++] = s->cand[i];      // chances over the likeliest's
    sum = total(s->cand, n = kept);
  }
  double draw = rng_unit(s->key, (uint64_t)place) * sum;
  for (int64_t i = 0; i < n; i++)
    if ((draw -= s->cand[i].p) < 0) return s->cand[i].id;
  return s->cand[n - 1].id;
}
