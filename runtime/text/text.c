// Texts that know where each byte came from, and the classes of characters the pipeline asks for.
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "runtime/core/alloc.h"
#include "runtime/core/utf8.h"
#include "runtime/text/impl.h"

static void reserve(TkText *t, size_t more) {
  if (t->s && t->n + more <= t->cap) return;
  t->cap = (t->n + more) * 3 / 2 + 64;
  t->s = rt_realloc(t->s, t->cap, 1);
  t->from = rt_realloc(t->from, t->cap, sizeof *t->from);
  t->to = rt_realloc(t->to, t->cap, sizeof *t->to);
}

void tk_text_free(TkText *t) {
  rt_free(t->s);
  rt_free(t->from);
  rt_free(t->to);
  *t = (TkText){0};
}

void tk_text_clear(TkText *t) {
  t->n = 0;
  reserve(t, 0);
}

void tk_text_put(TkText *t, const char *s, size_t n, uint32_t from, uint32_t to) {
  reserve(t, n);
  for (size_t i = 0; i < n; i++) {
    t->s[t->n] = s[i];
    t->from[t->n] = from;
    t->to[t->n++] = to;
  }
}

void tk_text_copy(TkText *t, const TkText *src, size_t begin, size_t end) {
  if (begin >= end) return;
  size_t n = end - begin;
  reserve(t, n);
  if (!src->from) {
    uint32_t from = 0, to = 0;
    for (size_t i = begin; i < end; i++) {
      if (i == begin || ((uint8_t)src->s[i] & 0xC0) != 0x80) from = tk_from(src, i), to = tk_to(src, i);
      t->from[t->n + i - begin] = from;
      t->to[t->n + i - begin] = to;
    }
    memcpy(t->s + t->n, src->s + begin, n);
    t->n += n;
    return;
  }
  memcpy(t->s + t->n, src->s + begin, n);
  memcpy(t->from + t->n, src->from + begin, n * sizeof *t->from);
  memcpy(t->to + t->n, src->to + begin, n * sizeof *t->to);
  t->n += n;
}

TkText tk_text_view(const char *raw, size_t begin, size_t end) {
  return (TkText){.s = (char *)(uintptr_t)raw + begin, .n = end - begin, .base = (uint32_t)begin};
}

uint32_t tk_from(const TkText *t, size_t i) {
  if (t->from) return t->from[i];
  while (((uint8_t)t->s[i] & 0xC0) == 0x80) i--;            // texts begin and end with whole characters
  return t->base + (uint32_t)i;
}

uint32_t tk_to(const TkText *t, size_t i) {
  if (t->to) return t->to[i];
  do i++; while (i < t->n && ((uint8_t)t->s[i] & 0xC0) == 0x80);
  return t->base + (uint32_t)i;
}

void tk_piece_put(TkPieces *p, size_t begin, size_t end) {
  if (p->n == p->cap) {
    p->cap = p->cap ? p->cap * 2 : 64;
    p->p = rt_realloc(p->p, p->cap, sizeof *p->p);
  }
  p->p[p->n++] = (TkPiece){begin, end};
}

bool tk_is_space(uint32_t c) {
  if (c < 0x85) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool tk_is_number(uint32_t c) {
  utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
  return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

bool tk_is_word(uint32_t c) {
  switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME: case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    default: return c == 0x200C || c == 0x200D;
  }
}

// Bytes that are printable in Latin-1 stand for themselves, the other 68 for U+0100 … U+0143 in order.
static bool shows_itself(uint32_t b) { return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF); }

uint32_t tk_byte_char(uint8_t b) {
  if (shows_itself(b)) return b;
  return 0x100 + (b <= 0x20u ? b : b <= 0xA0u ? 33u + (b - 0x7Fu) : 67u);
}

int tk_char_byte(uint32_t c) {
  if (c < 0x100) return shows_itself(c) ? (int)c : -1;
  if (c < 0x121) return (int)(c - 0x100);
  if (c < 0x143) return (int)(c - 0x121 + 0x7F);
  return c == 0x143 ? 0xAD : -1;
}
