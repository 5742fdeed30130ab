// See tokenizer_files.h.
#include "tokenizer_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "runtime/file.h"

void each_synthetic_tokenizer(TokenizerCheck *check) {
  static const char *const names[] = {"byte_words", "byte_triples", "byte_digits", "fallback_prepend", "fallback_metaspace", "splits", "chars"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[512];
    snprintf(path, sizeof path, TOKENIZER_GOLDEN "synthetic/%s.json", names[i]);
    check(names[i], path);
  }
}

// TOKENIZER_GOLDEN real.txt has lines of: name of the goldens, "shared" (data beside the checkout) or "real" (~/.cache/calm-real), path there.
void each_real_tokenizer(TokenizerCheck *check) {
  FILE *f = fopen(TOKENIZER_GOLDEN "real.txt", "r");
  char name[64], where[16], path[256], full[1024];
  const char *home = getenv("HOME");
  assert_non_null(f);
  while (fscanf(f, "%63s %15s %255s", name, where, path) == 3) {
    if (*where == 's') snprintf(full, sizeof full, SHARED_DATA "%s", path);
    else snprintf(full, sizeof full, "%s/.cache/calm-real/%s", home ? home : "", path);
    if (file_is_regular(full)) check(name, full);
    else print_message("skipped %s: no %s\n", name, full);
  }
  fclose(f);
}
