// Which tokens begin and end a text, from what a model's files say in ids and in words, and which of them training appends.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/core/call.h"
#include "runtime/files/file.h"
#include "runtime/text/ends.h"

#define SYNTHETIC CALM_SOURCE_DIR "/tests/parity/tokenizer/synthetic/"   // byte_words: added tokens <s> 330, </s> 331; "!" 0 in the vocabulary

typedef struct Case {
  const char *config, *generation, *tokenizer_config;      // file texts, NULL: no such file
  int32_t bos, append, eos[4];
  int n_eos;
  const char *from, *warning;
} Case;

static const Case cases[] = {
  // as config.json says, where nobody else does
  {"{\"eos_token_id\": [9, 4], \"bos_token_id\": 3}", NULL, NULL, 3, 9, {4, 9}, 2, "config.json", ""},
  // tokenizer_config.json's is appended, as a string or an object; every id stops
  {"{\"eos_token_id\": [9, 4]}", "{\"eos_token_id\": 7}", "{\"eos_token\": \"</s>\"}", -1, 331, {4, 7, 9, 331}, 4, "tokenizer_config.json", ""},
  {"{\"eos_token_id\": 9}", NULL, "{\"eos_token\": {\"content\": \"</s>\"}, \"bos_token\": \"<s>\"}", 330, 331, {9, 331}, 2, "tokenizer_config.json", ""},
  // a token of the vocabulary that is no added one
  {"{\"eos_token_id\": 9}", NULL, "{\"eos_token\": \"!\"}", -1, 0, {0, 9}, 2, "tokenizer_config.json", ""},
  // the tokenizer's own id goes before the one listed beside it, which counts where the tokenizer has none
  {"{}", NULL, "{\"eos_token\": \"</s>\", \"added_tokens_decoder\": {\"7\": {\"content\": \"</s>\"}}}", -1, 331, {331}, 1, "tokenizer_config.json", ""},
  {"{}", NULL, "{\"eos_token\": \"<|im_end|>\", \"added_tokens_decoder\": {\"340\": {\"content\": \"<|im_end|>\"}}}", -1, 340, {340}, 1,
   "tokenizer_config.json", ""},
  // unknown to all: said, and what stands in
  {"{\"eos_token_id\": [9, 4]}", NULL, "{\"eos_token\": \"<|im_end|>\"}", -1, 9, {4, 9}, 2, "config.json",
   "tokenizer_config.json: the eos_token \"<|im_end|>\" is no token of "},
  {"{}", "{\"eos_token_id\": [8, 2]}", "{\"eos_token\": null, \"bos_token\": \"<who>\"}", -1, 8, {2, 8}, 2, "generation_config.json",
   "tokenizer_config.json: the bos_token \"<who>\" is no token of "},
  {"{\"bos_token_id\": 5}", NULL, "{\"bos_token\": \"<who>\"}", 5, -1, {0}, 0, NULL, ""},      // nobody needs it
  {"{\"eos_token_id\": -1}", "{}", "{}", -1, -1, {0}, 0, NULL, ""},
};

static char dir[64] = "/tmp/calm-test-ends-XXXXXX";
static void put(const char *name, const char *text) {
  char path[128];
  RtError e;
  snprintf(path, sizeof path, "%s/%s", dir, name);
  if (!text) unlink(path);
  else assert_true(file_save(path, text, strlen(text), &e));
}

static void hear(void *user, const char *text) { snprintf(user, 1024, "%s", text); }

static bool answer(void *user, RtError *e) {
  const Case *c = user;
  HfDir *h = hfdir_open(dir, e);
  if (!h) return false;
  Tokenizer *t = tokenizer_open(SYNTHETIC "byte_words.json", e);
  TextEnds x;
  text_ends_read(&x, h, t);
  assert_int_equal(x.bos, c->bos);
  assert_int_equal(x.append, c->append);
  assert_int_equal(x.n_eos, c->n_eos);
  if (x.n_eos) assert_memory_equal(x.eos, c->eos, (size_t)x.n_eos * sizeof *x.eos);
  if (c->from) assert_string_equal(x.append_from, c->from);
  else assert_null(x.append_from);
  text_ends_free(&x);
  tokenizer_free(t);
  hfdir_free(h);
  return true;
}

