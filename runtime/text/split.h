// Splitting the pieces of a text at what a pattern matches, and what pre-tokenizers hand each other while they do it.
#ifndef CALM_RUNTIME_TEXT_SPLIT_H
#define CALM_RUNTIME_TEXT_SPLIT_H
#include "runtime/text/placed.h"
#include "runtime/text/regex.h"

typedef struct TkPart {
  size_t begin, end;
  bool match;
} TkPart;
// What pre-tokenizers work on: pieces of a text. With open the text may go on, and the last piece of `in` and `out` is the one that is still
// growing: every continuation's pieces include all before it, and one that begins with it (it may be empty).
typedef struct TkSplitting {
  const TkText *t;
  TkText buf[2];               // texts that a pre-tokenizer rewrote, in turn
  TkPieces in, out;
  TkPart *part;                // work area
  size_t part_n, part_cap;
  bool open;
  uint32_t left;               // where in the raw text begins what a growing piece leaves out because a match may yet take it; UINT32_MAX: nowhere
  bool first, pieces;          // the pre-tokenizer that runs: pretokenize.h, TkWhere
  size_t room;                 // bytes that a rewritten text may have
} TkSplitting;

TkText *tk_splitting_buffer(TkSplitting *w);                // the buffer that w->t is not in, emptied
void tk_splitting_swap(TkSplitting *w);                     // in and out change places
void tk_splitting_take(TkSplitting *w, const TkText *t);    // goes on with what is in w->out, pieces of the text t
void tk_splitting_free(TkSplitting *w);

typedef enum TkBehavior { TK_ISOLATED, TK_REMOVED, TK_CONTIGUOUS, TK_WITH_PREVIOUS, TK_WITH_NEXT } TkBehavior;
typedef struct TkSplit {
  TkPattern pattern;
  bool (*is)(uint32_t cp);     // a class of characters instead of the pattern
  TkBehavior behavior;         // what becomes of a match
  bool invert;                 // what lies between the matches is the match
} TkSplit;

void tk_split_run(const TkSplit *sp, TkSplitting *w, TkCall *call);   // from w->in to w->out
// Whether a text splits the same from behind any settled token on, as if it began there.
bool tk_split_resumes(const TkSplit *sp);
#endif
