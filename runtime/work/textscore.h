// How near generated texts are to those that were wanted, summed over rows: BLEU, chrF, edit similarity, the last number.
#ifndef CALM_RUNTIME_TEXTSCORE_H
#define CALM_RUNTIME_TEXTSCORE_H
#include <stddef.h>
#include <stdint.h>

enum { CHRF_ORDER = 6, BLEU_ORDER = 4 };
typedef struct GramCount { int64_t made, wanted, both; } GramCount;      // n-grams: generated, in the references, in both
typedef struct TextScore {
  GramCount grams[CHRF_ORDER];             // of characters, but for white space
  GramCount words[BLEU_ORDER];             // of words
  double similarity;           // sum over rows of 1 - edits / characters of the longer (1: equal)
  int64_t rows;
  int64_t numbered, numbers;   // rows whose wanted text has a number, and of these, whose last numbers are equal
} TextScore;

// Adds a row: UTF-8, of which what is not valid counts as bytes.
void textscore_add(TextScore *t, const char *made, size_t n_made, const char *wanted, size_t n_wanted);
void textscore_sum(TextScore *t, const TextScore *more);
// 0 to 100, as sacrebleu's corpus_chrf by default: orders 1 to 6, no words, beta 2, no white space.
double textscore_chrf(const TextScore *t);
// 0 to 100, as sacrebleu's corpus_bleu by default: words of 13a, orders 1 to 4, those that nothing meets smoothed ("exp"); and as its sentence_bleu, of
// one row, where orders without an n-gram do not count.
double textscore_bleu(const TextScore *t);
double textscore_sentence_bleu(const TextScore *t);
#endif
