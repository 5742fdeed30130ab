// How many tokens a text can make, proved from a tokenizer's settings: no text ever makes more, of tokenizers drawn at random from all components there are, of the
// committed and the real ones; byte-level ones without a normalizer make no more than bytes; what expands, prepends or falls back to bytes is counted; of what is not
// known nothing is said. And the growth of characters that the proof of normal forms rests on, over all of Unicode.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>
#include <utf8proc.h>

#include "random_text.h"
#include "runtime/core/core.h"
#include "runtime/text/normal_form.h"
#include "runtime/text/tokenizer.h"
#include "tokenizer_files.h"

// What grows most, and what breaks into most pieces.
static const char *const HARD[] = {"\xEF\xB7\xBA", "\xCE\x90", "\xF0\x9D\x85\xA0", "\xC4\xB0", "\xC8\xBA", "\xE2\x96\x81", " ", "  ", "\xEA\xB0\x81", "\xF0\x9F\x98\x80", "\xEF\xAC\x83", "a",
                                   "a1", "<s>", "wo", "\xCC\x88", ".", "\n", "\xC2\xA0", "\xE6\xBC\xA2"};

static int64_t tokens_of(const Tokenizer *t, const char *s, size_t n, bool continuation) {
  RtError e;
  return tokenizer_encode(t, s, n, continuation, NULL, NULL, &e);
}

static void hold(const char *name, const Tokenizer *t, const TkTokensMost *m, const char *s, size_t n) {
  int64_t ascii = 0;
  for (size_t i = 0; i < n; i++) ascii += (uint8_t)s[i] < 0x80;
  int64_t most = ascii * m->ascii + ((int64_t)n - ascii) * m->other + m->fixed;
  for (int c = 0; c < 2; c++) {
    int64_t made = tokens_of(t, s, n, c);
    if (made > most) fail_msg("%s: %lld tokens of [%.*s], at most %lld were said (%lld, %lld, %lld)", name, (long long)made, (int)n, s, (long long)most, (long long)m->ascii,
                              (long long)m->other, (long long)m->fixed);
  }
}

static size_t hard_text(Rng *r, const TextParts *parts, char *out, size_t cap) {
  if (rng_below(r, 3) == 0) return random_text(r, parts, out, cap);
  size_t n = 0;
  bool same = rng_below(r, 3) == 0;
  const char *s = HARD[rng_below(r, sizeof HARD / sizeof *HARD)];
  for (uint32_t k = rng_below(r, 40); k-- > 0; n += strlen(s)) {
    if (!same) s = HARD[rng_below(r, sizeof HARD / sizeof *HARD)];
    if (n + strlen(s) > cap) break;
    memcpy(out + n, s, strlen(s));
  }
  return n;
}

static TextParts parts;

static bool try_texts(const char *name, const Tokenizer *t, int rounds) {
  TkTokensMost m;
  char text[1024];
  Rng r = {7};
  if (!tokenizer_most(t, &m)) return false;
  for (int i = 0; i < rounds; i++) hold(name, t, &m, text, hard_text(&r, &parts, text, sizeof text));
  return true;
}

static Tokenizer *open_file(const char *path) {
  RtError e;
  Tokenizer *t = tokenizer_open(path, &e);
  if (!t) fail_msg("%s", e.text);
  return t;
}

static void one_file(const char *name, const char *path) {
  Tokenizer *t = open_file(path);
  TkTokensMost m = {0};
  bool known = tokenizer_most(t, &m);
  print_message("%s: %s %lld %lld %lld\n", name, known ? "at most" : "nothing is known", (long long)m.ascii, (long long)m.other, (long long)m.fixed);
  try_texts(name, t, 600);
  tokenizer_free(t);
}

static void synthetic(void **state) { (void)state, each_synthetic_tokenizer(one_file); }
static void real(void **state) { (void)state, each_real_tokenizer(one_file); }

// ---- tokenizers drawn