static void answers(void **state) {
  (void)state;
  assert_non_null(mkdtemp(dir));
  put("tokenizer.json", "{}");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    RtError e;
    char heard[1024] = "";
    RtHost host = {.warning = hear, .user = heard};
    Case c = cases[i];
    put("config.json", c.config), put("generation_config.json", c.generation), put("tokenizer_config.json", c.tokenizer_config);
    if (!rt_call(&host, answer, &c, &e)) fail_msg("case %zu: %s", i, e.text);
    if (*c.warning ? !strstr(heard, c.warning) : *heard) fail_msg("case %zu: expected the warning \"%s\", heard \"%s\"", i, c.warning, heard);
  }
  put("config.json", NULL), put("generation_config.json", NULL), put("tokenizer_config.json", NULL), put("tokenizer.json", NULL);
  rmdir(dir);
}

// An id is a whole number that a vocabulary could have, wherever it is written; nothing wraps into one.
static void no_ids(void **state) {
  (void)state;
  static const struct { const char *config, *part; } wrong[] = {
    {"{\"eos_token_id\": 4294967298}", "found 4294967298"},
    {"{\"eos_token_id\": [1, 1073741824]}", "found 1073741824"},
    {"{\"eos_token_id\": 2.0}", "\"eos_token_id\": expected a token id, found a number with"},
    {"{\"eos_token_id\": [-1]}", "found -1"},
    {"{\"eos_token_id\": {}}", "found an object"},
    {"{\"bos_token_id\": -2}", "\"bos_token_id\": expected a whole number"},
    {"{\"vocab_size\": -5}", "\"vocab_size\""},
    {"{\"vocab_size\": 4294967296}", "found 4294967296"},
    {"{\"vocab_size\": 99999999999999999999}", "too big"},
  };
  char folder[] = "/tmp/calm-test-ids-XXXXXX";
  assert_non_null(mkdtemp(folder));
  snprintf(dir, sizeof dir, "%s", folder);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    RtError e = {0};
    put("config.json", wrong[i].config);
    assert_null(hfdir_open(dir, &e));
    if (!strstr(e.text, wrong[i].part) || !strstr(e.text, "config.json")) fail_msg("expected \"%s\" in: %s", wrong[i].part, e.text);
  }
  put("config.json", NULL);
  rmdir(dir);
}

// A list of as many ends as a file can name is read, and asked, without a walk over the list for each of them.
static void many(void **state) {
  (void)state;
  enum { N = 300000 };
  char *text = malloc(N * 8 + 64);
  size_t n = (size_t)sprintf(text, "{\"eos_token_id\": [5");
  for (int i = N; i-- > 0;) n += (size_t)sprintf(text + n, ",%d", i * 2 + 1);   // 1 to 599999, from the last on
  sprintf(text + n, "]}");
  char folder[] = "/tmp/calm-test-ends-XXXXXX";
  assert_non_null(mkdtemp(folder));
  snprintf(dir, sizeof dir, "%s", folder);
  put("config.json", text);
  RtError e;
  HfDir *h = hfdir_open(dir, &e);
  assert_non_null(h);
  TextEnds x;
  text_ends_read(&x, h, NULL);
  assert_int_equal(x.n_eos, N);
  assert_int_equal(x.append, 5);
  for (int i = 0; i < 2 * N; i++) assert_int_equal(text_ends_at(&x, i), i % 2);
  text_ends_free(&x);
  hfdir_free(h);
  free(text);
  put("config.json", NULL);
  rmdir(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(no_ids), cmocka_unit_test(many)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
