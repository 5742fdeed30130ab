// What a training does: which of the flags, the spec's train block, the run gone on with and the defaults says so. And what of it is kept in theta.json.
#ifndef CALM_RUNTIME_CHOOSE_H
#define CALM_RUNTIME_CHOOSE_H
#include "runtime/commands/options.h"
#include "runtime/engine/engine.h"
#include "runtime/work/work.h"

typedef enum ChosenBy { CHOSEN_ALREADY, CHOSEN_BY_SPEC, CHOSEN_BY_FLAG } ChosenBy;
typedef struct Chosen {
  TrainSettings set;           // texts are borrowed from the program, the options and theta.json
  TrainSettings before;        // of the run gone on with
  ChosenBy by[N_SETTINGS];     // what changed it since
} Chosen;

// A new run (theirs NULL): flags, then the spec, then defaults. One that is gone on with: flags of now; a setting that the spec says, and did not say so when
// the run was last started; then what the run used, in theta.json (theirs, at path).
bool choose(Chosen *c, const Prog *p, const Options *o, const json_t *theirs, const char *path, RtError *e);
// A line for each setting of a run that is another now: "steps 100 -> 200, from the spec".
void choose_tell(const Chosen *c);
// Adds keys of theta.json: "spec_train", the train block of now, and "settings", what the run does.
void choose_keep(const Chosen *c, const Prog *p, json_t *run);
#endif
