// Checkpoints: a directory with theta.safetensors, theta.json (what the parameters belong to, where training stood, what the run does, and size and
// SHA-256 of the files beside it) and, for going on, optimizer.safetensors. Here they are written: beside their place, and exchanged with what is
// there, so that a reader (restore.h) sees the old one or the new one, whole.
#ifndef CALM_RUNTIME_CHECKPOINT_H
#define CALM_RUNTIME_CHECKPOINT_H
#include "runtime/files/files.h"
#include "runtime/work/fields.h"
#include "runtime/work/identity.h"

#define CHECKPOINT_ABOUT "theta.json"
#define CHECKPOINT_THETA "theta.safetensors"
#define CHECKPOINT_MOMENTS "optimizer.safetensors"
// Of theta.json, its "calm". 1 had no hashes of the files; 1 and 2 belonged to a text of the spec; up to 3 the position counted windows, since CHECKPOINT_OF_ROWS
// rows.
enum { CHECKPOINT_OF_ROWS = 4, CHECKPOINT_FORMAT = 4 };

// Flat vectors, one float a parameter and padding. m and v: the optimizer's moments, NULL where there are none.
typedef struct TrainVectors {
  float *theta, *m, *v;
} TrainVectors;

// The SHA-256 of what theta.json says beside its "sha256": of the values, whatever their order and the space between them.
void checkpoint_sum(const json_t *about, char hex[SHA256_HEX]);
// One that is written beside its place, where it waits to be put there. An object of the call: what is not put is removed with it.
typedef struct CheckpointDraft CheckpointDraft;
// Of the identity's program, with the moments when there are any. run: an object of what the run does (commands/choose.h), whose keys
// theta.json has too. NULL and an error.
CheckpointDraft *checkpoint_draft(const char *dir, Identity *id, const TrainVectors *x, const TrainState *s, const json_t *run, RtError *e);
// Exchanges it with what is there, or drops it; it is gone either way. NULL may be dropped.
bool checkpoint_put(CheckpointDraft *d, RtError *e);
void checkpoint_drop(CheckpointDraft *d);
// Both at once.
bool checkpoint_save(const char *dir, Identity *id, const TrainVectors *x, const TrainState *s, const json_t *run, RtError *e);
// Whether a directory holds a checkpoint.
bool checkpoint_is(const char *dir);
// Where a file system cannot exchange two names, the old directory has a temporary name of DIR.old (file_is_tmp) for a moment.
#define CHECKPOINT_ASIDE ".old"
// Takes what is the user's along, from the old directory of a checkpoint into the new one; what cannot be taken stays, with a warning.
void checkpoint_keep_others(const char *from, const char *to);
// Removes a checkpoint's files and, when nothing else is in it, the directory.
void checkpoint_remove(const char *dir);
#endif
