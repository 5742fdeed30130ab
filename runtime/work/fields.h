// Where a training stands, and its keys of theta.json: rows of checkpoint.def.
#ifndef CALM_RUNTIME_FIELDS_H
#define CALM_RUNTIME_FIELDS_H
#include <jansson.h>
#include <stdint.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"

#define CKPT_TYPE_COUNT(lo, hi) int64_t
#define CKPT_TYPE_STEP(lo, hi) int64_t
#define CKPT_TYPE_SEED uint64_t
#define CKPT_TYPE_LOSS double
#define CKPT_TYPE_TIME double
#define CKPT_TYPE_TEXT const char *
#define CKPT_TYPE_PRECISIONS const json_t *
typedef struct TrainState {    // texts and JSON are borrowed
#define X(field, kind, need) CKPT_TYPE_##kind field;
#include "runtime/work/checkpoint.def"
#undef X
} TrainState;

void fields_write(json_t *o, const TrainState *s);
// Texts are borrowed from o. What is missing, of another kind or out of bounds is refused by path and key.
bool fields_read(TrainState *s, const json_t *o, const char *path, RtError *e);
// Of one key alone.
bool fields_read_one(TrainState *s, const char *key, const json_t *o, const char *path, RtError *e);
#endif
