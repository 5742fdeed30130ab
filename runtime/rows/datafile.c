// Files of rows: opening them, which row is whose, and how many rows of an epoch each has. See data.h.
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/rows/data.h"

// By largest remainders.
void data_apportion(const double *share, int n, int64_t rows, int64_t *taken) {
  double sum = 0;
  for (int k = 0; k < n; k++) sum += share[k];
  double *rest = rt_alloc((size_t)n, sizeof *rest);
  int64_t left = rows;
  for (int k = 0; k < n; k++) {
    double asked = share[k] / sum * (double)rows;
    taken[k] = (int64_t)asked, rest[k] = asked - (double)taken[k];
    left -= taken[k];
  }
  for (; left > 0; left--) {
    int most = 0;
    for (int k = 1; k < n; k++)
      if (rest[k] > rest[most]) most = k;
    taken[most]++, rest[most] = -1;
  }
  rt_free(rest);
}

static bool fit_shares(DataFile *f, const DataSource *from, RtError *e) {
  double sum = 0;
  int with = 0;
  for (int k = 0; k < f->nparts; k++) sum += from[k].share, with += from[k].share > 0;
  if (with == 0) {
    for (int k = 0; k < f->nparts; k++) f->part[k].taken = f->part[k].lines.n;
    return true;
  }
  for (int k = 0; with < f->nparts; k++)
    if (!(from[k].share > 0)) return rt_fail(e, "%s has no share, and another file has; expected one for each, or none", from[k].path);
  double *share = rt_alloc((size_t)f->nparts, sizeof *share);
  int64_t *taken = rt_alloc((size_t)f->nparts, sizeof *taken);
  bool ok = true;
  for (int k = 0; k < f->nparts; k++) share[k] = f->part[k].share = from[k].share / sum;
  data_apportion(share, f->nparts, f->rows, taken);
  for (int k = 0; k < f->nparts && ok; k++)
    if ((f->part[k].taken = taken[k]) == 0)
      ok = rt_fail(e, "%s: a share of %.3g of an epoch's %lld row%s (as many as all files have) is not one row", from[k].path, share[k], (long long)f->rows, plural(f->rows));
  rt_free(share), rt_free(taken);
  return ok;
}

// "a.jsonl and b.jsonl", "a.jsonl and 3 more"
static char *name_of(const DataFile *f) {
  const char *first = f->part[0].lines.path;
  if (f->nparts == 1) return rt_strdup(first);
  return f->nparts == 2 ? rt_format("%s and %s", first, f->part[1].lines.path) : rt_format("%s and %d more", first, f->nparts - 1);
}

static bool open_part(DataFile *f, const char *path, bool piped, RtError *e) {
  enum { LOOK = 64 };
  char begin[LOOK];
  DataPart *p = &f->part[f->nparts++];
  if (!piped && !strcmp(path, "-")) return rt_fail(e, "-: rows are read from files here, which may be read again, and not from standard input (a file of that name: ./-)");
  bool ok = lines_open(&p->lines, path, piped, e);
  const char *other = ok ? text_instead(begin, lines_begin(&p->lines, begin, sizeof begin)) : NULL;
  if (other) ok = rt_fail(e, "%s: %s", p->lines.path, other);
  p->first = f->rows;
  f->rows += ok ? p->lines.n : 0;
  return ok && (p->lines.n > 0 || rt_fail(e, "%s: no rows", p->lines.path));
}

static bool given_twice(const DataSource *from, int k, RtError *e) {
  for (int i = 0; i < k; i++)
    if (file_is_input(from[k].path, from[i].path)) return !rt_fail(e, "%s is given twice; a file comes more often by its share", from[k].path);
  return false;
}

static DataFile *open_files(const DataSource *from, int n, bool piped, RtError *e) {
  RT_IN_PHASE(RT_PHASE_READ);
  DataFile *f = rt_alloc(1, sizeof *f);
  f->part = rt_alloc((size_t)n, sizeof *f->part);
  bool ok = true;
  for (int k = 0; k < n && ok; k++) ok = !given_twice(from, k, e) && open_part(f, from[k].path, piped, e);
  if (ok && fit_shares(f, from, e)) return f->name = name_of(f), f;
  data_close(f);
  return NULL;
}

DataFile *data_open(const char *path, RtError *e) { return open_files(&(DataSource){.path = path}, 1, false, e); }
DataFile *data_open_piped(const char *path, RtError *e) { return open_files(&(DataSource){.path = path}, 1, true, e); }
DataFile *data_open_all(const DataSource *from, int n, RtError *e) { return open_files(from, n, false, e); }

void data_close(DataFile *f) {
  if (!f) return;
  for (int64_t i = 0; f->held && i < f->held->n; i++) f->held->row[i].held = false;
  data_free(f->held), rt_free(f->first);
  for (int k = 0; k < f->nparts; k++) lines_close(&f->part[k].lines);
  rt_free(f->part), rt_free(f->name);
  rt_free(f);
}

const DataPart *data_part(const DataFile *f, int64_t row) {
  int k = f->nparts - 1;
  while (k && f->part[k].first > row) k--;
  return &f->part[k];
}

const char *data_path_of(const DataFile *f, int64_t row) { return data_part(f, row)->lines.path; }

int64_t data_line_of(const DataFile *f, int64_t row) {
  const DataPart *p = data_part(f, row);
  return lines_number(&p->lines, row - p->first);
}

bool data_text(const DataFile *f, int64_t row, LineText *t, RtError *e) {
  const DataPart *p = data_part(f, row);
  return lines_text(&p->lines, row - p->first, t, e);
}

int64_t data_bytes_of(const DataFile *f, int64_t row) {
  const DataPart *p = data_part(f, row);
  return (int64_t)(p->lines.at[row - p->first + 1] - p->lines.at[row - p->first]);
}

int64_t data_bytes(const DataFile *f) {
  int64_t sum = 0;
  for (int k = 0; k < f->nparts; k++) sum += (int64_t)f->part[k].lines.sum.size;
  return sum;
}

DataPartCount data_count_part(const DataFile *f, const Data *look, int part) {
  DataPartCount out = {0};
  const DataPart *p = &f->part[part];
  int64_t seen = 0;
  for (int64_t i = 0, last = -1; i < look->n; i++) {
    const DataRow *r = &look->row[i];
    if (r->row < p->first || r->row >= p->first + p->lines.n) continue;
    seen += r->row != last, last = r->row;
    const int64_t labelled = row_labelled(r);
    out.tokens += r->n, out.labelled += labelled;
    if (labelled) out.trained++, out.trained_tokens += r->n;
  }
  out.looked = f->nparts == 1 ? look->looked : seen;           // a row may have become none
  return out;
}

bool data_augments(const DataFile *f) {
  int k = 0;
  while (k < f->nparts && !f->part[k].lines.augments) k++;
  return k < f->nparts;
}

bool data_talks(const DataFile *f) {
  int k = 0;
  while (k < f->nparts && !f->part[k].lines.talks) k++;
  return k < f->nparts;
}
