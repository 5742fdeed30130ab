// Cursor over JSON text: see json_scan.h. Strings are decoded with the same strictness as jansson's (no lone surrogates, no raw
// control characters); that the text is UTF-8 is the caller's to check, once for the whole file.
#include "runtime/files/json_scan.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"

void jscan_init(JsonScan *s, const char *what, const char *text, size_t n, RtError *e) {
  if (!text) text = "";          // an empty file's map
  *s = (JsonScan){.what = what, .start = text, .p = text + rt_utf8_bom(text, n), .end = text + n, .e = e};
}

void jscan_free(JsonScan *s) {
  rt_free(s->scratch);
  s->scratch = NULL;
}

bool jscan_fail(JsonScan *s, const char *expected) {
  int line = 1;
  for (const char *q = s->start; q < s->p; q++) line += *q == '\n';
  return rt_fail(s->e, "%s:%d: expected %s (at byte %zu)", s->what, line, expected, (size_t)(s->p - s->start));
}

char jscan_peek(JsonScan *s) {
  while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) s->p++;
  return s->p < s->end ? *s->p : '\0';
}

bool jscan_expect(JsonScan *s, char c) {
  if (jscan_peek(s) != c) {
    char text[4] = {'\'', c, '\'', 0};
    return jscan_fail(s, text);
  }
  s->p++;
  return true;
}

// Comma or closing bracket between elements: 1 = another element follows, 0 = closed, -1 = error.
static int next_in(JsonScan *s, bool *first, char close) {
  char c = jscan_peek(s);
  if (c == close) {
    s->p++;
    return 0;
  }
  if (*first) {
    *first = false;
    return 1;
  }
  return jscan_expect(s, ',') ? 1 : -1;
}

int jscan_element(JsonScan *s, bool *first) { return next_in(s, first, ']'); }

int jscan_member(JsonScan *s, bool *first, JsonStr *key) {
  int k = next_in(s, first, '}');
  if (k <= 0) return k;
  return jscan_string(s, key) && jscan_expect(s, ':') ? 1 : -1;
}

static int hex4(const char *p) {
  int v = 0;
  for (int i = 0; i < 4; i++) {
    char c = p[i];
    int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (d < 0) return -1;
    v = v * 16 + d;
  }
  return v;
}

// The code point of a \u escape whose four digits start at the cursor; a surrogate pair takes its second escape too. -1 on error.
static int64_t unicode_escape(JsonScan *s) {
  if (s->end - s->p < 4) return -1;
  int64_t c = hex4(s->p);
  s->p += 4;
  if (c < 0xD800 || c > 0xDFFF) return c;
  if (c > 0xDBFF || s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u') return -1;
  int64_t low = hex4(s->p + 2);
  s->p += 6;
  return low < 0xDC00 || low > 0xDFFF ? -1 : 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
}

// One escape, its backslash consumed, appended to out; returns the bytes written or 0 on error.
static size_t escape(JsonScan *s, char *out) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if (s->p == s->end) return 0;
  char c = *s->p++;
  if (c == 'u') {
    int64_t u = unicode_escape(s);
    return u < 0 ? 0 : rt_utf8_put(out, (uint32_t)u);
  }
  const char *at = c ? strchr(from, c) : NULL;
  if (!at) return 0;
  *out = to[at - from];
  return 1;
}

static bool string_with_escapes(JsonScan *s, const char *begin, JsonStr *out) {
  size_t n = 0;
  s->p = begin;
  for (;;) {
    if (n + 8 > s->scratch_cap) {
      s->scratch_cap = s->scratch_cap ? s->scratch_cap * 2 : 64;
      s->scratch = rt_realloc(s->scratch, s->scratch_cap, 1);
    }
    if (s->p == s->end || (unsigned char)*s->p < 0x20) return jscan_fail(s, "the end of a string");
    char c = *s->p++;
    if (c == '"') break;
    if (c != '\\') {
      s->scratch[n++] = c;
      continue;
    }
    size_t k = escape(s, s->scratch + n);
    if (k == 0) return jscan_fail(s, "a valid escape in a string");
    n += k;
  }
  *out = (JsonStr){s->scratch, n};
  return true;
}

bool jscan_string(JsonScan *s, JsonStr *out) {
  if (jscan_peek(s) != '"') return jscan_fail(s, "a string");
  const char *begin = ++s->p;
  while (s->p < s->end && *s->p != '"' && *s->p != '\\' && (unsigned char)*s->p >= 0x20) s->p++;
  if (s->p == s->end || *s->p != '"') return string_with_escapes(s, begin, out);
  *out = (JsonStr){begin, (size_t)(s->p++ - begin)};
  return true;
}

bool jscan_int(JsonScan *s, int64_t *out) {
  bool minus = jscan_peek(s) == '-';
  if (minus) s->p++;
  if (s->p == s->end || *s->p < '0' || *s->p > '9') return jscan_fail(s, "an integer");
  int64_t v = 0;
  for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++)
    if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s->p - '0', &v)) return jscan_fail(s, "a smaller integer");
  if (s->p < s->end && (*s->p == '.' || *s->p == 'e' || *s->p == 'E')) return jscan_fail(s, "an integer");
  *out = minus ? -v : v;
  return true;
}

// Steps over a string without decoding it; the cursor is on its opening quote.
static bool skip_string(JsonScan *s) {
  for (s->p++; s->p < s->end; s->p++) {
    if (*s->p == '"') return s->p++, true;
    if (*s->p == '\\') s->p++;
  }
  s->p = s->end;
  return jscan_fail(s, "the end of a string");
}

bool jscan_skip(JsonScan *s) {
  int64_t depth = 0;
  do {
    char c = jscan_peek(s);
    if (c == '"') {
      if (!skip_string(s)) return false;
    } else if (c == '{' || c == '[') {
      depth++;
      s->p++;
    } else if (depth && (c == '}' || c == ']')) {
      depth--;
      s->p++;
    } else if (depth && (c == ',' || c == ':')) {
      s->p++;
    } else {
      const char *before = s->p;
      while (s->p < s->end && !strchr(" \t\r\n,:{}[]\"", *s->p)) s->p++;
      if (s->p == before) return jscan_fail(s, "a value");
    }
  } while (depth > 0);
  return true;
}
