// How a training goes through its data: which rows a step takes, and what that makes of epochs and passes.
#ifndef CALM_RUNTIME_COURSE_H
#define CALM_RUNTIME_COURSE_H
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

typedef struct Course {
  int64_t want;                // of a step: rows, or tokens
  bool by_rows;
  int64_t most;                // most rows of a step: where nobody set the batch, those of a pass
  int64_t rows, tokens;        // of a pass: the rows that have a labelled token
} Course;

// f: of the data, just started.
Course course_of(const TrainSettings *s, const Feeder *f);
// Does a step that has so many rows and tokens take the next row too? It takes one at least.
static inline bool course_takes(const Course *c, int64_t rows, int64_t tokens, const DataRow *next) {
  if (!rows) return true;
  return rows < c->most && (c->by_rows ? rows < c->want : tokens + next->n <= c->want);
}
// "batch 4 rows, 1.5 steps an epoch, 10 steps: 6.7 passes" for the first line of a training, to be freed. Rows are counted as they will be taken, in
// the order of these epochs; of a very long training the first four million, and what follows from these is marked "about". Warns of a batch of more than
// one pass.
char *course_words(const Course *c, const TrainSettings *s, const Feeder *f);
#endif
