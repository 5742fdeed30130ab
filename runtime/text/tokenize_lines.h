// The tokenize command of compiled programs and of the compiler.
#ifndef CALM_RUNTIME_TOKENIZE_LINES_H
#define CALM_RUNTIME_TOKENIZE_LINES_H
#include <stdio.h>

#include "runtime/text/tokenizer.h"

typedef struct TokLines {
  FILE *in, *out;
  const char *in_name, *out_name;                           // for messages
} TokLines;

// Line by line: a JSON string to {"ids": [...], "offsets": [[begin, end], ...]} (byte spans of the raw text; no special tokens added), or with
// decode {"ids": [...]} or a list of ids to a JSON string. Errors name the line.
bool tokenize_lines(const Tokenizer *t, bool decode, const TokLines *io, RtError *e);
#endif
