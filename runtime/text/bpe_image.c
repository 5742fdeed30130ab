// BPE's tables in an image (image.h): the merges as they lie, the small ones copied.
#include <string.h>

#include "runtime/files/files.h"
#include "runtime/text/bpe_tables.h"
#include "runtime/text/image.h"

typedef struct Saved {
  uint64_t seed;
  int32_t fast[TK_FAST_CHARS], byte[256], shown[256], unk;
  uint8_t byte_fallback, fuse_unk, ignore_merges, zero;
  TkAffix prefix, suffix;
} Saved;

void tk_bpe_save(const void *own, TkImageOut *to) {
  const TkBpe *b = own;
  Saved s = {.seed = b->merges.seed, .unk = b->unk, .byte_fallback = b->byte_fallback, .fuse_unk = b->fuse_unk, .ignore_merges = b->ignore_merges,
             .prefix = b->prefix, .suffix = b->suffix};
  memcpy(s.fast, b->fast, sizeof s.fast), memcpy(s.byte, b->byte, sizeof s.byte), memcpy(s.shown, b->shown, sizeof s.shown);
  tk_image_put(to, TK_TABLE_MODEL, &s, 1, sizeof s);
  tk_image_put(to, TK_TABLE_PAIRS, b->merges.pair, b->merges.mask + 1, sizeof *b->merges.pair);
}

static bool known(const TkVocab *v, const int32_t *id, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (id[i] != -1 && tk_entry_of(v->token, v->n, id[i]) < 0) return false;
  return true;
}

static bool map_merges(TkMerges *m, const TkVocab *v, const TkImage *from, RtError *e) {
  static const char table[] = "merges";
  size_t n, run = 0, used = 0;
  const TkPair *pair = tk_image_get(from, TK_TABLE_PAIRS, sizeof *pair, &n, e);
  if (!pair) return false;
  if (!n || n & (n - 1)) return tk_image_bad(from, table, e);
  for (size_t i = 0; i < n; i++) {
    bool taken = pair[i].rank != UINT32_MAX;
    used += taken;
    if (!tk_image_run(from, taken, &run, table, e)) return false;
    if (taken && tk_entry_of(v->token, v->n, pair[i].id) < 0) return tk_image_bad(from, table, e);
  }
  if (used == n) return tk_image_bad(from, table, e);         // nothing would end a search
  m->pair = (TkPair *)(uintptr_t)pair, m->mask = n - 1, m->mapped = true;
  return true;
}

bool tk_bpe_map(void *own, TkVocab *vocab, const TkImage *from, RtError *e) {
  TkBpe *b = own;
  size_t n;
  b->merges.mapped = true;
  const Saved *s = tk_image_get(from, TK_TABLE_MODEL, sizeof *s, &n, e);
  if (!s) return false;
  if (n != 1 || s->prefix.n > TK_AFFIX || s->suffix.n > TK_AFFIX || !known(vocab, s->fast, TK_FAST_CHARS) || !known(vocab, s->byte, 256) || !known(vocab, s->shown, 256) || !known(vocab, &s->unk, 1))
    return tk_image_bad(from, "ids of characters and bytes", e);
  b->vocab = vocab, b->merges.seed = s->seed, b->unk = s->unk;
  b->byte_fallback = s->byte_fallback & 1, b->fuse_unk = s->fuse_unk & 1, b->ignore_merges = s->ignore_merges & 1;
  b->prefix = s->prefix, b->suffix = s->suffix;
  memcpy(b->fast, s->fast, sizeof s->fast), memcpy(b->byte, s->byte, sizeof s->byte), memcpy(b->shown, s->shown, sizeof s->shown);
  return map_merges(&b->merges, vocab, from, e);
}
