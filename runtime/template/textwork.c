// What filters and methods do with strings: see words.h.
#include <stdio.h>
#include <utf8proc.h>

#include "runtime/template/print.h"
#include "runtime/template/words.h"

static bool goes(Value chars, const char *s, size_t k) {
  if (chars.kind == STR) return memmem(chars.s, chars.n, s, k) != NULL;
  uint32_t c;
  rt_utf8_next(s, &c);
  return is_space(c);
}

Value s_strip(Tp *t, Value s, Value chars, bool left, bool right) {
  size_t from = 0, to = s.n;
  uint32_t c;
  for (size_t k; left && from < to && (k = rt_utf8_next(s.s + from, &c), goes(chars, s.s + from, k)); from += k) {}
  while (right && to > from) {
    size_t at = to - 1;
    while (at > from && ((unsigned char)s.s[at] & 0xC0) == 0x80) at--;
    if (!goes(chars, s.s + at, to - at)) break;
    to = at;
  }
  tp_spend(t, (s.n - (to - from)) / 4);
  return s_part(t, s, from, to);
}

Value s_replace(Tp *t, Value s, Value old, Value with, int64_t most) {
  Buf b = buf_new(t);
  size_t at = 0;
  tp_spend(t, s.n / 16);
  if (!old.n) {                                            // between all characters
    while (most != 0) {
      uint32_t c;
      buf_text(&b, with);
      most -= most > 0;
      if (at >= s.n) break;
      size_t k = rt_utf8_next(s.s + at, &c);
      buf_text(&b, s_part(t, s, at, at + k));
      at += k;
    }
  }
  for (const char *p; old.n && most != 0 && (p = memmem(s.s + at, s.n - at, old.s, old.n)); most -= most > 0) {
    buf_text(&b, s_part(t, s, at, (size_t)(p - s.s)));
    buf_text(&b, with);
    at = (size_t)(p - s.s) + old.n;
  }
  if (!at && !b.n) return s;
  if (at < s.n) buf_text(&b, s_part(t, s, at, s.n));
  return buf_value(&b);
}

// Bytes of the line's end at s[at]: \n, \r, \r\n and what else Python's splitlines splits at; 0: none.
static size_t line_end(Value s, size_t at) {
  uint32_t c;
  size_t k = rt_utf8_next(s.s + at, &c);
  if (c == '\r' && at + 1 < s.n && s.s[at + 1] == '\n') return 2;
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029 ? k : 0;
}

Value s_lines(Tp *t, Value s) {
  Value out = v_list(t, LIST, 0);
  size_t from = 0;
  tp_spend(t, s.n / 8);
  for (size_t at = 0, k; at < s.n;) {
    uint32_t c;
    if (!(k = line_end(s, at))) {
      at += rt_utf8_next(s.s + at, &c);
      continue;
    }
    list_add(t, out.list, s_part(t, s, from, at));
    from = at += k;
  }
  if (from < s.n) list_add(t, out.list, s_part(t, s, from, s.n));
  return out;
}

// One character in the other case. Those that become several, or depend on where they stand, are few, and are refused.
static size_t put_case(Tp *t, char *out, uint32_t c, bool upper) {
  if (c < 0x80) return rt_utf8_put(out, upper && c >= 'a' && c <= 'z' ? c - 32 : !upper && c >= 'A' && c <= 'Z' ? c + 32 : c);
  bool odd = upper ? c == 0xDF || c == 0x149 || c == 0x1F0 || c == 0x390 || c == 0x3B0 || c == 0x587 || (c >= 0x1E96 && c <= 0x1E9A) ||
                         (c >= 0x1F50 && c <= 0x1FFC) || (c >= 0xFB00 && c <= 0xFB17)
                   : c == 0x130 || c == 0x3A3;
  if (odd) tp_fail(t, "the %s case of U+%04X is not supported", upper ? "upper" : "lower", c);
  return rt_utf8_put(out, (uint32_t)(upper ? utf8proc_toupper((int32_t)c) : utf8proc_tolower((int32_t)c)));
}

static Value with_case(Tp *t, Value s, bool first_upper, bool upper) {
  char *out = tp_alloc(t, s.n * 2 + 1, 1);                 // a letter's other case may be a byte or two longer
  size_t n = 0;
  tp_spend(t, s.n / 4);
  for (size_t at = 0, k; at < s.n; at += k) {
    uint32_t c;
    k = rt_utf8_next(s.s + at, &c);
    n += put_case(t, out + n, c, at == 0 ? first_upper : upper);
  }
  return v_text(out, n);
}

Value s_case(Tp *t, Value s, bool upper) { return with_case(t, s, upper, upper); }
Value s_capital(Tp *t, Value s) { return with_case(t, s, true, false); }

static void put_times(Buf *b, Value s, int64_t n) {
  for (; n > 0; n--) buf_text(b, s);
}

Value s_padded(Tp *t, Value s, int64_t width, Value fill, int where) {
  int64_t more = width - (int64_t)s_chars(s);
  if (more <= 0) return s;
  if (s_chars(fill) != 1) tp_fail(t, "the fill must be one character");
  tp_spend(t, (size_t)more);
  int64_t left = where < 0 ? 0 : where > 0 ? more : more / 2 + (more & width & 1);   // as Python's str.center
  Buf b = buf_new(t);
  put_times(&b, fill, left);
  buf_text(&b, s);
  put_times(&b, fill, more - left);
  return buf_value(&b);
}

// %s, %r, %d and %i, %f with digits, and %%.
Value s_percent(Tp *t, Value f, const Value *args, size_t n) {
  Buf b = buf_new(t);
  size_t used = 0, at = 0;
  for (const char *p; (p = memchr(f.s + at, '%', f.n - at)); ) {
    buf_text(&b, s_part(t, f, at, (size_t)(p - f.s)));
    at = (size_t)(p - f.s) + 1;
    int digits = 6;
    if (at + 1 < f.n && f.s[at] == '.' && f.s[at + 1] >= '0' && f.s[at + 1] <= '9') digits = f.s[at + 1] - '0', at += 2;
    char c = at < f.n ? f.s[at++] : 0;
    if (c == '%') {
      buf_put(&b, "%", 1);
      continue;
    }
    if (!c || !strchr("srdif", c)) tp_fail(t, "the format %%%c is not supported", c ? c : ' ');
    if (used == n) tp_fail(t, "a format with more places than values");
    Value v = args[used++];
    bool number = v.kind >= BOOL && v.kind <= FLOAT;
    if (c == 's') put_str(&b, v);
    else if (c == 'r') put_repr(&b, v);
    else if (!number) tp_fail(t, "the format %%%c of a %s", c, v_kind(v));
    else {
      char s[400];
      if (c == 'f') snprintf(s, sizeof s, "%.*f", digits, v.kind == FLOAT ? v.f : (double)v.i);
      else snprintf(s, sizeof s, "%lld", v.kind == FLOAT ? (long long)v.f : (long long)v.i);
      buf_str(&b, s);
    }
  }
  buf_text(&b, s_part(t, f, at, f.n));
  if (used < n) tp_fail(t, "a format with fewer places than values");
  return buf_value(&b);
}
