// Rows of a data file for the engine: reading them, the order of an epoch, and packing them into steps.
#ifndef CALM_RUNTIME_FEED_H
#define CALM_RUNTIME_FEED_H
#include "runtime/engine/engine.h"
#include "runtime/rows/data.h"
#include "runtime/rows/models.h"

// Reads a JSONL file with the program's tokenizer and limits; tells on standard error when rows were cut. NULL on
// error.
Data *feed_open(const Models *m, const char *path, RtError *e);
int64_t feed_longest(const Data *d);                            // most tokens a row's training takes of a stream

// Loss of every row by entry `loss`, in steps of at most `cap` tokens (a longer row alone). Sums are in double, in row
// order.
typedef struct FeedLoss {
  double nll;
  int64_t labelled, tokens;
} FeedLoss;
bool feed_loss(Engine *en, Step *s, const Data *d, int64_t cap, FeedLoss *out, RtError *e);

// Endless rows, epoch after epoch; each epoch is a permutation that follows from the seed and its number. Rows without
// a labelled token are left out.
typedef struct Feeder {
  const Data *data;
  int64_t *row, *order, n;     // rows that count, and their order in this epoch
  int64_t epoch, position;     // of the next row
  uint64_t seed;
  bool shuffle;
} Feeder;
void feeder_start(Feeder *f, const Data *d, uint64_t seed, bool shuffle, int64_t epoch, int64_t position);
const DataRow *feeder_next(Feeder *f);
const DataRow *feeder_peek(Feeder *f);
void feeder_end(Feeder *f);
#endif
