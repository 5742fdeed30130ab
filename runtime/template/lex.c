// See lex.h. The rules are those of jinja2's lexer with trim_blocks and lstrip_blocks, its default delimiters and no line statements.
#include "runtime/template/lex.h"

#include <errno.h>
#include <stdlib.h>

typedef struct Lex {
  Tp *t;
  const char *s;
  size_t n, at;
  Token *tok;
  size_t n_tok, cap;
} Lex;

static void add(Lex *x, TokenKind kind, const char *s, size_t n) {
  if (x->n_tok == x->cap) {
    size_t cap = x->cap * 2 + 64;
    Token *tok = tp_alloc(x->t, cap, sizeof *tok);
    if (x->n_tok) memcpy(tok, x->tok, x->n_tok * sizeof *tok);
    x->tok = tok, x->cap = cap;
  }
  x->tok[x->n_tok++] = (Token){.kind = kind, .line = x->t->line, .s = s, .n = n};
}

static void count_lines(Lex *x, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) x->t->line += x->s[i] == '\n';
}

static void skip_to(Lex *x, size_t to) {
  count_lines(x, x->at, to);
  x->at = to;
}

static bool here(const Lex *x, size_t at, const char *what) {
  size_t n = strlen(what);
  return n <= x->n - at && !memcmp(x->s + at, what, n);
}

// Behind the white space from `at` on; and where the white space before `end` begins, not before `low`.
static size_t behind_space(const Lex *x, size_t at) {
  uint32_t c;
  for (size_t k; at < x->n && (k = rt_utf8_next(x->s + at, &c), is_space(c)); at += k) {}
  return at;
}
static size_t before_space(const Lex *x, size_t low, size_t end) {
  while (end > low) {
    size_t at = end - 1;
    uint32_t c;
    while (at > low && ((unsigned char)x->s[at] & 0xC0) == 0x80) at--;
    rt_utf8_next(x->s + at, &c);
    if (!is_space(c)) break;
    end = at;
  }
  return end;
}

// The end of a tag at `at`, "%}" and its kin, with a sign before it: where what follows begins; 0: no such end here. trims: a newline goes with it.
static size_t tag_end(const Lex *x, size_t at, const char *end, bool trims) {
  bool minus = here(x, at, "-"), plus = trims && here(x, at, "+");
  size_t to = at + (minus || plus);
  if (!here(x, to, end)) return 0;
  to += 2;
  if (minus) return behind_space(x, to);
  return to + (trims && !plus && to < x->n && x->s[to] == '\n');
}

// Text from x->at to the tag at `tag`, whose opening has this sign; a block's or comment's takes the blanks of its own line with it.
static void text_until(Lex *x, size_t tag, char sign, bool strips, bool fresh) {
  size_t from = x->at, to = tag;
  if (sign == '-') to = before_space(x, from, tag);
  else if (sign != '+' && strips) {
    size_t line = tag;
    while (line > from && x->s[line - 1] != '\n') line--;
    bool blank = line > from || fresh;
    for (size_t i = line; blank && i < tag; i++) blank = x->s[i] == ' ' || x->s[i] == '\t';
    if (blank) to = line;
  }
  if (to > from) add(x, T_TEXT, x->s + from, to - from);
  skip_to(x, tag);
}

static void find_end(Lex *x, const char *end, const char *what) {
  size_t at = x->at;
  for (; at < x->n; at++) {
    size_t to = tag_end(x, at, end, true);
    if (to) {
      skip_to(x, to);
      return;
    }
  }
  tp_fail(x->t, "missing end of %s", what);
}

// {% raw %} at x->at, after its "{%" and sign: true, and its text is taken.
static bool raw(Lex *x, size_t at) {
  at = behind_space(x, at);
  if (!here(x, at, "raw")) return false;
  size_t end = behind_space(x, at + 3);
  bool minus = here(x, end, "-");
  if (!here(x, end + minus, "%}")) return false;
  end += minus + 2u;
  skip_to(x, minus ? behind_space(x, end) : end);
  for (size_t p = x->at; p + 1 < x->n; p++) {
    if (!here(x, p, "{%")) continue;
    size_t q = p + 2;
    char sign = q < x->n && (x->s[q] == '-' || x->s[q] == '+') ? x->s[q++] : 0;
    q = behind_space(x, q);
    if (!here(x, q, "endraw")) continue;
    size_t to = tag_end(x, behind_space(x, q + 6), "%}", true);
    if (!to) continue;
    text_until(x, p, sign, true, x->at > 0 && x->s[x->at - 1] == '\n');
    skip_to(x, to);
    return true;
  }
  tp_fail(x->t, "missing end of raw block");
}

