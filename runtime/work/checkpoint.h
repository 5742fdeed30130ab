// Checkpoints: a directory with theta.safetensors, theta.json (what the parameters belong to, where training stood, and size and SHA-256 of the
// files beside it) and, for going on, optimizer.safetensors. A directory is written beside its place and exchanged with it, so a reader sees the
// old one or the new one, whole; and what is read is checked against its hashes first.
#ifndef CALM_RUNTIME_CHECKPOINT_H
#define CALM_RUNTIME_CHECKPOINT_H
#include "runtime/files/files.h"
#include "runtime/work/identity.h"

#define CHECKPOINT_ABOUT "theta.json"

#define CKPT_TYPE_COUNT(lo, hi) int64_t
#define CKPT_TYPE_STEP(lo, hi) int64_t
#define CKPT_TYPE_SEED uint64_t
#define CKPT_TYPE_LOSS double
#define CKPT_TYPE_TIME double
#define CKPT_TYPE_TEXT const char *
typedef struct TrainState {    // texts are borrowed
#define X(field, kind, need) CKPT_TYPE_##kind field;
#include "runtime/work/checkpoint.def"
#undef X
} TrainState;

// Flat vectors, one float a parameter and padding. m and v: the optimizer's moments, NULL where there are none.
typedef struct TrainVectors {
  float *theta, *m, *v;
} TrainVectors;

// What was written: of the identity's program, with the moments when there are any. settings: what the run was started with, or NULL.
bool checkpoint_save(const char *dir, Identity *id, const TrainVectors *x, const TrainState *s, const json_t *settings, RtError *e);
// A run to go on with: fills x, all three of it, and s. *about: theta.json, owned by the caller, from which texts of s are borrowed and whose
// "settings" is what the run was started with.
bool checkpoint_resume(const char *dir, Identity *id, bool force, const TrainVectors *x, TrainState *s, json_t **about, RtError *e);
// What the run was started with, for those who look before they resume; owned by the caller. NULL and an error.
json_t *checkpoint_settings(const char *dir, RtError *e);
// --params: a checkpoint directory or a safetensors file (with theta.json beside it, or unchecked with a warning).
// force: a program built from another spec text may use them too (models and tokenizers must still be the same).
bool checkpoint_params(const char *path, Identity *id, bool force, float *theta, RtError *e);

// Whether a directory holds a checkpoint.
bool checkpoint_is(const char *dir);
// Its files by size and SHA-256, as theta.json lists them (files/sums.h); owned by the caller. NULL and an error, also where it lists none.
json_t *checkpoint_files(const FileDir *d, const char *dir, RtError *e);
// Where a file system cannot exchange two names, the old directory has a temporary name of DIR.old (file_is_tmp) for a moment.
#define CHECKPOINT_ASIDE ".old"
// Takes what is the user's along, from the old directory of a checkpoint into the new one; what cannot be taken stays, with a warning.
void checkpoint_keep_others(const char *from, const char *to);
// Removes a checkpoint's files and, when nothing else is in it, the directory.
void checkpoint_remove(const char *dir);
#endif
