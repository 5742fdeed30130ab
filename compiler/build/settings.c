// train and eval blocks as JSON for the program: numbers, words, and calls such as adamw(lr = 3e-4) as {"name": "adamw", "lr": 3e-4}.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dsl/base/near.h"
#include "build/ctx.h"

typedef enum SettingKind { TEXT, COUNT, SOME, AMOUNT, CALLED, WORD } SettingKind;     // SOME: a count of 1 or more
typedef struct SettingRow {
  AstKind block;
  const char *name;
  SettingKind kind;
  const char *expected;
} SettingRow;
static const SettingRow settings[] = {
#define X(block, name, kind, expected) {AST_##block, name, kind, expected},
#include "build/settings.def"
#undef X
};
// What may stand in the parentheses of a call, how many numbers each takes, and which: from 0 up to `most`.
typedef struct Argument {
  const char *call, *arg;
  int numbers;
  double most;
  const char *expected;
} Argument;
#define BELOW_1 0x1.fffffffffffffp-1
static const Argument arguments[] = {
    {"adamw", "lr", 1, INFINITY, "a number of 0 or more"},
    {"adamw", "betas", 2, BELOW_1, "two numbers from 0 to below 1, as in (0.9, 0.95)"},
    {"adamw", "weight_decay", 1, INFINITY, "a number of 0 or more"},
    {"adamw", "eps", 1, INFINITY, "a number of 0 or more"},
    {"cosine", "warmup", 1, INFINITY, "a number of steps, 0 or more"},
    {"cosine", "floor", 1, 1, "a number from 0 to 1"},
    {"constant", "warmup", 1, INFINITY, "a number of steps, 0 or more"},
    {"constant", "floor", 1, 1, "a number from 0 to 1"},
};
enum { N_SETTINGS = sizeof settings / sizeof *settings, N_ARGUMENTS = sizeof arguments / sizeof *arguments };
static const struct { const char *setting, *word;
} words[] = {
    {"optimizer", "adamw"},    {"schedule", "cosine"}, {"schedule", "constant"},
    {"metric", "exact_match"}, {"metric", "loss"},
};

json_t *value_json(Ev *ev, Loc loc, const Value *v) {
  switch (v->kind) {
    case V_BOOL: return json_boolean(v->b);
    case V_INT: return json_integer(v->i);
    case V_FLOAT: return json_real(v->f);
    case V_STRING: return json_string(v->s);
    case V_NONE: return json_null();
    case V_LIST: break;
    case V_POISON: return NULL;
    default: fail(ev, loc, "expected a number, a string, true, false or a list; found %s", v_text(ev, v)); return NULL;
  }
  json_t *list = json_array();
  for (int i = 0; i < v->n; i++) {
    json_t *j = value_json(ev, loc, &v->v[i]);
    if (!j) {
      json_decref(list);
      return NULL;
    }
    json_array_append_new(list, j);
  }
  return list;
}

static bool known_word(Ev *ev, const SettingRow *row, const char *word, Loc loc) {
  Near near = near_begin(word);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strcmp(words[i].setting, row->name)) continue;
    if (!strcmp(words[i].word, word)) return true;
    near_offer(&near, words[i].word);
  }
  fail(ev, loc, "%s: found '%s', expected %s%s%s%s", row->name, word, row->expected,
       near.best ? "; did you mean '" : "", near.best ? near.best : "", near.best ? "'?" : "");
  return false;
}

static bool in_range(const Argument *a, const Value *v) {
  double x;
  return v_number(v, &x) && x >= 0 && x <= a->most;
}

// What a call takes, for a message.
static const char *argument_list(Ev *ev, const char *call) {
  const char *list = "";
  for (int i = 0; i < N_ARGUMENTS; i++)
    if (!strcmp(arguments[i].call, call)) list = arena_printf(ev->b->a, "%s%s%s", list, *list ? ", " : "", arguments[i].arg);
  return list;
}

