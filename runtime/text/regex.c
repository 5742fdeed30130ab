// Patterns. tokenizer.json writes regular expressions for Oniguruma; they run on PCRE2 after the places where the two differ are
// rewritten (\s, \S and \w are Unicode's classes) or refused (nested and intersected classes, \h).
#include "runtime/text/regex.h"

#include <string.h>

#include "runtime/core/core.h"

#define SPACES "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define WORDS "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}"

typedef struct Out {
  char *s;
  size_t n, cap;
} Out;

static void put(Out *o, const char *s, size_t n) {
  if (o->n + n + 1 > o->cap) {
    o->cap = (o->n + n + 1) * 2;
    o->s = rt_realloc(o->s, o->cap, 1);
  }
  memcpy(o->s + o->n, s, n);
  o->s[o->n += n] = 0;
}

// One escape (p is at the character after the backslash). Returns how many characters it took, or 0 when it is not supported.
static size_t put_escape(Out *o, const char *p, bool in_class) {
  static const struct {
    char c;
    const char *outside, *inside;   // NULL: refused there
  } table[] = {
    {'s', "[" SPACES "]", SPACES}, {'S', "[^" SPACES "]", NULL},
    {'w', "[" WORDS "]", WORDS},   {'W', "[^" WORDS "]", NULL},
    {'h', NULL, NULL},             {'H', NULL, NULL},
    {'Q', NULL, NULL},             {'E', NULL, NULL},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    if (*p != table[i].c) continue;
    const char *to = in_class ? table[i].inside : table[i].outside;
    if (to) put(o, to, strlen(to));
    return to ? 1 : 0;
  }
  if (*p == 'u' && strspn(p + 1, "0123456789abcdefABCDEF") >= 4) {
    put(o, "\\x{", 3);
    put(o, p + 1, 4);
    put(o, "}", 1);
    return 5;
  }
  put(o, "\\", 1);
  put(o, p, 1);
  return 1;
}

// Rewrites pattern for PCRE2; NULL and *unsupported set when it uses what differs.
static char *translate(const char *pattern, const char **unsupported) {
  Out o = {0};
  bool in_class = false;
  put(&o, "", 0);
  for (const char *p = pattern; *p;) {
    if (*p == '\\' && p[1]) {
      size_t k = put_escape(&o, p + 1, in_class);
      *unsupported = "an escape that means something else in PCRE2";
      if (k == 0) goto refuse;
      p += 1 + k;
      continue;
    }
    const char *posix_end = in_class && p[0] == '[' && p[1] == ':' ? strstr(p, ":]") : NULL;
    if (posix_end) {
      put(&o, p, (size_t)(posix_end + 2 - p));
      p = posix_end + 2;
      continue;
    }
    *unsupported = "a character class within a character class";
    if (in_class && (*p == '[' || (p[0] == '&' && p[1] == '&'))) goto refuse;
    if (*p == ']') in_class = false;
    if (*p == '[') {
      in_class = true;
      if (p[1] == '^') put(&o, p++, 1);
    }
    put(&o, p++, 1);
  }
  return o.s;
refuse:
  rt_free(o.s);
  return NULL;
}

// PCRE2's memory is ours. It hears when there is none, since its machine code lies in memory of its own, which it would lose were it left.
static void *give(size_t n, void *user) { return (void)user, rt_try_alloc(n, 1); }
static void take_back(void *p, void *user) { (void)user, rt_free(p); }

static void code_end(void *object) { pcre2_code_free(*(pcre2_code **)object); }

bool tk_pattern_regex(TkPattern *p, const char *what, const char *source, RtError *e) {
  const char *unsupported = NULL;
  char *text = translate(source, &unsupported);
  if (!text) return rt_fail(e, "%s: the regular expression \"%.200s\" uses %s", what, source, unsupported);
  int code;
  PCRE2_SIZE at;
  pcre2_code **held = p->held = rt_object(sizeof *held, code_end);
  pcre2_general_context *memory = pcre2_general_context_create(give, take_back, NULL);
  pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
  if (!context) rt_no_memory(sizeof *p);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  p->re = *held = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &code, &at, context);
  if (!p->re && code == PCRE2_ERROR_HEAP_FAILED) rt_no_memory(strlen(text));
  pcre2_compile_context_free(context);
  pcre2_general_context_free(memory);
  rt_free(text);
  if (!p->re) {
    char why[160] = "";
    pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
    return rt_fail(e, "%s: the regular expression \"%.200s\": %s", what, source, why);
  }
  p->jit = pcre2_jit_compile(p->re, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD) == 0;   // where there is no JIT the interpreter gives the same matches
  return true;
}

