// What the labelled tokens of a row say.
#ifndef CALM_RUNTIME_SAID_H
#define CALM_RUNTIME_SAID_H
#include "runtime/rows/data.h"

// Bytes of it in UTF-8: what the tokens add to the text before them, special ones nothing. -1 where tok is NULL, or its decoders give up.
int64_t row_said(const Tokenizer *tok, const DataRow *r);
#endif
