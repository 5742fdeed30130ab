// The Unigram model: the tokens whose scores have the largest sum (Kudo 2018), searched as Hugging Face does.
#ifndef CALM_RUNTIME_TEXT_UNIGRAM_H
#define CALM_RUNTIME_TEXT_UNIGRAM_H
#include "runtime/text/model.h"

extern const TkModelKind tk_unigram;
#endif
