// Patterns of tokenizers: windows of a text find what PCRE2 finds in all of it, with machine code and without, in whole and in open texts; where
// a search gives up is the same with both; what is rewritten for PCRE2; which patterns are searched in windows at all.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "random_text.h"
#include "runtime/text/regex.h"
#include "runtime/text/regex_syntax.h"

// As tokenizers have them, and some that look around.
#define WORDS_OF_LETTERS "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define WORDS_WITH_SIGN "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WORDS_BY_CASE "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" \
              "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|" \
              "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WORDS_POSSESSIVE "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
#define WORDS_WITH_MARKS "[!-/:-~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct { const char *source; bool windows; } patterns[] = {
  {WORDS_OF_LETTERS, true}, {WORDS_WITH_SIGN, true}, {WORDS_BY_CASE, true}, {WORDS_POSSESSIVE, true}, {WORDS_WITH_MARKS, true}, {"\\p{N}{1,3}", true}, {"[0-9][0-9][0-9]", true},
  {"a+b", true}, {"(?<=b)a*", true}, {"(?<!a)a+(?=b|$)", false}, {"\\ba+\\b", true}, {"a*?b|b+?a", true}, {"(?>a+)b?", true}, {"(?:ab|ba)?a{2,70}", true},
  {"(?=a)", true}, {"|b", true}, {"a{80}", true}, {"(?:a|b)+ ", false}, {"a*b*a", false}, {"(?:(?:a?){3}){3}b", false}, {"^a+", false},
};

typedef struct Found {
  size_t n, stop, at[4000][2];
} Found;

static void find_all(const TkPattern *p, const char *s, size_t n, bool open, Found *out) {
  RtError e;
  TkCall call = {.joined = -1, .left = tk_budget(n), .path = "t", .e = &e};
  call.left.steps *= 100;
  TkFind f = {.s = s, .n = n, .last_end = SIZE_MAX, .open = open, .stop = n};
  size_t b, end;
  for (out->n = 0; tk_pattern_find(p, &call, &f, &b, &end); out->n++) out->at[out->n][0] = b, out->at[out->n][1] = end;
  if (call.failed) fail_msg("%s", e.text);
  out->stop = f.stop;
  tk_call_end(&call);
}

// The same by PCRE2's interpreter over all of the text, from each place on.
static void find_plain(const pcre2_code *re, const char *s, size_t n, bool open, Found *out) {
  pcre2_match_data *m = pcre2_match_data_create(1, NULL);
  const PCRE2_SIZE *v = pcre2_get_ovector_pointer(m);
  size_t last = SIZE_MAX;
  *out = (Found){.stop = n};
  for (size_t at = 0; at <= n;) {
    int rc = pcre2_match(re, (PCRE2_SPTR)s, n, at, PCRE2_NO_JIT | (open ? PCRE2_PARTIAL_HARD : 0), m, NULL);
    if (rc == PCRE2_ERROR_PARTIAL) out->stop = v[0];
    if (rc < 0) break;
    bool counts = v[0] < v[1] || last != v[1];
    at = v[1];
    if (v[0] == v[1]) {
      at++;
      while (at < n && ((uint8_t)s[at] & 0xC0) == 0x80) at++;
    }
    if (!counts) continue;
    last = v[1];
    out->at[out->n][0] = v[0];
    out->at[out->n++][1] = v[1];
  }
  pcre2_match_data_free(m);
}

static bool same(const Found *a, const Found *b) { return a->n == b->n && a->stop == b->stop && !memcmp(a->at, b->at, a->n * sizeof *a->at); }

// Runs of few characters, some longer than a window.
static size_t runs(Rng *r, char *s, size_t most) {
  static const char *const parts[] = {"a", "b", " ", "A", "1", "\n", ".", "'s", "\xC3\xA9", "\xE4\xB8\x80", "\xF0\x9F\x98\x80", "\xCC\x81", "aB", "ab"};
  size_t n = 0, want = 1 + rng_below(r, (uint32_t)most - 8);
  while (n < want) {
    const char *part = parts[rng_below(r, sizeof parts / sizeof *parts)];
    size_t k = strlen(part);
    for (uint32_t times = 1 + rng_below(r, rng_below(r, 6) ? 3 : 200); times && n + k <= want; times--, n += k) memcpy(s + n, part, k);
    if (n + k > want) break;
  }
  return n;
}