void tk_pattern_literal(TkPattern *p, const char *s) {
  p->literal = rt_strdup(s);
  p->n = strlen(s);
}

bool tk_pattern_read(TkPattern *p, const char *what, const json_t *v, RtError *e) {
  const json_t *literal = json_object_get(v, "String");
  const char *regex = json_string_value(json_object_get(v, "Regex"));
  if (json_is_string(literal)) {
    if (!json_string_length(literal)) return rt_fail(e, "%s: \"pattern\": an empty \"String\" is not supported", what);
    return tk_pattern_literal(p, json_string_value(literal)), true;
  }
  if (!regex) return rt_fail(e, "%s: \"pattern\": expected {\"String\": …} or {\"Regex\": …}", what);
  return tk_pattern_regex(p, what, regex, e);
}

bool tk_pattern_matches_empty(const TkPattern *p) {
  uint32_t empty = 0;
  if (p->re) pcre2_pattern_info(p->re, PCRE2_INFO_MATCHEMPTY, &empty);
  return empty;
}

bool tk_pattern_one_char(const TkPattern *p) {
  uint32_t cp;
  return p->literal && p->n && rt_utf8_next(p->literal, &cp) == p->n;
}

bool tk_pattern_looks_behind(const TkPattern *p) {
  uint32_t behind = 1;
  if (!p->re) return false;
  pcre2_pattern_info(p->re, PCRE2_INFO_MAXLOOKBEHIND, &behind);
  return behind != 0;
}

void tk_pattern_free(TkPattern *p) {
  rt_free(p->literal);
  rt_end(p->held);
}

static int match_regex(const TkPattern *p, TkCall *call, const TkFind *f, size_t start) {
  if (!call->match && !(call->match = pcre2_match_data_create_from_pattern(p->re, NULL))) rt_no_memory(sizeof *f);
  PCRE2_SPTR s = (PCRE2_SPTR)f->s;
  uint32_t how = f->open ? PCRE2_PARTIAL_HARD : 0;
  int rc = p->jit ? pcre2_jit_match(p->re, s, f->n, start, how, call->match, NULL) : PCRE2_ERROR_JIT_STACKLIMIT;
  if (rc == PCRE2_ERROR_JIT_STACKLIMIT) rc = pcre2_match(p->re, s, f->n, start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT | how, call->match, NULL);
  if (rc == PCRE2_ERROR_NOMEMORY) rt_no_memory(f->n);
  return rc;
}

// With more text to come: where the longest end of s[start, n) that begins the literal starts; n when there is none.
static size_t literal_stop(const TkPattern *p, const TkFind *f, size_t start) {
  size_t at = f->n - start >= p->n && p->n ? f->n - p->n + 1 : start;
  while (at < f->n && memcmp(f->s + at, p->literal, f->n - at) != 0) at++;
  return at;
}

// The leftmost match at or after start.
static bool match_at(const TkPattern *p, TkCall *call, TkFind *f, size_t start, size_t *b, size_t *e) {
  if (p->literal) {
    const char *hit = p->n ? memmem(f->s + start, f->n - start, p->literal, p->n) : NULL;
    if (!hit) return f->stop = f->open ? literal_stop(p, f, start) : f->n, false;
    *b = (size_t)(hit - f->s);
    *e = *b + p->n;
    return true;
  }
  int rc = match_regex(p, call, f, start);
  const PCRE2_SIZE *v = pcre2_get_ovector_pointer(call->match);
  f->stop = rc == PCRE2_ERROR_PARTIAL ? v[0] : f->n;
  if (rc < 0) {
    if (rc != PCRE2_ERROR_NOMATCH && rc != PCRE2_ERROR_PARTIAL) {
      call->failed = true;
      rt_fail(call->e, "%s: a regular expression gave up on the text (PCRE2 error %d)", call->path, rc);
    }
    return false;
  }
  *b = v[0];
  *e = v[1];
  return true;
}

bool tk_pattern_find(const TkPattern *p, TkCall *call, TkFind *f, size_t *b, size_t *e) {
  while (f->at <= f->n && match_at(p, call, f, f->at, b, e)) {
    bool empty = *b == *e;
    size_t next = *e;
    if (empty) {                 // an empty match right behind the last one does not count; go on one character later
      uint32_t cp;
      next += *e < f->n ? rt_utf8_next(f->s + *e, &cp) : 1;
    }
    bool counts = !empty || f->last_end != *e;
    f->at = next;
    if (!counts) continue;
    f->last_end = *e;
    return true;
  }
  return false;
}
