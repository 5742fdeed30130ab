// See settings.h. One row per setting: where it stands in the JSON form, its kind, its place.
#include "runtime/work/settings.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/files/json.h"

typedef enum SetKind { S_INT, S_REAL, S_TEXT, S_BOOL } SetKind;
typedef struct SetRow {
  const char *block, *key;     // block: "" for the settings themselves, else the object inside
  SetKind kind;
  size_t at;
} SetRow;
#define AT(field) offsetof(TrainSettings, field)
static const SetRow ROW[] = {
    {"", "data", S_TEXT, AT(data)},           {"", "validate", S_TEXT, AT(validate)},
        {"", "steps", S_INT, AT(steps)},
    {"", "accumulate", S_INT, AT(accumulate)}, {"", "seed", S_INT, AT(seed)},
        {"", "eval_every", S_INT, AT(eval_every)},
    {"", "save_every", S_INT, AT(save_every)}, {"", "clip", S_REAL, AT(clip)},
        {"", "shuffle", S_BOOL, AT(shuffle)},
    {"optimizer", "lr", S_REAL, AT(lr)},      {"optimizer", "eps", S_REAL, AT(eps)},
        {"optimizer", "weight_decay", S_REAL, AT(weight_decay)},
    {"schedule", "warmup", S_INT, AT(warmup)}, {"schedule", "floor", S_REAL, AT(floor)},
};
enum { NROWS = sizeof ROW / sizeof ROW[0] };

void settings_default(TrainSettings *s) {
  *s = (TrainSettings){.steps = 1000, .batch = 4096, .accumulate = 1, .warmup = -1, .eval_every = -1, .save_every = -1,
                       .tokens_cap = 4096,
                       .cosine = true, .shuffle = true, .clip = 1, .lr = 3e-4, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8,
                           .floor = 0.1};
}

static bool wrong(const char *what, const char *key, const char *expected, const json_t *v, RtError *e) {
  return rt_fail(e, "%s: %s: expected %s, found %s", what, key, expected, rtj_kind(v));
}

// A number with a fraction counts as an integer when it is one.
static bool read_int(const char *what, const char *key, const json_t *v, int64_t *out, RtError *e) {
  if (!json_is_number(v) || json_number_value(v) != floor(json_number_value(v))) return wrong(what, key,
      "a whole number", v, e);
  *out = json_is_integer(v) ? json_integer_value(v) : (int64_t)json_number_value(v);
  return true;
}

static bool read_row(TrainSettings *s, const SetRow *r, const json_t *v, const char *what, RtError *e) {
  void *at = (char *)s + r->at;
  if (json_is_null(v)) {                           // `clip = none`
    if (r->kind == S_REAL) *(double *)at = 0;
    if (r->kind == S_TEXT) *(const char **)at = NULL;
    return true;
  }
  switch (r->kind) {
    case S_INT: return read_int(what, r->key, v, at, e);
    case S_REAL:
      if (!json_is_number(v)) return wrong(what, r->key, "a number", v, e);
      *(double *)at = json_number_value(v);
      return true;
    case S_TEXT:
      if (!json_is_string(v)) return wrong(what, r->key, "a string", v, e);
      *(const char **)at = json_string_value(v);
      return true;
    case S_BOOL:
      if (!json_is_boolean(v) && !json_is_integer(v)) return wrong(what, r->key, "true or false", v, e);
      *(bool *)at = json_is_true(v) || json_integer_value(v) != 0;
      return true;
  }
  return true;
}

// `96 rows`, `4096 tokens` or a plain number (tokens).
static bool read_counted(const char *what, const char *key, const json_t *v, int64_t *n, bool *rows, RtError *e) {
  const json_t *count = json_is_object(v) ? json_object_get(v, "n") : v;
  const char *unit = json_is_object(v) ? json_string_value(json_object_get(v, "unit")) : NULL;
  if (!read_int(what, key, count, n, e)) return false;
  bool is_rows = unit && !strcmp(unit, "rows");
  if (is_rows && !rows) return rt_fail(e, "%s: %s: expected a number of tokens, found rows", what, key);
  if (rows) *rows = is_rows;
  return true;
}

// The name of a `name(args)` value: a string, or an object with "name".
static const char *called(const json_t *v) { return json_string_value(json_is_object(v) ? json_object_get(v, "name")
    : v); }

static bool set_schedule(TrainSettings *s, const char *name, const char *what, RtError *e) {
  if (!name || (strcmp(name, "cosine") && strcmp(name, "constant")))
    return rt_fail(e, "%s: schedule: expected cosine or constant, found %s", what, name ? name : "no name");
  s->cosine = !strcmp(name, "cosine");
  return true;
}

static bool read_named(TrainSettings *s, const json_t *o, const char *what, RtError *e) {
  const json_t *opt = json_object_get(o, "optimizer"), *sched = json_object_get(o, "schedule");
  if (opt) {
    const char *name = called(opt);
    if (!name || strcmp(name, "adamw")) return rt_fail(e, "%s: optimizer: expected adamw, found %s", what, name ? name
                                                       : "no name");
    const json_t *betas = json_object_get(opt, "betas");
    if (betas && json_array_size(betas) != 2) return wrong(what, "betas", "two numbers", betas, e);
    if (betas) s->beta1 = json_number_value(json_array_get(betas, 0)),
        s->beta2 = json_number_value(json_array_get(betas, 1));
  }
  if (!sched) return true;
  s->warmup = 0, s->floor = 0;                     // a schedule that is written down says all there is
  return set_schedule(s, called(sched), what, e);
}

