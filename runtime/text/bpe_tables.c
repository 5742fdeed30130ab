// See bpe_tables.h.
#include "runtime/text/bpe_tables.h"

#include <stdio.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/text/chars.h"

static void index_characters(TkBpe *b) {
  char s[8];
  for (uint32_t cp = 0; cp < TK_FAST_CHARS; cp++) b->fast[cp] = tk_vocab_find(b->vocab, s, rt_utf8_put(s, cp));
  for (int i = 0; i < 256; i++) {
    snprintf(s, sizeof s, "<0x%02X>", (unsigned)i);
    b->byte[i] = tk_vocab_find(b->vocab, s, 6);
    b->shown[i] = tk_vocab_find(b->vocab, s, rt_utf8_put(s, tk_byte_char((uint8_t)i)));
  }
}

static bool read_affix(const TkModelSource *from, const char *key, TkAffix *to, RtError *e) {
  const char *s = "";
  if (!rtj_get_string(from->what, from->json, key, &s, e)) return false;
  if (strlen(s) > TK_AFFIX) return rt_fail(e, "%s: model: a \"%s\" of more than %d bytes is not supported", from->what, key, TK_AFFIX);
  to->n = (uint32_t)strlen(s);
  memcpy(to->s, s, to->n);
  return true;
}

bool tk_bpe_read(void *own, TkVocab *vocab, const TkModelSource *from, RtError *e) {
  TkBpe *b = own;
  const char *what = from->what, *unk = NULL;
  const json_t *dropout = json_object_get(from->json, "dropout");
  if (json_is_number(dropout) && json_number_value(dropout) != 0) return rt_fail(e, "%s: model: \"dropout\" is not supported", what);
  if (!read_affix(from, "continuing_subword_prefix", &b->prefix, e) || !read_affix(from, "end_of_word_suffix", &b->suffix, e) ||
      !rtj_get_bool(what, from->json, "byte_fallback", &b->byte_fallback, e) || !rtj_get_bool(what, from->json, "fuse_unk", &b->fuse_unk, e) ||
      !rtj_get_bool(what, from->json, "ignore_merges", &b->ignore_merges, e) || !rtj_get_string(what, from->json, "unk_token", &unk, e))
    return false;
  if (b->byte_fallback && (b->prefix.n || b->suffix.n))     // Hugging Face's bytes are then those of the affixes too, beyond the text
    return rt_fail(e, "%s: model: \"byte_fallback\" with a \"continuing_subword_prefix\" or an \"end_of_word_suffix\" is not supported", what);
  if (!from->vocab.s || !from->merges.s) return rt_fail(e, "%s: model: expected \"vocab\" and \"merges\"", what);
  b->vocab = vocab;
  if (!tk_vocab_read(vocab, what, from->vocab, e) || !tk_merges_read(&b->merges, vocab, what, from->merges, b->prefix.n, e)) return false;
  index_characters(b);
  b->unk = unk ? tk_vocab_find(vocab, unk, strlen(unk)) : -1;
  return b->unk >= 0 || !unk || rt_fail(e, "%s: model: the unk_token \"%.80s\" is not in the vocabulary", what, unk);
}

bool tk_bpe_take_bytes(void *own) {
  TkBpe *b = own;
  if (b->byte_fallback || b->prefix.n || b->suffix.n) return false;
  for (int i = 0; i < 256; i++)
    if (b->shown[i] < 0) return false;
  return b->bytes = true;
}

void tk_bpe_free(void *own) { tk_merges_free(&((TkBpe *)own)->merges); }
