// Rows of a data file for the engine: reading them, the order of an epoch, and packing them into steps.
#ifndef CALM_RUNTIME_FEED_H
#define CALM_RUNTIME_FEED_H
#include "runtime/engine/engine.h"
#include "runtime/rows/data.h"
#include "runtime/rows/models.h"

// Reads a JSONL file with the program's tokenizer and limits; warns where rows were cut, notes where texts became
// windows. NULL on error.
Data *feed_open(const Models *m, const char *path, RtError *e);
int64_t feed_longest(const Data *d);                            // most tokens a row's training takes of a stream

// Rows through an entry, in steps that they share as long as they fit; a row that is longer than `cap` goes alone.
typedef struct FeedSteps {
  Engine *en;
  Step *step;
  int entry;
  bool whole;                  // every token of a row, every position wanted; otherwise what training takes of it (row_add)
  int64_t cap;                 // most tokens of a stream in a step
} FeedSteps;
// Makes room in the engine for steps of these rows; cap becomes at least what the longest takes.
bool feed_room(FeedSteps *f, const Data *d, RtError *e);
// Runs n rows. each (may be NULL) is told after every step which of them it held, while the entry's outputs lie in the engine: sequence i of
// the step is row first + i with `whole`; rows without a labelled token take part in no step otherwise. gscale: see row_add.
// It ends early where the host asks to stop (rt_stopped).
void feed_steps(FeedSteps *f, const DataRow *const *row, int64_t n, float gscale, void (*each)(void *user, int64_t first, int64_t rows), void *user);
// The summed loss of their labelled tokens (*labelled more; may be NULL), in double, in row order, by an entry that gives "nll".
double feed_nll(FeedSteps *f, const DataRow *const *row, int64_t n, float gscale, int64_t *labelled);
const DataRow **data_rows(const Data *d);                      // all of them in the file's order; to be freed

// Loss of every row by entry `loss`, in steps of at most `cap` tokens.
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
