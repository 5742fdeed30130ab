// What generation_config.json says of how text is generated: the values that calm goes by, and the names of those that it does not.
#ifndef CALM_RUNTIME_HFGENERATION_H
#define CALM_RUNTIME_HFGENERATION_H
#include <jansson.h>
#include <stdint.h>

#include "runtime/core/core.h"

enum { HF_TOP_K = 50 };        // transformers' own where a file samples and names none: save_pretrained leaves it out

typedef struct HfGeneration {
  bool do_sample;              // false: greedy, whatever the rest says
  int64_t max_new_tokens, max_length, top_k;                   // -1: not named; max_length counts the prompt, and nothing beside max_new_tokens
  double temperature, top_p, min_p, repetition_penalty;        // NaN: not named
} HfGeneration;

// said: the file's object, or NULL, where it is not there; what: its path. False and an error that names the key.
bool hfgeneration_read(HfGeneration *g, const char *what, const json_t *said, RtError *e);
// The keys of said that would change what is generated and are not done here, as text for a warning; to be freed; NULL where there is none.
char *hfgeneration_ignored(const json_t *said);
#endif
