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
  static const char *const names[] = {"byte_gpt2", "byte_llama3", "byte_digits", "fallback_prepend", "fallback_metaspace", "splits", "chars"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[512];
    snprintf(path, sizeof path, TOKENIZER_GOLDEN "synthetic/%s.json", names[i]);
    check(names[i], path);
  }
}

void each_real_tokenizer(TokenizerCheck *check) {
  static const struct {
    const char *name, *path;     // a path without '/' in front is below ~/.cache/calm-real
  } where[] = {
      {"stories260k", SHARED_DATA "weights/stories260k/hf/tokenizer.json"}, {"smollm2", "smollm2-135m/tokenizer.json"},
      {"gemma3-270m", "gemma3-270m/tokenizer.json"}, {"gemma3", "tokenizers/gemma3/tokenizer.json"},
      {"llama3", "tokenizers/llama3/tokenizer.json"}, {"qwen3", "tokenizers/qwen3/tokenizer.json"},
  };
  const char *home = getenv("HOME");
  for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
    char path[1024];
    if (where[i].path[0] == '/') snprintf(path, sizeof path, "%s", where[i].path);
    else snprintf(path, sizeof path, "%s/.cache/calm-real/%s", home ? home : "", where[i].path);
    if (file_is_regular(path)) check(where[i].name, path);
    else print_message("skipped %s: no %s\n", where[i].name, path);
  }
}
