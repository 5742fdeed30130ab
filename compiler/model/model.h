// A Hugging Face model directory as the compiler sees it: configuration, tensors by name (headers only), tokenizer.
#ifndef CALM_MODEL_MODEL_H
#define CALM_MODEL_MODEL_H
#include <jansson.h>
#include <stdbool.h>

#include "dsl/base/arena.h"
#include "runtime/files/files.h"

typedef struct Model {
  const char *dir;             // absolute
  const char *shown;           // as messages name it
  const char *config_path;     // shown + "/config.json"
  HfDir *hf;
  Safetensors *st;
  json_t *config;              // the language model's part (borrowed from hf)
  bool *used;                  // per tensor: some part of the arch asked for it
} Model;

// Where the model that a spec calls `name` lies: `shown` (the same, seen from here) where that is a directory, else, for "org/name", the
// snapshot of the Hugging Face cache. NULL and an error when a name of that form is in neither place.
const char *model_place(Arena *a, const char *name, const char *shown, RtError *e);
// Opens the directory `shown` (relative to here, as messages name it); dir is the same, absolute. NULL and an error naming the file.
// Close with model_close.
Model *model_open(Arena *a, const char *dir, const char *shown, RtError *e);
void model_close(Model *m);
// The first string of "architectures"; NULL when there is none.
const char *model_architecture(const Model *m);
// A tensor by its full name, marked as used; NULL when there is none.
const StTensor *model_tensor(Model *m, const char *name);
// Path of the file that holds t, as messages name it.
const char *model_file_of(const Model *m, Arena *a, const StTensor *t);
// The name most like `name` among the tensors; NULL when nothing is near.
const char *model_nearest_tensor(const Model *m, const char *name);

// What stands before `name` in the name of a tensor that ends in it, such as "_orig_mod." or "module.": as long as `*n` says; NULL where there is none.
const char *model_prefix_of(const Model *m, const char *name, size_t *n);

bool inert_tensor(const char *name);     // names in checkpoints that change no arithmetic (inert.def)
#endif
