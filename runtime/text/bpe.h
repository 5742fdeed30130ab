// Byte-pair encoding of one piece: characters to symbols, then merges by rank (leftmost first among equals) with a heap over a linked list,
// O(n log n).
#ifndef CALM_RUNTIME_TEXT_BPE_H
#define CALM_RUNTIME_TEXT_BPE_H
#include "runtime/text/model.h"

extern const TkModelKind tk_bpe;
#endif
