// See regex_syntax.h. tokenizer.json writes for Oniguruma; where PCRE2 differs, a part is rewritten (\s, \S, \w, \W are Unicode's classes, \v one
// character, (?m) what PCRE2 calls s, captures plain groups) or refused (negated classes in classes, intersections, \h, …). One walk from left to right with
// a stack of groups; the costs of what was read are put together on the way.
#include "runtime/text/regex_syntax.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/core.h"

#define SPACES "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define WORDS "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"
#define LATIN "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"     // numbers that are of a word for \w and \W, and not in a class

enum {
  MOST = TK_SYNTAX_MOST, DEEPEST = 200, LONGEST = 1 << 15,
  CASELESS = 1 << 18,          // characters in the ranges of classes: PCRE2 looks up the other case of each while it compiles
};

// ---- costs: at + each * w steps, w the bytes looked at; saturated
typedef struct Cost { int64_t at, each; } Cost;

static const Cost none = {0, 0}, one = {1, 0}, endless = {MOST, MOST};

static int64_t capped(int64_t n) { return n < MOST ? n : MOST; }
static Cost plus(Cost a, Cost b) { return (Cost){capped(a.at + b.at), capped(a.each + b.each)}; }

static Cost times(Cost a, Cost b) {
  if (a.each && b.each) return endless;
  return (Cost){capped(a.at * b.at), capped(a.at * b.each + a.each * b.at)};
}

// A part: what it costs where what follows may fail, in all its ways to match; where what follows never fails; and where it fails itself.
typedef struct Part {
  Cost all, last, fail, ways;
  bool total;                  // it never fails
  bool single;                 // one character
} Part;
// Parts in a row.
typedef struct Row {
  Cost ways, all, ok, tail;    // ok: up to the last part that can fail, tail: behind it
  bool total;
} Row;
// A group that is open: its alternatives so far, and the row being read.
typedef struct Group {
  enum { PLAIN, LOOK, ATOMIC } kind;
  Cost ways, all, ok;
  bool total;
  Row row;
} Group;

static const Row no_parts = {.ways = {1, 0}, .total = true};

static void add_part(Row *r, Part p) {
  if (p.total) r->tail = plus(r->tail, p.last);
  else r->ok = plus(plus(r->all, times(r->ways, p.fail)), p.last), r->tail = none, r->total = false;
  r->all = plus(r->all, times(r->ways, p.all));
  r->ways = times(r->ways, p.ways);
}

static void end_alternative(Group *g) {
  g->ways = plus(g->ways, g->row.ways);
  g->all = plus(g->all, g->row.all);
  g->ok = plus(plus(g->ok, one), plus(g->row.ok, g->row.tail));
  g->total |= g->row.total;
  g->row = no_parts;
}

static Part group_part(const Group *g) {
  Part p = {.all = plus(g->all, one), .last = g->ok, .fail = g->ok, .ways = g->ways, .total = g->total};
  if (g->kind != PLAIN) p.all = p.last, p.ways = one;
  if (g->kind == LOOK) p.total = false;
  return p;
}

static Part repeated_character(Part p, int64_t least, int64_t most, bool possessive) {
  Cost each = p.all, count = most < 0 ? (Cost){capped(least + 1), 1} : (Cost){capped(most + 1), 0};
  p.all = p.last = times(each, count);
  p.fail = times(each, (Cost){capped(least > 0 ? least : 1), 0});
  p.ways = possessive ? one : most < 0 ? (Cost){1, 1} : (Cost){capped(most - least + 1), 0};
  p.total = least == 0;
  p.single = false;
  return p;
}

static Part repeated(Part p, int64_t least, int64_t most, bool possessive) {
  if (p.single) return repeated_character(p, least, most, possessive);
  if (most < 0 || most > 1000) return (Part){endless, endless, endless, endless, least == 0, false};
  Cost ways = one, all = one, branch = least < most ? plus(p.ways, one) : p.ways;
  for (int64_t i = 0; i < most && all.at < MOST; i++) {
    all = plus(all, times(ways, p.all));
    ways = times(ways, branch);
  }
  Part r = {.all = all, .last = all, .fail = all, .ways = ways, .total = least == 0 || p.total};
  if (most == 1) r.last = plus(p.last, one), r.fail = p.fail;
  if (possessive) r.all = r.last, r.ways = one;
  return r;
}

// ---- the walk
typedef struct Walk {
  const char *p;
  char *out;
  size_t n, cap;
  Group *group;
  int depth, cap_depth;
  Part part;                   // the last one, which a repeat may follow
  bool has_part;
  bool repeated;               // a repeat was read, and it did not call back since
  bool tells, caseless, counted;
  int64_t row;                 // characters since it called back
  int64_t longest, heaviest;
  int64_t ranges;              // characters in those of classes, where caseless
  const char *unsupported;
} Walk;

