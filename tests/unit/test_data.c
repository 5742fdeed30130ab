// JSONL rows: what each kind becomes, cutting and windows, and every mistake with its line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/abi/abi.h"
#include "runtime/core/alloc.h"
#include "runtime/rows/read.h"
#include "runtime/files/file.h"

#define CHARS CALM_SOURCE_DIR "/tests/parity/tokenizer/synthetic/chars.json"            // <unk> 0, <eos> 1, then "^._+-=>" from 2, a-z from 9, 0-9 from 35
#define PREFIXED CALM_SOURCE_DIR "/tests/parity/tokenizer/synthetic/fallback_prepend.json"   // <s> (1) before every text

typedef struct Fixture {
  Tokenizer *tok;
  DataOptions o;
  int32_t eos_set[1];
  TextEnds ends;
  char path[64];
} Fixture;

static void open_fixture(Fixture *f, const char *tokenizer, int64_t context) {
  RtError e;
  *f = (Fixture){.eos_set = {1}, .path = "/tmp/calm-test-data-XXXXXX"};
  f->tok = tokenizer_open(tokenizer, &e);
  if (!f->tok) fail_msg("%s", e.text);
  f->ends = (TextEnds){.bos = -1, .eos = f->eos_set, .n_eos = 1, .append = 1};
  f->o = (DataOptions){.tok = f->tok, .ends = &f->ends, .vocab = tokenizer_vocab(f->tok), .context = context};
  close(mkstemp(f->path));
}

static void close_fixture(Fixture *f) {
  unlink(f->path);
  tokenizer_free(f->tok);
}

static Data *read_text(Fixture *f, const char *text, size_t n, int64_t *cut, RtError *e) {
  assert_true(file_save(f->path, text, n, e));
  Data *d = data_read(f->path, false, &f->o, e);
  if (d && cut) *cut = d->limit->cut;
  return d;
}

static Data *good(Fixture *f, const char *text, int64_t *cut) {
  RtError e;
  Data *d = read_text(f, text, strlen(text), cut, &e);
  if (!d) fail_msg("%s", e.text);
  return d;
}

static void bad(Fixture *f, const char *text, const char *error) {
  RtError e;
  assert_null(read_text(f, text, strlen(text), NULL, &e));
  if (!strstr(e.text, error)) fail_msg("expected '%s', found '%s'", error, e.text);
}

static void same(const int32_t *got, const int32_t *want, int64_t n) { assert_memory_equal(got, want, (size_t)n * sizeof *got); }

static void pairs(void **state) {
  (void)state;
  Fixture f;
  int64_t cut;
  open_fixture(&f, CHARS, 100);
  Data *d = good(&f, "{\"prompt\": \"^a=\", \"completion\": \"7.\"}\r\n\n  \n{\"completion\": \"b<eos>\", \"prompt\": \"\"}", &cut);
  assert_int_equal(d->n, 2);
  assert_int_equal(cut, 0);
  assert_int_equal(d->row[0].line, 1);
  assert_int_equal(d->row[0].n, 6);
  assert_int_equal(d->row[0].prompt_n, 3);
  same(d->row[0].ids, (int32_t[]){2, 9, 7, 42, 3, 1}, 6);
  same(d->row[0].labels, (int32_t[]){-100, -100, -100, 42, 3, 1}, 6);
  assert_string_equal(d->row[0].prompt, "^a=");
  assert_int_equal(d->row[1].line, 4);
  assert_int_equal(d->row[1].n, 2);             // it brings its own end of text
  same(d->row[1].ids, (int32_t[]){10, 1}, 2);
  assert_int_equal(d->tokens, 8);
  assert_int_equal(d->labelled, 4);             // the very first token of a row cannot be predicted
  data_free(d);
  f.ends.append = -1;
  f.o.context = 3;
  const char *longer = "{\"prompt\": \"^a\", \"completion\": \"77\"}\n{\"prompt\": \"^aa\", \"completion\": \"\"}\n";
  bad(&f, longer, ":1: the row of 4 tokens is longer than the model's context of 3 tokens; too_long = skip leaves such rows out, truncate cuts their prompts from the left");
  const char *longest = "{\"prompt\": \"^aaaa\", \"completion\": \"777\"}";
  bad(&f, longest, ":1: the row of 8 tokens is longer than the model's context of 3 tokens, and so is what is left without its prompt; too_long = skip leaves such rows out");
  f.o.too_long = TOO_LONG_skip;
  d = good(&f, longer, &cut);
  assert_true(d->n == 1 && cut == 0 && d->limit->out == 1 && d->looked == 2);
  assert_true(d->row[0].line == 2 && d->row[0].window == 0 && d->row[0].n == 3 && d->tokens == 3);
  data_free(d);
  f.o.too_long = TOO_LONG_truncate;
  d = good(&f, longer, &cut);
  assert_true(d->n == 2 && cut == 1 && d->limit->out == 0);
  assert_true(d->row[0].n == 3 && d->row[0].prompt_n == 1 && d->row[1].n == 3 && d->row[1].prompt_n == 3);
  same(d->row[0].ids, (int32_t[]){9, 42, 42}, 3);
  same(d->row[0].labels, (int32_t[]){-100, 42, 42}, 3);
  data_free(d);
  bad(&f, longest, ":1: the row of 8 tokens is longer than the model's context of 3 tokens, and so is what is left without its prompt, which is all that too_long = truncate cuts");
  close_fixture(&f);
}

