// The commands of a compiled program. Each gets the parsed options and gives the exit status: 0, or 1 after a message
// on standard error.
#ifndef CALM_RUNTIME_COMMAND_H
#define CALM_RUNTIME_COMMAND_H
#include "runtime/commands/options.h"
#include "runtime/engine/engine.h"
#include "runtime/machine/machine.h"
#include "runtime/rows/rows.h"

enum { GENERATE_CHUNK = 512 };         // most tokens of a prompt that generate computes at a time
#define GENERATE_TOKENS 256             // that it generates where nobody says how many
#define GENERATE_TOKENS_TEXT "256"

int cmd_train(const Options *o);
int cmd_eval(const Options *o);
int cmd_generate(const Options *o);
int cmd_score(const Options *o);
int cmd_verify(const Options *o);
int cmd_tokenize(const Options *o);
int cmd_export(const Options *o);
int cmd_verify_files(const Options *o);
int cmd_pack(const Options *o);
int cmd_info(const Options *o);

// Shared: prints "error: …", with what the command's flags can do about it, and returns 1. o NULL: before there is a command. Where the user has asked
// to stop: 128 and the signal; where nobody reads standard output any more: nothing, and 128 + SIGPIPE, as if that had ended it.
int cmd_fail(const Options *o, const RtError *e);
// What a user of this command can do about it; NULL: nothing that has a flag.
const char *cmd_advice(const Options *o, RtAbout about);

// What most commands work on.
typedef struct App {
  Prog *prog;
  PackFile *pack;              // --pack; NULL: weights and tokenizers are read from the models' directories
  Models *models;
  Engine *en;
  char threads_why[LIMITS_TEXT];   // what decided how many threads
  json_t *precision;           // of each model (work/precisions.h)
  char *precision_words, *precision_why;   // and what decided which (precision.h)
  MemLimits limits;
  int64_t resident, address_space;     // of this process, before weights and data
  bool warned;                 // that memory may not suffice
  struct Profile *measured;    // of --profile and --trace; NULL without
} App;
// Reads the description, finds the models and starts the engine, without weights. app_close in any case.
bool app_open(App *a, const Options *o, RtError *e);
void app_close(App *a);
// Before rows or prompts are read: streams for augments that may have texts of their own (own), and for conversations (talk). Before steps are made.
bool app_part(const App *a, bool own, bool talk, RtError *e);
// As the rows of a file ask for; f NULL: none.
bool app_part_for(const App *a, const DataFile *f, RtError *e);
// Whether the pack file, if there is one, is for the kernels that run; asked again where parameters have changed these.
bool app_pack_fits(const App *a, const Options *o, RtError *e);
// The parameters of --params (NULL: none are asked for), as checkpoint_open_params, and weights; packs what depends on them.
bool app_load_params(App *a, const Options *o, const char *params, const Load *l, RtError *e);
// Where memory allows what the command is going to do: loads weights and gives the parameters their values, --params, or the initial ones of
// --seed with a warning, and packs them.
bool app_load(App *a, const Options *o, const Load *l, RtError *e);
// outputs.c: whether path, which the command is going to write, is none of the files that it reads. set: a training's settings, else NULL.
bool output_allowed(const App *a, const Options *o, const TrainSettings *set, const char *path, RtError *e);
// Likewise a file of one kind, which `what` says, and it takes the place of none but that kind.
bool output_replaces(const App *a, const Options *o, const char *path, const char *what, const FileMark *kind, RtError *e);
// Likewise that of --trace, where there is one; and it is none of the n files `made` (some may be NULL) that the command writes itself.
bool trace_allowed(const App *a, const Options *o, const TrainSettings *set, const char *const *made, int n, RtError *e);
// Likewise a directory, which need not be there yet: it is none of those that the command reads, in none of them, and no checkpoint.
bool output_dir_allowed(const App *a, const Options *o, const char *dir, RtError *e);
#endif
