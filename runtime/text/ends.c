// See ends.h.
#include "runtime/text/ends.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

// Where id stands among the ends, or would.
static int place_of(const TextEnds *x, int32_t id) {
  int low = 0, high = x->n_eos;
  while (low < high) {
    int mid = low + (high - low) / 2;
    if (x->eos[mid] < id) low = mid + 1;
    else high = mid;
  }
  return low;
}

bool text_ends_at(const TextEnds *x, int32_t id) {
  int at = place_of(x, id);
  return at < x->n_eos && x->eos[at] == id;
}

static void add_end(TextEnds *x, int32_t id) {
  int at = place_of(x, id);
  if (at < x->n_eos && x->eos[at] == id) return;
  memmove(x->eos + at + 1, x->eos + at, (size_t)(x->n_eos++ - at) * sizeof *x->eos);
  x->eos[at] = id;
}

// The tokenizer's own id of a token that tokenizer_config.json names, else the one listed there.
static int32_t id_of(const Tokenizer *t, const HfToken *named) {
  int32_t id = t && named->text ? tokenizer_token_id(t, named->text) : -1;
  return id >= 0 ? id : named->listed;
}

static void warn_unknown(const HfDir *h, const char *key, const char *token, const char *then, int32_t id) {
  char *dir = file_dirname(h->tokenizer), *path = file_join(dir, "tokenizer_config.json");
  if (id >= 0) rt_warn("%s: the %s \"%.200s\" is no token of %s; %s %d (%s)", path, key, token, h->tokenizer, then, (int)id, h->first_eos_from);
  else rt_warn("%s: the %s \"%.200s\" is no token of %s, and no id is named", path, key, token, h->tokenizer);
  rt_free(path), rt_free(dir);
}

void text_ends_read(TextEnds *x, const HfDir *h, const Tokenizer *t) {
  *x = (TextEnds){.bos = h->bos, .append = h->first_eos, .append_from = h->first_eos_from};
  x->eos = rt_alloc((size_t)h->n_eos + 1, sizeof *x->eos);  // one more: tokenizer_config.json's
  if (h->n_eos) memcpy(x->eos, h->eos, (size_t)h->n_eos * sizeof *x->eos);
  x->n_eos = h->n_eos;
  int32_t eos = id_of(t, &h->eos_token), bos = id_of(t, &h->bos_token);
  if (eos >= 0) {
    add_end(x, eos);
    x->append = eos, x->append_from = "tokenizer_config.json";
  } else if (h->eos_token.text) {
    warn_unknown(h, "eos_token", h->eos_token.text, "texts end with id", x->append);
  }
  if (x->bos < 0) x->bos = bos;
  if (x->bos < 0 && h->bos_token.text) warn_unknown(h, "bos_token", h->bos_token.text, "", -1);
}

void text_ends_free(TextEnds *x) {
  rt_free(x->eos);
  *x = (TextEnds){.bos = -1, .append = -1};
}
