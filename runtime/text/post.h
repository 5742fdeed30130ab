// Post-processors: only which ids they put around a single text matters here.
#ifndef CALM_RUNTIME_TEXT_POST_H
#define CALM_RUNTIME_TEXT_POST_H
#include "runtime/text/component.h"

enum { TK_AROUND = 64 };       // ids on each side: they stand in every row
typedef struct TkAround {
  int32_t before[TK_AROUND], after[TK_AROUND];
  int nbefore, nafter;
} TkAround;
typedef struct TkPostKind {
  TkKind kind;
  bool (*run)(const void *own, TkAround *a);                // adds what it puts around what is there; false where that is too much
} TkPostKind;

bool tk_post_read(TkAround *a, const char *what, const json_t *v, RtError *e);      // what names the file
#endif
