// The tokenizer against goldens made with Hugging Face `tokenizers` (tests/parity/make_tokenizer_goldens.py): ids, byte spans, decoded
// text, ids around a text, random ids decoded, and streaming decode equal to decoding at once. Real tokenizers are used where they are.
#include <glob.h>
#include <libgen.h>
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

#include "runtime/core/alloc.h"
#include "runtime/files/file.h"
#include "runtime/files/sha256.h"
#include "runtime/text/hash.h"
#include "runtime/text/pipeline.h"
#include "runtime/text/tokenize_lines.h"
#include "runtime/text/tokenizer.h"
#include "tokenizer_files.h"

static json_t *load(const char *name) {
  char path[512];
  json_error_t e;
  snprintf(path, sizeof path, TOKENIZER_GOLDEN "%s.json", name);
  json_t *v = json_load_file(path, JSON_ALLOW_NUL, &e);
  if (!v) fail_msg("%s: %s", path, e.text);
  return v;
}

static Tokenizer *open_or_fail(const char *path) {
  RtError e;
  Tokenizer *t = tokenizer_open(path, &e);
  if (!t) fail_msg("%s", e.text);
  return t;
}

// The text the digests are of.
static char *canonical(const int32_t *ids, const TokSpan *spans, int64_t n, const char *decoded, size_t len, size_t *out_len) {
  char *s = NULL;
  FILE *f = open_memstream(&s, out_len);
  for (int64_t i = 0; i < n; i++) fprintf(f, "%s%d", i ? "," : "", ids[i]);
  fputc('|', f);
  for (int64_t i = 0; i < n; i++) fprintf(f, "%s%lld-%lld", i ? "," : "", (long long)spans[i].begin, (long long)spans[i].end);
  fputc('|', f);
  fwrite(decoded, 1, len, f);
  fclose(f);
  return s;
}

static bool digest_is(const char *s, size_t n, const json_t *want) {
  char hex[SHA256_HEX];
  sha256_of(s, n, hex);
  return strncmp(hex, json_string_value(want), 16) == 0;
}

// prompt_n ids as the prompt, the rest pushed one by one: the pieces together must be decode(all) behind decode(prompt), and every piece
// whole characters.
static void check_stream(const Tokenizer *t, const int32_t *ids, int64_t n, int64_t prompt_n) {
  size_t all_len, prompt_len, k, got = 0;
  char *all = tokenizer_decode(t, ids, n, &all_len, &(RtError){0}), *prompt = tokenizer_decode(t, ids, prompt_n, &prompt_len, &(RtError){0}), *text = rt_alloc(all_len + 1, 1);
  TokStream *s = tokstream_new(t, ids, prompt_n);
  for (int64_t i = prompt_n; i <= n; i++) {
    const char *piece = i < n ? tokstream_push(s, ids[i], &k, &(RtError){0}) : tokstream_end(s, &k, &(RtError){0});
    assert_true(got + k <= all_len);
    memcpy(text + got, piece, k);
    got += k;
    if (k) assert_true(((uint8_t)piece[0] & 0xC0) != 0x80);
  }
  // Where the prompt ends within a character, that character comes with the completion; nothing else of it comes again, and what it said
  // stays, though later bytes that spoil its last run of byte tokens would have all of the run decoded otherwise.
  bool cut = prompt_len >= 3 && !memcmp(prompt + prompt_len - 3, "\xEF\xBF\xBD", 3);
  bool begins = prompt_len <= all_len && !memcmp(prompt, all, prompt_len), fine = !memmem(all, all_len, "\xEF\xBF\xBD", 3);
  if (begins && !cut) assert_int_equal(got, all_len - prompt_len);
  if (begins && !cut) assert_memory_equal(text, all + all_len - got, got);
  if (cut && fine) assert_true(got > all_len - (prompt_len < all_len ? prompt_len : all_len));
  if (cut && fine) assert_memory_equal(text, all + all_len - got, got);
  tokstream_free(s);
  rt_free(text);
  rt_free(all);
  rt_free(prompt);
}

