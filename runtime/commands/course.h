// How a training goes through its data: which rows a step takes, and what that makes of epochs and passes.
#ifndef CALM_RUNTIME_COURSE_H
#define CALM_RUNTIME_COURSE_H
#include <stdio.h>

#include "runtime/rows/rows.h"
#include "runtime/work/work.h"

typedef struct Course {
  FeedRule rule;               // its words are the settings' (course_step)
  const TrainSettings *set;
  const DataFile *file;
  const Data *look;
  uint64_t seed;
  bool exact;                  // the whole data was looked at; else these follow from a sample
  int64_t rows, tokens, labelled;      // of the first epoch: the rows that have a labelled token
} Course;

// look: at the data (feed_look). step: from course_step. All of them outlive it.
Course course_of(const TrainSettings *s, const DataFile *file, const Data *look, uint64_t seed, const char *step);
// "a step of 2 batches of 4096 tokens", to be freed.
char *course_step(const TrainSettings *s);
typedef struct CourseCount {
  double epoch, passes;        // steps of the first epoch; epochs of all steps
  double tokens, labelled;     // of the rows that all steps take
  bool about;
} CourseCount;
// Rows are counted as they will be taken, in the order of these epochs; of a very long training the first four million, and what follows from these, or from a
// sample, is `about`.
CourseCount course_count(const Course *c);
// "batch 4 rows, 1.5 steps an epoch, 10 steps: 6.7 passes" for the first line of a training, to be freed. Warns of a batch of more than one pass, and of one of less than a row.
char *course_words(const Course *c);
// One of the files: its rows, tokens, and its share of an epoch. To be freed.
char *course_file(const DataFile *f, const Data *look, int part);
// A line for each of them, behind `head`; nothing where there is one.
void course_files(const Course *c, FILE *out, const char *head);
#endif
