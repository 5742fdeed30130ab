// Rows of a file one after another: epoch after epoch, each a permutation of the file's rows that follows from the seed and its number, the windows of a
// text one after another in their row's place. Only the row at hand is held.
#ifndef CALM_RUNTIME_FEEDER_H
#define CALM_RUNTIME_FEEDER_H
#include "runtime/rows/data.h"

// Where a reading stands: at a window of the row that is in this place of this epoch's order.
typedef struct FeedPlace {
  int64_t epoch, position, window;
} FeedPlace;

// The order of an epoch.
typedef struct Order {
  int64_t n, *row;             // NULL: that of the file
  int64_t epoch;               // that is drawn; -1: none yet
  uint64_t seed;
} Order;
void order_start(Order *o, int64_t n, uint64_t seed, bool shuffle);
void order_draw(Order *o, int64_t epoch);
static inline int64_t order_row(const Order *o, int64_t position) { return o->row ? o->row[position] : position; }
void order_end(Order *o);

typedef struct FeedPlan {
  uint64_t seed;
  bool shuffle;
  bool once;                   // one epoch, and all of its windows; else without end, and those that have something to train on
  FeedPlace from;
} FeedPlan;

typedef struct Feeder {
  const DataFile *file;
  const DataOptions *o;
  bool once;
  Order order;
  FeedPlace at;                // of the next window
  Data *read;                  // the row it is of, where the file does not hold it
  DataRow *window;             // its windows
  int64_t nwindow;
  bool there;                  // they are these
  int64_t idle;                // rows since the last that had something to train on
} Feeder;

void feeder_start(Feeder *f, const DataFile *file, const DataOptions *o, const FeedPlan *plan);
void feeder_end(Feeder *f);
// *next: the next window, the feeder's; NULL behind the last. False and an error: of the row, or where no row has a labelled token.
bool feeder_peek(Feeder *f, const DataRow **next, RtError *e);
// The window that was peeked at is the caller's now (data_row_free), and the next one is next.
DataRow feeder_take(Feeder *f);

// Which rows a batch takes: so many rows, or as many as have so many tokens of the anchor together; one at least, and no more than `most`.
typedef struct FeedRule {
  int64_t want;
  bool by_rows;
  int64_t most;
  const char *words;           // "a step of 4096 tokens", for the error where that takes too many rows
} FeedRule;
static inline bool rule_takes(const FeedRule *r, int64_t rows, int64_t tokens, const DataRow *next) {
  if (!rows) return true;
  return rows < r->most && (r->by_rows ? rows < r->want : tokens + next->n <= r->want);
}

typedef struct FeedBatch {
  DataRow *row;                // n windows
  int64_t n, cap, tokens;
  const DataRow **each;        // the same by pointer
  FeedPlace after;             // where the reading stood after them
} FeedBatch;
// Fills an empty one; n is 0 behind the last row.
bool feeder_batch(Feeder *f, const FeedRule *rule, FeedBatch *b, RtError *e);
void batch_clear(FeedBatch *b);              // its rows are gone
void batch_free(FeedBatch *b);
#endif
