// See fields.h. From rows of checkpoint.def.
#include "runtime/work/fields.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "runtime/files/files.h"
#include "runtime/work/precisions.h"

#define MANY 0x1p53            // a count that can be gone on from, and that doubles hold
#define TOKEN INT32_MAX
typedef enum FieldKind { COUNT, STEP, SEED, LOSS, TIME, TEXT, PRECISIONS } FieldKind;
typedef enum FieldNeed { OPTIONAL, SAID, NEEDED } FieldNeed;
#define KIND_COUNT(lo, hi) COUNT, (int64_t)lo, (int64_t)hi
#define KIND_STEP(lo, hi) STEP, (int64_t)lo, (int64_t)hi
#define KIND_SEED SEED, 0, 0
#define KIND_LOSS LOSS, 0, 0
#define KIND_TIME TIME, 0, 0
#define KIND_TEXT TEXT, 0, 0
#define KIND_PRECISIONS PRECISIONS, 0, 0
static const struct Field {
  const char *key;
  FieldKind kind;
  int64_t lo, hi;
  FieldNeed need;
  size_t at;
} FIELD[] = {
#define X(field, kind, need) {#field, KIND_##kind, need, offsetof(TrainState, field)},
#include "runtime/work/checkpoint.def"
#undef X
};
enum { NFIELDS = sizeof FIELD / sizeof FIELD[0] };

static json_t *field_json(const struct Field *f, const TrainState *s) {
  const void *at = (const char *)s + f->at;
  switch (f->kind) {
    case COUNT: return json_integer(*(const int64_t *)at);
    case STEP: return *(const int64_t *)at < 0 ? json_null() : json_integer(*(const int64_t *)at);
    case SEED: return json_integer((json_int_t) * (const uint64_t *)at);
    case LOSS:
    case TIME: return isfinite(*(const double *)at) ? json_real(*(const double *)at) : json_null();
    case TEXT: return *(const char *const *)at ? json_string(*(const char *const *)at) : json_null();
    case PRECISIONS: return *(json_t *const *)at ? json_incref(*(json_t *const *)at) : json_null();
  }
  return NULL;
}

// "expected": the words that there are.
static void precision_range(char *range, size_t n) {
  size_t at = 0;
  for (int i = 0; i < N_PRECISION && at < n; i++) at += (size_t)snprintf(range + at, n - at, "%s\"%s\"", i ? " or " : "", precision_name((Precision)i));
}

// What is found where a precision is expected: a word, or the first of the models' that is none.
static const json_t *found_word(const json_t *v) {
  const char *name;
  json_t *of;
  json_object_foreach((json_t *)(uintptr_t)v, name, of)
    if (!precisions_is(of) || json_is_object(of)) return of;
  return v;
}

static bool read_field(const struct Field *f, TrainState *s, const json_t *v, const char *path, RtError *e) {
  void *at = (char *)s + f->at;
  char range[96], number[96];
  const char *expected = range, *found = rtj_kind(v);
  bool null = !v || json_is_null(v), whole = json_is_integer(v) && json_integer_value(v) >= f->lo && json_integer_value(v) <= f->hi, ok = false;
  snprintf(range, sizeof range, "a whole number from %lld to %lld", (long long)f->lo, (long long)f->hi);
  if (v ? null && f->need == NEEDED : f->need != OPTIONAL) return rt_fail(e, "%s: \"%s\": expected a value, found %s", path, f->key, rtj_kind(v));
  switch (f->kind) {
    case COUNT: ok = null || whole, *(int64_t *)at = json_integer_value(v); break;       // 0 of null
    case STEP: ok = null || whole, *(int64_t *)at = null ? -1 : json_integer_value(v); break;
    case SEED: ok = null || json_is_integer(v), *(uint64_t *)at = (uint64_t)json_integer_value(v), expected = "a whole number"; break;
    case LOSS: ok = null || (json_is_number(v) && isfinite(json_number_value(v))), *(double *)at = null ? INFINITY : json_number_value(v), expected = "a number"; break;
    case TIME: ok = null || (json_is_number(v) && json_number_value(v) >= 0), *(double *)at = null ? NAN : json_number_value(v), expected = "a number of 0 or more"; break;
    case TEXT: ok = null || json_is_string(v), *(const char **)at = json_string_value(v), expected = "a string"; break;
    case PRECISIONS:
      ok = null || precisions_is(v), *(const json_t **)at = null ? NULL : v;
      if (!ok) precision_range(range, sizeof range), v = found_word(v), found = rtj_kind(v);
      break;
  }
  if (json_is_number(v)) snprintf(number, sizeof number, "%.15g", json_number_value(v)), found = number;
  if (json_is_string(v) && f->kind == PRECISIONS) snprintf(number, sizeof number, "\"%.80s\"", json_string_value(v)), found = number;
  return ok || rt_fail(e, "%s: \"%s\": expected %s, found %s", path, f->key, expected, found);
}

void fields_write(json_t *o, const TrainState *s) {
  for (int i = 0; i < NFIELDS; i++) json_object_set_new(o, FIELD[i].key, field_json(&FIELD[i], s));
}

bool fields_read(TrainState *s, const json_t *o, const char *path, RtError *e) {
  for (int i = 0; i < NFIELDS; i++)
    if (!read_field(&FIELD[i], s, json_object_get(o, FIELD[i].key), path, e)) return false;
  return true;
}

bool fields_read_one(TrainState *s, const char *key, const json_t *o, const char *path, RtError *e) {
  for (int i = 0; i < NFIELDS; i++)
    if (!strcmp(FIELD[i].key, key)) return read_field(&FIELD[i], s, json_object_get(o, key), path, e);
  return rt_fail(e, "%s: \"%s\": no such key", path, key);
}
