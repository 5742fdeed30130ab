// Reading checkpoints. One is opened first, before there is room for its parameters: whom it belongs to, its bytes against their hashes, and names and shapes of
// its tensors are looked at then, and what does not fit is refused by name before anything is loaded. It stays as it was opened, whatever
// takes its place meanwhile.
#ifndef CALM_RUNTIME_RESTORE_H
#define CALM_RUNTIME_RESTORE_H
#include "runtime/work/checkpoint.h"

typedef struct Checkpoint Checkpoint;
// A run to go on with, moments and all. force: see identity_check. NULL and an error; else checkpoint_close is due.
Checkpoint *checkpoint_open_run(const char *dir, Identity *id, bool force, RtError *e);
// --params: the parameters of a checkpoint directory, or a safetensors file (with theta.json beside it, or unchecked with a warning).
Checkpoint *checkpoint_open_params(const char *path, Identity *id, bool force, RtError *e);
void checkpoint_close(Checkpoint *c);
// What chat templates took for today in the run that such parameters are of, YYYYMMDD; 0 where nothing says it. What is wrong with them is told when they are opened.
int64_t checkpoint_date(const char *path);
// checkpoint_precision of parameters that are not open yet, unchecked: what memory will be needed follows from it. False where nothing says.
bool checkpoint_expects(const char *path, const Prog *p, Precision *of);

// theta.json, NULL where a file of parameters has none beside it; and its path, as errors call it. Borrowed.
const json_t *checkpoint_about(const Checkpoint *c);
const char *checkpoint_path(const Checkpoint *c);
// Where training stood, of a run. Texts are borrowed.
bool checkpoint_state(const Checkpoint *c, TrainState *s, RtError *e);
// The precision that trained it, of each model: of one that says whose parameters these are (checkpoint_about).
bool checkpoint_precision(const Checkpoint *c, const Prog *p, Precision *of, RtError *e);
// The vectors, of which x has those that are wanted; once.
void checkpoint_take(Checkpoint *c, const TrainVectors *x);

// The files of a checkpoint by size and SHA-256, as theta.json lists them (files/sums.h); owned by the caller. NULL and an error, also where it lists none.
json_t *checkpoint_files(const FileDir *d, const char *dir, RtError *e);
#endif
