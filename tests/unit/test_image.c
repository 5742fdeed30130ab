// Images of tokenizers (text/image.h) as a stranger may leave them: cut off, of another version, with any word of any table spoilt. What is opened all the
// same must encode and decode without a step outside of its tables, which the sanitizers watch; what cannot be opened says so.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/core/core.h"
#include "runtime/text/text.h"
#include "runtime/text/image.h"
#include "tokenizer_files.h"

static const char TEXT[] = "The 12 words, <s>\xE2\x98\x83 of\tmany  kinds: naïve 3+7= \xF0\x9F\x98\x80<|endoftext|>end</s>";

static void *image_of(const char *path, size_t *n) {
  RtError e;
  Tokenizer *t = tokenizer_open(path, &e);
  if (!t) fail_msg("%s", e.text);
  void *image = tokenizer_image(t, n);
  tokenizer_free(t);
  return image;
}

// Opens it, and uses what opens; whether it did.
static bool use(const void *image, size_t n, RtError *e) {
  Tokenizer *t = tokenizer_mapped(image, n, "tokenizer.json", "app.pack", e);
  if (!t) return false;
  int32_t *ids;
  size_t len;
  RtError why;
  int64_t k = tokenizer_encode(t, TEXT, sizeof TEXT - 1, false, &ids, NULL, &why);
  if (k >= 0) {
    char *text = tokenizer_decode(t, ids, k, &len, &why);
    if (text) rt_free(text);
    rt_free(ids);
  }
  tokenizer_token_id(t, "<s>");
  Settler *s = settler_new(t);
  if (s) settler_free(s);
  tokenizer_free(t);
  return true;
}

static void cut_off(const char *name, const char *path) {
  size_t n;
  RtError e;
  char *image = image_of(path, &n), *cut = rt_alloc(n + 16, 1);
  for (size_t keep = 0; keep < n; keep += keep < 1024 ? 13 : n / 61 + 1) {
    memcpy(cut, image, keep);
    memset(cut + keep, 0, n - keep);
    if (use(cut, keep, &e)) fail_msg("%s: %zu of %zu bytes are taken for the whole", name, keep, n);
    assert_non_null(strstr(e.text, "app.pack: "));
  }
  assert_true(use(image, n, &e));
  uint32_t version;
  memcpy(&version, image + 8, sizeof version);
  assert_int_equal(version, TK_IMAGE);
  image[8]++;
  assert_false(use(image, n, &e));
  assert_non_null(strstr(e.text, "version"));
  rt_free(cut), rt_free(image);
}

// One word of it becomes another; most of all those that are places, lengths and ids.
static void spoilt(const char *name, const char *path) {
  static const uint32_t words[] = {0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0x10000, 255};
  size_t n, refused = 0, tries = 3000;
  RtError e;
  char *image = image_of(path, &n), *other = rt_alloc(n + 16, 1);
  uint64_t random = 7;
  memcpy(other, image, n);
  for (size_t i = 0; i < tries; i++) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    size_t at = (size_t)(random >> 33) % (n / 4) * 4, kind = (size_t)(random >> 20) % 12;
    uint32_t was, is;
    memcpy(&was, other + at, 4);
    is = kind < 9 ? words[kind] : kind == 9 ? was + 1 : kind == 10 ? was - 1 : (uint32_t)(random >> 7);
    memcpy(other + at, &is, 4);
    refused += !use(other, n, &e);
    memcpy(other + at, &was, 4);
  }
  if (memcmp(image, other, n)) fail_msg("%s: an image was written to", name);
  if (refused < tries / 50) fail_msg("%s: only %zu of %zu spoilt images are refused", name, refused, tries);
  rt_free(other), rt_free(image);
}

static void truncated(void **state) {
  (void)state;
  each_synthetic_tokenizer(cut_off);
}

static void hostile(void **state) {
  (void)state;
  each_synthetic_tokenizer(spoilt);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(truncated), cmocka_unit_test(hostile)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
