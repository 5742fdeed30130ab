// JSON files through jansson, with errors that name the file, the place, the key, and what was expected.
#ifndef CALM_RUNTIME_JSON_H
#define CALM_RUNTIME_JSON_H
#include <jansson.h>
#include <stdint.h>

#include "runtime/core/core.h"

// Parse, behind a byte order mark if there is one; NULL and "FILE:LINE:COLUMN: …" on error. Duplicate keys are errors. `what` stands for
// the file's name in messages.
json_t *rtj_text(const char *what, const char *text, size_t n, RtError *e);
// A file that must hold an object. flags are jansson's decoding flags, usually 0; JSON_DECODE_INT_AS_REAL lets in the integers beyond
// 64 bits that tokenizer_config.json files have.
json_t *rtj_object_file(const char *path, size_t flags, RtError *e);
// "string", "integer", … with an article, for messages.
const char *rtj_kind(const json_t *v);
// The text of a member, "?" where there is none: to compare, and for messages, what a file says of itself.
const char *rtj_said(const json_t *obj, const char *key);
// A member; NULL where it is absent or null, which is how a table writes what a row has not.
json_t *rtj_has(const json_t *obj, const char *key);
// Optional members: absent or null leaves *out as it is. A value of another type is an error naming the file and key.
bool rtj_get_bool(const char *what, const json_t *obj, const char *key, bool *out, RtError *e);
bool rtj_get_string(const char *what, const json_t *obj, const char *key, const char **out, RtError *e);   // borrowed from obj
bool rtj_get_int(const char *what, const json_t *obj, const char *key, int64_t *out, RtError *e);
// A number of a file becomes one of ours here: v must be a whole number from low to high, else an error that names the key, what was found and
// what was expected. (A number with a fraction is none, 3.0 neither; what does not fit 64 bits is jansson's error already.)
bool rtj_int_in(const char *what, const char *key, const json_t *v, int64_t low, int64_t high, int64_t *out, RtError *e);
bool rtj_get_int_in(const char *what, const json_t *obj, const char *key, int64_t low, int64_t high, int64_t *out, RtError *e);   // optional
bool rtj_get_real_in(const char *what, const json_t *obj, const char *key, double low, double high, double *out, RtError *e);   // optional; any number
bool rtj_id(const char *what, const char *key, const json_t *v, int32_t *out, RtError *e);   // a token's: 0 to RTJ_MAX_ID
enum { RTJ_MAX_ID = (1 << 30) - 1 };         // beyond any vocabulary, and one more is still an int
#endif
