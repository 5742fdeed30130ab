// Text with places: byte i came from the raw bytes [tk_from(t, i), tk_to(t, i)), always whole characters. Text that nothing has changed yet
// is a view of the raw text, without a table of places.
#ifndef CALM_RUNTIME_TEXT_PLACED_H
#define CALM_RUNTIME_TEXT_PLACED_H
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/core.h"

typedef struct TkStr {
  const char *s;
  size_t n;
} TkStr;
typedef struct TkText {
  char *s;                     // of a view: raw text, not owned
  uint32_t *from, *to;         // NULL in a view
  size_t n, cap;
  size_t most;                 // bytes it may have
  bool full;                   // it was to have more, which was left out
  bool misplaced;              // places are not where its characters are from, as Hugging Face loses count of them: a text is not to be resumed there
  uint32_t base;               // of a view: where it begins in the raw text
} TkText;
typedef struct TkPiece { size_t begin, end; } TkPiece;      // of a text
typedef struct TkPieces {
  TkPiece *p;
  size_t n, cap;
} TkPieces;

void tk_text_free(TkText *t);
void tk_text_clear(TkText *t, size_t most);                 // empty, but not without memory
void tk_text_put(TkText *t, const char *s, size_t n, uint32_t from, uint32_t to);   // all n bytes from one place
// One character, by the rules of Hugging Face's NormalizedString. change: 1 = inserted behind the one before it, whose place it has; 0 = for the
// character of `in` at *at; -k = for that one and k more. *at moves on behind these.
void tk_text_change(TkText *t, const TkText *in, size_t *at, uint32_t cp, int64_t change);
void tk_text_copy(TkText *t, const TkText *src, size_t begin, size_t end);
TkText tk_text_view(const char *raw, size_t begin, size_t end);
void tk_piece_put(TkPieces *p, size_t begin, size_t end);
// Fails naming line and byte (from 1) of the byte at offset `at` of a raw text.
bool tk_text_not_utf8(const char *raw, size_t at, RtError *e);

// The raw bytes of byte i.
static inline uint32_t tk_from(const TkText *t, size_t i) {
  if (t->from) return t->from[i];
  while (((uint8_t)t->s[i] & 0xC0) == 0x80) i--;            // texts begin and end with whole characters
  return t->base + (uint32_t)i;
}

static inline uint32_t tk_to(const TkText *t, size_t i) {
  if (t->to) return t->to[i];
  do i++; while (i < t->n && ((uint8_t)t->s[i] & 0xC0) == 0x80);
  return t->base + (uint32_t)i;
}
#endif
