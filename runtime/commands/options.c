// See options.h. Usage errors name the option, what was found and what was expected.
#include "runtime/commands/options.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/alloc.h"

typedef enum OptKind { FLAG, INT, REAL, SHARE, TEXT, LIST } OptKind;
typedef struct OptRow {
  const char *name, *arg, *help;
  OptKind kind;
  size_t at;
  int commands;
} OptRow;
static const OptRow ROW[] = {
#define X(field, kind, name, arg, commands, help) {name, arg, help, kind, offsetof(Options, field), commands},
#include "runtime/commands/options.def"
#undef X
};
enum { NROWS = sizeof ROW / sizeof ROW[0] };

static const OptRow *find(const char *name, size_t n, int command) {
  for (int i = 0; i < NROWS; i++)
    if (ROW[i].commands & command && strlen(ROW[i].name) == n && !strncmp(ROW[i].name, name, n)) return &ROW[i];
  return NULL;
}

static bool not_a_number(const OptRow *r, const char *which, const char *found) {
  fprintf(stderr, "error: --%s: expected a number %s, found \"%s\"\n", r->name, which, found);
  return false;
}

static bool set_value(Options *o, const OptRow *r, const char *s) {
  void *at = (char *)o + r->at;
  char *end = NULL;
  errno = 0;
  if (r->kind == FLAG) {
    *(bool *)at = true;
  } else if (r->kind == TEXT) {
    *(const char **)at = s;
  } else if (r->kind == LIST) {
    OptList *l = at;
    l->v = rt_realloc(l->v, (size_t)l->n + 1, sizeof *l->v);
    l->v[l->n++] = s;
  } else if (r->kind == INT) {
    *(int64_t *)at = strtoll(s, &end, 10);
    if (!*s || *end || errno || *(int64_t *)at < 0) return not_a_number(r, "of 0 or more without a fraction", s);
  } else {
    double x = *(double *)at = strtod(s, &end);
    bool number = *s && !*end && isfinite(x) && x >= 0;
    if (r->kind == SHARE && (!number || x > 1)) return not_a_number(r, "from 0 to 1", s);
    if (!number) return not_a_number(r, "of 0 or more", s);
  }
  return true;
}

static bool parse_one(Options *o, int command, int argc, char **argv, int *i) {
  const char *a = argv[*i] + 2, *eq = strchr(a, '=');
  size_t n = eq ? (size_t)(eq - a) : strlen(a);
  const OptRow *r = find(a, n, command);
  if (!r) {
    fprintf(stderr, "error: unknown option --%.*s for this command (see --help)\n", (int)n, a);
    return false;
  }
  if (r->kind == FLAG) {
    if (eq) fprintf(stderr, "error: --%s takes no value\n", r->name);
    return !eq && set_value(o, r, "");
  }
  if (!eq && *i + 1 >= argc) {
    fprintf(stderr, "error: --%s needs a value: --%s %s\n", r->name, r->name, r->arg);
    return false;
  }
  return set_value(o, r, eq ? eq + 1 : argv[++*i]);
}

bool options_parse(Options *o, int command, int argc, char **argv) {
  *o = (Options){.word = rt_alloc((size_t)argc + 1, sizeof *o->word)};
  for (int i = 0; i < NROWS; i++) {
    if (ROW[i].kind == INT) *(int64_t *)((char *)o + ROW[i].at) = OPT_UNSET;
    if (ROW[i].kind == REAL || ROW[i].kind == SHARE) *(double *)((char *)o + ROW[i].at) = NAN;
  }
  bool plain = false;                              // after "--"
  for (int i = 0; i < argc; i++) {
    if (plain || strncmp(argv[i], "-", 1) || !argv[i][1]) o->word[o->nword++] = argv[i];
    else if (!strcmp(argv[i], "--")) plain = true;
    else if (!strcmp(argv[i], "-h")) o->help = true;
    else if (argv[i][1] != '-') {
      fprintf(stderr, "error: unknown option %s (see --help)\n", argv[i]);
      return false;
    } else if (!parse_one(o, command, argc, argv, &i)) return false;
  }
  return true;
}

void options_free(Options *o) {
  for (int i = 0; i < NROWS; i++)
    if (ROW[i].kind == LIST) rt_free(((OptList *)((char *)o + ROW[i].at))->v);
  rt_free(o->word);
}

void options_help(int command) {
  for (int i = 0; i < NROWS; i++) {
    if (!(ROW[i].commands & command)) continue;
    char left[48];
    snprintf(left, sizeof left, "--%s%s%s", ROW[i].name, *ROW[i].arg ? " " : "", ROW[i].arg);
    printf("  %-22s %s\n", left, ROW[i].help);
  }
}
