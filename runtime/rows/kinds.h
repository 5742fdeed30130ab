// The kinds of rows, each to token ids, labels and what other streams read of it; read.c finds which kind a line is.
#ifndef CALM_RUNTIME_KINDS_H
#define CALM_RUNTIME_KINDS_H
#include <jansson.h>

#include "runtime/rows/data.h"
#include "runtime/rows/own.h"

// What reads a row, and where its tokens go.
typedef struct RowReader {
  const char *path;
  const DataOptions *o;
  RtError *e;
  Data *data;
  OwnText *own;                // of the row at hand, by stream; NULL: augments have none
  int64_t line, row, first;    // of it: its number, its place among the rows, its first window in data
} RowReader;

// Each appends to r->data: one row, or a window or an answer of the row each. False and an error, with the place in the file.
bool row_of_text(RowReader *r, const json_t *text);                         // a string
bool row_of_pair(RowReader *r, const json_t *prompt, const json_t *completion);       // strings
bool row_of_chat(RowReader *r, const json_t *obj);                          // the row
bool row_of_ids(RowReader *r, const json_t *ids, const json_t *labels);     // whatever they are

// Errors, always false: of a member, by what was expected of it; and one that knows no place.
bool row_expected(const RowReader *r, const char *key, const char *expected, const json_t *found);
bool row_at_line(const RowReader *r, const RtError *why);
#endif
