// What a training run does: the program's `train` block, over defaults, under flags. The same JSON form is kept in theta.json, so that --resume
// goes on with what the run was started with. Its settings are rows of abi/settings.def; here they get values.
#ifndef CALM_RUNTIME_SETTINGS_H
#define CALM_RUNTIME_SETTINGS_H
#include <jansson.h>
#include <stdint.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "runtime/rows/rows.h"

typedef struct SettingBatch {
  int64_t n;
  bool rows;                   // of rows, not tokens
  bool unsaid;                 // the default, since nobody said one: a step is at most one pass over the data then
} SettingBatch;

typedef struct SettingFiles {
  int n;                       // 0: nobody said any
  DataSource of[SETTING_FILES_MOST];
} SettingFiles;

// A member a setting of the train block, and of the calls in it. A count that nobody said is SETTING_AUTO, a path NULL, a word its place
// among the row's.
#define SETTING_AUTO (-1)
#define MEMBER_PATH const char *
#define MEMBER_FILES SettingFiles
#define MEMBER_MIX SettingFiles
#define MEMBER_WHOLE(lo, hi) int64_t
#define MEMBER_TOKENS(lo, hi) int64_t
#define MEMBER_BATCH(lo, hi) SettingBatch
#define MEMBER_BYTES(lo, hi) int64_t
#define MEMBER_REAL(lo, hi) double
#define MEMBER_PAIR(lo, hi) struct { double v[2]; }
#define MEMBER_SWITCH bool
#define MEMBER_WORD(words) int
#define MEMBER_CALL(words) int
#define OF_train(name, kind) MEMBER_##kind name;
#define OF_optimizer(name, kind) MEMBER_##kind name;
#define OF_schedule(name, kind) MEMBER_##kind name;
#define OF_eval(name, kind)
#define SETTING(block, name, kind, arg, value, help) OF_##block(name, kind)
typedef struct TrainSettings {
#include "runtime/abi/settings.def"
} TrainSettings;
#undef SETTING
#undef OF_train
#undef OF_optimizer
#undef OF_schedule
#undef OF_eval

// Is row i a setting of training?
bool settings_is_train(int i);
void settings_default(TrainSettings *s);
// Takes over what a settings object says; `what` names it in errors. Strings are borrowed from o.
bool settings_json(TrainSettings *s, const json_t *o, const char *what, RtError *e);
// Whether such an object says row i.
bool settings_says(const json_t *o, int i);
// Row i by its text, as a flag has it ("96rows", "0.9,0.95", "true"); borrowed. Of files it adds one, behind those of before (settings_clear). Errors say what was
// expected and found.
bool settings_set(TrainSettings *s, int i, const char *text, RtError *e);
void settings_clear(TrainSettings *s, int i);      // nobody said it
// Is there all that a training needs?
bool settings_check(const TrainSettings *s, RtError *e);
// Most anchor tokens computed at a time: those that an optimizer step can have, where that is less than the cap. longest: of the data's rows (feed_longest_of_all).
int64_t settings_step_tokens(const TrainSettings *s, int64_t longest);
// Paths are absolute in it.
json_t *settings_to_json(const TrainSettings *s);
// Row i of two: the same? And of one to another.
bool settings_same(const TrainSettings *a, const TrainSettings *b, int i);
void settings_copy(TrainSettings *to, const TrainSettings *from, int i);
// Row i as text: what settings_set would take, or what is done where nobody said.
void settings_text(const TrainSettings *s, int i, char *out, size_t n);
// A size, as in "4GB": with the largest unit of which it is a whole number.
void settings_bytes_text(int64_t bytes, char *out, size_t n);
// Learning rate of step `done` (0 = the first): a straight warm-up, then constant, or half a cosine down to floor * lr
// at the last step.
double settings_lr(const TrainSettings *s, int64_t done);
#endif
