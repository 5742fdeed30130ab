// Whether two files hold the same tokenizer, so that models which have them can share token ids.
#include <string.h>

#include "runtime/files/files.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/two_files.h"

// Laying JSON out differently changes its size by less than this.
enum { LAYOUT = 4 };

// Equal JSON, where it is laid out differently.
static bool equal(const char *a, const TkFile *x, const char *b, const TkFile *y, bool *same, RtError *e) {
  json_t *p = rtj_text(a, x->text.s, x->text.n, e), *q = p ? rtj_text(b, y->text.s, y->text.n, e) : NULL;
  *same = q && json_equal(p, q);
  bool ok = q != NULL;
  json_decref(p), json_decref(q);
  return ok;
}

bool tokenizer_same(const char *a, const char *b, bool *same, RtError *e) {
  TkFile x, y;
  *same = !strcmp(a, b);
  if (*same) return true;
  if (!tk_file_open(&x, a, e)) return false;
  if (!tk_file_open(&y, b, e)) {
    tk_file_close(&x);
    return false;
  }
  size_t m = x.text.n, n = y.text.n;
  *same = m == n && (m == 0 || !memcmp(x.text.s, y.text.s, m));
  bool alike = m / LAYOUT <= n && n / LAYOUT <= m, ok = *same || !alike || equal(a, &x, b, &y, same, e);
  tk_file_close(&x), tk_file_close(&y);
  return ok;
}
