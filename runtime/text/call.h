// State of one encode or decode call, as its components see it.
#ifndef CALM_RUNTIME_TEXT_CALL_H
#define CALM_RUNTIME_TEXT_CALL_H
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>

#include "runtime/core/core.h"

typedef struct TkCall {
  int64_t joined;              // raw offset at which the text goes on from something, so that no prefix belongs there; -1 = none
  bool failed;                 // e is filled
  pcre2_match_data *match;
  const char *path;
  RtError *e;
} TkCall;
#endif