static bool add_argument(Ev *ev, json_t *o, const char *call, const Ast *arg) {
  if (arg->kind != AST_NAMED) {
    fail(ev, arg->loc, "arguments of %s are named, as in %s(%s = …)", call, call,
         !strcmp(call, "adamw") ? "lr" : "warmup");
    return false;
  }
  Near near = near_begin(arg->name);
  for (int i = 0; i < N_ARGUMENTS; i++) {
    const Argument *a = &arguments[i];
    if (strcmp(a->call, call)) continue;
    near_offer(&near, a->arg);
    if (strcmp(a->arg, arg->name)) continue;
    Value v = eval(ev, NULL, arg->kid[0]);
    const Value *odd = &v;                         // what does not fit
    bool fits = a->numbers == 1 ? in_range(a, &v) : v.kind == V_LIST && v.n == a->numbers;
    for (int k = 0; fits && v.kind == V_LIST && k < v.n; k++) fits = in_range(a, odd = &v.v[k]);
    if (v.kind == V_POISON) return false;
    if (!fits) {
      fail(ev, arg->kid[0]->loc, "%s: expected %s; found %s", arg->name, a->expected, v_text(ev, odd));
      return false;
    }
    json_object_set_new(o, arg->name, value_json(ev, arg->loc, &v));
    return true;
  }
  fail(ev, arg->loc, "%s takes no '%s'; expected %s%s%s%s", call, arg->name, argument_list(ev, call), near.best ? "; did you mean '" : "",
       near.best ? near.best : "", near.best ? "'?" : "");
  return false;
}

// adamw(…) or adamw
static json_t *named_json(Ev *ev, const SettingRow *row, const Ast *e) {
  if (e->kind != AST_NAME && e->kind != AST_CALL && e->kind != AST_STRING) {
    fail(ev, e->loc, "%s: expected %s", row->name, row->expected);
    return NULL;
  }
  const char *name = e->kind == AST_STRING ? e->str : e->name;
  if (!known_word(ev, row, name, e->loc)) return NULL;
  if (row->kind == WORD) return json_string(name);
  json_t *o = json_pack("{s:s}", "name", name);
  bool ok = true;                                  // every argument is looked at: errors are collected
  for (int i = 0; e->kind == AST_CALL && i < e->nkid; i++) ok &= add_argument(ev, o, name, e->kid[i]);
  if (ok) return o;
  json_decref(o);
  return NULL;
}

// A path of the spec is taken from the spec's folder; the program may run in another one.
static const char *path_text(Build *b, const char *path) {
  const char *spec = b->spec->sources->v[b->spec->file->loc.file].path, *slash = strrchr(spec, '/');
  if (path[0] == '/') return path;
  char *folder = realpath(slash ? arena_strndup(b->a, spec, (size_t)(slash - spec + 1)) : ".", NULL);
  if (!folder) return path;
  const char *full = arena_printf(b->a, "%s/%s", folder, path);
  free(folder);
  return full;
}

static json_t *setting_json(Ev *ev, const SettingRow *row, const Ast *s) {
  const Ast *e = s->kid[0];
  if (row->kind == CALLED || row->kind == WORD) return named_json(ev, row, e);
  Value v = eval(ev, NULL, e);
  int64_t n;
  double x;
  bool fits = row->kind == TEXT    ? v.kind == V_STRING
              : row->kind == COUNT ? v_whole(&v, &n) && n >= 0
              : row->kind == SOME  ? v_whole(&v, &n) && n >= 1
                                   : v_number(&v, &x) && x >= 0;
  if (v.kind == V_POISON) return NULL;
  if (!fits) {
    fail(ev, e->loc, "%s: expected %s; found %s", row->name, row->expected, v_text(ev, &v));
    return NULL;
  }
  if (row->kind == TEXT) return json_string(path_text(ev->b, v.s));
  if (row->kind == COUNT || row->kind == SOME) return s->str ? json_pack("{s:I, s:s}", "n", (json_int_t)n, "unit", s->str) : json_integer(n);
  return value_json(ev, e->loc, &v);
}

static json_t *block_json(Build *b, const Ast *block) {
  Ev ev = {.b = b};
  json_t *o = json_object();
  for (int i = 0; i < block->nkid; i++)
    for (int k = 0; k < N_SETTINGS; k++) {
      if (settings[k].block != block->kind || strcmp(settings[k].name, block->kid[i]->name)) continue;
      json_t *v = setting_json(&ev, &settings[k], block->kid[i]);
      if (v) json_object_set_new(o, settings[k].name, v);
    }
  return o;
}

json_t *settings_train(Build *b) {
  const Ast *file = b->spec->file;
  for (int i = 0; i < file->nkid; i++)
    if (file->kid[i]->kind == AST_TRAIN) return block_json(b, file->kid[i]);
  return json_object();
}

json_t *settings_evals(Build *b) {
  const Ast *file = b->spec->file;
  json_t *list = json_array();
  for (int i = 0; i < file->nkid; i++) {
    if (file->kid[i]->kind != AST_EVAL) continue;
    json_t *o = block_json(b, file->kid[i]);
    json_object_set_new(o, "title", json_string(file->kid[i]->str));
    json_array_append_new(list, o);
  }
  return list;
}
