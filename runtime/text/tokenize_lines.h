// The tokenize command of compiled programs and of the compiler.
#ifndef CALM_RUNTIME_TOKENIZE_LINES_H
#define CALM_RUNTIME_TOKENIZE_LINES_H
#include "runtime/text/tokenizer.h"

// Standard input to standard output, line by line: a JSON string to {"ids": [...], "offsets": [[begin, end], ...]}, or with decode
// {"ids": [...]} or a list of ids to a JSON string. Errors name the line.
bool tokenize_lines(const Tokenizer *t, bool decode, RtError *e);
#endif
