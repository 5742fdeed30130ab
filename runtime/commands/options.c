// See options.h. Usage errors name the option, what was found and what was expected.
#include "runtime/commands/options.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "runtime/machine/machine.h"

typedef enum OptKind { OPT_FLAG, OPT_WHOLE, OPT_BYTES, OPT_REAL, OPT_TEXT, OPT_LIST, OPT_WORD } OptKind;
typedef struct OptRow {
  const char *name, *arg, *help;
  OptKind kind;
  double lo, hi;
  const char *value, *otherwise;                   // the default, or what is done without one
  size_t at;
  int commands;
} OptRow;
#define ANY INFINITY
#define KIND_FLAG OPT_FLAG, 0, 0
#define KIND_WHOLE(lo, hi) OPT_WHOLE, lo, hi
#define KIND_BYTES OPT_BYTES, 1e6, 1e15
#define KIND_REAL(lo, hi) OPT_REAL, lo, hi
#define KIND_TEXT OPT_TEXT, 0, 0
#define KIND_LIST OPT_LIST, 0, 0
#define KIND_WORD(row) OPT_WORD, row, 0
#define DEFAULT_IS(text) text, NULL
#define DEFAULT_UNSAID(text) NULL, text
#define DEFAULT_NONE NULL, NULL
static const OptRow ROW[] = {
#define X(field, kind, name, arg, commands, value, help) {name, arg, help, KIND_##kind, DEFAULT_##value, offsetof(Options, field), commands},
#include "runtime/commands/options.def"
#undef X
};

int usage_error(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fputs("error: ", stderr);
  vfprintf(stderr, fmt, ap);
  fputc('\n', stderr);
  va_end(ap);
  return 2;
}

static bool is_name(const char *name, const char *written, size_t n) { return strlen(name) == n && !strncmp(name, written, n); }

static const OptRow *find(const char *name, size_t n, int command) {
  for (int i = 0; i < N_FLAGS; i++)
    if (ROW[i].commands & command && is_name(ROW[i].name, name, n)) return &ROW[i];
  return NULL;
}

static bool bad_number(const OptRow *r, const char *found) {
  char expected[96];
  setting_range(r->kind == OPT_WHOLE, r->lo, r->hi, expected, sizeof expected);
  return !usage_error("--%s: expected %s, found \"%s\"", r->name, expected, found);
}

static bool set_number(const OptRow *r, void *at, const char *s) {
  int64_t whole = 0;
  double x;
  bool ok = r->kind == OPT_WHOLE ? number_whole_text(s, &whole) : number_real_text(s, &x);
  if (r->kind == OPT_WHOLE) x = (double)(*(int64_t *)at = whole);
  else *(double *)at = x;
  return (ok && x >= r->lo && x <= r->hi) || bad_number(r, s);
}

static bool set_bytes(const OptRow *r, int64_t *at, const char *s) {
  return (number_bytes_text(s, at) && (double)*at >= r->lo) || !usage_error("--%s: expected a size, as in \"8GB\" or \"500MB\", found \"%s\"", r->name, s);
}

static bool set_word(const OptRow *r, int *at, const char *s) {
  const Setting *row = &setting_row[(int)r->lo];
  char expected[96];
  setting_expected(row, expected, sizeof expected);
  return (*at = setting_word(row, s)) >= 0 || !usage_error("--%s: expected %s, found \"%s\"", r->name, expected, s);
}

static void add_text(OptList *l, const char *s) {
  l->v = rt_realloc(l->v, (size_t)l->n + 1, sizeof *l->v);
  l->v[l->n++] = s;
}

static bool set_value(Options *o, const OptRow *r, const char *s) {
  void *at = (char *)o + r->at;
  switch (r->kind) {
    case OPT_FLAG: *(bool *)at = true; break;
    case OPT_TEXT: *(const char **)at = s; break;
    case OPT_LIST: add_text(at, s); break;
    case OPT_WHOLE:
    case OPT_REAL: return set_number(r, at, s);
    case OPT_BYTES: return set_bytes(r, at, s);
    case OPT_WORD: return set_word(r, at, s);
  }
  return true;
}

static bool given_twice(int n, const char *flag) { return !usage_error("--%.*s is given twice; it takes one value", n, flag); }

