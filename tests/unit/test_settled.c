// The stable prefix: tokens once settled never change, whatever follows; how many are settled depends on the bytes alone, not on the pushes;
// at the end all of tokenizer_encode's tokens are there. Random texts, cuts (within characters too) and continuations; CALM_SETTLED_ROUNDS
// sets how many (100,000 on demand), and the real tokenizers are used where they are.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "random_text.h"
#include "runtime/core/alloc.h"
#include "runtime/core/utf8.h"
#include "runtime/text/pipeline.h"
#include "runtime/text/settled.h"
#include "tokenizer_files.h"

static void show(const char *what, const char *s, size_t n, size_t cut) {
  print_message("%s: [%.*s] after %zu bytes of [%.*s]\n", what, (int)cut, s, cut, (int)n, s);
}

// The settled tokens of s[0, n) pushed at once; ids in *ids.
static int64_t at_once(const Settler *rule, bool continuation, const char *s, size_t n, int32_t *ids, TokSpan *spans) {
  RtError e;
  const int32_t *i;
  const TokSpan *p;
  SettledText *x = settled_new(rule, continuation);
  if (!settled_push(x, s, n, &e)) fail_msg("%s", e.text);
  int64_t k = settled_tokens(x, &i, &p);
  assert_true(k <= 4096);
  if (k) memcpy(ids, i, (size_t)k * sizeof *ids), memcpy(spans, p, (size_t)k * sizeof *spans);
  settled_free(x);
  return k;
}

static bool same(const int32_t *a, const TokSpan *as, const int32_t *b, const TokSpan *bs, int64_t n) {
  return n == 0 || (memcmp(a, b, (size_t)n * sizeof *a) == 0 && memcmp(as, bs, (size_t)n * sizeof *as) == 0);
}

static bool begins_with(const Tokenizer *t, bool continuation, const char *s, size_t n, const int32_t *ids, const TokSpan *spans, int64_t k) {
  RtError e;
  int32_t *all;
  TokSpan *all_spans;
  int64_t m = tokenizer_encode(t, s, n, continuation, &all, &all_spans, &e);
  if (m < 0) fail_msg("%s", e.text);
  bool fine = m >= k && same(all, all_spans, ids, spans, k);
  rt_free(all);
  rt_free(all_spans);
  return fine;
}

typedef struct Stats { int64_t bytes, looks; } Stats;

// One text pushed in random bits; every look compared with one look at all so far, and with a text that goes on otherwise.
static bool one_round(const Tokenizer *t, const Settler *rule, Rng *r, const TextParts *parts, Stats *st) {
  static int32_t ids[4096];
  static TokSpan spans[4096];
  char text[1024], other[2048];
  RtError e;
  bool continuation = rng_below(r, 4) == 0;
  size_t n = random_text(r, parts, text, sizeof text), at = 0;
  int64_t before = 0;
  const int32_t *got;
  const TokSpan *got_spans;
  SettledText *x = settled_new(rule, continuation);
  while (at < n) {
    size_t k = 1 + rng_below(r, rng_below(r, 3) ? 4 : 30);
    if (k > n - at) k = n - at;
    if (!settled_push(x, text + at, k, &e)) fail_msg("%s", e.text);
    at += k;
    int64_t m = settled_tokens(x, &got, &got_spans), once = at_once(rule, continuation, text, at, ids, spans);
    if (m != once || m < before || !same(got, got_spans, ids, spans, m)) return show("pushes matter", text, n, at), false;
    before = m;
    st->looks++;
    st->bytes += (int64_t)at - (m ? spans[m - 1].end : 0);
    size_t whole = at;
    while (whole < n && ((uint8_t)text[whole] & 0xC0) == 0x80) whole++;   // a continuation has to complete the character
    memcpy(other, text, whole);
    size_t len = whole + random_text(r, parts, other + whole, sizeof other - whole);
    if (!begins_with(t, continuation, other, len, ids, spans, m)) return show("not settled", other, len, at), false;
  }
  if (!settled_end(x, &e)) fail_msg("%s", e.text);
  int64_t m = settled_tokens(x, &got, &got_spans);
  int32_t *all;
  TokSpan *all_spans;
  int64_t want = tokenizer_encode(t, text, n, continuation, &all, &all_spans, &e);
  bool fine = m == want && same(got, got_spans, all, all_spans, m);
  if (!fine) show("the end differs", text, n, n);
  rt_free(all);
  rt_free(all_spans);
  settled_free(x);
  return fine;
}