// --- inside tags

static int digit_of(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99; }

// A number after a backslash: `most` digits of that base at *at (`least` at least).
static uint32_t escape(Lex *x, size_t *at, size_t end, int base, int least, int most) {
  uint32_t c = 0;
  int k = 0;
  for (; k < most && *at < end && digit_of(x->s[*at]) < base; k++) c = c * (uint32_t)base + (uint32_t)digit_of(x->s[(*at)++]);
  if (k < least || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) tp_fail(x->t, "a string's escape is no character");
  return c;
}

static void string(Lex *x) {
  char q = x->s[x->at];
  size_t at = x->at + 1, end = at;
  while (end < x->n && x->s[end] != q) end += x->s[end] == '\\' ? 2 : 1;
  if (end >= x->n) tp_fail(x->t, "a string does not end");
  char *out = tp_alloc(x->t, (end - at) * 2 + 1, 1);       // an octal escape of three bytes may be a character of two
  size_t n = 0;
  while (at < end) {
    if (x->s[at] != '\\') {
      out[n++] = x->s[at++];
      continue;
    }
    char c = x->s[++at];
    const char *plain = c ? strchr("\\\\''\"\"n\nr\rt\tb\bf\fa\av\v", c) : NULL;
    // the table has a letter, then what it stands for; a letter found as what stands for another is none
    if (plain && (plain - "\\\\''\"\"n\nr\rt\tb\bf\fa\av\v") % 2 == 0) out[n++] = plain[1], at++;
    else if (c == '\n') at++;
    else if (c >= '0' && c <= '7') n += rt_utf8_put(out + n, escape(x, &at, end, 8, 1, 3));
    else if (c == 'x' || c == 'u' || c == 'U') at++, n += rt_utf8_put(out + n, escape(x, &at, end, 16, c == 'x' ? 2 : c == 'u' ? 4 : 8, c == 'x' ? 2 : c == 'u' ? 4 : 8));
    else if (c == 'N') tp_fail(x->t, "characters by their names (\\N) are not supported");
    else out[n++] = '\\';
  }
  add(x, T_STRING, out, n);
  skip_to(x, end + 1);
}

static bool digit_at(const Lex *x, size_t at, int base) { return at < x->n && digit_of(x->s[at]) < base; }
static size_t digits(const Lex *x, size_t at, int base) {  // with single _ between them
  while (digit_at(x, at, base) || (at < x->n && x->s[at] == '_' && digit_at(x, at + 1, base))) at++;
  return at;
}

static void number(Lex *x) {
  size_t at = x->at, end;
  int base = 10;
  bool real = false;
  if (x->s[at] == '0' && at + 1 < x->n) {
    char c = (char)(x->s[at + 1] | 0x20);
    int b = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
    if (b != 10 && digit_at(x, at + 2, b)) base = b, at += 2;
  }
  end = digits(x, at, base);
  if (base == 10 && !(x->at && x->s[x->at - 1] == '.')) {        // in a.0.1 each number is an item's place
    if (end < x->n && x->s[end] == '.' && digit_at(x, end + 1, 10)) end = digits(x, end + 1, 10), real = true;
    size_t e = end;
    if (e < x->n && (x->s[e] | 0x20) == 'e' && (e++, e += e < x->n && (x->s[e] == '+' || x->s[e] == '-'), digit_at(x, e, 10))) end = digits(x, e, 10), real = true;
  }
  char *s = tp_alloc(x->t, end - at + 1, 1);
  size_t n = 0;
  for (size_t i = at; i < end; i++)
    if (x->s[i] != '_') s[n++] = x->s[i];
  if (!real && base == 10 && n > 1 && s[0] == '0' && strspn(s, "0") != n) tp_fail(x->t, "'%s' is no number", s);
  add(x, real ? T_FLOAT : T_INT, s, n);
  Token *k = &x->tok[x->n_tok - 1];
  errno = 0;
  if (real) k->f = strtod(s, NULL);
  else k->i = strtoll(s, NULL, base);
  if (!real && errno) tp_fail(x->t, "the number %s is too large", s);
  skip_to(x, end);
}

