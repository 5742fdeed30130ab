// Progress of a training run, step by step, in log.csv and, where it is asked for, as TensorBoard's events.
#ifndef CALM_RUNTIME_TRAINLOG_H
#define CALM_RUNTIME_TRAINLOG_H
#include <stdint.h>

#include "runtime/core/core.h"

typedef struct TrainLine {
  int64_t step, steps, tokens;
  double loss, lr, norm, tokens_per_s;
  double held;                 // NaN: not looked
  const double *each;          // of each held-out file, where there are several and it was looked
  double left;                 // seconds
} TrainLine;

typedef struct TrainLog TrainLog;
bool trainlog_is(const char *path);     // a log.csv of calm's, by its first line
// Opens a log.csv (its directory is there); lines after step `keep` (those a resumed run computes again) are dropped, 0 starts
// a new one. held: the names of n held-out files whose losses have a column each. Columns that were there and are none of now's stay, behind them, and empty from now on.
// events: a file that says the same to TensorBoard, written anew from the lines that are kept; NULL: none.
TrainLog *trainlog_open(const char *path, const char *events, int64_t keep, const char *const *held, int n, RtError *e);
bool trainlog_add(TrainLog *l, const TrainLine *x, RtError *e);
void trainlog_close(TrainLog *l);

// A log as numbers: of its steps, and of those among them at which held-out data was looked at, half of `most` to `most` each, evenly, and the last.
typedef struct TrainRow {
  int64_t line, look;          // which of the lines, and of those of looks (0: none), from 1 on
} TrainRow;
typedef struct TrainTable {
  char **name;                 // of columns, as text
  int n;
  double *value;               // rows of n; NaN where a field is empty
  int64_t rows;
  size_t at;                   // bytes that were read; the rest is of trainlog_read_on
  TrainRow *row;
  int64_t lines, looks, each, each_look, room;
} TrainTable;
// Reads what was added to the log since the last time, all of it into a table of zeros: a run that looks at its log again and again reads it once.
// A line that is not whole yet waits for the next time. To be freed with trainlog_free in any case.
bool trainlog_read_on(TrainTable *t, const char *path, int64_t most, RtError *e);
void trainlog_free(TrainTable *t);
#endif
