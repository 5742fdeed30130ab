// How large the steps of a run will be, before any is run: what commands predict memory from.
#ifndef CALM_RUNTIME_SHAPE_H
#define CALM_RUNTIME_SHAPE_H
#include "runtime/rows/data.h"
#include "runtime/rows/models.h"

typedef struct Shape {
  int64_t *tokens;             // per stream, of the largest step
  int64_t rows;                // wanted rows of it
  int64_t tables;              // bytes that all these tokens have resident of the models' tables of vectors; -1: there may be more tokens
} Shape;

// Steps of a data set at a cap of tokens of each stream (a longer row stands alone): in the order of the file, or, shuffled, in orders of which
// one sooner or later fills a step.
Shape shape_of_data(const Models *m, const Data *d, int64_t cap, bool shuffled);
// Steps of any text: full to the cap in the stream that has most tokens for it, the others in the proportions of a sample text; every row is
// wanted.
Shape shape_of_text(const Models *m, int64_t cap);
// n tokens of the anchor and what the sample makes of that in the other streams (as many, where a tokenizer cannot read it).
Shape shape_of_tokens(const Models *m, int64_t n);
void shape_free(Shape *s);
#endif
