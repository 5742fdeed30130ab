// Rows of files one after another: epoch after epoch, the windows of a text one after another in their row's place. Only the row at hand is held.
//
// An epoch has as many rows as the files have together, and is a permutation of them that follows from the seed and its number. Where files have shares, each
// gives so many rows of an epoch as its share asks for (data_apportion): the next ones of its own permutations, one after another, so that none of its
// rows comes again before all have come, however many epochs that takes; and the rows of all files are mixed by a permutation of the epoch. Without
// shuffling, rows come in the order of their file, files one behind the other, or where they have shares as evenly mixed as can be. So
// a place in an epoch says all that there is to know of where a reading stands.
#ifndef CALM_RUNTIME_FEEDER_H
#define CALM_RUNTIME_FEEDER_H
#include "runtime/rows/data.h"

// Where a reading stands: at a window of the row that is in this place of this epoch's order.
typedef struct FeedPlace {
  int64_t epoch, position, window;
} FeedPlace;

// The order of an epoch.
typedef struct Order {
  const DataFile *file;
  int64_t n, *row;             // NULL: that of the files
  int64_t epoch;               // that is drawn; -1: none yet
  uint64_t seed;
  bool shuffle;
} Order;
void order_start(Order *o, const DataFile *file, uint64_t seed, bool shuffle);
void order_draw(Order *o, int64_t epoch);
static inline int64_t order_row(const Order *o, int64_t position) { return o->row ? o->row[position] : position; }
void order_end(Order *o);

typedef struct FeedPlan {
  uint64_t seed;
  bool shuffle;
  bool once;                   // one epoch, and all of its windows; else without end, and those that have something to train on
  FeedPlace from;
  int64_t to;                  // of one epoch the position to end before; 0: behind the last
} FeedPlan;

typedef struct Feeder {
  const DataFile *file;
  const DataOptions *o;
  bool once;
  int64_t to;                  // positions of an epoch
  int64_t round;               // rows after which each has come
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
