// Settings of training and evaluation (settings.def) as both sides of the line see them: the compiler checks what a spec says and writes it into
// the program's description as JSON; the program reads that, a checkpoint's and the flags'. Values themselves are either side's own.
#ifndef CALM_RUNTIME_ABI_SETTINGS_H
#define CALM_RUNTIME_ABI_SETTINGS_H
#include <stdbool.h>
#include <stddef.h>

typedef enum SettingKind {
  SETTING_PATH,                // JSON: a string
  SETTING_FILES,               // a string, or several in a list; where hi is above 0, [string, number above 0] with a share for each
  SETTING_WHOLE,               // a number, as are TOKENS and REAL
  SETTING_TOKENS,              // (a spec's `4096 tokens` is {"n": 4096, "unit": "tokens"})
  SETTING_BATCH,               // {"n", "unit": "tokens" or "rows"}, "default": true where nobody set it; a number alone is tokens
  SETTING_BYTES,               // likewise, of bytes
  SETTING_REAL,
  SETTING_PAIR,                // two numbers
  SETTING_SWITCH,              // true or false, or 1 or 0
  SETTING_WORD,                // one of some words: a string
  SETTING_CALL,                // one of some words, with the settings of the block of this name as its arguments: {"name", argument…}
} SettingKind;

enum { SETTING_FILES_MOST = 64 };

// The words, and an enum of each list.
#define SETTING_OPTIMIZERS(W) W(adamw)
#define SETTING_SCHEDULES(W) W(cosine) W(constant)
#define SETTING_METRICS(W) W(exact_match) W(loss)
#define SETTING_CACHES(W) W(auto) W(memory) W(disk) W(off)
#define SETTING_TRAINED(W) W(assistant) W(all)
#define SETTING_TOO_LONGS(W) W(error) W(skip) W(truncate)
#define W(word) TRAIN_ON_##word,
enum { SETTING_TRAINED(W) };
#undef W
#define W(word) TOO_LONG_##word,
enum { SETTING_TOO_LONGS(W) };
#undef W
#define W(word) OPTIMIZER_##word,
enum { SETTING_OPTIMIZERS(W) };
#undef W
#define W(word) SCHEDULE_##word,
enum { SETTING_SCHEDULES(W) };
#undef W
#define W(word) METRIC_##word,
enum { SETTING_METRICS(W) };
#undef W
#define W(word) CACHE_##word,
enum { SETTING_CACHES(W) };
#undef W

enum { PRECISION_AUTO, PRECISION_SAID };             // word PRECISION_SAID + p names Precision p

typedef struct Setting {
  const char *block, *name;
  SettingKind kind;
  double lo, hi;               // of its numbers, both included
  const char *const *words;    // NULL-terminated; NULL where the kind has none
  const char *arg, *value, *otherwise, *help;      // the default: value, or (NULL) otherwise
} Setting;

#define SETTING(block, name, kind, arg, value, help) SET_##block##_##name,
enum {
#include "runtime/abi/settings.def"
  N_SETTINGS
};
#undef SETTING
extern const Setting setting_row[N_SETTINGS];

// The row of a name in a block, or -1.
int setting_find(const char *block, const char *name);
// What a setting takes, for after "expected ": "a number from 0 to 1".
void setting_expected(const Setting *s, char *out, size_t n);
// The same of a number alone; whole: one without a fraction.
void setting_range(bool whole, double lo, double hi, char *out, size_t n);
// The place of a word among a row's, or -1.
int setting_word(const Setting *s, const char *word);
#endif