static bool name_byte(char c) { return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

static void named(Lex *x, TokenKind kind, size_t n) {
  char *s = tp_alloc(x->t, n + 1, 1);
  add(x, kind, memcpy(s, x->s + x->at, n), n);
  x->at += n;
}

static void word(Lex *x) {
  size_t n = 0;
  while (x->at + n < x->n && name_byte(x->s[x->at + n])) n++;
  named(x, T_NAME, n);
}

static void operator(Lex *x, int *open) {
  static const char *const two[] = {"//", "**", "==", "!=", ">=", "<="};
  for (size_t i = 0; i < sizeof two / sizeof *two; i++)
    if (here(x, x->at, two[i])) {
      named(x, T_OP, 2);
      return;
    }
  char c = x->s[x->at];
  if (!c || !strchr("+-/*%~[](){}><=.:|,;", c)) {
    uint32_t cp;
    rt_utf8_next(x->s + x->at, &cp);
    tp_fail(x->t, "unexpected character U+%04X", cp);
  }
  *open += strchr("[({", c) ? 1 : strchr("])}", c) ? -1 : 0;
  if (*open < 0) tp_fail(x->t, "unexpected '%c'", c);
  named(x, T_OP, 1);
}

// What a tag holds, from behind its opening to behind its end.
static void inside(Lex *x, TokenKind kind) {
  bool block = kind == T_BLOCK;
  int open = 0;
  add(x, kind, "", 0);
  for (;;) {
    skip_to(x, behind_space(x, x->at));
    if (x->at == x->n) tp_fail(x->t, "a '%s' does not end", block ? "{%" : "{{");
    size_t end = open ? 0 : tag_end(x, x->at, block ? "%}" : "}}", block);
    char c = x->s[x->at];
    if (end) {
      add(x, block ? T_BLOCK_END : T_PRINT_END, "", 0);
      skip_to(x, end);
      return;
    }
    if (c == '\'' || c == '"') string(x);
    else if (c >= '0' && c <= '9') number(x);
    else if (name_byte(c)) word(x);
    else operator(x, &open);
  }
}

// Newlines of any kind become \n, and one at the end is none of the template's.
static void normal(Lex *x, const char *text, size_t n) {
  char *s = tp_alloc(x->t, n + 1, 1);
  size_t k = 0;
  for (size_t i = 0; i < n; i++) {
    if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n') continue;
    s[k++] = text[i] == '\r' ? '\n' : text[i];
  }
  if (k && s[k - 1] == '\n') k--;
  s[k] = 0;
  x->s = s, x->n = k;
}

Token *tp_lex(Tp *t, const char *text, size_t n) {
  size_t bad = rt_utf8_valid(text, n);
  if (bad < n) {
    for (size_t i = 0; i < bad; i++) t->line += text[i] == '\n';
    tp_fail(t, "not UTF-8");
  }
  Lex x = {.t = t};
  normal(&x, text, n);
  for (size_t p = x.at; p < x.n;) {
    char c = p + 1 < x.n && x.s[p] == '{' ? x.s[p + 1] : 0;
    if (c != '%' && c != '{' && c != '#') {
      p++;
      continue;
    }
    char sign = p + 2 < x.n && (x.s[p + 2] == '-' || x.s[p + 2] == '+') ? x.s[p + 2] : 0;
    text_until(&x, p, sign, c != '{', x.at == 0 || x.s[x.at - 1] == '\n');
    size_t behind = p + 2 + (sign != 0);
    if (c == '%' && raw(&x, behind)) {
      p = x.at;
      continue;
    }
    skip_to(&x, behind);
    if (c == '#') find_end(&x, "#}", "comment");
    else inside(&x, c == '%' ? T_BLOCK : T_PRINT);
    p = x.at;
  }
  if (x.at < x.n) add(&x, T_TEXT, x.s + x.at, x.n - x.at);
  skip_to(&x, x.n);
  add(&x, T_END, "end of template", 15);
  return x.tok;
}
