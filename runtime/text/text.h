// The door of text: tokenizers, and which tokens of an unfinished text are settled. The other headers are the room's own.
#ifndef CALM_RUNTIME_TEXT_ROOM_H
#define CALM_RUNTIME_TEXT_ROOM_H
#include "runtime/text/ends.h"
#include "runtime/text/settled.h"
#include "runtime/text/tokenize_lines.h"
#include "runtime/text/tokenizer.h"
#endif
