// Whether two files hold the same tokenizer, so that models which have them can share token ids.
#include <string.h>

#include "runtime/files/files.h"
#include "runtime/text/tokenizer.h"

// Laying JSON out differently changes its size by less than this.
enum { LAYOUT = 4 };

bool tokenizer_same(const char *a, const char *b, bool *same, RtError *e) {
  FileMap x, y;
  *same = !strcmp(a, b);
  if (*same) return true;
  if (!file_map(&x, a, e)) return false;
  if (!file_map(&y, b, e)) {
    file_unmap(&x);
    return false;
  }
  *same = x.size == y.size && (x.size == 0 || !memcmp(x.data, y.data, x.size));
  bool alike = x.size / LAYOUT <= y.size && y.size / LAYOUT <= x.size;
  file_unmap(&x), file_unmap(&y);
  if (*same || !alike) return true;
  json_t *p = rtj_object_file(a, 0, e), *q = p ? rtj_object_file(b, 0, e) : NULL;
  *same = q && json_equal(p, q);
  bool ok = q != NULL;
  json_decref(p), json_decref(q);
  return ok;
}