static int64_t rounds_wanted(void) {
  const char *s = getenv("CALM_SETTLED_ROUNDS");
  return s ? strtoll(s, NULL, 10) : 2000;
}

static void check(const char *name, const char *path) {
  int64_t rounds = rounds_wanted();
  RtError e;
  TextParts parts = text_parts_read();
  Tokenizer *t = tokenizer_open(path, &e);
  if (!t) fail_msg("%s", e.text);
  Settler *rule = settler_new(t);
  Rng r = {1};
  Stats st = {0};
  int bad = 0;
  for (int64_t i = 0; i < rounds && bad < 5; i++) bad += !one_round(t, rule, &r, &parts, &st);
  print_message("%-20s %s: open end %.1f bytes on average\n", name, settler_resumes(rule) ? "resumes" : "looks at all", (double)st.bytes / (double)st.looks);
  if (bad) fail_msg("%s: %d rounds failed", name, bad);
  settler_free(rule);
  tokenizer_free(t);
  text_parts_free(&parts);
}

static void synthetic(void **state) {
  (void)state;
  each_synthetic_tokenizer(check);
}

static void real(void **state) {
  (void)state;
  each_real_tokenizer(check);
}

static const char *tail_of(const SettledText *x, const char *text) {
  const TokSpan *spans;
  int64_t n = settled_tokens(x, NULL, &spans);
  return text + (n ? spans[n - 1].end : 0);
}

// What is left open, worked out by hand.
static void known(void **state) {
  (void)state;
  static const struct { const char *tokenizer, *text, *open; } cases[] = {
    {"byte_words", "Hello, world", " world"},                // the word may go on
    {"byte_words", "Hello, world ", " world "},              // … and only what follows the space tells whether it is the next word's
    {"byte_words", "a b<", " b<"},                            // an added token may come, or the word go on
    {"byte_triples", "x e", " e"},
    {"fallback_prepend", "a 23", "3"},                      // that 23 stands in <0x23> joins nothing
    {"chars", "3+7", "7"},                                  // a cut needs a character on its other side
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[512];
    RtError e;
    snprintf(path, sizeof path, TOKENIZER_GOLDEN "synthetic/%s.json", cases[i].tokenizer);
    Tokenizer *t = tokenizer_open(path, &e);
    Settler *rule = settler_new(t);
    SettledText *x = settled_new(rule, false);
    assert_true(settled_push(x, cases[i].text, strlen(cases[i].text), &e));
    assert_string_equal(tail_of(x, cases[i].text), cases[i].open);
    settled_free(x);
    settler_free(rule);
    tokenizer_free(t);
  }
}

// A long text in small pushes: looking at all of it each time would take minutes here.
static void long_text(void **state) {
  (void)state;
  static const char *const names[] = {"byte_words", "byte_triples", "fallback_prepend", "fallback_metaspace", "unigram_words", "unigram_bytes"};
  size_t n = 1000000;
  char *s = rt_alloc(n, 1);
  for (size_t i = 0; i < n; i++) s[i] = "once upon a time, there was 1 word. "[i % 36];
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    char path[512];
    RtError e;
    int64_t last = 0;
    snprintf(path, sizeof path, TOKENIZER_GOLDEN "synthetic/%s.json", names[k]);
    Tokenizer *t = tokenizer_open(path, &e);
    Settler *rule = settler_new(t);
    SettledText *x = settled_new(rule, false);
    for (size_t i = 0; i < n; i += 5) {
      assert_true(settled_push(x, s + i, n - i < 5 ? n - i : 5, &e));
      int64_t now = settled_tokens(x, NULL, NULL);
      assert_true(now >= last);
      last = now;
    }
    assert_true(settled_end(x, &e));
    assert_true(settled_tokens(x, NULL, NULL) > last);
    settled_free(x);
    settler_free(rule);
    tokenizer_free(t);
  }
  rt_free(s);
}