static void windows(void **state) {
  (void)state;
  static Found got, plain;
  char s[1500];
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    RtError e;
    TkPattern p = {0}, slow;
    if (!tk_pattern_regex(&p, "t", patterns[i].source, &e)) fail_msg("%s", e.text);
    if (!p.here == patterns[i].windows) fail_msg("%s: is %s in windows", patterns[i].source, p.here ? "searched" : "not searched");
    slow = p;
    slow.jit = false;
    Rng r = {i + 1};
    for (int round = 0; round < 400; round++) {
      size_t n = runs(&r, s, sizeof s);
      for (int open = 0; open < 2; open++) {
        if (open && !p.tells) continue;
        find_plain(p.re, s, n, open, &plain);
        find_all(&p, s, n, open, &got);
        if (!same(&got, &plain)) fail_msg("%s: %zu and %zu matches in %s [%.*s]", patterns[i].source, got.n, plain.n, open ? "open" : "whole", (int)n, s);
        find_all(&slow, s, n, open, &got);
        assert_true(same(&got, &plain));
      }
    }
    tk_pattern_free(&p);
  }
}

// How many matches there are in n letters, -1: it gave up.
static int64_t verdict(const TkPattern *p, char letter, size_t n) {
  static char s[40000];
  RtError e = {0};
  size_t b, end;
  int64_t k = 0;
  memset(s, letter, n);
  TkCall call = {.joined = -1, .left = tk_budget(n), .path = "t", .e = &e};
  TkFind f = {.s = s, .n = n, .last_end = SIZE_MAX};
  while (tk_pattern_find(p, &call, &f, &b, &end)) k++;
  tk_call_end(&call);
  if (call.failed) assert_non_null(strstr(e.text, "too many steps"));
  return call.failed ? -1 : k;
}

static void verdicts(void **state) {
  (void)state;
  static const char *const sources[] = {"[ab]+[cd]", "a?a?a*[bc]", "\\p{L}+[cd]|\\p{L}", WORDS_WITH_SIGN, "(?:a|a){12}c|[ab]{9}[cd]"};
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
    RtError e;
    TkPattern p = {0}, slow;
    if (!tk_pattern_regex(&p, "t", sources[i], &e)) fail_msg("%s", e.text);
    slow = p;
    slow.jit = false;
    bool gave_up = false, did = false;
    for (size_t n = 1; n < 40000; n += n / 3 + 1) {
      int64_t fast = verdict(&p, 'a', n);
      assert_int_equal(fast, verdict(&slow, 'a', n));
      gave_up |= fast < 0, did |= fast >= 0;
    }
    assert_true(did);
    assert_int_equal(gave_up, i != 3);                      // a word of any length is no trouble to a tokenizer's own pattern
    tk_pattern_free(&p);
  }
}

static void rewritten(void **state) {
  (void)state;
  static const struct { const char *source, *text; } cases[] = {
    {"(a)(?<n>b)", "(?:a)(?:b)"}, {"(?m:.)(?i)x", "(?s:.)(?i)x"}, {"\\v\\u00e9\\x41\\x{1F600}", "\\x0B\\x{00e9}\\x41\\x{1F600}"}, {"a{,3}b{2}c{2,}d{x", "a{0,3}b{2,2}c{2,}d\\{x"},
    {"[]a\\b]", "[\\]a\\x08]"}, {"[[:alpha:]^-]", "[[:alpha:]^-]"}, {"\\\xC3\xA9\\.", "\xC3\xA9\\."}, {"[^\\d\\]]", "[^\\d\\]]"},
    {"[^(a|[.,[!]?])]+", "[^(a|.,!?)]+"}, {"[[a]]", "[a]"},
  };
  RtError e;
  TkSyntax x;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (!tk_syntax_read(&x, "t", cases[i].source, false, &e)) fail_msg("%s", e.text);
    assert_string_equal(x.text, cases[i].text);
    rt_free(x.text);
  }
  assert_true(tk_syntax_read(&x, "t", "(?:ab*|c)+d|e", true, &e));                  // where a search calls back
  assert_string_equal(x.text, "(?C)(?:(?C)ab*(?C)|(?C)c)+(?C)d|(?C)e");
  rt_free(x.text);
  static const char *const refused[] = {"\\1", "\\k<a>", "\\g<1>", "\\K", "\\C", "\\G", "\\Q", "\\h", "(?1)", "(?R)", "(?&n)", "(?P>n)", "(?(1)a)", "(?|a)", "(?C)", "(*FAIL)", "(?#c)",
                                         "(?~a)", "(?x)", "(?<n", "(", ")", "*", "a|+", "[a", "[a[^b]]", "[a-[b]]", "[[a]-b]", "[a[-b]]", "[[a-]b]", "[a[]b]]", "[a[b]", "[a&&b]", "\\", "[\\", "\\p{L", "\\u12", "(?i"};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    e = (RtError){0};
    if (tk_syntax_read(&x, "t", refused[i], i % 2, &e)) fail_msg("%s is read as %s", refused[i], x.text);
    assert_non_null(strstr(e.text, refused[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(windows), cmocka_unit_test(verdicts), cmocka_unit_test(rewritten)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
