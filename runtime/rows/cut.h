// What becomes of a row that is longer than a context (setting too_long): an error, left out, or its prompt cut from the left. Nothing that is trained on is
// ever cut, nor what stands before every text.
#ifndef CALM_RUNTIME_ROWS_CUT_H
#define CALM_RUNTIME_ROWS_CUT_H
#include "runtime/rows/follow.h"

typedef struct CutRules {
  const Streams *streams;      // NULL: the anchor's alone
  int64_t context;             // of the anchor's stream
  int too_long;                // TOO_LONG_*
  int64_t behind;              // tokens that must fit behind a row of the anchor's
  int64_t room;                // tokens that a row which is cut leaves free in every context, half of one at most
} CutRules;

// A row, of which `drop` tokens behind the first `keep` may be left out.
typedef struct CutRow {
  const char *what;            // "row", "prompt"
  int64_t n;                   // tokens
  int64_t keep;                // that stand before every text
  int64_t prompt;              // before the first that is trained on, with these
  Follow *(*follow)(const void *user, int64_t drop, RtError *e);       // what other streams read of it then; NULL: there is one stream
  const void *user;
} CutRow;

typedef struct CutDone {
  bool out;                    // it is left out
  int64_t drop;
  int by;                      // the stream whose context it is longer than, where it is
  Follow *follow;              // of what is left; the caller's
} CutDone;

// False and an error, without a place: of a row that is longer, or where no prompt is long enough to be cut; or `follow`'s.
bool cut_row(const CutRules *c, const CutRow *r, CutDone *done, RtError *e);
// A stream whose own text (own.h) is longer than its context, 0 where there is none; false and an error that says so of stream `by`.
int cut_own_over(const Follow *f);
bool cut_refuse_own(const Follow *f, int by, RtError *e);
// The first tokens of n that stand before every text: tok's (or NULL) prefix, else bos (-1: none).
int64_t cut_keep(const Tokenizer *tok, int32_t bos, const int32_t *ids, int64_t n);
// n numbers without `drop` of them behind the first `keep`.
void cut_out(int32_t *v, int64_t n, int64_t keep, int64_t drop);
#endif