static int check_texts(const Tokenizer *t, const char *name, const json_t *texts, const json_t *want) {
  int bad = 0;
  for (size_t i = 0; i < json_array_size(texts); i++) {
    RtError e;
    int32_t *ids;
    TokSpan *spans;
    const json_t *text = json_array_get(texts, i);
    int64_t n = tokenizer_encode(t, json_string_value(text), json_string_length(text), false, &ids, &spans, &e);
    if (n < 0) fail_msg("%s", e.text);
    size_t len, c_len;
    char *decoded = tokenizer_decode(t, ids, n, &len, &(RtError){0}), *c = canonical(ids, spans, n, decoded, len, &c_len);
    if (!digest_is(c, c_len, json_array_get(want, i)) && bad++ < 8) print_message("%s: text %zu: [%s] gave %s\n", name, i, json_string_value(text), c);
    check_stream(t, ids, n, 0);
    check_stream(t, ids, n, n / 2);
    free(c);
    rt_free(decoded);
    rt_free(ids);
    rt_free(spans);
  }
  return bad;
}

// The same generator as in the script.
static int check_random(const Tokenizer *t, const char *name, const json_t *want) {
  int64_t x = 1, vocab = tokenizer_vocab(t), low = vocab < 300 ? vocab : 300;
  int bad = 0;
  for (size_t i = 0; i < json_array_size(want); i++) {
    int32_t ids[24];
    size_t len;
    for (int k = 0; k < 24; k++) {
      x = (x * 1103515245 + 12345) % (1ll << 31);
      ids[k] = (int32_t)((x >> 8) % (x % 3 ? vocab : low));
    }
    char *s = tokenizer_decode(t, ids, 24, &len, &(RtError){0});
    if (!digest_is(s, len, json_array_get(want, i)) && bad++ < 4) print_message("%s: random ids %zu gave [%s]\n", name, i, s);
    rt_free(s);
    for (int64_t p = 0; p <= 24; p += 5) check_stream(t, ids, 24, p);
  }
  return bad;
}

static void check_ids(const int32_t *ids, int n, const json_t *want) {
  assert_int_equal(n, json_array_size(want));
  for (int i = 0; i < n; i++) assert_int_equal(ids[i], json_integer_value(json_array_get(want, (size_t)i)));
}

static void check_one(const char *name, const Tokenizer *t) {
  json_t *texts = load("texts"), *want = load(name);
  const int32_t *ids;
  assert_int_equal(tokenizer_vocab(t), json_integer_value(json_object_get(want, "vocab")));
  int n = tokenizer_prefix(t, &ids);
  check_ids(ids, n, json_object_get(want, "prefix"));
  n = tokenizer_suffix(t, &ids);
  check_ids(ids, n, json_object_get(want, "suffix"));
  int bad = check_texts(t, name, texts, json_object_get(want, "texts")) + check_random(t, name, json_object_get(want, "random"));
  if (bad) fail_msg("%s: %d digests differ", name, bad);
  json_decref(want);
  json_decref(texts);
}

// As it is read from its file, and as it is used from an image of that, which the one read does not live to see.
static void check(const char *name, const char *path) {
  RtError e;
  size_t n, again;
  Tokenizer *t = open_or_fail(path);
  check_one(name, t);
  void *image = tokenizer_image(t, &n);
  tokenizer_free(t);
  Tokenizer *m = tokenizer_mapped(image, n, path, "the image", &e);
  if (!m) fail_msg("%s: %s", name, e.text);
  check_one(name, m);
  void *same = tokenizer_image(m, &again);
  assert_int_equal(n, again);
  assert_memory_equal(image, same, n);
  tokenizer_free(m);
  rt_free(same), rt_free(image);
}

static void synthetic(void **state) {
  (void)state;
  each_synthetic_tokenizer(check);
}

static void real(void **state) {
  (void)state;
  each_real_tokenizer(check);
}

