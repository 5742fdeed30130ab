// A text as its characters. Private to the scores of texts.
#ifndef CALM_RUNTIME_TEXTPOINTS_H
#define CALM_RUNTIME_TEXTPOINTS_H
#include <stdbool.h>
#include <stdint.h>

typedef struct Points {
  uint32_t *at;                // owned
  int64_t n;
} Points;

// What Python's str.split() takes for white space.
static inline bool point_white(uint32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
         c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}
static inline bool point_digit(uint32_t c) { return c >= '0' && c <= '9'; }

// The words of two texts as sacrebleu's default tokenizer, 13a (mteval-v13a), cuts them: each word a number, the same word the same number in both.
void words_13a(const Points *a, const Points *b, Points *words_a, Points *words_b);
#endif