// --- kinds of components that exist here only: with nothing said but `run` nothing is settled, and what is said is honoured
static Tokenizer *chars_tokenizer(void) {
  RtError e;
  Tokenizer *t = tokenizer_open(TOKENIZER_GOLDEN "synthetic/chars.json", &e);
  if (!t) fail_msg("%s", e.text);
  return t;
}

// Random texts and cuts under t, which must resume or not.
static void check_made(Tokenizer *t, bool resumes) {
  TextParts parts = text_parts_read();
  Settler *rule = settler_new(t);
  Rng r = {1};
  Stats st = {0};
  assert_int_equal(settler_resumes(rule), resumes);
  for (int i = 0; i < 500; i++) assert_true(one_round(t, rule, &r, &parts, &st));
  settler_free(rule);
  text_parts_free(&parts);
}

// Nothing of an open text is settled.
static void check_silent(Tokenizer *t) {
  RtError e;
  const char *text = "3+7=10. ab";
  check_made(t, false);
  Settler *rule = settler_new(t);
  SettledText *x = settled_new(rule, false);
  for (size_t i = 0; i < strlen(text); i++) {
    assert_true(settled_push(x, text + i, 1, &e));
    assert_int_equal(settled_tokens(x, NULL, NULL), 0);
  }
  assert_true(settled_end(x, &e));
  assert_true(settled_tokens(x, NULL, NULL) > 0);
  settled_free(x);
  settler_free(rule);
  tokenizer_free(t);
}

// The characters from the last to the first, and signs before them even where there are none: every token depends on the text's end.
static bool run_reverse(const void *own, const TkText *in, TkText *out, TkCall *call) {
  (void)own, (void)call;
  tk_text_put(out, "^-", 2, in->n ? tk_from(in, 0) : 0, in->n ? tk_to(in, 0) : 0);
  for (size_t end = in->n; end;) {
    size_t begin = end;
    do begin--; while (begin && ((uint8_t)in->s[begin] & 0xC0) == 0x80);
    tk_text_copy(out, in, begin, end);
    end = begin;
  }
  return true;
}

// Cuts each piece where the last character begins.
static void run_but_last(const void *own, TkSplitting *w, TkCall *call) {
  (void)own, (void)call;
  for (size_t i = 0; i < w->in.n; i++) {
    TkPiece p = w->in.p[i];
    size_t at = p.end;
    while (at > p.begin && ((uint8_t)w->t->s[--at] & 0xC0) == 0x80) {}
    if (at > p.begin) tk_piece_put(&w->out, p.begin, at);
    if (at < p.end) tk_piece_put(&w->out, at, p.end);
  }
}

// Counts a piece's bytes: the last token is another with each of them.
static void encode_length(const void *own, void *work, const char *s, size_t n) {
  (void)own, (void)s;
  *(TkToken *)work = (TkToken){(int32_t)(n % 32), 0, (uint32_t)n};
}

static size_t take_length(void *work, TkToken *to, size_t most) {
  assert_true(most > 1);
  return *to = *(TkToken *)work, 1;
}

