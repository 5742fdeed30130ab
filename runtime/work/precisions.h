// What the products of each model multiply, as checkpoints, pack files and people have it.
#ifndef CALM_RUNTIME_PRECISIONS_H
#define CALM_RUNTIME_PRECISIONS_H
#include <jansson.h>

#include "runtime/engine/engine.h"

// A word where all models are alike, else each model's: {"base": "bf16", "code": "f32"}. of: by model. A new reference.
json_t *precisions_json(const Prog *p, const Precision *of);
json_t *precisions_used(const Engine *en);
// "bf16", "bf16 (base) and f32 (code, more)": of what one of these says. Owned.
char *precisions_words(const json_t *said);
// Whether v is that: a word, or an object of them.
bool precisions_is(const json_t *v);
// By model, from what precisions_is; NULL is f32. False where it says nothing of one of the program's models, whose name is then at `of_none`.
bool precisions_read(const Prog *p, const json_t *said, Precision *of, const char **of_none);
#endif
