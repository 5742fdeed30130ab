// A bound on the tokens of a text by its bytes, ASCII and others; special ones around it aside.
#ifndef CALM_RUNTIME_TEXT_BOUND_H
#define CALM_RUNTIME_TEXT_BOUND_H
#include <stdint.h>

typedef struct TkTokensMost {
  int64_t ascii, other;        // for each byte
  int64_t fixed;               // and for the text
} TkTokensMost;
#endif