static void nothing_said(void **state) {
  (void)state;
  static const TkNormalizerKind reverse = {.kind.type = "Reverse", .run = run_reverse};
  static const TkPretokenizerKind but_last = {.kind.type = "ButLast", .run = run_but_last};
  static const TkModelKind length = {.type = "Length", .encode = encode_length, .take = take_length, .work_size = sizeof(TkToken)};
  Tokenizer *t = chars_tokenizer();
  tk_components_add(&t->norm, &reverse.kind);
  check_silent(t);
  t = chars_tokenizer();
  tk_components_add(&t->pre, &but_last.kind);
  check_silent(t);
  t = chars_tokenizer();                                    // a model's piece ends nowhere before the text; that a text may resume is not the model's
  tk_model_free(&t->model);
  t->model = (TkModel){.kind = &length};
  check_made(t, true);
  tokenizer_free(t);
}

// Every second character behind the last full stop (or from the beginning on) becomes "_". Nothing before a full stop matters behind it.
static bool run_second(const void *own, const TkText *in, TkText *out, TkCall *call) {
  (void)own, (void)call;
  bool second = false;
  for (size_t i = 0, k; i < in->n; i += k) {
    uint32_t cp;
    k = rt_utf8_next(in->s + i, &cp);
    second = cp != '.' && !second;
    if (second || cp == '.') tk_text_copy(out, in, i, i + k);
    else tk_text_put(out, "_", 1, tk_from(in, i), tk_to(in, i));
  }
  return true;
}

static size_t final_second(const void *own, const TkText *in, TkCall *call) { return (void)own, (void)call, in->n; }
static bool resumes_second(const void *own) { return (void)own, true; }
static bool boundary_second(const void *own, const char *s, size_t n) { return (void)own, n && s[0] == '.'; }

