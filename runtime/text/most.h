// How many tokens a text can make at most, by its bytes: a proof from the tokenizer's settings (tokenizer_most). Each stage of the pipeline says what the stages behind it make
// of its text; what is known of the last, that a model makes no more tokens of a piece than it has bytes, is carried back to the raw text. A text is weighed:
// a byte of it is 1; the sign ▁ is 1 together where the model has a token for it and no stage shows bytes as characters, since it stands for a space.
#ifndef CALM_RUNTIME_TEXT_MOST_H
#define CALM_RUNTIME_TEXT_MOST_H
#include "runtime/text/bound.h"
#include "runtime/text/model.h"

#define TK_SIGN "\xE2\x96\x81"
enum { TK_MOST = 1 << 16 };    // a bound above this is none

// What the components' functions are told. They get what is so behind them (of TkTokensMost; fixed: of every piece or segment that comes to them) and turn it
// into what is so before them; false: there is no bound.
typedef struct TkMostOf {
  const TkModel *model;
  int64_t sign;                // what a ▁ weighs
  bool first, last;            // of the pre-tokenizers
} TkMostOf;

bool tk_most_same(const void *own, const TkMostOf *of, TkTokensMost *m);               // of what only splits or leaves out
int64_t tk_most_string(const TkMostOf *of, const TkTokensMost *m, const char *s);       // tokens of a string
int64_t tk_most_weight(const TkMostOf *of, const char *s, size_t n);
#endif
