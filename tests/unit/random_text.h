// Random texts that tokenizers find hard, and a small generator of numbers.
#ifndef CALM_TESTS_RANDOM_TEXT_H
#define CALM_TESTS_RANDOM_TEXT_H
#include <stddef.h>
#include <stdint.h>

typedef struct Rng { uint64_t x; } Rng;
uint32_t rng_below(Rng *r, uint32_t n);

// Fragments: the goldens' texts, their words, and characters that make trouble.
typedef struct TextParts {
  char **s;
  uint32_t n;
} TextParts;
TextParts text_parts_read(void);
void text_parts_free(TextParts *p);
size_t random_text(Rng *r, const TextParts *p, char *out, size_t cap);   // a few fragments in a row, whole UTF-8; the bytes written
#endif
