// A cursor over JSON text for the two parts of a tokenizer.json that are too large to build a tree of (a vocabulary of 262144
// entries, half a million merges): it steps through objects and arrays in place and copies nothing but strings with escapes.
#ifndef CALM_RUNTIME_JSON_SCAN_H
#define CALM_RUNTIME_JSON_SCAN_H
#include <stddef.h>
#include <stdint.h>

#include "runtime/core/core.h"

typedef struct JsonScan {
  const char *what;            // the file's name, for messages
  const char *start, *p, *end;
  char *scratch;               // decoded string when it had escapes
  size_t scratch_cap;
  RtError *e;
} JsonScan;
typedef struct JsonStr {
  const char *s;
  size_t n;
} JsonStr;

// Begins behind a byte order mark if there is one.
void jscan_init(JsonScan *s, const char *what, const char *text, size_t n, RtError *e);
void jscan_free(JsonScan *s);
// An error at the cursor: "FILE:LINE: expected …".
bool jscan_fail(JsonScan *s, const char *expected);
// Next character that is no white space, '\0' at the end. Does not consume it.
char jscan_peek(JsonScan *s);
bool jscan_expect(JsonScan *s, char c);
// Walks a container: *first must be true before the first call. 1 = an element (for objects *key is read and ':' consumed), 0 = the
// closing bracket was consumed, -1 = error. key may not outlive the next call that reads a string.
int jscan_member(JsonScan *s, bool *first, JsonStr *key);
int jscan_element(JsonScan *s, bool *first);
// Reads a string: points into the text, or into the scratch buffer when it had escapes (then valid until the next string).
bool jscan_string(JsonScan *s, JsonStr *out);
bool jscan_int(JsonScan *s, int64_t *out);
// Steps over one value of any kind; brackets must match, nothing else of it is checked.
bool jscan_skip(JsonScan *s);
#endif
