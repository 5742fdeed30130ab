// Patterns. Regular expressions run on PCRE2, whose own limits count anew at each place and differently in its machine code: they decide nothing
// here. A pattern whose tries cannot take more than a small multiple of what they look at (regex_syntax.h) runs as machine code where there is
// any, and what it looks at is kept small and counted: a window of the text, with PCRE2's word on whether it looked beyond. Any other is searched
// by the interpreter, which calls back at each step. So the steps of a text are the same on every machine.
#include "runtime/text/regex.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/text/regex_syntax.h"

enum {
  WINDOW = 64,                 // bytes, where a try begins
  CHEAP = 2048,                // most steps of a try in it
  CALLED = 16,                 // a step that is called back for takes as long as so many others
  HEAP = 64 << 10,             // KiB, for the interpreter's places to go back to
  LITERAL = 4096,              // bytes
};

// PCRE2's memory is ours. It hears when there is none, since its machine code lies in memory of its own, which it would lose were it left.
static void *give(size_t n, void *user) { return (void)user, rt_try_alloc(n, 1); }
static void take_back(void *p, void *user) { (void)user, rt_free(p); }

struct TkCodes { pcre2_code *re, *here; };

static void codes_end(void *object) {
  pcre2_code_free(((struct TkCodes *)object)->re);
  pcre2_code_free(((struct TkCodes *)object)->here);
}

static bool compile(const char *text, uint32_t options, pcre2_code **re, const char *what, const char *source, RtError *e) {
  int code;
  PCRE2_SIZE at;
  pcre2_general_context *memory = pcre2_general_context_create(give, take_back, NULL);
  pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
  if (!context) rt_no_memory(sizeof *re);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  *re = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | options, &code, &at, context);
  if (!*re && code == PCRE2_ERROR_HEAP_FAILED) rt_no_memory(strlen(text));
  pcre2_compile_context_free(context);
  pcre2_general_context_free(memory);
  if (*re) return true;
  char why[160] = "";
  pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
  return rt_fail(e, "%s: the regular expression \"%.*s\": %s", what, tk_syntax_shown(source), source, why);
}

static bool has_machine_code(pcre2_code *re) { return pcre2_jit_compile(re, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD) == 0; }

