// eval --out: what is said of every row of a file, a line each, in the order of the file.
#ifndef CALM_RUNTIME_EVALROWS_H
#define CALM_RUNTIME_EVALROWS_H
#include <jansson.h>

#include "runtime/rows/rows.h"

typedef struct EvalRows EvalRows;
#define EVALROWS_MARK (FileMark){0, "{\"line\":", ",\"labelled\":"}      // what such a file is known by

// out: *out becomes NULL when it could not be written. title, of: members "eval" and "of" of every line; NULL: none. All borrowed.
EvalRows *evalrows_new(FileOut **out, const char *title, const char *of, const DataFile *file);
void evalrows_free(EvalRows *w);
typedef struct EvalRowLoss {
  bool scored;                 // whether the loss was computed
  double nll;
  int64_t bytes;               // as row_said
} EvalRowLoss;
// A window of a row. generates: a text is to come of it.
void evalrows_add(EvalRows *w, const DataRow *r, const EvalRowLoss *l, bool generates);
// The text that came, and how near it is: members of the line; taken over.
void evalrows_text(EvalRows *w, int64_t row, json_t *members);
// Writes the lines that are complete and have all before them. False and an error.
bool evalrows_write(EvalRows *w, RtError *e);
#endif
