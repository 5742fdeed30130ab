// See shown.h.
#include "runtime/commands/shown.h"

#include <stdio.h>

#include "runtime/core/core.h"

enum { MOST = 400 };           // bytes of a row that are shown, from where training begins some before

// Text on one line: control characters as a string of JSON has them.
static void put_line(Bytes *b, const char *s, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char code[8];
    unsigned char c = (unsigned char)s[i];
    if (c == '\n') bytes_put(b, "\\n", 2);
    else if (c >= 0x20 && c != 0x7F) bytes_put(b, s + i, 1);
    else bytes_put(b, code, (size_t)snprintf(code, sizeof code, "\\u%04x", c));
  }
}

// Token i of the row, its text where that is whole; special tokens by name.
static bool put_token(const Models *m, TokStream *ts, int32_t id, Bytes *b) {
  RtError e;
  size_t n = 0;
  const char *text = tokstream_push(ts, id, &n, &e), *name;
  if (!text) return false;
  if (!n && tokenizer_is_special(m->tok, id) && (name = tokenizer_token(m->tok, id, &n))) put_line(b, name, n);
  else put_line(b, text, n);
  return true;
}

static void show_row(const Models *m, const char *path, const DataRow *r) {
  TokStream *ts = tokstream_new(m->tok, NULL, 0);
  Bytes b = {0};
  int64_t first = 1;
  while (first < r->n && r->labels[first] == -100) first++;
  bool in = false, ok = true, cut = false;
  int64_t i = first > MOST / 4 ? first - MOST / 4 : 0;
  if (i) bytes_put(&b, "…", sizeof "…" - 1);
  for (; ok && !cut && i < r->n; i++) {
    bool trained = i > 0 && r->labels[i] != -100;
    if (trained != in) bytes_put(&b, trained ? "«" : "»", 2), in = trained;
    ok = put_token(m, ts, r->ids[i], &b);
    cut = b.n > MOST;
  }
  if (cut && i < r->n) bytes_put(&b, "…", sizeof "…" - 1);
  if (in) bytes_put(&b, "»", 2);
  if (ok) rt_note("%s:%lld: %s", path, (long long)r->line, b.s);
  tokstream_free(ts);
  rt_free(b.s);
}

void shown_rows(const Models *m, const DataFile *f, const Data *d) {
  bool any = false;
  for (int k = 0; m->tok && k < f->nparts; k++) {
    const DataPart *p = &f->part[k];
    const DataRow *r = NULL;
    for (int64_t i = 0; i < d->n && !r; i++)
      if (d->row[i].row >= p->first && d->row[i].row < p->first + p->lines.n && row_tokens(&d->row[i]) > 0) r = &d->row[i];
    if (r) show_row(m, p->lines.path, r), any = true;
  }
  char of[80] = "";
  if (!data_whole(d)) snprintf(of, sizeof of, " of a sample of %lld rows", (long long)d->looked);
  if (any) rt_note("« » is trained on: %.3g %% of the tokens%s", 100 * (double)d->labelled / (double)d->tokens, of);
}