// ---- flags of settings: --weight-decay is weight_decay; --no-shuffle is shuffle, off

static bool is_flag_of(const Setting *s, const char *written, size_t n) {
  if (strlen(s->name) != n) return false;
  for (size_t i = 0; i < n; i++)
    if (written[i] != (s->name[i] == '_' ? '-' : s->name[i])) return false;
  return true;
}

// The row of a setting by its flag, or -1. *off: written with "no-".
static int find_setting(const char *name, size_t n, bool *off) {
  for (int i = 0; i < N_SETTINGS; i++) {
    const Setting *s = &setting_row[i];
    *off = s->kind == SETTING_SWITCH && n > 3 && !strncmp(name, "no-", 3) && is_flag_of(s, name + 3, n - 3);
    if (settings_is_train(i) && (*off || is_flag_of(s, name, n))) return i;
  }
  return -1;
}

static bool set_setting(Options *o, int i, const char *flag, size_t n, const char *text) {
  TrainSettings trial;
  RtError e;
  SettingKind kind = setting_row[i].kind;
  bool again = o->setting[i] != NULL;
  if (again && kind != SETTING_FILES && (kind != SETTING_SWITCH || strcmp(o->setting[i], text))) return given_twice((int)n, flag);
  if (again && kind == SETTING_FILES) add_text(&o->more[i], text);
  else o->setting[i] = text;
  settings_clear(&trial, i);
  return settings_set(&trial, i, text, &e) || !usage_error("--%.*s: %s", (int)n, flag, e.text);
}

// The flag of a setting, to be freed.
static char *flag_of(int i) {
  char *name = rt_strdup(setting_row[i].name);
  for (char *c = name; *c; c++)
    if (*c == '_') *c = '-';
  return name;
}

// ---- parsing

static const char *name_of(int commands) {         // the first of them
  static const struct { const char *name; int bit; } of[] = {
#define COMMAND(bit, run, name, args, words, asks, flag, help) {name, C_##bit},
#include "runtime/abi/commands.def"
#undef COMMAND
  };
  for (size_t i = 0; i < sizeof of / sizeof *of; i++)
    if (of[i].bit & commands) return of[i].name;
  return "";
}

// A flag that the command does not have: the nearest of those it has, or the commands that have it.
static bool unknown(int command, const char *written, size_t n) {
  char *word = rt_strndup(written, n);
  char *setting[N_SETTINGS] = {NULL}, *off_flag[N_SETTINGS] = {NULL};
  Near near = near_begin(word);
  int others = 0;
  for (int i = 0; i < N_FLAGS; i++) {
    if (ROW[i].commands & command) near_offer(&near, ROW[i].name);
    else if (!strcmp(ROW[i].name, word)) others |= ROW[i].commands;
  }
  for (int i = 0; i < N_SETTINGS; i++) {
    bool off;
    if (!settings_is_train(i)) continue;
    if (command == C_TRAIN) {
      near_offer(&near, setting[i] = flag_of(i));
      if (setting_row[i].kind == SETTING_SWITCH) near_offer(&near, off_flag[i] = rt_format("no-%s", setting[i]));
    } else if (find_setting(word, n, &off) == i) {
      others |= C_TRAIN;
    }
  }
  if (others && !near.best) usage_error("--%s is an option of %s, not of %s", word, name_of(others), name_of(command));
  else usage_error("%s has no option --%s%s%s%s%s%s (%s --help lists them)", name_of(command), word, near.best ? "; did you mean --" : "", near.best ? near.best : "",
                   near.best ? "?" : "", *near_remark(word) ? "; " : "", near_remark(word), name_of(command));
  for (int i = 0; i < N_SETTINGS; i++) rt_free(setting[i]), rt_free(off_flag[i]);
  rt_free(word);
  return false;
}

// With one dash; a flag has two.
static bool unknown_short(int command, const char *written) {
  size_t n = strcspn(written + 1, "=");
  bool off, is = find(written + 1, n, command) || (command == C_TRAIN && find_setting(written + 1, n, &off) >= 0);
  return !usage_error("%s has no option %s%s%s%s (%s --help lists them)", name_of(command), written, is ? "; did you mean -" : "", is ? written : "", is ? "?" : "", name_of(command));
}

