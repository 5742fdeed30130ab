// Every path of SHA-256 that this processor has gives the published hashes, and what plain C gives: at every length around a block and the padding,
// however the text is cut.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/files/sha256.h"

static const Sha256Path *plain(void) {
  int i = 0;
  while (sha256_path(i + 1)) i++;
  return sha256_path(i);
}

// In pieces of `step` bytes.
static void hash(const Sha256Path *path, const uint8_t *p, size_t n, size_t step, char hex[SHA256_HEX]) {
  Sha256 s;
  sha256_init_on(&s, path);
  for (size_t at = 0; at < n; at += step) sha256_add(&s, p + at, n - at < step ? n - at : step);
  sha256_hex(&s, hex);
}

static void published(void **state) {
  (void)state;
  char hex[SHA256_HEX];
  uint8_t *a = malloc(1000000);
  memset(a, 'a', 1000000);
  for (int i = 0; sha256_path(i); i++) {
    if (!sha256_path(i)->here()) continue;
    hash(sha256_path(i), a, 0, 1, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash(sha256_path(i), (const uint8_t *)"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 56, hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    hash(sha256_path(i), a, 1000000, 997, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
  free(a);
}

static void against_plain_c(void **state) {
  (void)state;
  enum { MOST = 1000000 };
  uint8_t *text = malloc(MOST + 1);
  uint64_t x = 7;
  for (int i = 0; i <= MOST; i++) text[i] = (uint8_t)((x = x * 6364136223846793005u + 1442695040888963407u) >> 56);
  char want[SHA256_HEX], got[SHA256_HEX];
  int paths = 0;
  for (int i = 0; sha256_path(i) != plain(); i++) {
    if (!sha256_path(i)->here()) {
      printf("this processor has no %s\n", sha256_path(i)->name);
      continue;
    }
    paths++;
    for (size_t n = 0; n <= 300; n++)
      for (size_t step = 1; step <= n + 1; step += step < 70 ? 23 : 77) {
        hash(plain(), text, n, n + 1, want);
        hash(sha256_path(i), text, n, step, got);
        assert_string_equal(want, got);
      }
    hash(plain(), text + 1, MOST, MOST, want);              // a place that is no multiple of 16
    hash(sha256_path(i), text + 1, MOST, 4099, got);
    assert_string_equal(want, got);
  }
  printf("%d paths beside plain C\n", paths);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(published), cmocka_unit_test(against_plain_c)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
