// Lines of JSONL files to rows.
#ifndef CALM_RUNTIME_ROWS_READ_H
#define CALM_RUNTIME_ROWS_READ_H
#include "runtime/rows/data.h"

// Reads row `at` into d, behind what is there. Errors name file, line, key, what was found and what was expected.
bool data_add(Data *d, const DataFile *f, int64_t at, const DataOptions *o, RtError *e);
// The same from the length of its line alone, where o->bytes can tell: no row comes of it, and nothing is read. Of a text, or two, whose form was looked at.
bool data_decide(Data *d, const DataFile *f, int64_t at, const DataOptions *o);
// Row `at` as it is written, a reference: what is no JSON is an error likewise. t: room for it.
json_t *data_json(const DataFile *f, int64_t at, LineText *t, RtError *e);
// All rows; NULL on error.
Data *data_read(const char *path, bool piped, const DataOptions *o, RtError *e);
// Files of no more than `whole` bytes together whole; of others some of their rows, about `bytes` of them, at places spread evenly over each.
Data *data_sample(const DataFile *f, const DataOptions *o, int64_t whole, int64_t bytes, RtError *e);
#endif