static bool parse_one(Options *o, int command, int argc, char **argv, int *i) {
  const char *a = argv[*i] + 2, *eq = strchr(a, '=');
  size_t n = eq ? (size_t)(eq - a) : strlen(a);
  const OptRow *r = find(a, n, command);
  bool off = false;
  int set = !r && command == C_TRAIN ? find_setting(a, n, &off) : -1;
  if (!r && set < 0) return unknown(command, a, n);
  const char *arg = r ? r->arg : setting_row[set].arg;
  if (!*arg && eq) return !usage_error("--%.*s takes no value", (int)n, a);
  if (*arg && !eq && *i + 1 >= argc) return !usage_error("--%s needs a value: --%s %s", a, a, arg);
  const char *text = !*arg ? (off ? "false" : "true") : eq ? eq + 1 : argv[++*i];
  if ((r ? r->kind == OPT_WORD && (int)r->lo == SET_train_precision : set == SET_train_precision) && strchr(text, '=')) return add_text(&o->precision_of, text), true;
  if (!r) return set_setting(o, set, a, n, text);
  if (o->given[r - ROW] && r->kind != OPT_LIST && r->kind != OPT_FLAG) return given_twice((int)n, a);
  o->given[r - ROW] = true;
  return set_value(o, r, text);
}

static void set_defaults(Options *o, int command) {
  for (int i = 0; i < N_FLAGS; i++) {
    void *at = (char *)o + ROW[i].at;
    if (ROW[i].kind == OPT_WHOLE || ROW[i].kind == OPT_BYTES) *(int64_t *)at = OPT_UNSET;
    if (ROW[i].kind == OPT_REAL) *(double *)at = NAN;
    if (ROW[i].kind == OPT_WORD) *(int *)at = -1;
    if (ROW[i].value && ROW[i].commands & command) set_value(o, &ROW[i], ROW[i].value);
  }
}

bool options_parse(Options *o, int command, int argc, char **argv) {
  *o = (Options){.word = rt_alloc((size_t)argc + 1, sizeof *o->word)};
  set_defaults(o, command);
  bool plain = false;                              // after "--"
  for (int i = 0; i < argc; i++) {
    if (plain || strncmp(argv[i], "-", 1) || !argv[i][1]) o->word[o->nword++] = argv[i];
    else if (!strcmp(argv[i], "--")) plain = true;
    else if (!strcmp(argv[i], "-h")) o->help = true;
    else if (argv[i][1] != '-') return unknown_short(command, argv[i]);
    else if (!parse_one(o, command, argc, argv, &i)) return false;
  }
  return true;
}

void options_idle(const Options *o, int flag, const char *why) {
  if (o->given[flag]) rt_warn("--%s has no effect: %s", ROW[flag].name, why);
}

void options_idle_setting(const Options *o, int setting, const char *why) {
  char *flag = flag_of(setting);
  if (o->setting[setting]) rt_warn("--%s has no effect: %s", flag, why);
  rt_free(flag);
}

void options_free(Options *o) {
  for (int i = 0; i < N_FLAGS; i++)
    if (ROW[i].kind == OPT_LIST) rt_free(((OptList *)((char *)o + ROW[i].at))->v);
  for (int i = 0; i < N_SETTINGS; i++) rt_free(o->more[i].v);
  rt_free(o->word), rt_free(o->precision_of.v);
}

// ---- help

static void line(const char *name, const char *arg, const char *help, const char *value) {
  char left[64];
  snprintf(left, sizeof left, "--%s%s%s", name, *arg ? " " : "", arg);
  printf("  %-22s %s", left, help);
  if (value) printf(" (default: %s)", value);
  putchar('\n');
}

static void setting_line(const TrainSettings *own, int i) {
  char *name = flag_of(i), value[512];
  settings_text(own, i, value, sizeof value);
  line(name, setting_row[i].arg, setting_row[i].help, value);
  rt_free(name);
}

void options_help(int command, const TrainSettings *own) {
  for (int i = 0; i < N_SETTINGS; i++)
    if (command == C_TRAIN && settings_is_train(i)) setting_line(own, i);
  for (int i = 0; i < N_FLAGS; i++)
    if (ROW[i].commands & command) line(ROW[i].name, ROW[i].arg, ROW[i].help, ROW[i].value ? ROW[i].value : ROW[i].otherwise);
}