static void said(void **state) {
  (void)state;
  static const TkNormalizerKind all = {{.type = "Second"}, run_second, final_second, resumes_second, boundary_second, NULL};
  static const TkNormalizerKind nowhere = {{.type = "Second"}, run_second, final_second, resumes_second, NULL, NULL};
  static const TkNormalizerKind never = {{.type = "Second"}, run_second, final_second, NULL, boundary_second, NULL};
  static const struct { const TkNormalizerKind *kind; bool resumes; } cases[] = {{&all, true}, {&nowhere, true}, {&never, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Tokenizer *t = chars_tokenizer();
    tk_components_add(&t->norm, &cases[i].kind->kind);
    check_made(t, cases[i].resumes);
    tokenizer_free(t);
  }
}

// Strip, among normalizers that come before and behind it: what was stripped at the beginning is no matter of later spaces.
static void strips(void **state) {
  (void)state;
  static const char *const lists[] = {
    "[{\"type\":\"Strip\"}]",
    "[{\"type\":\"Strip\",\"strip_right\":false},{\"type\":\"Prepend\",\"prepend\":\"_\"}]",
    "[{\"type\":\"Prepend\",\"prepend\":\" .\"},{\"type\":\"Strip\",\"strip_left\":false}]",
    "[{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"\"},{\"type\":\"Strip\"},{\"type\":\"Prepend\",\"prepend\":\"_\"}]",
    "[{\"type\":\"NFKC\"},{\"type\":\"Lowercase\"},{\"type\":\"Strip\"}]",
    "[{\"type\":\"Prepend\",\"prepend\":\"_\"},{\"type\":\"Prepend\",\"prepend\":\" \"}]",     // three characters of one place
  };
  static const char *const names[] = {"fallback_metaspace", "chars", "byte_punctuation"};
  for (size_t i = 0; i < 3 * (sizeof lists / sizeof *lists); i++) {
    RtError e;
    char path[512];
    snprintf(path, sizeof path, TOKENIZER_GOLDEN "synthetic/%s.json", names[i % 3]);
    Tokenizer *t = tokenizer_open(path, &e);
    json_t *list = json_loads(lists[i / 3], 0, NULL), *all = json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", list);
    tk_components_free(&t->norm);
    t->norm = (TkComponents){0};
    if (!tk_components_read(&t->norm, &tk_normalizers, "list", all, &e)) fail_msg("%s", e.text);
    json_decref(all);
    check_made(t, true);
    tokenizer_free(t);
  }
}

// Where much is open looks are rare, at places that the bytes alone decide: the same tokens are settled however the text was pushed, never fewer
// than before, and where a text ends all of them.
static void long_open_ends(void **state) {
  (void)state;
  static const char *const names[] = {"chars", "byte_words", "splits", "byte_digits", "fallback_prepend", "unigram_whole", "unigram_words"};
  for (size_t i = 0; i < 4 * (sizeof names / sizeof *names); i++) {
    RtError e;
    char path[512], text[6000];
    static int32_t ids[6000];
    static TokSpan spans[6000];
    const int32_t *got;
    const TokSpan *got_spans;
    snprintf(path, sizeof path, TOKENIZER_GOLDEN "synthetic/%s.json", names[i / 4]);
    Tokenizer *t = tokenizer_open(path, &e);
    Settler *rule = settler_new(t);
    SettledText *x = settled_new(rule, false);
    Rng r = {i + 1};
    for (size_t k = 0; k < sizeof text; k++) text[k] = rng_below(&r, 1500) ? i % 2 ? "a\xC3\xA9"[k % 3] : 'a' : ' ';
    if (i % 2) for (size_t k = 0; k < sizeof text; k++) if (text[k] == ' ') memcpy(text + k / 3 * 3, " ab", 3);
    int64_t before = 0;
    for (size_t at = 0, step; at < sizeof text; at += step) {
      step = 1 + rng_below(&r, rng_below(&r, 4) ? 9 : 400);
      if (step > sizeof text - at) step = sizeof text - at;
      if (!settled_push(x, text + at, step, &e)) fail_msg("%s", e.text);
      int64_t m = settled_tokens(x, &got, &got_spans);
      assert_true(m >= before);
      before = m;
      SettledText *y = settled_new(rule, false);
      assert_true(settled_push(y, text, at + step, &e));
      const int32_t *once;
      const TokSpan *once_spans;
      assert_int_equal(settled_tokens(y, &once, &once_spans), m);
      assert_true(same(got, got_spans, once, once_spans, m));
      if (m) memcpy(ids, got, (size_t)m * sizeof *ids), memcpy(spans, got_spans, (size_t)m * sizeof *spans);
      settled_free(y);
    }
    assert_true(settled_end(x, &e));
    assert_true(begins_with(t, false, text, sizeof text, ids, spans, before));
    int64_t all = tokenizer_encode(t, text, sizeof text, false, NULL, NULL, &e);
    assert_int_equal(settled_tokens(x, NULL, NULL), all);
    settled_free(x);
    settler_free(rule);
    tokenizer_free(t);
  }
}

static void errors(void **state) {
  (void)state;
  RtError e;
  Tokenizer *t = tokenizer_open(TOKENIZER_GOLDEN "synthetic/chars.json", &e);
  Settler *rule = settler_new(t);
  SettledText *x = settled_new(rule, false);
  assert_true(settled_push(x, "ab\n\xE6\x9D", 5, &e));
  assert_false(settled_end(x, &e));                         // ends within a character
  assert_non_null(strstr(e.text, "line 2, byte 1"));
  settled_free(x);
  x = settled_new(rule, false);
  assert_true(settled_push(x, "ab\xE6", 3, &e));
  assert_false(settled_push(x, "b", 1, &e));
  assert_non_null(strstr(e.text, "byte 3"));
  settled_free(x);
  settler_free(rule);
  tokenizer_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(known), cmocka_unit_test(nothing_said), cmocka_unit_test(said), cmocka_unit_test(strips), cmocka_unit_test(long_open_ends), cmocka_unit_test(errors), cmocka_unit_test(long_text),
                                     cmocka_unit_test(synthetic), cmocka_unit_test(real)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
