// Command-line options, from two tables: options.def, and for train abi/settings.def. Parsing, bounds, defaults and help.
#ifndef CALM_RUNTIME_OPTIONS_H
#define CALM_RUNTIME_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>

#include "runtime/abi/abi.h"
#include "runtime/work/work.h"

enum {
  C_TRAIN = 1, C_EVAL = 2, C_GENERATE = 4, C_SCORE = 8, C_TOKENIZE = 16, C_EXPORT = 32, C_INFO = 64,
  C_VERIFY = 128, C_VERIFY_FILES = 256, C_PACK = 512,
  C_RUN = C_EVAL | C_GENERATE | C_SCORE | C_VERIFY,
  C_ALL = 255 | C_PACK,                            // those that open the program
  C_COMPUTES = C_RUN | C_TRAIN | C_INFO | C_PACK,  // whose precision matters
  C_PACKED = C_RUN | C_TRAIN | C_TOKENIZE | C_INFO, // those that can take weights and tokenizers from a pack file
};
#define OPT_UNSET INT64_MIN                        // a WHOLE or BYTES without a value; a REAL is NaN, TEXT is NULL, a WORD -1
typedef struct OptList {
  const char **v;
  int n;
} OptList;

#define OPT_TYPE_FLAG bool
#define OPT_TYPE_WHOLE(lo, hi) int64_t
#define OPT_TYPE_BYTES int64_t
#define OPT_TYPE_REAL(lo, hi) double
#define OPT_TYPE_TEXT const char *
#define OPT_TYPE_LIST OptList
#define OPT_TYPE_WORD(row) int
#define X(field, kind, name, arg, commands, value, help) FLAG_##field,
enum {
#include "runtime/commands/options.def"
  N_FLAGS
};
#undef X
typedef struct Options {
#define X(field, kind, name, arg, commands, value, help) OPT_TYPE_##kind field;
#include "runtime/commands/options.def"
#undef X
  bool given[N_FLAGS];                             // which were on the command line
  const char *setting[N_SETTINGS];                 // train: the text of those settings that a flag gives, checked; NULL: not given
  OptList more[N_SETTINGS];                        // of files: behind the first
  OptList precision_of;                            // NAME=PRECISION of --precision: of one model each
  struct Profile *measured;                        // of --profile and --trace; NULL without
  const Precision *precisions;                     // of each model, in place of --precision; NULL: the user says
  const char *precision_by;                        // a clause: who gives them; NULL: the user
  const RtProgram *rt;
  const char *program;                             // argv[0]
  int run_command;                                 // its bit
  const char **word;                               // what is no option, in order
  int nword;
} Options;

// Parses what follows the command; fields without a flag hold their defaults. A flag that takes one value is given once. False after a message on
// standard error (a usage error).
bool options_parse(Options *o, int command, int argc, char **argv);
void options_free(Options *o);
// The flags of a command on standard output, with their defaults; those of settings are the program's own.
void options_help(int command, const TrainSettings *own);
// Tells that the command line cannot be understood, and gives the exit status of that, 2.
int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
// Warns that a flag, where it was given, is of no use: "--top-k has no effect: " and why.
void options_idle(const Options *o, int flag, const char *why);
void options_idle_setting(const Options *o, int setting, const char *why);
// Whether this command line computes, so that its precision matters: an export does with --data alone.
static inline bool options_compute(const Options *o) { return o->run_command & C_COMPUTES || (o->run_command == C_EXPORT && o->export_data); }
static inline int64_t opt_int(int64_t v, int64_t otherwise) { return v == OPT_UNSET ? otherwise : v; }
#endif
