// The stable prefix of a text: which tokens of a text that is still being written every continuation of it would begin
// with. A composition of models with two tokenizers shows an anchor position exactly the augment tokens that are settled by the text of the
// anchor tokens up to it.
//
//   Settler *rule = settler_new(tok);                       // once a tokenizer
//   SettledText *x = settled_new(rule, false);              // once a text
//   settled_push(x, bytes, n, e);                           // as often as there is more; a push may end within a character
//   n = settled_tokens(x, &ids, &spans);                    // after any push
//   settled_end(x, e);                                      // the text is complete: all its tokens are settled now
//
// What is promised:
//   - After settled_end the tokens and spans are those of tokenizer_encode on the whole text, and after each push a prefix of them, whatever
//     follows. Tokens that were settled stay as they are, so a caller may count them after each push.
//   - The number settled depends on the bytes so far, not on how they were cut into pushes: training (the whole text at hand) and generation
//     (token by token) expose the same tokens.
//   - A push costs time in the bytes pushed and the open end (a few characters for ordinary text), not in the text so far; where more than
//     512 bytes are open (in a word without end, or where the tokenizer cannot be resumed within a text: look-behind, regular expressions in
//     normalizers; settler_resumes says) not every push looks at them, and a text costs time in its length. What is settled there lags by a
//     few per cent of what is open.
//   - As in tokenizer_encode no special tokens are added around the text; those written in it are recognised.
#ifndef CALM_RUNTIME_SETTLED_H
#define CALM_RUNTIME_SETTLED_H
#include "runtime/text/tokenizer.h"

typedef struct Settler Settler;              // read-only once made: any number of texts and threads may share it
typedef struct SettledText SettledText;

Settler *settler_new(const Tokenizer *t);    // t must outlive it
void settler_free(Settler *s);
// The same rules over a share of the same tokenizer (tokenizer_share); s must outlive it.
Settler *settler_share(const Settler *s, const Tokenizer *t);
bool settler_resumes(const Settler *s);

SettledText *settled_new(const Settler *s, bool continuation);   // continuation: as in tokenizer_encode; s must outlive it
void settled_free(SettledText *x);
// Appends bytes to the text. False and an error where they are not UTF-8 (the byte is named, counted from the text's beginning).
bool settled_push(SettledText *x, const char *bytes, size_t n, RtError *e);
bool settled_end(SettledText *x, RtError *e);                     // false where the text ends within a character
// The settled tokens: how many, their ids and byte spans (owned by x, valid until the next push; either may be NULL). The text behind the
// last span's end is open.
int64_t settled_tokens(const SettledText *x, const int32_t **ids, const TokSpan **spans);
#endif