static void put(Walk *w, const char *s, size_t n) {
  if (w->n + n + 1 > w->cap) {
    w->cap = (w->n + n + 1) * 2;
    w->out = rt_realloc(w->out, w->cap, 1);
  }
  memcpy(w->out + w->n, s, n);
  w->out[w->n += n] = 0;
}

static void put_text(Walk *w, const char *s) { put(w, s, strlen(s)); }

static void call_back(Walk *w) {
  if (w->counted) put_text(w, "(?C)");
  w->row = 0;
}

static bool refuse(Walk *w, const char *why) { return w->unsupported = why, false; }

static Group *inner(Walk *w) { return &w->group[w->depth]; }

static void flush_part(Walk *w) {
  if (w->has_part) add_part(&inner(w)->row, w->part);
  w->has_part = false;
}

static void new_part(Walk *w, Part p) {
  flush_part(w);
  w->part = p;
  w->has_part = true;
}

static void new_character(Walk *w, int64_t parts) {
  Cost c = {1 + parts / 8, 0};
  if (c.at > w->longest) w->longest = c.at;
  if (c.at > w->heaviest) w->heaviest = c.at;
  if (++w->row > w->longest) w->longest = w->row;
  new_part(w, (Part){.all = c, .last = c, .fail = c, .ways = one, .single = true});
}

static const Part place = {.all = {1, 0}, .last = {1, 0}, .fail = {1, 0}, .ways = {1, 0}};   // \b and the like

// The bytes of \p{…}, \x{…} behind the letter at p, and of \xNN, \uNNNN; 0 where it is none.
static size_t braced(const char *p) {
  size_t k = p[1] == '{' ? strcspn(p, "}") : 0;
  return k && p[k] == '}' && k < 80 ? k + 1 : 0;
}

static size_t hex_digits(const char *p, size_t most) {
  size_t k = strspn(p, "0123456789abcdefABCDEF");
  return k < most ? k : most;
}

// One escape that stands for a character or a class of them; w->p is at the character after the backslash.
static bool put_escape(Walk *w, bool in_class) {
  static const struct {
    char c;
    const char *outside, *inside;   // NULL: refused there
  } table[] = {
    {'s', "[" SPACES "]", SPACES}, {'S', "[^" SPACES "]", NULL}, {'w', "[" WORDS LATIN "]", WORDS}, {'W', "[^" WORDS LATIN "]", NULL},
    {'d', "\\d", "\\d"}, {'D', "\\D", "\\D"}, {'n', "\\n", "\\n"}, {'r', "\\r", "\\r"}, {'t', "\\t", "\\t"}, {'f', "\\f", "\\f"},
    {'v', "\\x0B", "\\x0B"}, {'a', "\\a", "\\a"}, {'e', "\\e", "\\e"}, {'b', NULL, "\\x08"},
  };
  char c = *w->p;
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    if (c != table[i].c) continue;
    const char *to = in_class ? table[i].inside : table[i].outside;
    if (!to) return refuse(w, "an escape that means something else in PCRE2");
    put_text(w, to);
    w->p++;
    return true;
  }
  size_t k = c == 'p' || c == 'P' ? braced(w->p) : 0;
  if (c == 'x') k = braced(w->p) ? braced(w->p) : 1 + hex_digits(w->p + 1, 2);
  if (k) {
    put(w, "\\", 1);
    put(w, w->p, k);
    w->p += k;
    return true;
  }
  if (c == 'u' && hex_digits(w->p + 1, 4) == 4) {
    put(w, "\\x{", 3);
    put(w, w->p + 1, 4);
    put(w, "}", 1);
    w->p += 5;
    return true;
  }
  bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || !c;
  if (letter) return refuse(w, c >= '1' && c <= '9' ? "a back-reference" : "an escape that is not supported");
  uint32_t cp;
  k = rt_utf8_next(w->p, &cp);
  if (k == 1) put(w, "\\", 1);
  put(w, w->p, k);
  w->p += k;
  return true;
}

// [:alpha:] and the like: how long, or 0.
static size_t posix_class(const char *p) {
  if (p[0] != '[' || p[1] != ':') return 0;
  size_t k = 2 + (p[2] == '^');
  k += strspn(p + k, "abcdefghijklmnopqrstuvwxyz");
  return p[k] == ':' && p[k + 1] == ']' ? k + 2 : 0;
}

// The character that a part of a class begins with; -1 where that is more than one.
static int64_t character_at(const char *p) {
  uint32_t cp;
  if (*p != '\\') return rt_utf8_next(p, &cp), (int64_t)cp;
  if (p[1] == 'x' || p[1] == 'u') return strtoll(p + 2 + (p[2] == '{'), NULL, 16);
  return strchr("sSwWdDpP", p[1]) ? -1 : p[1];
}

