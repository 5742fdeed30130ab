// See random_text.h.
#include "random_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "tokenizer_files.h"

uint32_t rng_below(Rng *r, uint32_t n) {
  r->x = r->x * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(((r->x >> 33) * n) >> 31);
}

static void add_part(TextParts *p, const char *s, size_t n) {
  p->s = realloc(p->s, (p->n + 1) * sizeof *p->s);
  p->s[p->n++] = strndup(s, n);
}

TextParts text_parts_read(void) {
  static const char *const odd[] = {"\u0301", "\u0323", "\u1161", "\u11a8", "\u1100", "e", "A", "\u3099", "\u304b", " ", "  ", "\n", "\r", "\t",
                                    "\u200d", "\ufe0f", "👍", "🏽", "👩", "ก", "ำ", "ิ", "漢", "字", "'", "'s", "1", "12", "x", "?", "!", ",", "▁",
                                    "<", "<|", "<|end", "[", "[LONG", "[MASK", "word", "wor", "<0x41>", "\u00a0", "\u0344", "ﬁ", "\u1e9b"};
  TextParts p = {0};
  json_error_t e;
  json_t *texts = json_load_file(TOKENIZER_GOLDEN "texts.json", JSON_ALLOW_NUL, &e);
  if (!texts) fail_msg("%s", e.text);
  for (size_t i = 0; i < json_array_size(texts); i++) {
    const char *s = json_string_value(json_array_get(texts, i)), *space;
    if (strlen(s) < 40) add_part(&p, s, strlen(s));
    for (; (space = strchr(s, ' ')) != NULL; s = space + 1)
      if (space - s < 20) add_part(&p, s, (size_t)(space - s));
  }
  json_decref(texts);
  for (int times = 0; times < 8; times++)
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) add_part(&p, odd[i], strlen(odd[i]));
  return p;
}

void text_parts_free(TextParts *p) {
  for (uint32_t i = 0; i < p->n; i++) free(p->s[i]);
  free(p->s);
}

size_t random_text(Rng *r, const TextParts *p, char *out, size_t cap) {
  size_t n = 0;
  for (uint32_t k = 1 + rng_below(r, 7); k > 0; k--) {
    const char *s = p->s[rng_below(r, p->n)];
    size_t m = strlen(s);
    if (n + m > cap) break;
    memcpy(out + n, s, m);
    n += m;
  }
  return n;
}
