// See said.h.
#include "runtime/rows/said.h"

int64_t row_said(const Tokenizer *tok, const DataRow *r) {
  if (!tok) return -1;
  RtError e;
  int64_t bytes = 0;
  size_t n = 0;
  TokStream *s = tokstream_eager(tok, NULL, 0);
  const char *more = "";
  for (int64_t i = 0; more && i <= r->n; i++) {
    int64_t by = i < r->n ? i : i - 1;           // what comes at the end is the last one's
    more = i < r->n ? tokstream_push(s, r->ids[i], &n, &e) : tokstream_end(s, &n, &e);
    if (more && by > 0 && r->labels[by] != -100) bytes += (int64_t)n;
  }
  tokstream_free(s);
  return more ? bytes : -1;
}
