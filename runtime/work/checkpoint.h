// Checkpoints: a directory with theta.safetensors, theta.json (what the parameters belong to, by SHA-256, and where
// training stood) and, for going on, optimizer.safetensors. A directory is written beside its place and exchanged with
// it, so a reader sees the old one or the new one.
#ifndef CALM_RUNTIME_CHECKPOINT_H
#define CALM_RUNTIME_CHECKPOINT_H
#include "runtime/engine/engine.h"
#include "runtime/rows/models.h"

typedef struct TrainState {
  int64_t step;                // optimizer steps done
  int64_t tokens;              // data tokens seen
  uint64_t seed;
  int64_t epoch, position;     // next row: index into the epoch's order
  // lowest held-out loss so far (or training loss without held-out data); infinite at first
  double best, best_train;
  double sum, count;           // running training loss since the last look
} TrainState;

// What parameters of this program belong to: {"spec": sha256, "models": {NAME: {FILE: sha256, …}}}. Owned by the
// caller; NULL on error.
json_t *belongs_to(const Models *m, RtError *e);

// settings: borrowed, what the run was started with. moments: with optimizer.safetensors.
bool checkpoint_save(const Engine *en, const Models *m, const char *dir, const TrainState *s, const json_t *settings, bool moments,
                     RtError *e);
// Parameters, moments and state of a run to go on with. *settings: what the run was started with, owned by the caller.
bool checkpoint_resume(Engine *en, const Models *m, const char *dir, bool force, TrainState *s, json_t **settings, RtError *e);
// --params: a checkpoint directory or a safetensors file (with theta.json beside it, or unchecked with a warning).
// force: a program built from another spec text may use them too (models and tokenizers must still be the same).
bool checkpoint_params(Engine *en, const Models *m, const char *path, bool force, RtError *e);
// Whether a directory holds a checkpoint.
bool checkpoint_is(const char *dir);
// Removes a checkpoint's files and, when nothing else is in it, the directory.
void checkpoint_remove(const char *dir);
#endif
