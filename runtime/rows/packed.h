// Inside of the room: the models' part of a pack file, {"tokenizers": [per model the number of its tokenizer, -1 for none], "ends": what begins and ends a
// text, "chat": [per model its chat template and names of tokens], "generation": generation_config.json, where there is one}, and a section tokenizer.N for each tokenizer (text/tokenizer.h, tokenizer_image).
#ifndef CALM_RUNTIME_ROWS_PACKED_H
#define CALM_RUNTIME_ROWS_PACKED_H
#include <jansson.h>

#include "runtime/files/files.h"
#include "runtime/text/text.h"

bool packed_put_tokenizer(PackOut *o, const Tokenizer *t, int number, RtError *e);
json_t *packed_ends_json(const TextEnds *x);

// Whether a pack file says which tokenizer each of so many models has; asked before the others.
bool packed_check(const PackFile *p, int nmodel, RtError *e);
int packed_tokenizer(const PackFile *p, int model);                   // -1: none
Tokenizer *packed_open(const PackFile *p, int model, const char *tokfile, RtError *e);      // tokfile: the tokenizer.json that messages name; NULL: the pack file
json_t *packed_chat_json(const HfChat *c);
bool packed_chat(const PackFile *p, int model, HfChat *out, RtError *e);
bool packed_ends(const PackFile *p, TextEnds *x, RtError *e);
bool packed_generation(const PackFile *p, json_t **said, HfGeneration *how, RtError *e);      // *said: a reference, or NULL
#endif