static const char *const NORM[] = {
  "{\"type\": \"NFC\"}", "{\"type\": \"NFD\"}", "{\"type\": \"NFKC\"}", "{\"type\": \"NFKD\"}", "{\"type\": \"Lowercase\"}", "{\"type\": \"StripAccents\"}", "{\"type\": \"Nmt\"}", "{\"type\": \"Strip\"}",
  "{\"type\": \"Prepend\", \"prepend\": \"\xE2\x96\x81\"}", "{\"type\": \"Prepend\", \"prepend\": \"abc\"}", "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\xE2\x96\x81\"}",
  "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \" +\"}, \"content\": \"\xE2\x96\x81\xE2\x96\x81 x\"}", "{\"type\": \"Replace\", \"pattern\": {\"String\": \"wo\"}, \"content\": \"long \xC4\xB0\"}",
  "{\"type\": \"Replace\", \"pattern\": {\"String\": \"\xE2\x96\x81\"}, \"content\": \" \"}"};
static const char *const PRE[] = {
  "{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"use_regex\": true}", "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}",
  "{\"type\": \"Metaspace\", \"replacement\": \"\xE2\x96\x81\", \"prepend_scheme\": \"always\"}", "{\"type\": \"Metaspace\", \"replacement\": \"\xE2\x96\x81\", \"prepend_scheme\": \"first\", \"split\": false}",
  "{\"type\": \"Digits\", \"individual_digits\": true}", "{\"type\": \"Whitespace\"}", "{\"type\": \"WhitespaceSplit\"}", "{\"type\": \"Punctuation\"}", "{\"type\": \"UnicodeScripts\"}",
  "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a-z]\"}, \"behavior\": \"Isolated\"}", "{\"type\": \"Split\", \"pattern\": {\"String\": \" \"}, \"behavior\": \"MergedWithPrevious\"}"};

static void put_list(FILE *f, const char *key, const char *members, const char *const *of, uint32_t n, Rng *r) {
  uint32_t k = rng_below(r, 4);
  fprintf(f, "\"%s\": {\"type\": \"Sequence\", \"%s\": [", key, members);
  for (uint32_t i = 0; i < k; i++) fprintf(f, "%s%s", i ? ", " : "", of[rng_below(r, n)]);
  fprintf(f, "]}, ");
}

// Few tokens, so that most characters are unknown; bytes to fall back to, or not.
static void put_model(FILE *f, Rng *r) {
  bool sign = rng_below(r, 2), fallback = rng_below(r, 2), unigram = rng_below(r, 3) == 0, shown = rng_below(r, 2);
  int id = 0;
  fprintf(f, "\"model\": {\"type\": \"%s\", \"byte_fallback\": %s, %s, \"vocab\": %c", unigram ? "Unigram" : "BPE", fallback ? "true" : "false", unigram ? "\"unk_id\": 0" : "\"unk_token\": \"<unk>\"",
          unigram ? '[' : '{');
  const char *one = unigram ? "%s[\"%s\", -%d.5]" : "%s\"%s\": %d";
#define PUT(text) fprintf(f, one, id ? ", " : "", text, id), id++
  PUT("<unk>");
  if (sign) PUT("\xE2\x96\x81");
  for (char c = 'a'; c < 'p'; c++) { char s[2] = {c}; PUT(s); }
  PUT("ab");
  for (int i = 0; i < 256 && fallback; i++) { char s[8]; snprintf(s, sizeof s, "<0x%02X>", (unsigned)i); PUT(s); }
  for (int i = 0; i < 256 && shown; i++) {       // how bytes are shown, but those that JSON escapes
    char s[8];
    bool plain = (i >= 33 && i <= 126) || (i >= 161 && i <= 172) || i >= 174;
    if (i == '"' || i == '\\' || (i >= 'a' && i < 'p') || !plain) continue;
    s[utf8proc_encode_char(i, (utf8proc_uint8_t *)s)] = 0;
    PUT(s);
  }
#undef PUT
  fprintf(f, "%c%s}", unigram ? ']' : '}', unigram ? "" : ", \"merges\": [\"a b\"]");
}

