// What an export writes of a model's adapters (adapt in a spec): a directory as PEFT's, or the weights with what they add.
#ifndef CALM_RUNTIME_ADAPTERS_H
#define CALM_RUNTIME_ADAPTERS_H
#include "runtime/engine/engine.h"
#include "runtime/files/files.h"

#define ADAPTER_WEIGHTS "adapter_model.safetensors"
#define ADAPTER_CONFIG "adapter_config.json"

int adapters_of(const Prog *p, int model);                             // how many products of it are adapted
bool adapters_own(const Prog *p, int model, int param);                // is the parameter one of theirs?
bool adapters_low_rank(const Prog *p, int model, RtError *e);          // whether all are: only these can be exported
// adapter_config.json of model, which lies in `dir` and whose files are st. The caller's.
json_t *adapters_config(const Prog *p, int model, const char *dir, const Safetensors *st);
void adapters_add(const Engine *en, int model, Dtype dtype, StWriter *w);
// The merging of one weight, for st_writer_add_filled; NULL where the tensor is not adapted. base: its numbers, of type from; lives as long as they do.
// rt_free gives it back.
typedef struct Merge Merge;
Merge *adapters_merge(const Engine *en, int model, const StTensor *t, Dtype from, const void *base);
void adapters_fill(const void *merge, int64_t at, int n, float *out);
#endif