// A folder of shared/data/tokenizers holds encoder.json and vocab.bpe, as they were published; a tokenizer.json is put together from them.
static void published(void **state) {
  (void)state;
  glob_t g;
  if (glob(SHARED_DATA "tokenizers/*/encoder.json", 0, NULL, &g)) {
    print_message("skipped: no " SHARED_DATA "tokenizers/*/encoder.json\n");
    return;
  }
  char *folder = dirname(g.gl_pathv[0]), line[512], path[] = "/tmp/calm-test-tok-XXXXXX";
  snprintf(line, sizeof line, "%s/encoder.json", folder);
  json_t *vocab = json_load_file(line, 0, NULL), *merges = json_array();
  snprintf(line, sizeof line, "%s/vocab.bpe", folder);
  FILE *f = fopen(line, "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    if (*line && strncmp(line, "#version", 8) != 0) json_array_append_new(merges, json_string(line));
  }
  fclose(f);
  json_t *root = json_pack("{s:[{s:i, s:s, s:b, s:b}], s:n, s:{s:s, s:b}, s:{s:s}, s:{s:s, s:o, s:o}}", "added_tokens", "id", 50256, "content",
                           "<|endoftext|>", "special", 1, "normalized", 0, "normalizer", "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", 0,
                           "decoder", "type", "ByteLevel", "model", "type", "BPE", "vocab", vocab, "merges", merges);
  close(mkstemp(path));
  assert_int_equal(json_dump_file(root, path, 0), 0);
  check(basename(folder), path);
  unlink(path);
  json_decref(root);
  globfree(&g);
}

static void stories_ten(void **state) {
  (void)state;
  const char *path = SHARED_DATA "weights/stories260k/hf/tokenizer.json";
  if (!file_is_regular(path)) {
    print_message("skipped stories260k: no %s\n", path);
    return;
  }
  json_t *cases = load("stories260k-ten");
  Tokenizer *t = open_or_fail(path);
  for (size_t i = 0; i < json_array_size(cases); i++) {
    const json_t *c = json_array_get(cases, i), *text = json_object_get(c, "text");
    int32_t *ids;
    RtError e;
    size_t len;
    int64_t n = tokenizer_encode(t, json_string_value(text), json_string_length(text), false, &ids, NULL, &e);
    check_ids(ids, (int)n, json_object_get(c, "ids"));
    char *s = tokenizer_decode(t, ids, n, &len, &(RtError){0});
    assert_string_equal(s, json_string_value(json_object_get(c, "decoded")));
    rt_free(s);
    rt_free(ids);
  }
  tokenizer_free(t);
  json_decref(cases);
}

static int64_t encode(const Tokenizer *t, const char *text, bool continuation, int32_t *out) {
  int32_t *ids;
  RtError e;
  int64_t n = tokenizer_encode(t, text, strlen(text), continuation, &ids, NULL, &e);
  assert_true(n >= 0 && n <= 32);
  memcpy(out, ids, (size_t)n * sizeof *ids);
  rt_free(ids);
  return n;
}

// A continuation gets no prefix space and no ▁: its ids are those of the whole text behind the first part's (where no merge crosses).
static void continuation(void **state) {
  (void)state;
  static const char *const names[] = {"fallback_prepend", "fallback_metaspace", "chars"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[512];
    int32_t a[32], b[32], whole[32];
    snprintf(path, sizeof path, TOKENIZER_GOLDEN "synthetic/%s.json", names[i]);
    Tokenizer *t = open_or_fail(path);
    int64_t na = encode(t, "3+", false, a), nb = encode(t, "7=", true, b), n = encode(t, "3+7=", false, whole);
    assert_int_equal(na + nb, n);
    assert_memory_equal(a, whole, (size_t)na * sizeof *a);
    assert_memory_equal(b, whole + na, (size_t)nb * sizeof *b);
    assert_int_equal(encode(t, "", true, a), 0);
    tokenizer_free(t);
  }
  Tokenizer *t = open_or_fail(TOKENIZER_GOLDEN "synthetic/byte_digits.json");   // this one puts the space before every piece
  int32_t a[32], b[32];
  assert_int_equal(encode(t, "7=", true, a) + 1, encode(t, "7=", false, b));
  assert_int_equal(a[0], b[1]);
  tokenizer_free(t);
}

// A kind of decoder that exists here only: the tokens from the last to the first. Nothing is said of how it streams, so all text comes at the end.
static void run_reverse(const void *own, const TkStrings *in, TkStrings *out, bool first, TkCall *call) {
  (void)own, (void)first, (void)call;
  out->s = rt_realloc(out->s, out->cap = in->len + 1, 1);
  out->end = rt_realloc(out->end, out->end_cap = in->n + 1, sizeof *out->end);
  for (size_t i = in->n; i-- > 0;) {
    size_t begin = i ? in->end[i - 1] : 0, n = in->end[i] - begin;
    memcpy(out->s + out->len, in->s + begin, n);
    out->end[out->n++] = out->len += n;
  }
}

