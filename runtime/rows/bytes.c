// See bytes.h.
#include "runtime/rows/bytes.h"

#include <string.h>

#include "runtime/core/core.h"

enum { TEXTS = 2, BEYOND = 8 };

typedef struct Bound {         // of a stream
  TkTokensMost most;
  int64_t room;                // tokens that the texts of a row may make
} Bound;

struct ByteRule {
  Bound *bound;
  int n;
  const char *beyond[BEYOND];  // texts that hold one of these have ids which a model does not know
  int nbeyond;
};

static bool all_below(const int32_t *ids, int n, int64_t vocab) {
  for (int i = 0; i < n; i++)
    if (ids[i] >= vocab) return false;
  return true;
}

// A tokenizer's stream. What stands around a text, and the end of a completion, counts in all of them.
static bool add_bound(ByteRule *r, const Tokenizer *tok, int64_t context, int64_t vocab, int64_t end, bool aligned) {
  Bound *b = &r->bound[r->n++];
  const int32_t *before, *after;
  int nbefore = tokenizer_prefix(tok, &before), nafter = tokenizer_suffix(tok, &after);
  int beyond = tokenizer_beyond(tok, vocab, r->beyond + r->nbeyond, BEYOND - r->nbeyond);
  if (beyond < 0 || !tokenizer_most(tok, &b->most) || !all_below(before, nbefore, vocab) || !all_below(after, nafter, vocab)) return false;
  r->nbeyond += beyond;
  if (aligned) b->most.ascii += b->most.fixed, b->most.other += b->most.fixed;          // each byte may be a text of its own
  b->room = context - nbefore - nafter - end;
  return b->room > 0;
}

ByteRule *byte_rule(const Tokenizer *tok, const TextEnds *ends, const Streams *ss, int64_t vocab, int64_t context) {
  if (!tok || (ends && ends->append >= vocab)) return NULL;
  ByteRule *r = rt_alloc(1, sizeof *r);
  int streams = ss ? ss->n : 1;
  r->bound = rt_alloc((size_t)streams, sizeof *r->bound);
  for (int k = 1; k < streams; k++)            // those that read the anchor's ids
    if ((!ss->s[k].tok || ss->s[k].shares) && ss->s[k].context < context) context = ss->s[k].context;
  bool ok = add_bound(r, tok, context, vocab, 1, false);
  for (int k = 1; ok && k < streams; k++)
    if (ss->s[k].tok) ok = add_bound(r, ss->s[k].tok, ss->s[k].context, ss->s[k].vocab, 0, ss->s[k].reads == READS_ALIGNED);
  if (ok) return r;
  byte_rule_free(r);
  return NULL;
}

void byte_rule_free(ByteRule *r) {
  if (!r) return;
  rt_free(r->bound);
  rt_free(r);
}

static bool holds_beyond(const ByteRule *r, const char *s, size_t n) {
  for (int i = 0; i < r->nbeyond; i++)
    if (memmem(s, n, r->beyond[i], strlen(r->beyond[i]))) return true;
  return false;
}

// Bytes of texts that no memory holds are far below what a product of these overflows at.
static bool fits(const ByteRule *r, int64_t ascii, int64_t other, int texts) {
  for (int k = 0; k < r->n; k++) {
    const TkTokensMost *m = &r->bound[k].most;
    if (m->ascii * ascii + m->other * other + m->fixed * texts > r->bound[k].room) return false;
  }
  return true;
}

bool byte_rule_fits(const ByteRule *r, const json_t *const *text, int n) {
  int64_t ascii = 0, all = 0;
  for (int i = 0; i < n; i++) {
    const char *s = json_string_value(text[i]);
    size_t len = json_string_length(text[i]);
    all += (int64_t)len;
    if (holds_beyond(r, s, len)) return false;
    for (size_t k = 0; k < len; k++) ascii += (uint8_t)s[k] < 0x80;
  }
  return fits(r, ascii, all - ascii, n);
}

bool byte_rule_line(const ByteRule *r, int64_t bytes) { return !r->nbeyond && fits(r, bytes, 0, TEXTS) && fits(r, 0, bytes, TEXTS); }