bool tk_pattern_regex(TkPattern *p, const char *what, const char *source, RtError *e) {
  TkSyntax x;
  if (!tk_syntax_read(&x, what, source, false, e)) return false;
  struct TkCodes *held = p->held = rt_object(sizeof *held, codes_end);
  bool cheap = x.tells && x.once + x.each * WINDOW <= CHEAP;
  if (!cheap) {
    rt_free(x.text);
    if (!tk_syntax_read(&x, what, source, true, e)) return false;
  }
  bool ok = compile(x.text, 0, &held->re, what, source, e) &&
            (!cheap || compile(x.text, PCRE2_ANCHORED, &held->here, what, source, e));
  rt_free(x.text);
  if (!ok) return false;
  p->re = held->re, p->here = held->here;
  p->tells = x.tells;
  p->jit = cheap && has_machine_code(p->re) && has_machine_code(p->here);
  uint32_t behind = 0;
  pcre2_pattern_info(p->re, PCRE2_INFO_MAXLOOKBEHIND, &behind);
  p->step = cheap ? x.each + 1 : CALLED + 4 * x.longest + behind;
  p->along = x.heaviest;
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
    size_t n = json_string_length(literal);
    if (!n) return rt_fail(e, "%s: \"pattern\": an empty \"String\" is not supported", what);
    if (n > LITERAL) return rt_fail(e, "%s: \"pattern\": a \"String\" of %zu bytes; at most %d are supported", what, n, LITERAL);
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

bool tk_pattern_ends(const TkPattern *p) { return !p->re || p->here; }

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

static void search_end(void *object) {
  pcre2_match_data_free(((struct TkSearch *)object)->match);
  pcre2_match_context_free(((struct TkSearch *)object)->limits);
}

// What PCRE2 works with; its own limits out of the way.
static void prepare(const TkPattern *p, TkCall *call) {
  struct TkSearch *x = call->search = rt_object(sizeof *x, search_end);
  if (!(x->match = pcre2_match_data_create_from_pattern(p->re, NULL))) rt_no_memory(sizeof *x);
  if (!(x->limits = pcre2_match_context_create(NULL))) rt_no_memory(sizeof *x);
  pcre2_set_match_limit(x->limits, UINT32_MAX);
  pcre2_set_depth_limit(x->limits, UINT32_MAX);
  pcre2_set_heap_limit(x->limits, HEAP);
}

static bool gave_up(TkCall *call, int rc) {
  if (rc == PCRE2_ERROR_HEAPLIMIT) return tk_call_out(call, "too much memory");
  if (!call->failed) rt_fail(call->e, "%s: a regular expression gave up on the text (PCRE2 error %d)", call->path, rc);
  call->failed = true;
  return false;
}

// ---- counted: what the interpreter does between two calls back is a step, and going along the text
typedef struct Count {
  TkCall *call;
  const TkPattern *p;
  size_t last;
} Count;

static int count(pcre2_callout_block *at, void *user) {
  Count *c = user;
  size_t now = at->current_position, way = now > c->last ? now - c->last : c->last - now;
  c->last = now;
  return tk_call_spend(c->call, c->p->step + (int64_t)way * c->p->along) ? 0 : PCRE2_ERROR_CALLOUT;
}

// As PCRE2's: the result, the match in call->search->match.
static int match_counted(const TkPattern *p, TkCall *call, const TkFind *f, size_t start) {
  if (!call->search) prepare(p, call);
  Count c = {call, p, start};
  pcre2_set_callout(call->search->limits, count, &c);
  int rc = pcre2_match(p->re, (PCRE2_SPTR)f->s, f->n, start, PCRE2_NO_UTF_CHECK | (f->open ? PCRE2_PARTIAL_HARD : 0), call->search->match, call->search->limits);
  pcre2_set_callout(call->search->limits, NULL, NULL);
  return rc;
}

// ---- cheap ones
static inline int match_cheap(const TkPattern *p, const pcre2_code *re, TkCall *call, const TkFind *f, size_t start, size_t end) {
  if (!call->search) prepare(p, call);
  PCRE2_SPTR s = (PCRE2_SPTR)f->s;
  uint32_t how = f->open || end < f->n ? PCRE2_PARTIAL_HARD : 0;
  int rc = p->jit ? pcre2_jit_match(re, s, end, start, how, call->search->match, call->search->limits) : PCRE2_ERROR_JIT_STACKLIMIT;
  if (rc == PCRE2_ERROR_JIT_STACKLIMIT) rc = pcre2_match(re, s, end, start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT | how, call->search->match, call->search->limits);
  return rc;
}

// A place behind `at`, at least n bytes if there are so many, where a character begins.
static size_t further(const TkFind *f, size_t at, size_t n) {
  if (f->n - at <= n) return f->n;
  at += n;
  while (at < f->n && ((uint8_t)f->s[at] & 0xC0) == 0x80) at++;
  return at;
}

// Whether the result tells all: nothing beyond the end of what was looked at could change it.
static bool is_final(const TkFind *f, const PCRE2_SIZE *v, int rc, size_t end) {
  return end == f->n || (rc >= 0 ? v[1] < end : rc != PCRE2_ERROR_PARTIAL);
}

// The try at `at`, in windows that grow.
static int match_here(const TkPattern *p, TkCall *call, const TkFind *f, size_t at) {
  for (size_t n = 2 * WINDOW;; n *= 2) {
    size_t end = further(f, at, n);
    if (!tk_call_spend(call, (int64_t)(end - at) * p->step)) return PCRE2_ERROR_CALLOUT;
    int rc = match_cheap(p, p->here, call, f, at, end);
    if (is_final(f, pcre2_get_ovector_pointer(call->search->match), rc, end)) return rc;
  }
}

static int match_windows(const TkPattern *p, TkCall *call, const TkFind *f, size_t at) {
  for (;;) {
    size_t end = further(f, at, WINDOW);
    int rc = match_cheap(p, p->re, call, f, at, end);
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(call->search->match);
    if (end == f->n || (rc >= 0 && v[1] < end)) return rc;
    if (rc == PCRE2_ERROR_NOMATCH) {
      at = end;
      continue;
    }
    if (rc < 0 && rc != PCRE2_ERROR_PARTIAL) return rc;
    at = v[0];                   // a try that wants to see more; those before it failed
    rc = match_here(p, call, f, at);
    if (rc != PCRE2_ERROR_NOMATCH || at == f->n) return rc;
    at = further(f, at, 1);
  }
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
  if (f->open && !p->tells) return f->stop = start, false;
  int rc = p->here ? match_windows(p, call, f, start) : match_counted(p, call, f, start);
  if (rc < 0 && rc != PCRE2_ERROR_NOMATCH && rc != PCRE2_ERROR_PARTIAL) return gave_up(call, rc);
  const PCRE2_SIZE *v = pcre2_get_ovector_pointer(call->search->match);
  f->stop = rc == PCRE2_ERROR_PARTIAL ? v[0] : f->n;
  if (rc < 0) return false;
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
