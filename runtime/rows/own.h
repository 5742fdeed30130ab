// Texts that augments have of their own: "augment": {"code": "…"} of a row, or as generate is told. What reads one is a stream by itself, which sees all of it
// from the anchor's first token on; without one it reads the anchor's text as ever.
#ifndef CALM_RUNTIME_ROWS_OWN_H
#define CALM_RUNTIME_ROWS_OWN_H
#include <jansson.h>

#include "runtime/rows/follow.h"

typedef struct OwnText {
  const char *text;            // borrowed; NULL: none
  size_t n;
} OwnText;

// By stream, to be freed; NULL where `augment` has none: is NULL or null (as tables write what a row has not), or holds nothing else. False and an error:
// no such object, no such augment, or one that can have none.
bool own_read(const Streams *ss, const json_t *augment, OwnText **own, RtError *e);
// To streams that have read nothing yet; own NULL: nothing.
bool own_begin(Follow *f, const OwnText *own, RtError *e);
// Whether one of them holds text[0, n), without the white space around it (nothing: no).
bool own_holds(const Streams *ss, const OwnText *own, const char *text, size_t n);
#endif
