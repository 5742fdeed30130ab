// What the lexer makes of a token's bytes: strings with their escapes, numbers, and bytes that begin no token.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dsl/parse.h"
#include "dsl/utf8.h"

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

Ast *lex_number(Parse *ps, const char *s, size_t n, bool is_int, Loc loc) {
  Ast *a = ast_new(ps, AST_NUMBER, loc);
  a->is_int = is_int;
  a->num = strtod(arena_strndup(ps->arena, s, n), NULL);
  if (is_int && a->num > 9007199254740992.0)   // 2^53: beyond it a double skips integers
    diag_error(ps->diags, loc, "this integer is too large: the largest is 9007199254740992");
  else if (a->num > 1.7976931348623157e308)
    diag_error(ps->diags, loc, "this number is too large");
  return a;
}

void lex_stray(Parse *ps, const char *s, size_t n, Loc loc) {
  static const struct {
    const char *found, *instead;
  } known[] = {
    {";", "nothing between statements"},
    {"&&", "'and'"}, {"&", "'and'"}, {"||", "'or'"}, {"!", "'not', or '!=' between values"},
    {"//", "'#' before a comment"}, {"**", "'^' for a power"}, {"'", "'\"' around a string"}, {"`", "'\"' around a string"},
    {"\xe2\x80\x9c", "'\"' around a string"}, {"\xe2\x80\x9d", "'\"' around a string"},
    {"\xe2\x80\xa6", "the values themselves, or a range such as 0..12"}, {"\xe2\x86\x92", "'->'"},
  };
  const char *found = arena_strndup(ps->arena, s, n);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(known[i].found, found)) {
      diag_error(ps->diags, loc, "found %s: write %s", found, known[i].instead);
      return;
    }
  unsigned char c = (unsigned char)s[0];
  if (c < 0x20 || c == 0x7f) diag_error(ps->diags, loc, "a control character (0x%02x) stands here", c);
  else diag_error(ps->diags, loc, "'%s' means nothing here: it may only stand in a string or a comment", found);
}