static void drawn(void **state) {
  (void)state;
  enum { DRAWN = 400 };
  int known = 0, opened = 0;
  Rng r = {3};
  for (int i = 0; i < DRAWN; i++) {
    char *json = NULL, name[32], path[] = "/tmp/calm-most-XXXXXX";
    size_t n;
    RtError e;
    FILE *f = open_memstream(&json, &n);
    fprintf(f, "{\"added_tokens\": [");
    if (rng_below(&r, 2)) fprintf(f, "{\"id\": 900, \"content\": \"<s>\", \"normalized\": false}, {\"id\": 901, \"content\": \"a\", \"normalized\": %s}", rng_below(&r, 2) ? "true" : "false");
    fprintf(f, "], ");
    put_list(f, "normalizer", "normalizers", NORM, sizeof NORM / sizeof *NORM, &r);
    put_list(f, "pre_tokenizer", "pretokenizers", PRE, sizeof PRE / sizeof *PRE, &r);
    put_model(f, &r);
    fprintf(f, "}");
    fclose(f);
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, json, n) == (ssize_t)n && close(fd) == 0);
    Tokenizer *t = tokenizer_open(path, &e);
    if (!t) fail_msg("%s\n%s", e.text, json);
    snprintf(name, sizeof name, "drawn %d", i);
    bool says = try_texts(json, t, 60);
    opened++, known += says;
    tokenizer_free(t);
    unlink(path);
    free(json);
  }
  print_message("%d of %d drawn\n", known, opened);
  assert_int_equal(known, opened);               // all of these kinds say what they come to
}

// ---- what is known, and what is not

static void most_is(const char *name, bool known, int64_t ascii, int64_t other, int64_t fixed) {
  char path[1024];
  TkTokensMost m;
  snprintf(path, sizeof path, TOKENIZER_GOLDEN "synthetic/%s.json", name);
  Tokenizer *t = open_file(path);
  bool says = tokenizer_most(t, &m);
  if (says != known) fail_msg("%s: %s", name, says ? "a bound" : "no bound");
  if (known && (m.ascii != ascii || m.other != other || m.fixed != fixed)) fail_msg("%s: at most %lld %lld %lld", name, (long long)m.ascii, (long long)m.other, (long long)m.fixed);
  tokenizer_free(t);
}

// ---- characters

static void forms(void **state) {
  (void)state;
  static const struct { TkForm form; size_t times; } FORMS[] = {{{.compose = true}, 3}, {{.compose = false}, 3}, {{.compat = true, .compose = true}, 11}, {{.compat = true}, 11}};
  TkText out = {0};
  size_t worst[4] = {0};
  for (uint32_t cp = 1; cp < 0x110000; cp++) {
    char s[4];
    if (cp == 0x33480) cp = 0xE0000;             // nothing is assigned there
    if (cp == 0xE0200) break;
    if (cp >= 0xD800 && cp < 0xE000) continue;
    size_t n = (size_t)utf8proc_encode_char((utf8proc_int32_t)cp, (utf8proc_uint8_t *)s), low;
    for (size_t k = 0; k < 4; k++) {
      TkText in = tk_text_view(s, 0, n);
      tk_text_clear(&out, 1 << 16);
      size_t made = tk_form_run(FORMS[k].form, &in, &out) ? out.n : n;
      if (made > (cp < 0x80 ? n : FORMS[k].times * n)) fail_msg("U+%04X becomes %zu bytes", (unsigned)cp, made);
      if (made / n > worst[k]) worst[k] = made / n;
    }
    low = (size_t)utf8proc_encode_char(utf8proc_tolower((utf8proc_int32_t)cp), (utf8proc_uint8_t *)s);
    assert_true(low <= (cp < 0x80 ? n : 2 * n));
  }
  for (size_t k = 0; k < 4; k++) assert_int_equal(worst[k], FORMS[k].times);       // no more than is needed
  tk_text_free(&out);
}

static void said(void **state) {
  (void)state;
  most_is("byte_words", true, 1, 1, 0);          // a token for each byte
  most_is("byte_triples", true, 1, 3, 0);        // NFC
  most_is("fallback_prepend", true, 1, 1, 1);    // bytes to fall back to; a sign that it knows, before a text and for spaces
  most_is("unigram_words", false, 0, 0, 0);      // a table of characters that nobody looked through
}

int main(void) {
  parts = text_parts_read();
  const struct CMUnitTest tests[] = {cmocka_unit_test(said), cmocka_unit_test(synthetic), cmocka_unit_test(drawn), cmocka_unit_test(forms), cmocka_unit_test(real)};
  int rc = cmocka_run_group_tests(tests, NULL, NULL);
  text_parts_free(&parts);
  return rc;
}
