// How a training goes through its data: which rows a step takes, and what that makes of epochs and passes.
#ifndef CALM_RUNTIME_COURSE_H
#define CALM_RUNTIME_COURSE_H
#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

typedef struct Course {
  FeedRule rule;               // its words are the settings' (course_step)
  bool exact;                  // the whole data was looked at; else these two follow from a sample
  int64_t rows, tokens;        // of a pass: the rows that have a labelled token
} Course;

// d: what was looked at of the data (feed_look). step: from course_step, outlives it.
Course course_of(const TrainSettings *s, const Data *d, const char *step);
// "a step of 2 batches of 4096 tokens", to be freed.
char *course_step(const TrainSettings *s);
typedef struct CourseCount {
  double epoch, passes;        // steps of the first pass; passes of all steps
  bool about;
} CourseCount;
// Rows are counted as they will be taken, in the order of these epochs; of a very long training the first four million, and what follows from these, or from a
// sample, is `about`.
CourseCount course_count(const Course *c, const TrainSettings *s, const Data *d, uint64_t seed);
// "batch 4 rows, 1.5 steps an epoch, 10 steps: 6.7 passes" for the first line of a training, to be freed. Warns of a batch of more than one pass.
char *course_words(const Course *c, const TrainSettings *s, const Data *d, uint64_t seed);
#endif