static void texts(void **state) {
  (void)state;
  Fixture f;
  int64_t cut;
  open_fixture(&f, PREFIXED, 4);
  Data *d = good(&f, "{\"text\": \"\xC3\xA9\\u00e9z z\"}\n", &cut);   // 1 + 2 + 2 + 1 … ids: ▁ é é z ▁ z or their bytes
  int32_t *ids;
  RtError e;
  int64_t n = tokenizer_encode(f.tok, "\xC3\xA9\xC3\xA9z z", 7, false, &ids, NULL, &e), at = 0;
  assert_int_equal(d->n, (n + 2) / 3);
  for (int64_t r = 0; r < d->n; r++) {
    assert_int_equal(d->row[r].ids[0], 1);
    assert_int_equal(d->row[r].labels[0], -100);
    assert_int_equal(d->row[r].prompt_n, 0);
    assert_null(d->row[r].prompt);
    same(d->row[r].ids + 1, ids + at, d->row[r].n - 1);
    same(d->row[r].labels + 1, ids + at, d->row[r].n - 1);
    at += d->row[r].n - 1;
  }
  assert_int_equal(at, n);
  assert_int_equal(d->labelled, n);
  rt_free(ids);
  data_free(d);
  close_fixture(&f);
}

static void input_ids(void **state) {
  (void)state;
  Fixture f;
  int64_t cut;
  open_fixture(&f, CHARS, 3);
  f.o.tok = NULL;
  Data *d = good(&f, "{\"input_ids\": [5, 6], \"labels\": [-100, 6]}\n{\"input_ids\": [1,2,3], \"labels\": [1,2,3]}", &cut);
  same(d->row[0].ids, (int32_t[]){5, 6}, 2);
  same(d->row[0].labels, (int32_t[]){-100, 6}, 2);
  assert_true(d->n == 2 && d->row[1].n == 3 && cut == 0 && d->labelled == 3);
  data_free(d);
  const char *longer = "{\"input_ids\": [1,2,3,4], \"labels\": [-100,-100,3,4]}";
  bad(&f, longer, ":1: the row of 4 tokens is longer");
  f.o.too_long = TOO_LONG_truncate;
  d = good(&f, longer, &cut);
  assert_true(d->n == 1 && cut == 1 && d->row[0].n == 3);
  same(d->row[0].ids, (int32_t[]){2, 3, 4}, 3);
  same(d->row[0].labels, (int32_t[]){-100, 3, 4}, 3);
  data_free(d);
  f.ends.bos = 1;                               // what stands before every text stays
  d = good(&f, longer, &cut);
  same(d->row[0].ids, (int32_t[]){1, 3, 4}, 3);
  data_free(d);
  bad(&f, "{\"input_ids\": [1,2,3,4], \"labels\": [1,2,3,4]}", ":1: the row of 4 tokens is longer than the model's context of 3 tokens, and so is");
  close_fixture(&f);
}

// What the tokenizer and config.json put around a text is checked as its own ids are.
static void ids_around(void **state) {
  (void)state;
  Fixture f;
  RtError e;
  open_fixture(&f, PREFIXED, 100);
  f.o.vocab = 1;                                // <s> is 1
  assert_null(read_text(&f, "{\"text\": \"\"}", 12, NULL, &e));
  assert_non_null(strstr(e.text, ":1: \"text\": the token id 1 is not below the model's vocabulary size 1"));
  assert_null(read_text(&f, "{\"prompt\": \"\", \"completion\": \"\"}", 32, NULL, &e));
  assert_non_null(strstr(e.text, ":1: \"prompt\": the token id 1"));
  f.o.vocab = tokenizer_vocab(f.tok);
  f.ends.append = 1000;
  assert_null(read_text(&f, "{\"prompt\": \"a\", \"completion\": \"b\"}", 34, NULL, &e));
  assert_non_null(strstr(e.text, ":1: \"completion\": the token id 1000"));
  close_fixture(&f);
}

