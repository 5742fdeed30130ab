// Thin layer over jansson: files by name in every error, optional members with checked types.
#include "runtime/files/json.h"

#include "runtime/abi/abi.h"
#include "runtime/core/core.h"
#include "runtime/files/file.h"

// jansson's memory is ours: there, or the call ends (core/call.h). Set before main, since values made by one allocator cannot be freed by another.
static void *give(size_t n) { return rt_alloc(n, 1); }
__attribute__((constructor)) static void use_our_memory(void) { json_set_alloc_funcs(give, rt_free); }

static json_t *parse(const char *what, const char *text, size_t n, size_t flags, RtError *e) {
  json_error_t je;
  if (!text) text = "";        // an empty file's map
  const char *other = text_instead(text, n);
  if (other) return rt_fail(e, "%s: %s", what, other), NULL;
  size_t bom = rt_utf8_bom(text, n);
  json_t *v = json_loadb(text + bom, n - bom, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | flags, &je);
  if (!v) rt_fail(e, "%s:%d:%d: %s", what, je.line, je.column, je.text);
  return v;
}

json_t *rtj_text(const char *what, const char *text, size_t n, RtError *e) { return parse(what, text, n, 0, e); }

json_t *rtj_object_file(const char *path, size_t flags, RtError *e) {
  FileMap m;
  if (!file_map(&m, path, e)) return NULL;
  json_t *v = parse(path, (const char *)m.data, m.size, flags, e);
  file_unmap(&m);
  if (v && !json_is_object(v)) {
    rt_fail(e, "%s: expected a JSON object, found %s", path, rtj_kind(v));
    json_decref(v);
    return NULL;
  }
  return v;
}

const char *rtj_said(const json_t *obj, const char *key) {
  const char *s = json_string_value(json_object_get(obj, key));
  return s ? s : "?";
}

json_t *rtj_has(const json_t *obj, const char *key) {
  json_t *v = json_object_get(obj, key);
  return json_is_null(v) ? NULL : v;
}

const char *rtj_kind(const json_t *v) {
  if (!v) return "nothing";
  switch (json_typeof(v)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    case JSON_NULL: return "null";
  }
  return "an unknown value";
}

static bool wrong(const char *what, const char *key, const char *expected, const json_t *v, RtError *e) {
  return rt_fail(e, "%s: \"%s\": expected %s, found %s", what, key, expected, rtj_kind(v));
}

bool rtj_get_bool(const char *what, const json_t *obj, const char *key, bool *out, RtError *e) {
  const json_t *v = json_object_get(obj, key);
  if (!v || json_is_null(v)) return true;
  if (!json_is_boolean(v)) return wrong(what, key, "true or false", v, e);
  *out = json_is_true(v);
  return true;
}

bool rtj_get_string(const char *what, const json_t *obj, const char *key, const char **out, RtError *e) {
  const json_t *v = json_object_get(obj, key);
  if (!v || json_is_null(v)) return true;
  if (!json_is_string(v)) return wrong(what, key, "a string", v, e);
  *out = json_string_value(v);
  return true;
}

bool rtj_get_int(const char *what, const json_t *obj, const char *key, int64_t *out, RtError *e) {
  const json_t *v = json_object_get(obj, key);
  if (!v || json_is_null(v)) return true;
  if (!json_is_integer(v)) return wrong(what, key, "an integer", v, e);
  *out = json_integer_value(v);
  return true;
}

bool rtj_int_in(const char *what, const char *key, const json_t *v, int64_t low, int64_t high, int64_t *out, RtError *e) {
  if (!json_is_integer(v)) return wrong(what, key, "an integer", v, e);
  int64_t n = json_integer_value(v);
  if (n < low || n > high)
    return rt_fail(e, "%s: \"%s\": expected a whole number from %lld to %lld, found %lld", what, key, (long long)low, (long long)high, (long long)n);
  *out = n;
  return true;
}

bool rtj_get_int_in(const char *what, const json_t *obj, const char *key, int64_t low, int64_t high, int64_t *out, RtError *e) {
  const json_t *v = json_object_get(obj, key);
  return !v || json_is_null(v) || rtj_int_in(what, key, v, low, high, out, e);
}

bool rtj_get_real_in(const char *what, const json_t *obj, const char *key, double low, double high, double *out, RtError *e) {
  const json_t *v = json_object_get(obj, key);
  if (!v || json_is_null(v)) return true;
  if (!json_is_number(v)) return wrong(what, key, "a number", v, e);
  double x = json_number_value(v);
  if (!(x >= low && x <= high)) return rt_fail(e, "%s: \"%s\": expected a number from %g to %g, found %g", what, key, low, high, x);
  *out = x;
  return true;
}

bool rtj_id(const char *what, const char *key, const json_t *v, int32_t *out, RtError *e) {
  int64_t id = 0;
  if (!json_is_integer(v)) return wrong(what, key, "a token id", v, e);
  if (!rtj_int_in(what, key, v, 0, RTJ_MAX_ID, &id, e)) return false;
  *out = (int32_t)id;
  return true;
}
