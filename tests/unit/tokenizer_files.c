// See tokenizer_files.h.
#include "tokenizer_files.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "runtime/core/alloc.h"
#include "runtime/files/file.h"

void each_synthetic_tokenizer(TokenizerCheck *check) {
  glob_t g;
  assert_int_equal(glob(TOKENIZER_GOLDEN "synthetic/*.json", 0, NULL, &g), 0);
  for (size_t i = 0; i < g.gl_pathc; i++) {
    char *path = g.gl_pathv[i], name[64];
    snprintf(name, sizeof name, "%s", strrchr(path, '/') + 1);
    *strrchr(name, '.') = 0;
    check(name, path);
  }
  globfree(&g);
}

// The lines of a vocab.bpe behind its first, one merge each.
static json_t *read_merges(const char *folder) {
  char path[1100], line[1024];
  snprintf(path, sizeof path, "%s/vocab.bpe", folder);
  FILE *f = fopen(path, "r");
  json_t *merges = json_array();
  assert_non_null(f);
  for (bool first = true; fgets(line, sizeof line, f); first = false) {
    line[strcspn(line, "\n")] = 0;
    if (!first && *line) json_array_append_new(merges, json_string(line));
  }
  fclose(f);
  return merges;
}

// A tokenizer.json, at path, of a folder that was published as encoder.json and vocab.bpe (tests/parity/tokenizer_diff.py makes the same).
static void put_together(const char *folder, const char *path) {
  char encoder[1100];
  snprintf(encoder, sizeof encoder, "%s/encoder.json", folder);
  json_t *vocab = json_load_file(encoder, 0, NULL);
  assert_non_null(vocab);
  json_t *level = json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 0, "use_regex", 1);
  json_t *end = json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (int)json_object_size(vocab) - 1, "content", "<|endoftext|>", "special", 1,
                          "normalized", 0, "single_word", 0, "lstrip", 0, "rstrip", 0);
  json_t *model = json_pack("{s:s, s:o, s:o}", "type", "BPE", "vocab", vocab, "merges", read_merges(folder));
  json_t *all = json_pack("{s:s, s:[o], s:n, s:O, s:n, s:o, s:o}", "version", "1.0", "added_tokens", end, "normalizer", "pre_tokenizer", level,
                          "post_processor", "decoder", level, "model", model);
  char made[1100];
  snprintf(made, sizeof made, "%s.%d", path, (int)getpid());       // tests may run side by side
  assert_int_equal(json_dump_file(all, made, JSON_COMPACT), 0);
  assert_int_equal(rename(made, path), 0);
  json_decref(all);
}

// Where the tokenizer of a line of real.txt lies, if it is there.
static void locate(const char *name, const char *where, const char *path, char *full, size_t size) {
  const char *home = getenv("HOME");
  if (!strcmp(where, "real")) snprintf(full, size, "%s/.cache/calm-real/%s", home ? home : "", path);
  else snprintf(full, size, SHARED_DATA "%s", path);
  if (strcmp(where, "parts")) return;
  char encoder[1100];
  snprintf(encoder, sizeof encoder, "%s/encoder.json", full);
  if (!file_is_regular(encoder)) return;
  char *folder = rt_strdup(full);
  snprintf(full, size, CALM_BINARY_DIR "/%s.tokenizer.json", name);
  put_together(folder, full);
  rt_free(folder);
}

// TOKENIZER_GOLDEN real.txt has lines of: name of the goldens; "shared" (data beside the checkout), "parts" (a folder there, with encoder.json
// and vocab.bpe) or "real" (~/.cache/calm-real); path there.
void each_real_tokenizer(TokenizerCheck *check) {
  FILE *f = fopen(TOKENIZER_GOLDEN "real.txt", "r");
  char name[64], where[16], path[256], full[1024];
  assert_non_null(f);
  while (fscanf(f, "%63s %15s %255s", name, where, path) == 3) {
    locate(name, where, path, full, sizeof full);
    if (file_is_regular(full)) check(name, full);
    else print_message("skipped %s: no %s\n", name, full);
  }
  fclose(f);
}
