// Choosing the next token from its logits.
#ifndef CALM_RUNTIME_SAMPLE_H
#define CALM_RUNTIME_SAMPLE_H
#include <stdint.h>

typedef struct Sampling {
  double temperature;          // 0: the largest logit (the first of equals)
  int64_t top_k;               // 0: all; as many more as are as likely as the last of them
  double top_p;                // 1: all
  double min_p;                // those less likely than this part of the likeliest are left out; 0: none
  double repetition;           // logits of ids that the text holds are divided by it, negative ones multiplied, before all else; 0 and 1: as they are
  uint64_t seed;
} Sampling;

typedef struct Sampler Sampler;
Sampler *sampler_new(const Sampling *s);
void sampler_free(Sampler *s);
// The id of place `place` of the text, which with the seed decides the draw: what stands beside a sequence changes
// nothing. logits[vocab]; text: the n ids before the place, which is n. -1 when no logit is a number. Order as in Hugging Face: repetition, temperature,
// then top-k, then top-p of what is left, then min-p.
int32_t sampler_pick(Sampler *s, const float *logits, int64_t vocab, const int32_t *text, int64_t n);
#endif
