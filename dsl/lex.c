// What the lexer makes of a token's bytes: strings with their escapes, numbers, and bytes that begin no token.
#include <math.h>
#include <string.h>

#include "dsl/parse.h"
#include "dsl/utf8.h"
#include "parser.h"
#include "runtime/abi/abi.h"

// Reads \u{hex}: s points at the '{'. Returns the length of "{hex}", 0 when it is malformed.
static size_t code_point(const char *s, size_t n, uint32_t *c) {
  *c = 0;
  size_t i = 1;
  if (n < 3 || s[0] != '{') return 0;
  for (; i < n && i < 8 && s[i] != '}'; i++) {
    const char *digits = "0123456789abcdef", *d = strchr(digits, s[i] | 0x20);
    if (!d || !*d) return 0;
    *c = *c << 4 | (uint32_t)(d - digits);
  }
  bool scalar = *c && *c < 0x110000 && (*c < 0xd800 || *c > 0xdfff);
  return i > 1 && i < n && s[i] == '}' && scalar ? i + 1 : 0;
}

char *lex_string(Parse *ps, const char *s, size_t n, Loc loc) {
  Buf b = {0};
  for (size_t i = 0; i < n; i++) {
    if (s[i] != '\\' || i + 1 == n) {
      buf_putc(&b, s[i]);
      continue;
    }
    uint32_t c;
    size_t used;
    Loc at = {loc.file, loc.begin + 1 + (uint32_t)i, loc.begin + 3 + (uint32_t)i};
    switch (s[++i]) {
      case 'n': buf_putc(&b, '\n'); break;
      case 't': buf_putc(&b, '\t'); break;
      case '"': buf_putc(&b, '"'); break;
      case '\\': buf_putc(&b, '\\'); break;
      case 'u':
        used = code_point(s + i + 1, n - i - 1, &c);
        if (used) utf8_put(&b, c);
        else diag_error(ps->diags, at, "expected a character's number in braces after \\u, such as \\u{2581}");
        i += used;
        break;
      default: diag_error(ps->diags, at, "unknown escape: expected \\n, \\t, \\\", \\\\ or \\u{2581}");
    }
  }
  char *text = arena_strndup(ps->arena, b.s ? b.s : "", b.n);
  buf_free(&b);
  return text;
}

// Names are made longer ones of, for every layer: of a weight, of a parameter.
char *lex_name(Parse *ps, const char *s, size_t n, Loc loc) {
  enum { LONGEST = 200 };
  if (n > LONGEST) diag_error(ps->diags, loc, "this name is too long: at most %d characters", LONGEST);
  return arena_strndup(ps->arena, s, n < LONGEST ? n : LONGEST);
}

Ast *lex_number(Parse *ps, const char *s, size_t n, bool is_int, Loc loc) {
  Ast *a = ast_new(ps, AST_NUMBER, loc);
  a->is_int = is_int;
  if (!number_real_text(arena_strndup(ps->arena, s, n), &a->num)) a->num = INFINITY;       // the lexer knows a number: this is one too large
  if (is_int && a->num > 9007199254740992.0)   // 2^53: beyond it a double skips integers
    diag_error(ps->diags, loc, "this integer is too large: the largest is 9007199254740992");
  else if (a->num > 1.7976931348623157e308)
    diag_error(ps->diags, loc, "this number is too large");
  return a;
}

char *lex_quoted(Parse *ps, const char *s, size_t n, size_t quote, Loc loc) {
  diag_error(ps->diags, loc, "a string stands in double quotes: write \"%.*s\"", (int)(n - 2 * quote), s + quote);
  return arena_strndup(ps->arena, s + quote, n - 2 * quote);
}

// What people write out of habit, and what it is here.
static const struct Stray {
  const char *found;
  int meant;             // goes on as this token, 0 = as nothing
  const char *text;
} strays[] = {
  {";", 0, "nothing separates statements: leave ';' out"},
  {"&&", T_AND, "write 'and' for '&&'"},
  {"&", T_AND, "write 'and' for '&'"},
  {"||", T_OR, "write 'or' for '||'"},
  {"!", T_NOT, "write 'not' for '!'"},
  {"**", '^', "write '^' for '**'"},
  {"\xe2\x86\x92", T_ARROW, "write '->' for '\xe2\x86\x92'"},
  {"\xe2\x80\xa6", 0, "'\xe2\x80\xa6' means nothing here: write the values, or a range such as 0..12"},
};

int lex_stray(Parse *ps, const char *s, size_t n, Loc loc) {
  if (n >= 2 && s[0] == '/' && s[1] == '/') {
    loc.end = loc.begin + 2;
    diag_error(ps->diags, loc, "a comment begins with '#', not with '//'");
    return 0;
  }
  const char *found = arena_strndup(ps->arena, s, n);
  for (size_t i = 0; i < sizeof strays / sizeof *strays; i++)
    if (!strcmp(strays[i].found, found)) {
      diag_error(ps->diags, loc, "%s", strays[i].text);
      return strays[i].meant;
    }
  unsigned char c = (unsigned char)s[0];
  if (c < 0x20 || c == 0x7f) diag_error(ps->diags, loc, "a control character (0x%02x) stands here", c);
  else diag_error(ps->diags, loc, "'%s' means nothing here: it may only stand in a string or a comment", found);
  return 0;
}
