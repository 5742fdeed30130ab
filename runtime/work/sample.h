// Choosing the next token from its logits.
#ifndef CALM_RUNTIME_SAMPLE_H
#define CALM_RUNTIME_SAMPLE_H
#include <stdint.h>

typedef struct Sampling {
  double temperature;          // 0: the largest logit (the first of equals)
  int64_t top_k;               // 0: all
  double top_p;                // 1: all
  uint64_t seed;
} Sampling;

typedef struct Sampler Sampler;
Sampler *sampler_new(const Sampling *s);
void sampler_free(Sampler *s);
// The id of place `place` of the text, which with the seed decides the draw: what stands beside a sequence changes
// nothing. logits[vocab]. -1 when no logit is a number. Order as in Hugging Face: temperature, then top-k, then top-p
// of what is left.
int32_t sampler_pick(Sampler *s, const float *logits, int64_t vocab, uint64_t place);
#endif
