// Rows of data, and what follows them, into steps.
#ifndef CALM_RUNTIME_ROWSTEP_H
#define CALM_RUNTIME_ROWSTEP_H
#include "runtime/engine/engine.h"
#include "runtime/rows/data.h"

// The streams that follow the sequence added last to s; f NULL: there are none.
void follow_step(const Follow *f, Step *s);
// A training row: its tokens up to the last that predicts a label, every predicting one wanted. Returns the labels counted.
int64_t row_add(Step *s, const DataRow *r, float gscale);
// How many anchor tokens that takes.
int64_t row_tokens(const DataRow *r);
// Most tokens that the first n anchor tokens of a row take in one stream.
int64_t row_most_tokens(const DataRow *r, int64_t n);
// Is there room for them, in a step of at most `cap` tokens of each stream? The first sequence of a step always has room.
bool row_fits(const Step *s, const DataRow *r, int64_t n, int64_t cap);
#endif
