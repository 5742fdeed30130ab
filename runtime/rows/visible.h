// See visible.c.
#ifndef CALM_RUNTIME_VISIBLE_H
#define CALM_RUNTIME_VISIBLE_H
#include "runtime/rows/data.h"
#include "runtime/rows/models.h"

// Appends {"data", "rows", "looked", "model", "visible", "ended", "share"} (of so many of its rows, looked at) per data set and model whose tokens are not the anchor's: for these n files, or (none)
// for those the spec names that are there. False and an error where one cannot be read.
bool visible_shares(const Models *m, const DataSource *data, int n, json_t *all, RtError *e);
#endif
