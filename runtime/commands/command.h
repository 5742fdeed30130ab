// The commands of a compiled program. Each gets the parsed options and gives the exit status: 0, or 1 after a message
// on standard error.
#ifndef CALM_RUNTIME_COMMAND_H
#define CALM_RUNTIME_COMMAND_H
#include "runtime/commands/options.h"
#include "runtime/engine/engine.h"
#include "runtime/machine/machine.h"
#include "runtime/rows/rows.h"

int cmd_train(const Options *o);
int cmd_eval(const Options *o);
int cmd_generate(const Options *o);
int cmd_score(const Options *o);
int cmd_verify(const Options *o);
int cmd_tokenize(const Options *o);
int cmd_export(const Options *o);
int cmd_verify_files(const Options *o);
int cmd_info(const Options *o);

// Shared: prints "error: …", with what the command's flags can do about it, and returns 1. o NULL: before there is a command. Where the user has asked
// to stop: 128 and the signal; where nobody reads standard output any more: nothing, and 128 + SIGPIPE, as if that had ended it.
int cmd_fail(const Options *o, const RtError *e);

// What most commands work on.
typedef struct App {
  Prog *prog;
  Models *models;
  Engine *en;
  char threads_why[LIMITS_TEXT];   // what decided how many threads
} App;
// Reads the description, finds the models and starts the engine, without weights. app_close in any case.
bool app_open(App *a, const Options *o, RtError *e);
void app_close(App *a);
// Loads weights and gives the parameters their values: --params, or the initial ones of --seed with a warning. Packs
// them.
bool app_load(App *a, const Options *o, bool training, RtError *e);
#endif