static void nothing_said(void **state) {
  (void)state;
  static const TkDecoderKind reverse = {.kind.type = "Reverse", .run = run_reverse};
  Tokenizer *t = open_or_fail(TOKENIZER_GOLDEN "synthetic/byte_words.json");
  tk_components_free(&t->dec);
  t->dec = (TkComponents){0};
  tk_components_add(&t->dec, &reverse.kind);
  const int32_t ids[] = {40, 41, 42, 43, 44};
  for (int64_t prompt = 0; prompt <= 5; prompt++) {
    size_t before, all_len, k;
    char *said = tokenizer_decode(t, ids, prompt, &before, &(RtError){0}), *all = tokenizer_decode(t, ids, 5, &all_len, &(RtError){0});
    TokStream *s = prompt % 2 ? tokstream_new(t, ids, prompt) : tokstream_eager(t, ids, prompt);
    for (int64_t i = prompt; i < 5; i++) {
      assert_string_equal(tokstream_push(s, ids[i], &k, &(RtError){0}), "");
      assert_int_equal(k, 0);
    }
    assert_string_equal(tokstream_end(s, &k, &(RtError){0}), all + before);
    assert_int_equal(k, all_len - before);
    tokstream_free(s);
    rt_free(said);
    rt_free(all);
  }
  tokenizer_free(t);
  RtError e;
  t = open_or_fail(TOKENIZER_GOLDEN "synthetic/fallback_metaspace.json");      // ByteFallback and Metaspace, which looks for tokens
  TkComponent first = {&reverse.kind, NULL}, second = t->dec.c[1];
  TkComponents list = {(TkComponent[]){first, second}, 2};
  assert_false(tk_decoders_check(&list, "tokenizer.json", &e));
  assert_string_equal(e.text, "tokenizer.json: decoder \"Metaspace\" behind Reverse is not supported");
  tokenizer_free(t);
  t = open_or_fail(TOKENIZER_GOLDEN "synthetic/chars.json");      // it has Fuse
  tk_components_add(&t->dec, &reverse.kind);
  assert_false(tk_decoders_check(&t->dec, "tokenizer.json", &e));
  assert_string_equal(e.text, "tokenizer.json: decoder \"Reverse\" behind Fuse is not supported");
  tokenizer_free(t);
}

// A token that is to be a word of its own is none beside a letter, also one in a circle or a square, which is a symbol by its category.
static void single_word(void **state) {
  (void)state;
  static const struct { const char *text; bool word; } cases[] = {{"word", true}, {"word.", true}, {"\u2603word\u2603", true}, {"words", false},
                                                                  {"word\u24B6", false}, {"\u24E9word", false}, {"word\U0001F170", false}};
  int32_t ids[32];
  Tokenizer *t = open_or_fail(TOKENIZER_GOLDEN "synthetic/byte_words.json");
  int32_t word = tokenizer_token_id(t, "word");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool found = false;
    for (int64_t n = encode(t, cases[i].text, false, ids); n-- > 0;) found |= ids[n] == word;
    if (found != cases[i].word) fail_msg("%s: the token is %sfound", cases[i].text, found ? "" : "not ");
  }
  tokenizer_free(t);
}

static void expect_error(const char *json, const char *part) {
  char path[] = "/tmp/calm-test-tok-XXXXXX";
  RtError e;
  close(mkstemp(path));
  assert_true(file_save(path, json, strlen(json), &e));
  Tokenizer *t = tokenizer_open(path, &e);
  assert_null(t);
  if (!strstr(e.text, part) || !strstr(e.text, path)) fail_msg("expected \"%s\" in: %s", part, e.text);
  unlink(path);
}

