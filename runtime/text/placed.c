// See placed.h.
#include "runtime/text/placed.h"

#include <string.h>

#include "runtime/core/core.h"

static bool reserve(TkText *t, size_t more) {
  if (more > t->most - t->n) return t->full = true, false;
  if (t->s && t->n + more <= t->cap) return true;
  t->cap = (t->n + more) * 3 / 2 + 64;
  t->s = rt_realloc(t->s, t->cap, 1);
  t->from = rt_realloc(t->from, t->cap, sizeof *t->from);
  t->to = rt_realloc(t->to, t->cap, sizeof *t->to);
  return true;
}

void tk_text_free(TkText *t) {
  rt_free(t->s);
  rt_free(t->from);
  rt_free(t->to);
  *t = (TkText){0};
}

void tk_text_clear(TkText *t, size_t most) {
  t->n = 0;
  t->most = most;
  t->full = t->misplaced = false;
  reserve(t, 0);
}

void tk_text_put(TkText *t, const char *s, size_t n, uint32_t from, uint32_t to) {
  if (!reserve(t, n)) return;
  for (size_t i = 0; i < n; i++) {
    t->s[t->n] = s[i];
    t->from[t->n] = from;
    t->to[t->n++] = to;
  }
}

static size_t skip_char(const TkText *in, size_t at) {
  uint32_t cp;
  return at < in->n ? at + rt_utf8_next(in->s + at, &cp) : at;
}

void tk_text_change(TkText *t, const TkText *in, size_t *at, uint32_t cp, int64_t change) {
  char s[4];
  size_t place = change > 0 ? *at - (*at > 0) : *at < in->n ? *at : in->n - 1;
  for (int64_t k = change; k <= 0; k++) *at = skip_char(in, *at);
  tk_text_put(t, s, rt_utf8_put(s, cp), tk_from(in, place), tk_to(in, place));
}

void tk_text_copy(TkText *t, const TkText *src, size_t begin, size_t end) {
  if (begin >= end) return;
  size_t n = end - begin;
  if (!reserve(t, n)) return;
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

void tk_piece_put(TkPieces *p, size_t begin, size_t end) {
  if (p->n == p->cap) {
    p->cap = p->cap ? p->cap * 2 : 64;
    p->p = rt_realloc(p->p, p->cap, sizeof *p->p);
  }
  p->p[p->n++] = (TkPiece){begin, end};
}

bool tk_text_not_utf8(const char *text, size_t at, RtError *e) {
  size_t line = 1, begin = 0;
  for (size_t i = 0; i < at; i++)
    if (text[i] == '\n') line++, begin = i + 1;
  return rt_fail(e, "the text is not UTF-8: line %zu, byte %zu of it is 0x%02X (offset %zu)", line, at - begin + 1,
                 (unsigned)(uint8_t)text[at], at);
}
