// Post-processors: only which ids they put around a single text matters here.
#ifndef CALM_RUNTIME_TEXT_POST_H
#define CALM_RUNTIME_TEXT_POST_H
#include "runtime/text/component.h"

typedef struct TkAround {
  int32_t *before, *after;
  int nbefore, nafter;
} TkAround;
typedef struct TkPostKind {
  TkKind kind;
  void (*run)(const void *own, TkAround *a);                // adds what it puts around what is there
} TkPostKind;

bool tk_post_read(TkAround *a, const char *what, const json_t *v, RtError *e);      // what names the file
void tk_around_free(TkAround *a);
#endif