static void errors(void **state) {
  (void)state;
#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]}"
  expect_error("", "expected");
  expect_error("\xEF\xBB\xBF", "expected '{' (at byte 3)");
  expect_error("\xEF\xBB\xBF{\n!", ":2: ");
  expect_error("{", "expected");
  expect_error("[]", "expected");
  expect_error("{}", "\"model\"");
  expect_error("{\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}", "WordPiece");
#define UNIGRAM(vocab, more) "{\"model\":{\"type\":\"Unigram\",\"vocab\":" vocab more "}}"
  expect_error(UNIGRAM("[]", ""), "without an \"unk_id\"");
  expect_error(UNIGRAM("[[\"a\",0]]", ",\"unk_id\":null"), "without an \"unk_id\"");
  expect_error(UNIGRAM("[[\"a\",0]]", ",\"unk_id\":1"), "\"unk_id\": expected the id of one of 1 tokens, found 1");
  expect_error(UNIGRAM("{\"a\":0}", ",\"unk_id\":0"), "an array of tokens and scores");
  expect_error(UNIGRAM("[[\"a\",0],[\"a\",1]]", ",\"unk_id\":0"), "there twice");
  expect_error(UNIGRAM("[[\"a\"]]", ",\"unk_id\":0"), "a score behind the token");
  expect_error(UNIGRAM("[[\"a\",\"b\"]]", ",\"unk_id\":0"), "a score");
  expect_error(UNIGRAM("[[\"a\",0,1]]", ",\"unk_id\":0"), "alone");
  expect_error(UNIGRAM("[[\"a\",1e999]]", ",\"unk_id\":0"), "that a double holds");
  expect_error(UNIGRAM("[[\"a\",1e]]", ",\"unk_id\":0"), "an exponent");
  expect_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", "merges");
  expect_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "two tokens");
  expect_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "-1");
  expect_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999999},\"merges\":[]}}", "99999999999");
  expect_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[\"a b\"]}}", "merge 0");
  expect_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[[\"a\"]]}}", "merge");
  expect_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],\"unk_token\":\"u\"}}", "unk_token");
  expect_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],\"end_of_word_suffix\":\"0123456789012345678901234567890123456789\"}}", "end_of_word_suffix");
  expect_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],\"byte_fallback\":true,\"continuing_subword_prefix\":\"#\"}}", "continuing_subword_prefix");
  expect_error("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1}}", "dropout");
  expect_error("{\"normalizer\":{\"type\":\"Precompiled\"}," MODEL "}", "Precompiled");
#define CHARSMAP(s) "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"" s "\"}," MODEL "}"
  expect_error(CHARSMAP("a"), "base64");
  expect_error(CHARSMAP("AA=A"), "base64");
  expect_error(CHARSMAP(""), "a table's size and the table, found 0 bytes");
  expect_error(CHARSMAP("CAAAAAAAAAA="), "a table's size and the table, found 8 bytes");
  expect_error(CHARSMAP("BAAAAAAAAAD/"), "not UTF-8");
  expect_error("{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," MODEL "}", "BertPreTokenizer");
  expect_error("{\"decoder\":{\"type\":\"BPEDecoder\",\"suffix\":\"\"}," MODEL "}", "BPEDecoder");
  expect_error("{\"decoder\":{\"type\":\"CTC\"}," MODEL "}", "CTC");
  expect_error("{\"post_processor\":{\"type\":\"Odd\"}," MODEL "}", "Odd");
  expect_error("{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\"}}]}," MODEL "}", "\"B\"");
  expect_error("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a[^b]]\"},\"behavior\":\"Isolated\"}," MODEL "}", "class");
  expect_error("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}," MODEL "}", "regular expression");
  expect_error("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"\"},\"behavior\":\"Isolated\"}," MODEL "}", "empty \"String\"");
  expect_error("{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"q\"}," MODEL "}", "empty \"String\"");
  expect_error("{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"x*\"},\"content\":\"-\"}," MODEL "}", "Replace");
  expect_error("{\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"\"}," MODEL "}", "Prepend");
  expect_error("{\"normalizer\":{\"type\":\"Sequence\"}," MODEL "}", "normalizer Sequence: \"normalizers\": expected an array, found nothing");
  expect_error("{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":{}}," MODEL "}", "\"pretokenizers\": expected an array, found an object");
  expect_error("{\"decoder\":{\"type\":\"Sequence\",\"decoders\":5}," MODEL "}", "\"decoders\": expected an array, found an integer");
  expect_error("{\"post_processor\":{\"type\":\"Sequence\"}," MODEL "}", "\"processors\": expected an array, found nothing");
  expect_error("{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}," MODEL "}", "\"replacement\": expected one character, found \"ab\"");
  expect_error("{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\"}," MODEL "}", "\"replacement\": expected one character, found \"\"");
  expect_error("{\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}," MODEL "}", "\"replacement\": expected one character, found \"ab\"");
  expect_error("{\"decoder\":{\"type\":\"Metaspace\",\"prepend_scheme\":\"odd\"}," MODEL "}", "prepend_scheme \"odd\"");
  expect_error("{\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"Metaspace\"}]}," MODEL "}", "behind Fuse");
  expect_error("{\"added_tokens\":[{\"content\":5}]," MODEL "}", "content");
  RtError e;
  assert_null(tokenizer_open("/nowhere/tokenizer.json", &e));
  assert_non_null(strstr(e.text, "/nowhere/tokenizer.json"));
  Tokenizer *t = open_or_fail(TOKENIZER_GOLDEN "synthetic/chars.json");
  assert_int_equal(tokenizer_encode(t, "a\nb\nab\xFFz", 8, false, NULL, NULL, &e), -1);
  assert_non_null(strstr(e.text, "line 3, byte 3 of it is 0xFF (offset 6)"));
  tokenizer_free(t);
}