// What Windows' editors write: a byte order mark before the first row. It is of no row, and places in messages count it as they should.
static void byte_order_mark(void **state) {
  (void)state;
  Fixture f;
  int64_t cut;
  RtError e;
  open_fixture(&f, CHARS, 100);
  Data *d = good(&f, "\xEF\xBB\xBF{\"prompt\": \"a\", \"completion\": \"b\"}\r\n{\"prompt\": \"b\", \"completion\": \"a\"}\r\n", &cut);
  assert_int_equal(d->n, 2);
  same(d->row[0].ids, (int32_t[]){9, 10, 1}, 3);
  assert_int_equal(d->row[1].line, 2);
  data_free(d);
  d = good(&f, "\xEF\xBB\xBF\n{\"text\": \"a\"}\n", &cut);          // alone in its line
  assert_int_equal(d->n, 1);
  data_free(d);
  static const struct {
    const char *text, *part;
  } cases[] = {
    {"\xEF\xBB\xBF", "no rows"},
    {"\xEF\xBB\xBF{\"text\": \"a\xFF\"}\n", ":1: not UTF-8: byte 15 of the line is 0xFF"},
    {"\xEF\xBB\xBF{\"text\" \"a\"}\n", ":1:11: "},
    {"{\"text\": \"a\"}\n\xEF\xBB\xBF{\"text\": \"a\"}\n", ":2:"},  // two files put together
    {"\xEF\xBB{\"text\": \"a\"}\n", ":1: not UTF-8: byte 1 of the line is 0xEF"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_null(read_text(&f, cases[i].text, strlen(cases[i].text), NULL, &e));
    if (!strstr(e.text, cases[i].part)) fail_msg("expected \"%s\" in: %s", cases[i].part, e.text);
  }
  assert_null(read_text(&f, "{\"text\": \"a\"}\n\0\0\0\n", 19, NULL, &e));   // zeros are no blank line
  assert_non_null(strstr(e.text, ":2:"));
  close_fixture(&f);
}

static void mistakes(void **state) {
  (void)state;
  static const struct {
    const char *text, *part;
  } cases[] = {
    {"", "no rows"}, {"\n\n", "no rows"},
    {"{\"text\": \"a\"}\n{\"text\": 5}\n", ":2: \"text\": expected a string, found an integer"},
    {"{\"text\": \"a\"}\n\n{\"text\": \"a\"", ":3:"},
    {"[1]\n", ":1: expected a row, an object such as {\"text\"}, {\"prompt\", \"completion\"}, {\"messages\"} or {\"input_ids\", \"labels\"}, found an array"},
    {"{\"prompt\": \"a\"}\n", "\"completion\": expected a string, found nothing"},
    {"{\"completion\": \"a\", \"prompt\": null}\n", "\"prompt\": expected a string, found null"},
    {"{\"question\": \"a\"}\n", "found \"question\""},
    {"{\"question\": \"a\", \"text\": null}\n", "found \"question\", \"text\": null"},
    {"[{\"text\": \"a\"}]\n", "found an array (jq -c '.[]' makes lines of one array)"},
    {"[\n{\"text\": \"a\"}\n]\n", ":1:1: ']' expected near end of file; a row is a JSON object on one line (jq -c '.[]' makes lines"},
    {"PAR1\x15\x04\x15", "it is a Parquet table, expected text"},
    {"{\"instruction\": \"a\", \"output\": \"b\", \"text\": \"a, and more\"}\n", "found \"instruction\", \"output\", \"text\""},
    {"{\"instruction\": \"a\", \"output\": null}\n", "\"output\": expected a string, found null"},
    {"{\"text\": \"a\", \"prompt\": \"b\"}\n", "found \"text\", \"prompt\""},
    {"{\"text\": \"a\", \"text\": \"b\"}\n", "duplicate"},
    {"{\"input_ids\": [1, 2]}\n", "\"labels\": expected an array"},
    {"{\"input_ids\": [1, 2], \"labels\": [1]}\n", "\"labels\" has 1, \"input_ids\" 2 numbers"},
    {"{\"input_ids\": [1, 45], \"labels\": [1, 2]}\n", "the token id 45 is not below the model's vocabulary size 45"},
    {"{\"input_ids\": [1, 2], \"labels\": [1, -1]}\n", "\"labels\": the token id -1"},
    {"{\"input_ids\": [1, 2.5], \"labels\": [1, 2]}\n", "\"input_ids\": expected token ids, found a number with a fraction"},
    {"{\"input_ids\": [], \"labels\": []}\n", "is empty"},
    {"{\"text\": \"a\xFF\"}\n", ":1: not UTF-8: byte 12 of the line is 0xFF"},
  };
  Fixture f;
  open_fixture(&f, CHARS, 100);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    RtError e;
    assert_null(read_text(&f, cases[i].text, strlen(cases[i].text), NULL, &e));
    if (!strstr(e.text, cases[i].part) || !strstr(e.text, f.path)) fail_msg("expected \"%s\" in: %s", cases[i].part, e.text);
  }
  RtError e;
  f.o.tok = NULL;
  assert_null(read_text(&f, "{\"text\": \"a\"}", 13, NULL, &e));
  assert_non_null(strstr(e.text, "needs a tokenizer"));
  assert_null(data_read("/nowhere/x.jsonl", false, &f.o, &e));
  assert_non_null(strstr(e.text, "/nowhere/x.jsonl"));
  close_fixture(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(pairs), cmocka_unit_test(texts), cmocka_unit_test(input_ids), cmocka_unit_test(ids_around),
                                     cmocka_unit_test(byte_order_mark), cmocka_unit_test(mistakes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