// Where p is the - of a range behind `from`: how many characters are in it.
static int64_t range_at(const char *p, int64_t from) {
  int64_t to = *p == '-' && p[1] && p[1] != ']' ? character_at(p + 1) : -1;
  return from >= 0 && to > from ? to - from : 0;
}

// The bracket at p of a class within a class, whose characters are the outer one's too: whether it can be left out. One that is negated, or has a -
// beside or behind a bracket, would mean something else.
static bool joins_outer(const char *p) { return *p == '[' ? p[-1] != '-' && !strchr("^-]", p[1]) : p[-1] != '-' && p[1] != '-'; }

static bool read_class(Walk *w) {
  int64_t parts = 0, before = -1;
  int inner = 0;
  put(w, w->p++, 1);
  if (*w->p == '^') put(w, w->p++, 1);
  for (bool first = true; *w->p && (first || inner || *w->p != ']'); first = false, parts++) {
    size_t k = posix_class(w->p);
    bool opens = *w->p == '[' && !k, closes = *w->p == ']' && inner;
    if ((opens || closes) && joins_outer(w->p)) {
      inner += opens ? 1 : -1;
      before = -1;
      w->p++;
      continue;
    }
    if (w->caseless && (w->ranges += range_at(w->p, before)) > CASELESS) return refuse(w, "too large ranges without regard to case");
    before = k ? -1 : character_at(w->p);
    if (k) {
      put(w, w->p, k);
      w->p += k;
    } else if (opens || closes || (w->p[0] == '&' && w->p[1] == '&')) {
      return refuse(w, "a character class within a character class");
    } else if (*w->p == '\\') {
      w->p++;
      if (!put_escape(w, true)) return false;
    } else {
      if (*w->p == ']') put(w, "\\", 1);
      put(w, w->p++, 1);
    }
  }
  if (!*w->p) return refuse(w, "a character class without its end");
  put(w, w->p++, 1);
  new_character(w, parts);
  return true;
}

// (?i), (?i:…), (?m-i) …: w->p is behind "(?". Oniguruma's m is what PCRE2 calls s.
static bool read_options(Walk *w, bool *group) {
  size_t k = strspn(w->p, "ims-");
  *group = w->p[k] == ':';
  if (k == 0 || k > 6 || (w->p[k] != ':' && w->p[k] != ')')) return refuse(w, "a kind of group that is not supported");
  put(w, "(?", 2);
  for (size_t i = 0; i < k; i++) put(w, w->p[i] == 'm' ? "s" : &w->p[i], 1);
  w->caseless |= memchr(w->p, 'i', k) != NULL;
  put(w, w->p + k, 1);
  w->p += k + 1;
  return true;
}

static bool open_group(Walk *w) {
  static const struct { const char *opens; int kind; } kinds[] = {
    {"(?:", PLAIN}, {"(?>", ATOMIC}, {"(?=", LOOK}, {"(?!", LOOK}, {"(?<=", LOOK}, {"(?<!", LOOK},
  };
  int kind = -1;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds && kind < 0; i++) {
    size_t k = strlen(kinds[i].opens);
    if (strncmp(w->p, kinds[i].opens, k) != 0) continue;
    kind = kinds[i].kind;
    put(w, w->p, k);
    w->p += k;
  }
  if (kind < 0 && w->p[1] == '*') return refuse(w, "a verb");
  flush_part(w);
  if (kind < 0 && w->p[1] == '?' && w->p[2] == '<') {       // (?<name>…): nothing asks for what it captures
    size_t k = strcspn(w->p, ">");
    if (!w->p[k] || k > 80) return refuse(w, "a kind of group that is not supported");
    w->p += k + 1;
    kind = PLAIN;
    put(w, "(?:", 3);
  } else if (kind < 0 && w->p[1] == '?') {
    bool group;
    w->p += 2;
    if (!read_options(w, &group)) return false;
    if (!group) return true;
    kind = PLAIN;
  } else if (kind < 0) {
    w->p++;
    kind = PLAIN;
    put(w, "(?:", 3);
  }
  if (w->depth + 1 >= DEEPEST) return refuse(w, "groups within groups, too many");
  if (++w->depth >= w->cap_depth) w->group = rt_realloc(w->group, (size_t)(w->cap_depth *= 2), sizeof *w->group);
  w->group[w->depth] = (Group){.kind = kind, .row = no_parts};
  call_back(w);
  return true;
}

static bool close_group(Walk *w) {
  if (w->depth == 0) return refuse(w, "a ) without its (");
  flush_part(w);
  Group *g = inner(w);
  end_alternative(g);
  Part p = group_part(g);
  w->depth--;
  new_part(w, p);
  put(w, w->p++, 1);
  return true;
}

