// What a Hugging Face model directory says outside its weights: config.json, generation_config.json, which ids begin and end text,
// and where its tokenizer lies.
#ifndef CALM_RUNTIME_HFDIR_H
#define CALM_RUNTIME_HFDIR_H
#include <jansson.h>
#include <stdint.h>

#include "runtime/core/rt_error.h"

typedef struct HfDir {
  char *dir;                   // as given
  json_t *config;              // config.json, an object
  json_t *text;                // the language model's part: config["text_config"] where there is one, else config (borrowed)
  json_t *generation;          // generation_config.json, or NULL
  char *tokenizer;             // path of tokenizer.json, or NULL when there is none
  int64_t vocab_size;          // of `text`; -1 when it says none
  int32_t bos;                 // -1 when there is none
  int32_t *eos;                // union over tokenizer_config eos_token, config and generation_config eos_token_id; ascending
  int n_eos;
} HfDir;

// Opens a model directory; NULL and an error naming the file or key when it is not one.
HfDir *hfdir_open(const char *dir, RtError *e);
// The same facts for a program that has the configuration already: config is a borrowed object (a reference is taken); dir may be
// NULL (a model made from nothing); tokenizer is the path of a tokenizer.json or NULL; tokenizer_config.json is looked for beside it.
HfDir *hfdir_from(const char *dir, json_t *config, const char *tokenizer, RtError *e);
void hfdir_free(HfDir *h);
#endif