// Lines come from the file that is given and go to the file that is given.
static void lines(void **state) {
  (void)state;
  char text[] = "\"3+7=\"\n", *said = NULL;
  size_t n;
  RtError e;
  Tokenizer *t = open_or_fail(TOKENIZER_GOLDEN "synthetic/chars.json");
  for (int decode = 0; decode < 2; decode++) {
    char *from = decode ? said : text, *to = NULL;
    FILE *in = fmemopen(from, strlen(from), "r"), *out = open_memstream(&to, &n);
    assert_true(tokenize_lines(t, decode, &(TokLines){in, out, "the test", "the test"}, &e));
    fclose(in);
    fclose(out);
    free(said);
    said = to;
  }
  assert_string_equal(said, text);
  FILE *in = fmemopen(said, strlen(said), "r"), *out = tmpfile();
  assert_false(tokenize_lines(t, true, &(TokLines){in, out, "the test", "the test"}, &e));
  assert_string_equal(e.text, "the test:1: expected {\"ids\": […]} or a list of ids, found a string");
  fclose(in);
  fclose(out);
  free(said);
  tokenizer_free(t);
}

// A long piece without any pre-tokenizer must not take quadratic time: a quadratic merge would run for minutes here.
static void long_piece(void **state) {
  (void)state;
  size_t n = 2000000;
  char *s = rt_alloc(n, 1);
  for (size_t i = 0; i < n; i++) s[i] = "abc the "[(i * 7 + i / 5) % 8];
  Tokenizer *t = open_or_fail(TOKENIZER_GOLDEN "synthetic/fallback_prepend.json");
  RtError e;
  int32_t *ids;
  TokSpan *spans;
  int64_t k = tokenizer_encode(t, s, n, false, &ids, &spans, &e);
  assert_true(k > 0 && spans[k - 1].end == (int64_t)n);
  rt_free(ids);
  rt_free(spans);
  tokenizer_free(t);
  rt_free(s);
}

// Marks without a starter between them, in the wrong order: normalizing must not take quadratic time either.
static void long_marks(void **state) {
  (void)state;
  size_t n = 2000000;
  char *s = rt_alloc(n, 1);
  for (size_t i = 0; i < n; i += 4) memcpy(s + i, "\u0301\u0323", 4);
  Tokenizer *t = open_or_fail(TOKENIZER_GOLDEN "synthetic/byte_triples.json");
  RtError e;
  assert_true(tokenizer_encode(t, s, n, false, NULL, NULL, &e) > 0);
  tokenizer_free(t);
  rt_free(s);
}

// Keys that fall together in a table that lies in one place fall apart in another: nobody can choose tokens that all do.
static void hashes(void **state) {
  (void)state;
  enum { MASK = 0xFFF };
  char one, other[4096];
  uint64_t first = tk_seed(&one), second = tk_seed(other + 1234);
  int together = 0, still = 0;
  for (uint64_t key = 0; together < 200; key++) {
    if (tk_hash((const char *)&key, sizeof key, first) & MASK) continue;
    together++;
    still += !(tk_hash((const char *)&key, sizeof key, second) & MASK);
  }
  assert_true(still < 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(synthetic), cmocka_unit_test(stories_ten),  cmocka_unit_test(real),   cmocka_unit_test(published),
                                     cmocka_unit_test(continuation), cmocka_unit_test(single_word), cmocka_unit_test(nothing_said), cmocka_unit_test(errors), cmocka_unit_test(lines), cmocka_unit_test(long_piece),
                                     cmocka_unit_test(long_marks), cmocka_unit_test(hashes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