// {n}, {n,}, {n,m}, {,m}; false where the brace is a character.
static bool counts(const char **at, int64_t *least, int64_t *most) {
  const char *p = *at + 1;
  int64_t n[2] = {0, -1};
  bool comma = false, digits[2] = {false, false};
  for (; *p && *p != '}'; p++) {
    if (*p == ',' && !comma) {
      comma = true;
      continue;
    }
    if (*p < '0' || *p > '9') return false;
    if (!digits[comma]) n[comma] = 0, digits[comma] = true;
    n[comma] = capped(n[comma] * 10 + (*p - '0'));
  }
  if (!*p || (!digits[0] && !digits[1])) return false;
  *least = n[0];
  *most = comma ? n[1] : n[0];
  *at = p + 1;
  return true;
}

static bool read_repeat(Walk *w) {
  int64_t least = 0, most = -1;
  char shown[64], c = *w->p;
  if (c == '{') {
    if (!counts(&w->p, &least, &most)) return put_text(w, "\\{"), w->p++, new_character(w, 0), true;
    if (most >= 0) snprintf(shown, sizeof shown, "{%lld,%lld}", (long long)least, (long long)most);
    else snprintf(shown, sizeof shown, "{%lld,}", (long long)least);
    put_text(w, shown);
  } else {
    least = c == '+', most = c == '?' ? 1 : -1;
    put(w, w->p++, 1);
  }
  bool possessive = *w->p == '+';
  if (*w->p == '+' || *w->p == '?') put(w, w->p++, 1);
  if (!w->has_part) return refuse(w, "a repeat of nothing");
  if (least > w->longest) w->longest = least;
  w->part = repeated(w->part, least, most, possessive);
  w->repeated = true;
  return true;
}

// A backslash outside of classes.
static bool read_escape(Walk *w) {
  char c = *++w->p;
  if (c && strchr("bBAzZ", c)) {
    w->tells &= c != 'z' && c != 'Z';
    put(w, w->p - 1, 2);
    w->p++;
    new_part(w, place);
    return true;
  }
  if (c == 'X' || c == 'R') {      // a run of characters
    put(w, w->p - 1, 2);
    w->p++;
    new_part(w, (Part){endless, endless, endless, one, false, false});
    return true;
  }
  if (!put_escape(w, false)) return false;
  new_character(w, 0);
  return true;
}

static bool read_one(Walk *w) {
  if (w->repeated && !strchr("*+?{", *w->p)) {
    call_back(w);
    w->repeated = false;
  }
  switch (*w->p) {
    case '\\': return read_escape(w);
    case '[': return read_class(w);
    case '(': return open_group(w);
    case ')': return close_group(w);
    case '*': case '+': case '?': case '{': return read_repeat(w);
    case '|':
      flush_part(w);
      end_alternative(inner(w));
      put(w, w->p++, 1);
      call_back(w);
      return true;
    case '^': case '$':
      w->tells = false;
      put(w, w->p++, 1);
      new_part(w, place);
      return true;
    default: {
      uint32_t cp;
      size_t k = rt_utf8_next(w->p, &cp);
      put(w, w->p, k);
      w->p += k;
      new_character(w, 0);
      return true;
    }
  }
}

int tk_syntax_shown(const char *source) {
  size_t n = strlen(source);
  return (int)rt_utf8_valid(source, n < 200 ? n : 200);
}

bool tk_syntax_read(TkSyntax *x, const char *what, const char *source, bool counted, RtError *e) {
  size_t length = strlen(source);
  if (length > LONGEST) return rt_fail(e, "%s: a regular expression of %zu bytes; at most %d are supported", what, length, LONGEST);
  Walk w = {.p = source, .tells = true, .counted = counted, .longest = 1, .heaviest = 1, .cap_depth = 8};
  w.group = rt_alloc((size_t)w.cap_depth, sizeof *w.group);
  w.group[0] = (Group){.row = no_parts};
  put(&w, "", 0);
  call_back(&w);
  bool ok = true;
  while (ok && *w.p) ok = read_one(&w);
  if (ok && w.depth) ok = refuse(&w, "a ( without its )");
  if (ok) {
    if (w.repeated) call_back(&w);
    flush_part(&w);
    end_alternative(&w.group[0]);
    *x = (TkSyntax){w.out, w.tells, w.group[0].ok.at, w.group[0].ok.each, w.longest, w.heaviest};
  } else {
    rt_fail(e, "%s: the regular expression \"%.*s\" uses %s", what, tk_syntax_shown(source), source, w.unsupported);
    rt_free(w.out);
  }
  rt_free(w.group);
  return ok;
}
