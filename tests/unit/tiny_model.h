// Tiny model directories of one family (family.txt: its arch, its architecture), written by the tests that need one: zero weights, a
// config.json and a tokenizer.json.
#ifndef CALM_TESTS_TINY_MODEL_H
#define CALM_TESTS_TINY_MODEL_H
#include <stddef.h>
#include <stdint.h>

typedef struct TinyModel {
  const char *dir;             // created
  int hidden, layers, heads, kv_heads, ffn, vocab;
  const char *architecture;    // NULL: that of family.txt
  const char *config;          // more members of config.json, each followed by a comma; or NULL
  const char *without;         // sizes left out ("hidden_size vocab_size"), or NULL
  const char *tokenizer;       // content of tokenizer.json; NULL: a common one
  const char *extra_tensor;    // one more tensor, [hidden], or NULL
  int query_rows;              // rows of q_proj, 0 = hidden
} TinyModel;

// What family.txt says.
const char *tiny_arch(void);
const char *tiny_architecture(void);

void tiny_model(const TinyModel *m);   // aborts when it cannot be written
// A new folder below /tmp, made current, with the n models in its `models`; and the current folder removed again, if it is such a one.
// Both 0, or -1 (for cmocka's setup and teardown).
int tiny_folder(const TinyModel *m, size_t n);
int tiny_folder_remove(void);
#endif