bool settings_json(TrainSettings *s, const json_t *o, const char *what, RtError *e) {
  if (!o || json_is_null(o)) return true;
  if (!read_named(s, o, what, e)) return false;
  for (int i = 0; i < NROWS; i++) {
    const json_t *block = *ROW[i].block ? json_object_get(o, ROW[i].block) : o;
    const json_t *v = json_object_get(block, ROW[i].key);
    if (v && !read_row(s, &ROW[i], v, what, e)) return false;
  }
  const json_t *batch = json_object_get(o, "batch"), *cap = json_object_get(o, "tokens_cap");
  return (!batch || read_counted(what, "batch", batch, &s->batch, &s->batch_rows, e)) &&
         (!cap || read_counted(what, "tokens_cap", cap, &s->tokens_cap, NULL, e));
}

static bool parse_batch(TrainSettings *s, const char *text, RtError *e) {
  char *end;
  s->batch = strtoll(text, &end, 10);
  while (*end == ' ') end++;
  bool rows = !strcmp(end, "rows"), tokens = !*end || !strcmp(end, "tokens");
  if (end == text || (!rows && !tokens))
    return rt_fail(e, "--batch: expected a number of tokens or rows such as 4096 or 96rows, found \"%s\"", text);
  s->batch_rows = rows;
  return true;
}

bool settings_flags(TrainSettings *s, const Options *o, RtError *e) {
  if (o->data) s->data = o->data;
  if (o->validate) s->validate = o->validate;
  s->steps = opt_int(o->steps, s->steps);
  s->seed = opt_int(o->seed, s->seed);
  s->warmup = opt_int(o->warmup, s->warmup);
  s->eval_every = opt_int(o->eval_every, s->eval_every);
  s->save_every = opt_int(o->save_every, s->save_every);
  s->tokens_cap = opt_int(o->tokens_cap, s->tokens_cap);
  if (!isnan(o->lr)) s->lr = o->lr;
  if (!isnan(o->clip)) s->clip = o->clip;
  if (!isnan(o->weight_decay)) s->weight_decay = o->weight_decay;
  if (!isnan(o->floor)) s->floor = o->floor;
  if (o->no_shuffle) s->shuffle = false;
  return (!o->batch || parse_batch(s, o->batch, e)) && (!o->schedule || set_schedule(s, o->schedule, "--schedule", e));
}

bool settings_check(const TrainSettings *s, RtError *e) {
  const struct { bool bad; const char *why; } RULE[] = {
      {!s->data, "no training data: give --data FILE, or `data = \"…\"` in the spec's train block"},
      {s->steps < 0, "steps: expected 0 or more"},
      {s->batch < 1, "batch: expected 1 or more"},
      {s->accumulate < 1, "accumulate: expected 1 or more"},
      {s->tokens_cap < 1, "tokens_cap: expected 1 or more"},
      {s->lr < 0 || s->eps < 0 || s->weight_decay < 0 || s->clip < 0,
       "lr, eps, weight_decay, clip: expected 0 or more"},
      {s->beta1 < 0 || s->beta1 >= 1 || s->beta2 < 0 || s->beta2 >= 1, "betas: expected numbers from 0 to below 1"},
      {s->floor < 0 || s->floor > 1, "floor: expected a number from 0 to 1"},
  };
  for (size_t i = 0; i < sizeof RULE / sizeof RULE[0]; i++)
    if (RULE[i].bad) return rt_fail(e, "%s", RULE[i].why);
  return true;
}

json_t *settings_to_json(const TrainSettings *s) {
  json_t *o = json_object(), *opt = json_object(), *sched = json_object();
  json_object_set_new(opt, "name", json_string("adamw"));
  json_object_set_new(opt, "betas", json_pack("[f, f]", s->beta1, s->beta2));
  json_object_set_new(sched, "name", json_string(s->cosine ? "cosine" : "constant"));
  for (int i = 0; i < NROWS; i++) {
    const void *at = (const char *)s + ROW[i].at;
    json_t *block = !strcmp(ROW[i].block, "optimizer") ? opt : *ROW[i].block ? sched : o, *v = NULL;
    switch (ROW[i].kind) {
      case S_INT: v = json_integer(*(const int64_t *)at); break;
      case S_REAL: v = json_real(*(const double *)at); break;
      case S_TEXT: v = *(const char *const *)at ? json_string(*(const char *const *)at) : json_null(); break;
      case S_BOOL: v = json_boolean(*(const bool *)at); break;
    }
    json_object_set_new(block, ROW[i].key, v);
  }
  json_object_set_new(o, "optimizer", opt);
  json_object_set_new(o, "schedule", sched);
  json_object_set_new(o, "batch", json_pack("{s:I, s:s}", "n", (json_int_t)s->batch, "unit", s->batch_rows ? "rows"
                                            : "tokens"));
  json_object_set_new(o, "tokens_cap", json_integer(s->tokens_cap));
  return o;
}

double settings_lr(const TrainSettings *s, int64_t done) {
  int64_t warmup = s->warmup >= 0 ? s->warmup : s->steps / 10 < 50 ? s->steps / 10 : 50;
  if (done < warmup) return s->lr * (double)(done + 1) / (double)warmup;
  if (!s->cosine) return s->lr;
  double span = (double)(s->steps - warmup), at = span > 0 ? (double)(done - warmup) / span : 1;
  if (at > 1) at = 1;
  return s->lr * (s->floor + (1 - s->floor) * 0.5 * (1 + cos(3.14159265358979323846 * at)));
}
